// Outgoing HTTP over libcurl's multi interface, as a coroutine.
#ifndef KYC_SERVICES_ASYNC_HTTP_CLIENT_H_
#define KYC_SERVICES_ASYNC_HTTP_CLIENT_H_

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/address_policy.h"
#include "services/async/loop.h"
#include "services/async/task.h"

namespace kyc::async {

class CurlMulti;

struct ClientRequest {
  std::string method = "GET";
  // http:// or https://, in lower case and without a user name.
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // Sent with Content-Length, byte for byte.
  // Sent in place of `body` where set, one piece behind the other: for what is
  // too large to be copied.
  std::shared_ptr<const std::vector<std::string>> shared_body;
  // For the whole exchange: connect, send, wait, receive.
  std::chrono::milliseconds timeout{5000};
  size_t max_response_bytes = 1 << 20;
  // The answer's head is all that matters: its body is not kept, and an answer
  // larger than max_response_bytes is cut off rather than an error.
  bool discard_body = false;
};

struct ClientResponse {
  int status = 0;
  // Names in lower case, in order of arrival.
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  // The first header of that lower-case name, or "".
  std::string_view Header(std::string_view name) const;
};

// An answer whose body is still coming. On the loop's thread; the stream may
// outlive the client. Letting it go breaks the connection off.
class BodyStream {
 public:
  // What may wait here for its reader. The sender is held up by TCP then.
  static constexpr size_t kWindow = 256 * 1024;
  // At most this much at a time.
  static constexpr size_t kMaxPiece = 64 * 1024;

  BodyStream(BodyStream&&) noexcept;
  BodyStream& operator=(BodyStream&&) noexcept;
  ~BodyStream();

  // Status and headers; its body is empty.
  const ClientResponse& head() const;
  // The next bytes, "" after the last. Waits at most `idle` for them: the
  // sender may take as long as it likes as long as it goes on, and the time
  // that the reader takes is not counted. Errors as of Send; UNAVAILABLE also
  // for a body that ends too early. Nothing can be read after an error. One
  // Read at a time.
  Task<absl::StatusOr<std::string>> Read(std::chrono::milliseconds idle);

 private:
  friend class HttpClient;
  struct State;
  explicit BodyStream(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// Connections are kept and reused per origin. Redirects are answers, not
// followed; no cookies, no proxies from the environment, no compressed
// answers, TLS 1.2 or later with certificates verified. The target goes out
// as it stands in the URL, byte for byte.
// A request with a body is sent at most once. One without may be sent again
// by itself when a kept connection turns out to be closed.
// Every call on the loop's thread; destroy it there, or after the loop has
// stopped and before it goes. Requests in flight go on without the object.
class HttpClient {
 public:
  struct Options {
    int max_connections_per_host = 256;
    std::chrono::milliseconds connect_timeout{2000};
    // Asked for each address a socket is about to connect to, whatever name
    // led there.
    AddressPolicy addresses = AddressPolicy::kAny;
  };
  HttpClient(Loop& loop, Options options);
  ~HttpClient();

  // Any HTTP status is a response. Errors, whose messages hold no URL query,
  // header or body:
  //   UNAVAILABLE         no connection, or it broke; where nothing of the
  //                       request was sent the status has the payload
  //                       kNotSentPayload.
  //   DEADLINE_EXCEEDED   no whole answer within `timeout`.
  //   RESOURCE_EXHAUSTED  answer larger than max_response_bytes, or its head
  //                       larger than 64 KiB.
  //   PERMISSION_DENIED   `addresses` allows none of the host's addresses: no
  //                       connection was made.
  //   INTERNAL            the answer is not HTTP.
  //   INVALID_ARGUMENT    not a URL, method or header that can be sent.
  // A coroutine that is destroyed takes its request with it.
  Task<absl::StatusOr<ClientResponse>> Send(ClientRequest request);

  // The same for an answer that is passed on as it comes, never whole in
  // memory. `timeout` is for what comes before the first byte of the body;
  // `max_response_bytes` means nothing.
  Task<absl::StatusOr<BodyStream>> Open(ClientRequest request);

 private:
  // Without the object, which may go before the request does.
  static Task<absl::StatusOr<ClientResponse>> Send(
      std::shared_ptr<CurlMulti> multi, Options options, ClientRequest request);
  static Task<absl::StatusOr<BodyStream>> Open(std::shared_ptr<CurlMulti> multi,
                                               Options options,
                                               ClientRequest request);

  const Options options_;
  std::shared_ptr<CurlMulti> multi_;
};

// Present on an error of a request of which no byte was sent.
inline constexpr char kNotSentPayload[] = "kyc/not-sent";

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_HTTP_CLIENT_H_
