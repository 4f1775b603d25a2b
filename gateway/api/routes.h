// The table of everything the gateway answers.
#ifndef KYC_GATEWAY_API_ROUTES_H_
#define KYC_GATEWAY_API_ROUTES_H_

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include "gateway/api/call.h"
#include "gateway/http/router.h"

namespace kyc::gateway {

// One row. The path's template is also the `route` label of the metrics.
struct Route {
  enum class Auth {
    kUser,    // x-juno-jwt.
    kApiKey,  // Authorization: Bearer <key>, with one of the route's scopes.
    kUserOrApiKey,  // x-juno-jwt where there is one, else a key.
    kPartner,       // A key, and a PINT token with the route's PINT scope.
    kNone,          // Not of the gateway: what is public or signed.
  };
  enum class Body {
    kNone,  // Not read, or by the handler itself.
    kJson,  // application/json of at most max_body bytes.
    kRaw,   // At most max_body bytes, whatever they are.
  };

  std::string_view method;  // "*": any.
  std::string_view path;
  Handler handler;
  Auth auth;
  Body body = Body::kNone;
  size_t max_body = 0;
  // Whether the limits by client address and by user hold. Not for providers
  // and reverse proxies: what they send is the sum of many clients.
  bool limited = true;
  // What an API key must be for, one of them; kAnyScope for any key.
  std::array<std::string_view, 2> scopes = {};
  // What a PINT token must be for.
  std::string_view pint_scope = {};
  // Whether an Idempotency-Key is heeded. Never where the answer is a
  // credential, for answers are kept.
  bool once = false;
};

std::span<const Route> Routes();

// Finds rows of Routes() by their index. The table is right by construction:
// one that is not ends the process at start.
Router BuildRouter();

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_ROUTES_H_
