#include "gateway/auth/jwt_verifier.h"

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

#include "gateway/auth/base64url.h"
#include "gateway/http/query.h"
#include "services/base/json.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

constexpr size_t kMaxSubjectBytes = 256;

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

// Printable as far as a machine can tell: no C0, DEL or C1 characters. JSON
// has made sure of UTF-8.
bool IsSubject(std::string_view text) {
  if (text.empty() || text.size() > kMaxSubjectBytes) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte == 0x7F) return false;
    if (byte == 0xC2 && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      return false;
    }
  }
  return true;
}

bool HasAudience(base::JsonValue claim, std::string_view audience) {
  if (claim.AsString() == audience) return true;
  for (const base::JsonValue& one : claim.Elements()) {
    if (one.AsString() == audience) return true;
  }
  return false;
}

// RFC 7519's NumericDate in whole seconds: some issuers write fractions,
// which are dropped.
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

JwtVerifier::JwtVerifier(std::string issuer, std::string audience)
    : issuer_(std::move(issuer)), audience_(std::move(audience)) {}

absl::StatusOr<VerifiedToken> JwtVerifier::Verify(std::string_view token,
                                                  const KeySet& keys,
                                                  int64_t now_ms) const {
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
  const std::optional<std::string> signature =
      DecodeBase64Url(token.substr(last + 1));
  if (!signature || !key->Verify(token.substr(0, last), *signature)) {
    return Refuse("signature");
  }

  ASSIGN_OR_RETURN(const base::JsonDocument claims_document,
                   DecodeObject(token.substr(first + 1, last - first - 1)));
  const base::JsonValue claims = claims_document.root();
  const int64_t now = now_ms / 1000;
  const std::optional<int64_t> expiry = NumericDate(claims["exp"]);
  if (!expiry || *expiry <= now - kClockSkewSeconds) return Refuse("expired");
  RETURN_IF_ERROR(CheckPast(claims["nbf"], now));
  RETURN_IF_ERROR(CheckPast(claims["iat"], now));
  if (!issuer_.empty() && claims["iss"].AsString() != issuer_) {
    return Refuse("issuer");
  }
  if (!audience_.empty() && !HasAudience(claims["aud"], audience_)) {
    return Refuse("audience");
  }
  const std::optional<std::string_view> subject = claims["sub"].AsString();
  if (!subject || !IsSubject(*subject)) return Refuse("subject");

  constexpr int64_t kLatest = std::numeric_limits<int64_t>::max() / 1000;
  VerifiedToken verified;
  verified.subject = *subject;
  verified.refused_from_ms = *expiry > kLatest - kClockSkewSeconds
                                 ? std::numeric_limits<int64_t>::max()
                                 : (*expiry + kClockSkewSeconds) * 1000;
  return verified;
}

}  // namespace kyc::gateway
