// Webhook signatures. The first line names the digests and the second the
// algorithms, each separated by commas; the rest is the body. A digest of
// "=sha256" stands for the right one of that hash.
#include "services/webhook/digest.h"

#include <openssl/hmac.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/fuzz/check.h"

namespace kyc::fuzz {
namespace {

using webhook::DigestAlgorithm;

constexpr std::string_view kSecret = "kept by two";
constexpr std::string_view kOldSecret = "kept by two before";

std::vector<std::string_view> Split(std::string_view line) {
  std::vector<std::string_view> parts;
  while (!line.empty()) {
    const size_t comma = line.find(',');
    parts.push_back(line.substr(0, comma));
    line.remove_prefix(comma == std::string_view::npos ? line.size()
                                                       : comma + 1);
  }
  return parts;
}

std::string Hmac(const char* hash, std::string_view key,
                 std::string_view body) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_get_digestbyname(hash), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(body.data()), body.size(), mac,
       &size);
  std::string hex;
  for (unsigned int i = 0; i < size; ++i) {
    char pair[3];
    std::snprintf(pair, sizeof(pair), "%02x", mac[i]);
    hex += pair;
  }
  return hex;
}

std::string Resolve(std::string_view digest, std::string_view body) {
  if (digest == "=sha1") return Hmac("SHA1", kSecret, body);
  if (digest == "=sha256") return Hmac("SHA256", kSecret, body);
  if (digest == "=sha256old") return Hmac("SHA256", kOldSecret, body);
  if (digest == "=sha512") return Hmac("SHA512", kSecret, body);
  return std::string(digest);
}

// What the header's words ask for, told again.
bool ShouldPass(std::string_view body, const std::vector<std::string>& digests,
                const std::vector<std::string_view>& algorithms) {
  if (digests.size() != 1 || algorithms.size() > 1) return false;
  const std::string_view name =
      algorithms.empty() ? "HMAC_SHA256_HEX" : algorithms[0];
  const char* hash = name == "HMAC_SHA256_HEX"   ? "SHA256"
                     : name == "HMAC_SHA512_HEX" ? "SHA512"
                                                 : nullptr;
  if (hash == nullptr) return false;
  return digests[0] == Hmac(hash, kSecret, body) ||
         digests[0] == Hmac(hash, kOldSecret, body);
}

}  // namespace
}  // namespace kyc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kyc;
  using namespace kyc::fuzz;
  static const auto& secrets =
      *new std::vector<base::Secret>{base::Secret(std::string(kSecret)),
                                     base::Secret(std::string(kOldSecret))};
  static const auto& allowed = *new std::vector<DigestAlgorithm>{
      DigestAlgorithm::kSha256, DigestAlgorithm::kSha512};
  std::string_view body = Text(data, size);
  const std::vector<std::string_view> words = Split(TakeLine(&body));
  const std::vector<std::string_view> algorithms = Split(TakeLine(&body));
  std::vector<std::string> digests;
  for (const std::string_view word : words) {
    digests.push_back(Resolve(word, body));
  }
  const std::vector<std::string_view> views(digests.begin(), digests.end());
  const bool passed =
      webhook::VerifyDigest(body, views, algorithms, secrets, allowed);
  FUZZ_CHECK(passed == ShouldPass(body, digests, algorithms));
  FUZZ_CHECK(!webhook::VerifyDigest(body, views, algorithms, {}, allowed));
  FUZZ_CHECK(!webhook::VerifyDigest(body, views, algorithms, secrets, {}));
  if (passed) {
    const std::string longer = std::string(body) + " ";
    FUZZ_CHECK(
        !webhook::VerifyDigest(longer, views, algorithms, secrets, allowed));
  }
  const std::vector<std::string> names(algorithms.begin(), algorithms.end());
  const auto parsed = webhook::ParseDigestAlgorithms(names);
  FUZZ_CHECK(!parsed.ok() || parsed->size() == names.size());
  return 0;
}
