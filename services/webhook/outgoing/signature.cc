#include "services/webhook/outgoing/signature.h"

#include <openssl/rand.h>

#include <array>
#include <optional>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/base/hmac.h"

namespace kyc::outgoing {
namespace {

constexpr std::string_view kPrefix = "whsec_";
constexpr size_t kLeastBytes = 24;
constexpr size_t kMostBytes = 64;
constexpr size_t kNewBytes = 32;

absl::string_view View(std::string_view text) {
  return {text.data(), text.size()};
}

// The bytes that sign.
std::optional<base::Secret> KeyOf(const base::Secret& secret) {
  const std::string_view text = secret.Reveal();
  if (!text.starts_with(kPrefix)) return std::nullopt;
  const std::string_view encoded = text.substr(kPrefix.size());
  std::string bytes;
  // Decoding is lenient about blanks, alphabets and padding; two texts for one
  // secret help nobody.
  if (!absl::Base64Unescape(View(encoded), &bytes) ||
      absl::Base64Escape(bytes) != View(encoded)) {
    return std::nullopt;
  }
  return base::Secret(std::move(bytes));
}

}  // namespace

absl::StatusOr<base::Secret> NewSecret() {
  std::array<unsigned char, kNewBytes> bytes;
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) {
    return absl::InternalError("no randomness");
  }
  std::string text(kPrefix);
  text += absl::Base64Escape(
      {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  return base::Secret(std::move(text));
}

absl::Status CheckSecret(const base::Secret& secret) {
  const std::optional<base::Secret> key = KeyOf(secret);
  if (key && key->Reveal().size() >= kLeastBytes &&
      key->Reveal().size() <= kMostBytes) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      "must be whsec_ and base64 of 24 to 64 bytes");
}

std::string Sign(const std::vector<base::Secret>& secrets, std::string_view id,
                 int64_t timestamp_s, std::string_view body) {
  const std::string timestamp = absl::StrCat(".", timestamp_s, ".");
  std::string header;
  for (const base::Secret& secret : secrets) {
    const std::optional<base::Secret> key = KeyOf(secret);
    if (!key) continue;
    absl::StrAppend(&header, header.empty() ? "" : " ", "v1,",
                    absl::Base64Escape(base::Hmac(base::HmacHash::kSha256, *key,
                                                  {id, timestamp, body})));
  }
  return header;
}

}  // namespace kyc::outgoing
