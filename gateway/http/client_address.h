// Whose request it is, by address, also behind proxies.
#ifndef KYC_GATEWAY_HTTP_CLIENT_ADDRESS_H_
#define KYC_GATEWAY_HTTP_CLIENT_ADDRESS_H_

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/http_server.h"

namespace kyc::gateway {

// Proxies whose X-Forwarded-For is believed. Immutable; thread-safe.
class TrustedProxies {
 public:
  // Addresses and networks ("10.0.0.0/8, ::1") separated by commas; empty:
  // none. INVALID_ARGUMENT names what is neither.
  static absl::StatusOr<TrustedProxies> Parse(std::string_view list);

  // The key that stands for the client in a rate limit: an IPv4 address, or
  // the /64 network of an IPv6 address, for that is what one client has. It
  // is the peer, or behind trusted proxies the last address of
  // X-Forwarded-For that is not theirs; what stands before that one is the
  // client's own word. nullopt: this machine itself, which has no limit.
  std::optional<std::string> ClientKey(
      const async::ServerRequest& request) const;

 private:
  // As IPv6; IPv4 as ::ffff:a.b.c.d.
  using Address = std::array<unsigned char, 16>;
  struct Network {
    Address address;
    int bits;
  };

  static std::optional<Address> ParseAddress(std::string_view text);
  static bool Contains(const Network& network, const Address& address);
  bool Trusts(const Address& address) const;

  std::vector<Network> networks_;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_HTTP_CLIENT_ADDRESS_H_
