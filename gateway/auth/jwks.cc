#include "gateway/auth/jwks.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gateway/auth/base64url.h"
#include "services/base/json.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

constexpr size_t kMaxSetBytes = 256 * 1024;
constexpr size_t kMaxKeys = 100;

template <auto Function>
struct Releaser {
  template <typename T>
  void operator()(T* object) const {
    Function(object);
  }
};
using BigNumber = std::unique_ptr<BIGNUM, Releaser<BN_free>>;
using ParamBuilder =
    std::unique_ptr<OSSL_PARAM_BLD, Releaser<OSSL_PARAM_BLD_free>>;
using Params = std::unique_ptr<OSSL_PARAM, Releaser<OSSL_PARAM_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Releaser<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Releaser<EVP_MD_CTX_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Releaser<ECDSA_SIG_free>>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

BigNumber ToNumber(std::string_view big_endian) {
  return BigNumber(BN_bin2bn(Bytes(big_endian),
                             static_cast<int>(big_endian.size()), nullptr));
}

absl::StatusOr<std::string> Member(base::JsonValue jwk, const char* name) {
  const std::optional<std::string_view> text = jwk[name].AsString();
  std::optional<std::string> bytes;
  if (text) bytes = DecodeBase64Url(*text);
  if (!bytes || bytes->empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", name, "\" is not base64url"));
  }
  return *std::move(bytes);
}

absl::StatusOr<EVP_PKEY*> FromParams(const char* type,
                                     OSSL_PARAM_BLD* builder) {
  const Params params(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (params == nullptr || context == nullptr ||
      EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY,
                        params.get()) != 1) {
    return absl::InvalidArgumentError("the key's numbers are not a key");
  }
  return key;
}

absl::StatusOr<EVP_PKEY*> ParseRsa(base::JsonValue jwk) {
  ASSIGN_OR_RETURN(const std::string n, Member(jwk, "n"));
  ASSIGN_OR_RETURN(const std::string e, Member(jwk, "e"));
  const BigNumber modulus = ToNumber(n);
  const BigNumber exponent = ToNumber(e);
  const int bits = BN_num_bits(modulus.get());
  if (bits < 2048 || bits > 8192) {
    return absl::InvalidArgumentError("RSA keys have 2048 to 8192 bits");
  }
  if (e.size() > 8 || BN_is_odd(exponent.get()) != 1 ||
      BN_is_one(exponent.get()) == 1) {
    return absl::InvalidArgumentError("not an RSA exponent");
  }
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N,
                             modulus.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E,
                             exponent.get()) != 1) {
    return absl::InternalError("out of memory");
  }
  return FromParams("RSA", builder.get());
}

absl::StatusOr<EVP_PKEY*> ParseP256(base::JsonValue jwk) {
  ASSIGN_OR_RETURN(const std::string x, Member(jwk, "x"));
  ASSIGN_OR_RETURN(const std::string y, Member(jwk, "y"));
  if (jwk["crv"].AsString() != "P-256") {
    return absl::InvalidArgumentError("EC keys are on P-256");
  }
  if (x.size() != 32 || y.size() != 32) {
    return absl::InvalidArgumentError("not a point of P-256");
  }
  const std::string point = "\x04" + x + y;
  const ParamBuilder builder(OSSL_PARAM_BLD_new());
  if (OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME,
                                      "P-256", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY,
                                       point.data(), point.size()) != 1) {
    return absl::InternalError("out of memory");
  }
  return FromParams("EC", builder.get());
}

absl::StatusOr<EVP_PKEY*> ParseEd25519(base::JsonValue jwk) {
  ASSIGN_OR_RETURN(const std::string x, Member(jwk, "x"));
  if (jwk["crv"].AsString() != "Ed25519") {
    return absl::InvalidArgumentError("OKP keys are on Ed25519");
  }
  EVP_PKEY* key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr,
                                              Bytes(x), x.size());
  if (key == nullptr) {
    return absl::InvalidArgumentError("not a point of Ed25519");
  }
  return key;
}

bool IsSound(EVP_PKEY* key) {
  const KeyContext context(EVP_PKEY_CTX_new(key, nullptr));
  return context != nullptr && EVP_PKEY_public_check(context.get()) == 1;
}

