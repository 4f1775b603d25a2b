// JSON Web Tokens (RFC 7519) in JWS compact form, checked as RFC 8725 asks
// for: what holds of every token, whatever its claims mean.
#ifndef KYC_GATEWAY_AUTH_SIGNED_JWT_H_
#define KYC_GATEWAY_AUTH_SIGNED_JWT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "gateway/auth/jwks.h"
#include "services/base/json.h"

namespace kyc::gateway {

// The clock difference that is forgiven, in seconds.
inline constexpr int64_t kClockSkewSeconds = 60;
inline constexpr size_t kMaxTokenBytes = 8192;

// The claims of a token that a key of the set has signed. `kid` must name a
// key, whose type says the algorithm; `crit` is refused, `typ` is JWT or
// at+jwt where there is one; `jku`, `jwk` and `x5u` mean nothing; repeated
// members are refused. `only_algorithm` refuses keys of other algorithms.
//   NOT_FOUND        the set has no key of that kid; a newer set may.
//   UNAUTHENTICATED  everything else.
// Messages are fixed texts for metrics and tests; callers learn neither.
absl::StatusOr<base::JsonDocument> OpenSignedJwt(
    std::string_view token, const KeySet& keys,
    std::string_view only_algorithm = {});

// RFC 7519's NumericDate in whole seconds: some issuers write fractions, which
// are dropped.
std::optional<int64_t> NumericDate(base::JsonValue claim);

// `nbf` and `iat`, where there are any, do not lie ahead.
absl::Status CheckBegun(base::JsonValue claims, int64_t now_seconds);

// Text of 1 to `max_bytes` bytes without control characters.
bool IsPlainText(std::string_view text, size_t max_bytes);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_AUTH_SIGNED_JWT_H_
