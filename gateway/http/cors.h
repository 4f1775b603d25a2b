// Cross-origin requests of browsers
// (https://fetch.spec.whatwg.org/#cors-protocol).
#ifndef KYC_GATEWAY_HTTP_CORS_H_
#define KYC_GATEWAY_HTTP_CORS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/http_server.h"

namespace kyc::gateway {

// Which web pages may call. Immutable; thread-safe.
class CorsPolicy {
 public:
  // Origins ("https://app.example", no path) separated by commas, "*" for
  // any; empty: none. INVALID_ARGUMENT names what is not an origin.
  static absl::StatusOr<CorsPolicy> Parse(std::string_view origins);

  // Adds what a browser needs to let the page read the answer. Nothing for
  // an origin that is not allowed or for a request without one.
  void Apply(const async::ServerRequest& request,
             async::ServerResponse* response) const;
  // As Apply, for the answer to OPTIONS on a path with these methods.
  void ApplyPreflight(const async::ServerRequest& request,
                      std::string_view allow,
                      async::ServerResponse* response) const;

 private:
  bool Allows(std::string_view origin) const;

  std::vector<std::string> origins_;
  bool any_ = false;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_HTTP_CORS_H_
