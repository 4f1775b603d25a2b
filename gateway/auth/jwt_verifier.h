// User tokens: JSON Web Tokens of the company's identity provider.
#ifndef KYC_GATEWAY_AUTH_JWT_VERIFIER_H_
#define KYC_GATEWAY_AUTH_JWT_VERIFIER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "gateway/auth/jwks.h"
#include "gateway/auth/signed_jwt.h"

namespace kyc::gateway {

struct VerifiedToken {
  std::string subject;  // The user's id.
  // When Verify begins to refuse the token (its `exp` and the skew), in
  // milliseconds since 1970.
  int64_t refused_from_ms = 0;
};

// Immutable; thread-safe.
class JwtVerifier {
 public:
  // `issuer` and `audience` are checked unless empty.
  JwtVerifier(std::string issuer, std::string audience);

  // Takes RS256, ES256 and EdDSA, as the key's type says; more in
  // signed_jwt.h. Claims: `exp` is required, `nbf` and `iat` must not lie
  // ahead, `sub` is UTF-8 text of 1 to 256 bytes without control characters.
  //   NOT_FOUND        the set has no key of that kid; a newer set may.
  //   UNAUTHENTICATED  everything else.
  // Messages are fixed texts for metrics and tests; callers learn neither.
  absl::StatusOr<VerifiedToken> Verify(std::string_view token,
                                       const KeySet& keys,
                                       int64_t now_ms) const;

 private:
  const std::string issuer_;
  const std::string audience_;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_AUTH_JWT_VERIFIER_H_
