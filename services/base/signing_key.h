// ES256 keys that sign JSON Web Tokens: RFC 7515 (JWS), RFC 7517 (JWK),
// RFC 7638 (thumbprint).
//
// Shares nothing with the gateway's verifier, so that one mistake cannot hide
// on both sides.
#ifndef KYC_SERVICES_BASE_SIGNING_KEY_H_
#define KYC_SERVICES_BASE_SIGNING_KEY_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kyc::base {

// A P-256 key pair. Immutable.
class SigningKey {
 public:
  static absl::StatusOr<SigningKey> Generate();
  // INVALID_ARGUMENT where the text is no PEM private key on P-256; the
  // message never quotes it.
  static absl::StatusOr<SigningKey> FromPem(std::string_view pem);
  // All keys of a text that holds one or more, in order. Errors as above, for
  // any of them.
  static absl::StatusOr<std::vector<SigningKey>> AllFromPem(
      std::string_view pem);

  SigningKey(SigningKey&&) noexcept;
  SigningKey& operator=(SigningKey&&) noexcept;
  ~SigningKey();

  // PKCS #8, unencrypted.
  std::string ToPem() const;
  // RFC 7638, SHA-256: the key's id unless another is chosen.
  std::string Thumbprint() const;
  // Writes the public half as a JWK to the end of `out`.
  void WriteJwk(std::string_view kid, std::string* out) const;
  // {"keys":[…]} with that alone.
  std::string Jwks(std::string_view kid) const;
  // The compact JWS of a payload.
  absl::StatusOr<std::string> Sign(std::string_view kid,
                                   std::string_view payload) const;

 private:
  struct Impl;
  explicit SigningKey(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// base64url without padding.
std::string Base64Url(std::string_view bytes);

}  // namespace kyc::base

#endif  // KYC_SERVICES_BASE_SIGNING_KEY_H_
