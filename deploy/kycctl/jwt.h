// User tokens for development and tests: ES256 keys, their JWKS, and JWTs.
//
// Shares nothing with the gateway's verifier, so that one mistake cannot hide
// on both sides. RFC 7515 (JWS), RFC 7517 (JWK), RFC 7638 (thumbprint).
#ifndef KYC_DEPLOY_KYCCTL_JWT_H_
#define KYC_DEPLOY_KYCCTL_JWT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kyc::kycctl {

// A P-256 key pair. Immutable.
class SigningKey {
 public:
  static absl::StatusOr<SigningKey> Generate();
  // INVALID_ARGUMENT where the text is no PEM private key on P-256; the
  // message never quotes it.
  static absl::StatusOr<SigningKey> FromPem(std::string_view pem);

  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  ~SigningKey();

  // PKCS #8, unencrypted.
  std::string ToPem() const;
  // RFC 7638, SHA-256: the key's id unless another is chosen.
  std::string Thumbprint() const;
  // {"keys":[…]} with the public half alone.
  std::string Jwks(std::string_view kid) const;
  // The compact JWS of a payload.
  absl::StatusOr<std::string> Sign(std::string_view kid,
                                   std::string_view payload) const;

 private:
  struct Impl;
  explicit SigningKey(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The claims of a user token. Empty `issuer` and `audience` are left out.
struct UserClaims {
  std::string subject;
  std::string issuer;
  std::string audience;
  int64_t issued_at = 0;  // Seconds since 1970.
  int64_t ttl_seconds = 0;
};
std::string RenderClaims(const UserClaims& claims);

// base64url without padding.
std::string Base64Url(std::string_view bytes);

}  // namespace kyc::kycctl

#endif  // KYC_DEPLOY_KYCCTL_JWT_H_