// r and s as DER, which is what OpenSSL verifies.
std::optional<std::string> ToDer(std::string_view raw) {
  if (raw.size() != 64) return std::nullopt;
  const Signature signature(ECDSA_SIG_new());
  BigNumber r = ToNumber(raw.substr(0, 32));
  BigNumber s = ToNumber(raw.substr(32));
  if (signature == nullptr || r == nullptr || s == nullptr ||
      ECDSA_SIG_set0(signature.get(), r.get(), s.get()) != 1) {
    return std::nullopt;
  }
  (void)r.release();
  (void)s.release();
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  if (size <= 0) return std::nullopt;
  std::string text(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return text;
}

}  // namespace

void VerificationKey::Free::operator()(evp_pkey_st* key) const {
  EVP_PKEY_free(key);
}

std::string_view VerificationKey::algorithm() const {
  switch (type_) {
    case Type::kRsa:
      return "RS256";
    case Type::kEcP256:
      return "ES256";
    case Type::kEd25519:
      return "EdDSA";
  }
  return {};
}

bool VerificationKey::Verify(std::string_view text,
                             std::string_view signature) const {
  std::string der;
  if (type_ == Type::kEcP256) {
    std::optional<std::string> converted = ToDer(signature);
    if (!converted) return false;
    der = *std::move(converted);
    signature = der;
  }
  const EVP_MD* digest = type_ == Type::kEd25519 ? nullptr : EVP_sha256();
  const DigestContext context(EVP_MD_CTX_new());
  return context != nullptr &&
         EVP_DigestVerifyInit(context.get(), nullptr, digest, nullptr,
                              key_.get()) == 1 &&
         EVP_DigestVerify(context.get(), Bytes(signature), signature.size(),
                          Bytes(text), text.size()) == 1;
}

absl::StatusOr<KeySet> KeySet::Parse(std::string_view json) {
  absl::StatusOr<base::JsonDocument> document = base::JsonDocument::Parse(
      json, {.max_bytes = kMaxSetBytes, .max_depth = 8});
  if (!document.ok()) return document.status();
  const base::JsonValue list = document->root()["keys"];
  if (!list.IsArray()) {
    return absl::InvalidArgumentError("there is no \"keys\" array");
  }

  const auto parse_one =
      [](base::JsonValue jwk) -> absl::StatusOr<VerificationKey> {
    VerificationKey key;
    key.id_ = jwk["kid"].StringOr("");
    if (key.id_.empty()) return absl::InvalidArgumentError("it has no kid");
    if (jwk["use"].exists() && jwk["use"].AsString() != "sig") {
      return absl::InvalidArgumentError("its use is not sig");
    }
    const std::string type = jwk["kty"].StringOr("");
    absl::StatusOr<EVP_PKEY*> parsed =
        absl::InvalidArgumentError("its kty is none of RSA, EC, OKP");
    if (type == "RSA") {
      key.type_ = VerificationKey::Type::kRsa;
      parsed = ParseRsa(jwk);
    } else if (type == "EC") {
      key.type_ = VerificationKey::Type::kEcP256;
      parsed = ParseP256(jwk);
    } else if (type == "OKP") {
      key.type_ = VerificationKey::Type::kEd25519;
      parsed = ParseEd25519(jwk);
    }
    RETURN_IF_ERROR(parsed.status());
    key.key_.reset(*parsed);
    if (!IsSound(key.key_.get())) {
      return absl::InvalidArgumentError("its numbers are not a public key");
    }
    if (jwk["alg"].exists() && jwk["alg"].AsString() != key.algorithm()) {
      return absl::InvalidArgumentError("its alg is not one for its type");
    }
    return key;
  };

  KeySet set;
  absl::Status skipped = absl::InvalidArgumentError("it is empty");
  for (const base::JsonValue& jwk : list.Elements()) {
    if (set.keys_.size() == kMaxKeys) break;
    absl::StatusOr<VerificationKey> key = parse_one(jwk);
    if (!key.ok()) {
      skipped = key.status();
    } else if (set.Find(key->id_) == nullptr) {
      set.keys_.push_back(*std::move(key));
    }
  }
  if (set.keys_.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "no key can verify a token; of the last one: ", skipped.message()));
  }
  return set;
}

const VerificationKey* KeySet::Find(std::string_view id) const {
  for (const VerificationKey& key : keys_) {
    if (key.id_ == id) return &key;
  }
  return nullptr;
}

}  // namespace kyc::gateway
