#include "services/kyc/domain/api_key.h"

#include <algorithm>
#include <span>
#include <utility>

#include "services/base/error.h"
#include "services/base/status_macros.h"
#include "services/base/utf8.h"

namespace kyc::domain {
namespace {

constexpr std::string_view kPrefix = "kyc_live_";
constexpr size_t kEntropyChars = std::tuple_size_v<KeyEntropy> * 8 / 5;
constexpr size_t kChecksumChars = 7;
constexpr size_t kMaxName = 100;
constexpr size_t kMaxAudience = 255;

// RFC 4648 in lower case: no letter is taken for a digit.
std::string Base32(std::span<const unsigned char> bytes) {
  static constexpr char kDigits[] = "abcdefghijklmnopqrstuvwxyz234567";
  std::string text;
  uint32_t window = 0;
  int bits = 0;
  for (const unsigned char byte : bytes) {
    window = window << 8 | byte;
    for (bits += 8; bits >= 5; bits -= 5) {
      text.push_back(kDigits[window >> (bits - 5) & 31]);
    }
  }
  if (bits > 0) text.push_back(kDigits[window << (5 - bits) & 31]);
  return text;
}

// CRC-32 as in ISO-HDLC (zlib, PNG).
uint32_t Crc32(std::string_view text) {
  uint32_t crc = ~uint32_t{0};
  for (const char c : text) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) {
      crc = crc >> 1 ^ (0xEDB88320 & (0 - (crc & 1)));
    }
  }
  return ~crc;
}

std::string Checksum(std::string_view text) {
  const uint32_t crc = Crc32(text);
  const std::array<unsigned char, 4> bytes = {
      static_cast<unsigned char>(crc >> 24),
      static_cast<unsigned char>(crc >> 16),
      static_cast<unsigned char>(crc >> 8), static_cast<unsigned char>(crc)};
  return Base32(bytes);
}

absl::Status Invalid(std::string_view pointer, std::string_view detail) {
  return base::Error(
      v1::ERROR_REASON_REQUEST_VALIDATION_FAILED, {},
      {.violations = {{base::Violation::Where::kPointer, std::string(pointer),
                       std::string(detail)}}});
}

bool IsPlainText(std::string_view text) {
  return base::IsUtf8(text) &&
         std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

std::string KnownScopes() {
  std::string list;
  for (const std::string& scope : ApiScopes()) {
    list += (list.empty() ? "" : ", ") + scope;
  }
  return list;
}

}  // namespace

const std::vector<std::string>& ApiScopes() {
  static const auto& scopes = *new std::vector<std::string>{
      "get_kyc",   "lookup",          "get_details", "token_exchange",
      "get_pints", "manage_features", "manage_keys", "manage_webhooks"};
  return scopes;
}

const std::vector<std::string>& PartnerScopes() {
  static const auto& scopes = *new std::vector<std::string>{
      "get_kyc", "lookup", "get_details", "token_exchange", "get_pints"};
  return scopes;
}

absl::StatusOr<std::vector<std::string>> ParseScopes(
    const std::vector<std::string>& names) {
  if (names.empty()) return base::Error(v1::ERROR_REASON_API_KEY_NO_SCOPES);
  const std::vector<std::string>& known = ApiScopes();
  std::vector<bool> wanted(known.size());
  for (size_t i = 0; i < names.size(); ++i) {
    std::string_view name = names[i];
    if (name.starts_with("sis.")) name.remove_prefix(4);
    const auto found = std::find(known.begin(), known.end(), name);
    if (found == known.end()) {
      return base::Error(
          v1::ERROR_REASON_API_KEY_SCOPE_UNKNOWN, {},
          {.violations = {{base::Violation::Where::kPointer,
                           "/scopes/" + std::to_string(i),
                           "must be one of: " + KnownScopes()}}});
    }
    wanted[found - known.begin()] = true;
  }
  std::vector<std::string> scopes;
  for (size_t i = 0; i < known.size(); ++i) {
    if (wanted[i]) scopes.push_back(known[i]);
  }
  return scopes;
}

absl::Status CheckNewApiKey(const ApiKey& key) {
  RETURN_IF_ERROR(CheckTenant(key.tenant));
  if (key.name.empty() || key.name.size() > kMaxName ||
      !IsPlainText(key.name)) {
    return Invalid("/name",
                   "must be 1 to 100 bytes of text without control characters");
  }
  if (key.audience.size() > kMaxAudience || !IsPlainText(key.audience)) {
    return Invalid(
        "/audience",
        "must be at most 255 bytes of text without control characters");
  }
  return absl::OkStatus();
}

base::Secret MakeKeyText(const KeyEntropy& entropy) {
  std::string text(kPrefix);
  text.reserve(kPrefix.size() + kEntropyChars + kChecksumChars);
  text += Base32(entropy);
  text += Checksum(text);
  return base::Secret(std::move(text));
}

bool IsKeyText(std::string_view text) {
  constexpr size_t kSize = kPrefix.size() + kEntropyChars;
  return text.size() == kSize + kChecksumChars && text.starts_with(kPrefix) &&
         base::ConstantTimeEquals(text.substr(kSize),
                                  Checksum(text.substr(0, kSize)));
}

std::string MakeKeyId(const std::array<unsigned char, 10>& entropy) {
  return "key_" + Base32(entropy);
}

}  // namespace kyc::domain
