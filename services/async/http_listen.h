// Opens listening sockets. Internal to the HTTP server.
#ifndef KYC_SERVICES_ASYNC_HTTP_LISTEN_H_
#define KYC_SERVICES_ASYNC_HTTP_LISTEN_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kyc::async {

struct Listening {
  std::vector<int> sockets;  // The caller's to close.
  int family = 0;
  int port = 0;           // 0 for a unix socket.
  std::string unix_path;  // "" for TCP.
};

// Listens on host:port, [v6]:port (an empty host is every address) with
// `sockets` sockets that share the port, or on unix:/path with one; the
// socket file of a server that is gone is replaced. Fails where somebody
// listens already. Resolves names, so it may block.
absl::StatusOr<Listening> Listen(std::string_view address, int sockets);

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_HTTP_LISTEN_H_
