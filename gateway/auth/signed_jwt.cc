#include "gateway/auth/signed_jwt.h"

#include <charconv>
#include <cmath>
#include <string>

#include "gateway/auth/base64url.h"
#include "gateway/http/query.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

absl::Status Refuse(const char* why) { return absl::UnauthenticatedError(why); }

absl::StatusOr<base::JsonDocument> DecodeObject(std::string_view part) {
  const std::optional<std::string> text = DecodeBase64Url(part);
  if (!text) return Refuse("not base64url");
  absl::StatusOr<base::JsonDocument> document = base::JsonDocument::Parse(
      *text, {.max_bytes = kMaxTokenBytes, .max_depth = 16});
  if (!document.ok() || !document->root().IsObject()) {
    return Refuse("not a JSON object");
  }
  return document;
}

bool IsAllowedType(std::string_view type) {
  constexpr std::string_view kPrefix = "application/";
  if (type.size() > kPrefix.size() &&
      EqualsIgnoreCase(type.substr(0, kPrefix.size()), kPrefix)) {
    type.remove_prefix(kPrefix.size());
  }
  return EqualsIgnoreCase(type, "jwt") || EqualsIgnoreCase(type, "at+jwt");
}

// A NumericDate that must not lie ahead, where there is one.
absl::Status CheckPast(base::JsonValue claim, int64_t now) {
  if (!claim.exists()) return absl::OkStatus();
  const std::optional<int64_t> time = NumericDate(claim);
  if (!time || *time > now + kClockSkewSeconds) {
    return Refuse("not valid yet");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<base::JsonDocument> OpenSignedJwt(
    std::string_view token, const KeySet& keys,
    std::string_view only_algorithm) {
  if (token.size() > kMaxTokenBytes) return Refuse("too long");
  const size_t first = token.find('.');
  const size_t last = token.rfind('.');
  if (first == last || token.find('.', first + 1) != last) {
    return Refuse("not three parts");
  }

  ASSIGN_OR_RETURN(const base::JsonDocument header_document,
                   DecodeObject(token.substr(0, first)));
  const base::JsonValue header = header_document.root();
  if (header["crit"].exists()) return Refuse("critical extensions");
  if (header["typ"].exists() &&
      !IsAllowedType(header["typ"].AsString().value_or(""))) {
    return Refuse("another type of token");
  }
  const std::optional<std::string_view> id = header["kid"].AsString();
  if (!id || id->empty()) return Refuse("no kid");
  const VerificationKey* key = keys.Find(*id);
  if (key == nullptr) return absl::NotFoundError("unknown kid");
  if (header["alg"].AsString() != key->algorithm()) {
    return Refuse("not the key's algorithm");
  }
  if (!only_algorithm.empty() && key->algorithm() != only_algorithm) {
    return Refuse("not this kind of token's algorithm");
  }
  const std::optional<std::string> signature =
      DecodeBase64Url(token.substr(last + 1));
  if (!signature || !key->Verify(token.substr(0, last), *signature)) {
    return Refuse("signature");
  }

  return DecodeObject(token.substr(first + 1, last - first - 1));
}

std::optional<int64_t> NumericDate(base::JsonValue claim) {
  if (const std::optional<int64_t> whole = claim.AsInt()) return whole;
  const std::optional<std::string_view> text = claim.AsNumberText();
  if (!text) return std::nullopt;
  double seconds = 0;
  const auto parsed =
      std::from_chars(text->data(), text->data() + text->size(), seconds);
  // Whole seconds up to 2^53 are exact.
  if (parsed.ec != std::errc() || std::abs(seconds) > 9007199254740992.0) {
    return std::nullopt;
  }
  return static_cast<int64_t>(std::floor(seconds));
}

absl::Status CheckBegun(base::JsonValue claims, int64_t now_seconds) {
  RETURN_IF_ERROR(CheckPast(claims["nbf"], now_seconds));
  return CheckPast(claims["iat"], now_seconds);
}

// JSON has made sure of UTF-8. C1 characters are control characters too.
bool IsPlainText(std::string_view text, size_t max_bytes) {
  if (text.empty() || text.size() > max_bytes) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7F) return false;
    if (byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      return false;
    }
  }
  return true;
}

}  // namespace kyc::gateway
