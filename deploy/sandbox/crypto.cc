#include "deploy/sandbox/crypto.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <cstdlib>
#include <vector>

namespace kyc::sandbox {
namespace {

constexpr char kHex[] = "0123456789abcdef";

std::string ToHex(const unsigned char* bytes, size_t size) {
  std::string out;
  out.reserve(2 * size);
  for (size_t i = 0; i < size; ++i) {
    out.push_back(kHex[bytes[i] >> 4]);
    out.push_back(kHex[bytes[i] & 15]);
  }
  return out;
}

const EVP_MD* Digest(DigestAlgorithm algorithm) {
  switch (algorithm) {
    case DigestAlgorithm::kSha1:
      return EVP_sha1();
    case DigestAlgorithm::kSha256:
      return EVP_sha256();
    case DigestAlgorithm::kSha512:
      return EVP_sha512();
  }
  return EVP_sha256();
}

}  // namespace

std::optional<DigestAlgorithm> ParseDigestAlgorithm(std::string_view name) {
  if (name == "HMAC_SHA1_HEX") return DigestAlgorithm::kSha1;
  if (name == "HMAC_SHA256_HEX") return DigestAlgorithm::kSha256;
  if (name == "HMAC_SHA512_HEX") return DigestAlgorithm::kSha512;
  return std::nullopt;
}

std::string_view DigestAlgorithmName(DigestAlgorithm algorithm) {
  switch (algorithm) {
    case DigestAlgorithm::kSha1:
      return "HMAC_SHA1_HEX";
    case DigestAlgorithm::kSha256:
      return "HMAC_SHA256_HEX";
    case DigestAlgorithm::kSha512:
      return "HMAC_SHA512_HEX";
  }
  return "";
}

std::string HmacHex(DigestAlgorithm algorithm, std::string_view key,
                    std::string_view data) {
  EVP_PKEY* pkey = EVP_PKEY_new_raw_private_key(
      EVP_PKEY_HMAC, nullptr,
      reinterpret_cast<const unsigned char*>(key.data()), key.size());
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  unsigned char mac[EVP_MAX_MD_SIZE];
  size_t size = sizeof(mac);
  const bool ok =
      pkey != nullptr && context != nullptr &&
      EVP_DigestSignInit(context, nullptr, Digest(algorithm), nullptr, pkey) ==
          1 &&
      EVP_DigestSign(context, mac, &size,
                     reinterpret_cast<const unsigned char*>(data.data()),
                     data.size()) == 1;
  EVP_MD_CTX_free(context);
  EVP_PKEY_free(pkey);
  // OpenSSL fails here only without memory; an unsigned answer must not leave.
  if (!ok) std::abort();
  return ToHex(mac, size);
}

std::string RandomHex(int digits) {
  std::vector<unsigned char> bytes((digits + 1) / 2);
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1) {
    std::abort();
  }
  std::string out = ToHex(bytes.data(), bytes.size());
  out.resize(digits);
  return out;
}

uint64_t RandomBelow(uint64_t bound) {
  // Drop the top values that would make the low ones likelier.
  const uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
  uint64_t value;
  do {
    if (RAND_bytes(reinterpret_cast<unsigned char*>(&value), sizeof(value)) !=
        1) {
      std::abort();
    }
  } while (value >= limit);
  return value % bound;
}

}  // namespace kyc::sandbox
