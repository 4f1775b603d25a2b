// JSON Web Key Sets (RFC 7517) of public keys that sign user tokens.
#ifndef KYC_GATEWAY_AUTH_JWKS_H_
#define KYC_GATEWAY_AUTH_JWKS_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

struct evp_pkey_st;  // OpenSSL's EVP_PKEY.

namespace kyc::gateway {

// One public key. Immutable; thread-safe.
class VerificationKey {
 public:
  // RSA of 2048 to 8192 bits, EC on P-256, and OKP on Ed25519.
  enum class Type { kRsa, kEcP256, kEd25519 };

  std::string_view id() const { return id_; }
  // The one JWS algorithm this key verifies: the key decides, never the
  // token.
  std::string_view algorithm() const;

  // Whether `signature` is the key's over `text`, in JWS form (RFC 7518
  // section 3, RFC 8037): for ES256 r and s of 32 bytes each.
  bool Verify(std::string_view text, std::string_view signature) const;

 private:
  friend class KeySet;
  struct Free {
    void operator()(evp_pkey_st* key) const;
  };

  std::string id_;
  Type type_ = Type::kRsa;
  std::unique_ptr<evp_pkey_st, Free> key_;
};

// Immutable; thread-safe.
class KeySet {
 public:
  // Keeps the keys that can verify a token: a kid (of several with the same
  // kid the first), a type of the above, `use` and `alg` matching where there
  // are any. Others are skipped, as RFC 7517 section 5 asks for.
  // INVALID_ARGUMENT when the text is no key set or nothing is left; the
  // message tells why the last key was skipped and quotes no key material.
  static absl::StatusOr<KeySet> Parse(std::string_view json);

  // The key of that id, or nullptr.
  const VerificationKey* Find(std::string_view id) const;
  size_t size() const { return keys_.size(); }

 private:
  std::vector<VerificationKey> keys_;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_AUTH_JWKS_H_
