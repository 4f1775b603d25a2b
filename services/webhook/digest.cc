#include "services/webhook/digest.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace kyc::webhook {
namespace {

std::optional<DigestAlgorithm> FindAlgorithm(std::string_view name) {
  if (name == "HMAC_SHA1_HEX") return DigestAlgorithm::kHmacSha1Hex;
  if (name == "HMAC_SHA256_HEX") return DigestAlgorithm::kHmacSha256Hex;
  if (name == "HMAC_SHA512_HEX") return DigestAlgorithm::kHmacSha512Hex;
  return std::nullopt;
}

const char* HashOf(DigestAlgorithm algorithm) {
  switch (algorithm) {
    case DigestAlgorithm::kHmacSha1Hex:
      return "SHA1";
    case DigestAlgorithm::kHmacSha256Hex:
      return "SHA256";
    case DigestAlgorithm::kHmacSha512Hex:
      return "SHA512";
  }
  return nullptr;
}

// An HMAC that is told a key and a text at a time. To look its hash up costs
// OpenSSL more than to hash a webhook, so each thread has one per algorithm.
// Not thread-safe.
class Hmac {
 public:
  explicit Hmac(DigestAlgorithm algorithm) {
    EVP_MAC* hmac = EVP_MAC_fetch(nullptr, OSSL_MAC_NAME_HMAC, nullptr);
    context_.reset(EVP_MAC_CTX_new(hmac));
    EVP_MAC_free(hmac);
    std::string hash = HashOf(algorithm);
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, hash.data(), 0),
        OSSL_PARAM_construct_end()};
    if (context_ != nullptr &&
        EVP_MAC_CTX_set_params(context_.get(), parameters) != 1) {
      context_.reset();
    }
  }

  // Takes the last key out of OpenSSL's memory.
  void Forget() {
    static constexpr unsigned char kNone[1] = {};
    if (context_ == nullptr) return;
    EVP_MAC_init(context_.get(), kNone, sizeof(kNone), nullptr);
  }

  // Lower-case hex. Empty when OpenSSL fails, which fits no digest: the
  // hash's hex never is.
  std::string Hex(std::string_view key, std::string_view body) {
    unsigned char mac[EVP_MAX_MD_SIZE];
    size_t size = 0;
    if (context_ == nullptr ||
        EVP_MAC_init(context_.get(), Bytes(key), key.size(), nullptr) != 1 ||
        EVP_MAC_update(context_.get(), Bytes(body), body.size()) != 1 ||
        EVP_MAC_final(context_.get(), mac, &size, sizeof(mac)) != 1) {
      return {};
    }
    return absl::BytesToHexString(
        absl::string_view(reinterpret_cast<const char*>(mac), size));
  }

 private:
  struct Free {
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
  };
  static const unsigned char* Bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
  }

  std::unique_ptr<EVP_MAC_CTX, Free> context_;
};

Hmac& HmacOf(DigestAlgorithm algorithm) {
  thread_local Hmac sha1(DigestAlgorithm::kHmacSha1Hex);
  thread_local Hmac sha256(DigestAlgorithm::kHmacSha256Hex);
  thread_local Hmac sha512(DigestAlgorithm::kHmacSha512Hex);
  switch (algorithm) {
    case DigestAlgorithm::kHmacSha1Hex:
      return sha1;
    case DigestAlgorithm::kHmacSha256Hex:
      break;
    case DigestAlgorithm::kHmacSha512Hex:
      return sha512;
  }
  return sha256;
}

}  // namespace

absl::StatusOr<std::vector<DigestAlgorithm>> ParseDigestAlgorithms(
    const std::vector<std::string>& names) {
  std::vector<DigestAlgorithm> algorithms;
  for (const std::string& name : names) {
    const auto algorithm = FindAlgorithm(name);
    if (!algorithm.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("unknown digest algorithm \"", name,
                       "\"; known: HMAC_SHA1_HEX, HMAC_SHA256_HEX, "
                       "HMAC_SHA512_HEX"));
    }
    algorithms.push_back(*algorithm);
  }
  if (algorithms.empty()) {
    return absl::InvalidArgumentError("no digest algorithm is allowed");
  }
  return algorithms;
}

bool VerifyDigest(std::string_view body,
                  const std::vector<std::string_view>& digests,
                  const std::vector<std::string_view>& algorithms,
                  const std::vector<base::Secret>& secrets,
                  const std::vector<DigestAlgorithm>& allowed) {
  if (digests.size() != 1 || algorithms.size() > 1) return false;
  const std::optional<DigestAlgorithm> algorithm =
      algorithms.empty() ? DigestAlgorithm::kHmacSha256Hex
                         : FindAlgorithm(algorithms[0]);
  if (!algorithm.has_value() ||
      std::find(allowed.begin(), allowed.end(), *algorithm) == allowed.end()) {
    return false;
  }
  // Comparing text with text, rather than decoding the header, makes
  // upper-case, short, long and non-hex digests simply unequal.
  Hmac& hmac = HmacOf(*algorithm);
  bool fits = false;
  for (const base::Secret& secret : secrets) {
    const std::string expected = hmac.Hex(secret.Reveal(), body);
    fits |= !expected.empty() && base::ConstantTimeEquals(expected, digests[0]);
  }
  hmac.Forget();
  return fits;
}

}  // namespace kyc::webhook
