#include "services/webhook/digest.h"

#include <algorithm>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace kyc::webhook {
namespace {

std::optional<DigestAlgorithm> FindAlgorithm(std::string_view name) {
  if (name == "HMAC_SHA1_HEX") return DigestAlgorithm::kSha1;
  if (name == "HMAC_SHA256_HEX") return DigestAlgorithm::kSha256;
  if (name == "HMAC_SHA512_HEX") return DigestAlgorithm::kSha512;
  return std::nullopt;
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
      algorithms.empty() ? DigestAlgorithm::kSha256
                         : FindAlgorithm(algorithms[0]);
  if (!algorithm.has_value() ||
      std::find(allowed.begin(), allowed.end(), *algorithm) == allowed.end()) {
    return false;
  }
  // Comparing text with text, rather than decoding the header, makes
  // upper-case, short, long and non-hex digests simply unequal.
  bool fits = false;
  for (const base::Secret& secret : secrets) {
    const std::string expected =
        absl::BytesToHexString(base::Hmac(*algorithm, secret, {body}));
    fits |= !expected.empty() && base::ConstantTimeEquals(expected, digests[0]);
  }
  return fits;
}

}  // namespace kyc::webhook
