#include "gateway/auth/jwt_verifier.h"

#include <limits>
#include <optional>
#include <utility>

#include "gateway/auth/signed_jwt.h"
#include "services/base/json.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

constexpr size_t kMaxSubjectBytes = 256;

absl::Status Refuse(const char* why) { return absl::UnauthenticatedError(why); }

bool HasAudience(base::JsonValue claim, std::string_view audience) {
  if (claim.AsString() == audience) return true;
  for (const base::JsonValue& one : claim.Elements()) {
    if (one.AsString() == audience) return true;
  }
  return false;
}

}  // namespace

JwtVerifier::JwtVerifier(std::string issuer, std::string audience)
    : issuer_(std::move(issuer)), audience_(std::move(audience)) {}

absl::StatusOr<VerifiedToken> JwtVerifier::Verify(std::string_view token,
                                                  const KeySet& keys,
                                                  int64_t now_ms) const {
  ASSIGN_OR_RETURN(const base::JsonDocument claims_document,
                   OpenSignedJwt(token, keys));
  const base::JsonValue claims = claims_document.root();
  const int64_t now = now_ms / 1000;
  const std::optional<int64_t> expiry = NumericDate(claims["exp"]);
  if (!expiry || *expiry <= now - kClockSkewSeconds) return Refuse("expired");
  RETURN_IF_ERROR(CheckBegun(claims, now));
  if (!issuer_.empty() && claims["iss"].AsString() != issuer_) {
    return Refuse("issuer");
  }
  if (!audience_.empty() && !HasAudience(claims["aud"], audience_)) {
    return Refuse("audience");
  }
  const std::optional<std::string_view> subject = claims["sub"].AsString();
  if (!subject || !IsPlainText(*subject, kMaxSubjectBytes)) {
    return Refuse("subject");
  }

  constexpr int64_t kLatest = std::numeric_limits<int64_t>::max() / 1000;
  VerifiedToken verified;
  verified.subject = *subject;
  verified.refused_from_ms = *expiry > kLatest - kClockSkewSeconds
                                 ? std::numeric_limits<int64_t>::max()
                                 : (*expiry + kClockSkewSeconds) * 1000;
  return verified;
}

}  // namespace kyc::gateway
