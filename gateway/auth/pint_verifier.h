// PINT tokens: what KycService gives a partner for a user's signed consent.
#ifndef KYC_GATEWAY_AUTH_PINT_VERIFIER_H_
#define KYC_GATEWAY_AUTH_PINT_VERIFIER_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "gateway/auth/jwks.h"
#include "kyc/v1/partner_service.pb.h"

namespace kyc::gateway {

// Immutable; thread-safe.
class PintVerifier {
 public:
  // `issuer` is checked unless empty.
  explicit PintVerifier(std::string issuer);

  // What a token says, for the caller of that audience, which must not be
  // empty. ES256 alone; more in signed_jwt.h. Claims: `exp` to the second (the
  // consent ends then, and KycService writes both), `iat` and `nbf` not ahead,
  // `iss`; `aud` is that one text; `sub`, `jti`, `pint_uri` and `wallet` are
  // texts and `scopes` is an array of texts. Whether the consent still stands,
  // and whose it is, KycService knows. Errors as JwtVerifier's.
  absl::StatusOr<v1::PintGrant> Verify(std::string_view token,
                                       const KeySet& keys,
                                       std::string_view audience,
                                       int64_t now_ms) const;

 private:
  const std::string issuer_;
};

// OK when the grant has the scope, whatever its ?parameters; else
// PINT-403-003, which names it.
absl::Status CheckPintScope(const v1::PintGrant& grant, std::string_view scope);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_AUTH_PINT_VERIFIER_H_
