// HMACs and random identifiers, straight on OpenSSL.
//
// Deliberately not shared with the services: were the same code on both sides
// of the wire, a mistake in it could not be seen.
#ifndef KYC_DEPLOY_SANDBOX_CRYPTO_H_
#define KYC_DEPLOY_SANDBOX_CRYPTO_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kyc::sandbox {

enum class DigestAlgorithm { kSha1, kSha256, kSha512 };

// "HMAC_SHA256_HEX" and its kind, or nullopt.
std::optional<DigestAlgorithm> ParseDigestAlgorithm(std::string_view name);
std::string_view DigestAlgorithmName(DigestAlgorithm algorithm);

// Lower-case hex.
std::string HmacHex(DigestAlgorithm algorithm, std::string_view key,
                    std::string_view data);

// `digits` random lower-case hex digits.
std::string RandomHex(int digits);

// Uniform in [0, bound). bound > 0.
uint64_t RandomBelow(uint64_t bound);

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_CRYPTO_H_
