#include "services/base/signing_key.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <utility>
#include <vector>

#include "services/base/json.h"

namespace kyc::base {
namespace {

constexpr int kCoordinateBytes = 32;

template <typename T, void (*Free)(T*)>
struct Deleter {
  void operator()(T* pointer) const { Free(pointer); }
};
template <typename T, void (*Free)(T*)>
using Owned = std::unique_ptr<T, Deleter<T, Free>>;

using OwnedKey = Owned<EVP_PKEY, EVP_PKEY_free>;
using OwnedNumber = Owned<BIGNUM, BN_free>;

void FreeBio(BIO* bio) { BIO_free_all(bio); }
using OwnedBio = Owned<BIO, FreeBio>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

bool IsP256(const EVP_PKEY* key) {
  char group[32];
  size_t size = 0;
  return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
         EVP_PKEY_get_group_name(key, group, sizeof(group), &size) == 1 &&
         std::string_view(group, size) == "prime256v1";
}

// One coordinate of the public point, as 32 bytes.
std::string Coordinate(const EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  EVP_PKEY_get_bn_param(key, name, &number);
  const OwnedNumber owned(number);
  std::string bytes(kCoordinateBytes, '\0');
  if (number != nullptr) {
    BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()),
                 kCoordinateBytes);
  }
  return Base64Url(bytes);
}

// ECDSA's DER pair as JWS wants it: r and s, 32 bytes each.
std::string RawSignature(std::string_view der) {
  const unsigned char* in = Bytes(der);
  ECDSA_SIG* pair = d2i_ECDSA_SIG(nullptr, &in, static_cast<long>(der.size()));
  std::string raw;
  if (pair != nullptr) {
    raw.resize(2 * kCoordinateBytes);
    auto* out = reinterpret_cast<unsigned char*>(raw.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, kCoordinateBytes);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + kCoordinateBytes,
                 kCoordinateBytes);
  }
  ECDSA_SIG_free(pair);
  return raw;
}

}  // namespace

struct SigningKey::Impl {
  OwnedKey key;
};

SigningKey::SigningKey(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SigningKey::SigningKey(SigningKey&&) noexcept = default;
SigningKey& SigningKey::operator=(SigningKey&&) noexcept = default;
SigningKey::~SigningKey() = default;

absl::StatusOr<SigningKey> SigningKey::Generate() {
  OwnedKey key(EVP_EC_gen("P-256"));
  if (key == nullptr) return absl::InternalError("cannot generate a key");
  return SigningKey(std::make_unique<Impl>(Impl{std::move(key)}));
}

absl::StatusOr<SigningKey> SigningKey::FromPem(std::string_view pem) {
  const OwnedBio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  // An encrypted key must fail, not ask for its passphrase on the terminal.
  const auto no_passphrase = [](char*, int, int, void*) { return -1; };
  OwnedKey key(
      PEM_read_bio_PrivateKey(bio.get(), nullptr, no_passphrase, nullptr));
  if (key == nullptr || !IsP256(key.get())) {
    return absl::InvalidArgumentError("not a PEM private key on curve P-256");
  }
  return SigningKey(std::make_unique<Impl>(Impl{std::move(key)}));
}

absl::StatusOr<std::vector<SigningKey>> SigningKey::AllFromPem(
    std::string_view pem) {
  constexpr std::string_view kBegin = "-----BEGIN ";
  std::vector<SigningKey> keys;
  size_t at = pem.find(kBegin);
  while (at != std::string_view::npos) {
    const size_t next = pem.find(kBegin, at + kBegin.size());
    const std::string_view block = pem.substr(at, next - at);
    at = next;
    // What `openssl ecparam -genkey` writes before a key.
    if (block.starts_with("-----BEGIN EC PARAMETERS-----")) continue;
    absl::StatusOr<SigningKey> key = FromPem(block);
    if (!key.ok()) return key.status();
    keys.push_back(*std::move(key));
  }
  if (keys.empty()) {
    return absl::InvalidArgumentError("no PEM private key on curve P-256");
  }
  return keys;
}

std::string SigningKey::ToPem() const {
  const OwnedBio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PKCS8PrivateKey(bio.get(), impl_->key.get(), nullptr, nullptr,
                                0, nullptr, nullptr);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &text);
  return std::string(text, size > 0 ? size : 0);
}

std::string SigningKey::Thumbprint() const {
  // RFC 7638: the required members alone, in this order, without blanks.
  const std::string text =
      R"({"crv":"P-256","kty":"EC","x":")" +
      Coordinate(impl_->key.get(), OSSL_PKEY_PARAM_EC_PUB_X) + R"(","y":")" +
      Coordinate(impl_->key.get(), OSSL_PKEY_PARAM_EC_PUB_Y) + R"("})";
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr);
  return Base64Url({reinterpret_cast<char*>(digest), size});
}

void SigningKey::WriteJwk(std::string_view kid, std::string* out) const {
  JsonWriter json(out);
  json.BeginObject();
  json.Key("kty").String("EC");
  json.Key("crv").String("P-256");
  json.Key("x").String(Coordinate(impl_->key.get(), OSSL_PKEY_PARAM_EC_PUB_X));
  json.Key("y").String(Coordinate(impl_->key.get(), OSSL_PKEY_PARAM_EC_PUB_Y));
  json.Key("kid").String(kid);
  json.Key("use").String("sig");
  json.Key("alg").String("ES256");
  json.EndObject();
}

std::string SigningKey::Jwks(std::string_view kid) const {
  std::string jwk;
  WriteJwk(kid, &jwk);
  return "{\"keys\":[" + jwk + "]}";
}

absl::StatusOr<std::string> SigningKey::Sign(std::string_view kid,
                                             std::string_view payload) const {
  std::string header;
  JsonWriter json(&header);
  json.BeginObject();
  json.Key("alg").String("ES256");
  json.Key("typ").String("JWT");
  json.Key("kid").String(kid);
  json.EndObject();
  std::string token = Base64Url(header) + "." + Base64Url(payload);
  const Owned<EVP_MD_CTX, EVP_MD_CTX_free> context(EVP_MD_CTX_new());
  std::vector<unsigned char> der(EVP_PKEY_get_size(impl_->key.get()));
  size_t size = der.size();
  if (context == nullptr ||
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr,
                         impl_->key.get()) != 1 ||
      EVP_DigestSign(context.get(), der.data(), &size, Bytes(token),
                     token.size()) != 1) {
    return absl::InternalError("cannot sign");
  }
  const std::string raw =
      RawSignature({reinterpret_cast<const char*>(der.data()), size});
  if (raw.empty()) return absl::InternalError("cannot sign");
  return token + "." + Base64Url(raw);
}

std::string Base64Url(std::string_view bytes) {
  constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string out;
  uint32_t bits = 0;
  int pending = 0;
  for (const char c : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(c);
    pending += 8;
    while (pending >= 6) {
      pending -= 6;
      out.push_back(kAlphabet[(bits >> pending) & 63]);
    }
  }
  if (pending > 0) out.push_back(kAlphabet[(bits << (6 - pending)) & 63]);
  return out;
}

}  // namespace kyc::base
