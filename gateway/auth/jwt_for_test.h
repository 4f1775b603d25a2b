// Keys and tokens made on the spot, by OpenSSL alone: nothing here is shared
// with what it tests.
#ifndef KYC_GATEWAY_AUTH_JWT_FOR_TEST_H_
#define KYC_GATEWAY_AUTH_JWT_FOR_TEST_H_

#include <memory>
#include <string>
#include <string_view>

struct evp_pkey_st;

namespace kyc::gateway {

std::string EncodeBase64Url(std::string_view bytes);

class TestKey {
 public:
  enum class Type { kRsa2048, kRsa1024, kP256, kP384, kEd25519 };
  TestKey(Type type, std::string id);

  const std::string& id() const { return id_; }
  // The alg of a token that this key signs.
  std::string algorithm() const;
  // As a member of "keys"; `more` is put in: `"use":"sig"`.
  std::string Jwk(std::string_view more = "") const;
  // In JWS form.
  std::string Sign(std::string_view text) const;
  // As OpenSSL gives it: DER for EC.
  std::string SignDer(std::string_view text) const;
  // The public key as PEM: what a confused verifier takes for an HMAC key.
  std::string PublicPem() const;

  // A token with a good header around the claims.
  std::string Token(std::string_view claims) const;
  // A token signed over any header and claims.
  std::string TokenWith(std::string_view header, std::string_view claims) const;

 private:
  std::string Number(const char* name, size_t size) const;

  const Type type_;
  const std::string id_;
  const std::shared_ptr<evp_pkey_st> key_;
};

// {"keys":[…]}
std::string JwksOf(std::initializer_list<std::string> jwks);

// HMAC-SHA256.
std::string HmacSha256(std::string_view key, std::string_view text);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_AUTH_JWT_FOR_TEST_H_
