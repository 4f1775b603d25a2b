#include "gateway/auth/jwt_for_test.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <cstdlib>
#include <vector>

namespace kyc::gateway {
namespace {

void Check(bool ok) {
  if (!ok) std::abort();
}

EVP_PKEY* Generate(TestKey::Type type) {
  switch (type) {
    case TestKey::Type::kRsa2048:
      return EVP_RSA_gen(2048);
    case TestKey::Type::kRsa1024:
      return EVP_RSA_gen(1024);
    case TestKey::Type::kP256:
      return EVP_EC_gen("P-256");
    case TestKey::Type::kP384:
      return EVP_EC_gen("P-384");
    case TestKey::Type::kEd25519:
      return EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519");
  }
  return nullptr;
}

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

std::string FromNumber(const BIGNUM* number, size_t size) {
  if (size == 0) size = static_cast<size_t>(BN_num_bytes(number));
  std::string bytes(size, '\0');
  Check(BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()),
                     static_cast<int>(size)) >= 0);
  return bytes;
}

}  // namespace

std::string EncodeBase64Url(std::string_view bytes) {
  constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    count += 8;
    while (count >= 6) {
      count -= 6;
      text.push_back(kAlphabet[bits >> count & 63]);
    }
  }
  if (count > 0) text.push_back(kAlphabet[bits << (6 - count) & 63]);
  return text;
}

TestKey::TestKey(Type type, std::string id)
    : type_(type), id_(std::move(id)), key_(Generate(type), EVP_PKEY_free) {
  Check(key_ != nullptr);
}

std::string TestKey::algorithm() const {
  switch (type_) {
    case Type::kP256:
      return "ES256";
    case Type::kP384:
      return "ES384";
    case Type::kEd25519:
      return "EdDSA";
    default:
      return "RS256";
  }
}

std::string TestKey::Number(const char* name, size_t size) const {
  BIGNUM* number = nullptr;
  Check(EVP_PKEY_get_bn_param(key_.get(), name, &number) == 1);
  const std::string text = EncodeBase64Url(FromNumber(number, size));
  BN_free(number);
  return text;
}

std::string TestKey::Jwk(std::string_view more) const {
  std::string jwk = "{\"kid\":\"" + id_ + "\",";
  if (!more.empty()) jwk += std::string(more) + ",";
  switch (type_) {
    case Type::kRsa2048:
    case Type::kRsa1024:
      jwk += "\"kty\":\"RSA\",\"n\":\"" + Number(OSSL_PKEY_PARAM_RSA_N, 0) +
             "\",\"e\":\"" + Number(OSSL_PKEY_PARAM_RSA_E, 0) + "\"";
      break;
    case Type::kP256:
    case Type::kP384: {
      const size_t size = type_ == Type::kP256 ? 32 : 48;
      jwk += std::string("\"kty\":\"EC\",\"crv\":\"") +
             (size == 32 ? "P-256" : "P-384") + "\",\"x\":\"" +
             Number(OSSL_PKEY_PARAM_EC_PUB_X, size) + "\",\"y\":\"" +
             Number(OSSL_PKEY_PARAM_EC_PUB_Y, size) + "\"";
      break;
    }
    case Type::kEd25519: {
      unsigned char raw[32];
      size_t size = sizeof(raw);
      Check(EVP_PKEY_get_raw_public_key(key_.get(), raw, &size) == 1);
      jwk += "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" +
             EncodeBase64Url({reinterpret_cast<char*>(raw), size}) + "\"";
      break;
    }
  }
  return jwk + "}";
}

std::string TestKey::SignDer(std::string_view text) const {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  const EVP_MD* digest = type_ == Type::kEd25519 ? nullptr : EVP_sha256();
  Check(EVP_DigestSignInit(context, nullptr, digest, nullptr, key_.get()) == 1);
  size_t size = 1024;
  std::string signature(size, '\0');
  Check(EVP_DigestSign(context,
                       reinterpret_cast<unsigned char*>(signature.data()),
                       &size, Bytes(text), text.size()) == 1);
  EVP_MD_CTX_free(context);
  signature.resize(size);
  return signature;
}

std::string TestKey::Sign(std::string_view text) const {
  const std::string der = SignDer(text);
  if (type_ != Type::kP256) return der;
  const unsigned char* in = Bytes(der);
  ECDSA_SIG* parsed =
      d2i_ECDSA_SIG(nullptr, &in, static_cast<long>(der.size()));
  Check(parsed != nullptr);
  const std::string raw = FromNumber(ECDSA_SIG_get0_r(parsed), 32) +
                          FromNumber(ECDSA_SIG_get0_s(parsed), 32);
  ECDSA_SIG_free(parsed);
  return raw;
}

std::string TestKey::PublicPem() const {
  BIO* out = BIO_new(BIO_s_mem());
  Check(PEM_write_bio_PUBKEY(out, key_.get()) == 1);
  char* data = nullptr;
  const long size = BIO_get_mem_data(out, &data);
  const std::string pem(data, static_cast<size_t>(size));
  BIO_free(out);
  return pem;
}

std::string TestKey::TokenWith(std::string_view header,
                               std::string_view claims) const {
  const std::string text =
      EncodeBase64Url(header) + "." + EncodeBase64Url(claims);
  return text + "." + EncodeBase64Url(Sign(text));
}

std::string TestKey::Token(std::string_view claims) const {
  return TokenWith("{\"alg\":\"" + algorithm() +
                       "\",\"typ\":\"JWT\",\"kid\":\"" + id_ + "\"}",
                   claims);
}

std::string JwksOf(std::initializer_list<std::string> jwks) {
  std::string text = "{\"keys\":[";
  for (const std::string& jwk : jwks) {
    if (text.back() != '[') text += ",";
    text += jwk;
  }
  return text + "]}";
}

std::string HmacSha256(std::string_view key, std::string_view text) {
  unsigned char digest[32];
  unsigned int size = sizeof(digest);
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), Bytes(text),
       text.size(), digest, &size);
  return {reinterpret_cast<char*>(digest), size};
}

}  // namespace kyc::gateway
