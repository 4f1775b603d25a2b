#include "gateway/auth/pint_verifier.h"

#include <limits>
#include <optional>
#include <utility>

#include "gateway/auth/signed_jwt.h"
#include "services/base/error.h"
#include "services/base/json.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

constexpr size_t kMaxClaimBytes = 256;
constexpr size_t kMaxScopes = 64;
constexpr size_t kMaxScopeBytes = 512;

absl::Status Refuse(const char* why) { return absl::UnauthenticatedError(why); }

absl::Status ReadText(base::JsonValue claim, std::string* text) {
  const std::optional<std::string_view> value = claim.AsString();
  if (!value || !IsPlainText(*value, kMaxClaimBytes)) {
    return Refuse("a claim that must be text");
  }
  *text = *value;
  return absl::OkStatus();
}

absl::Status ReadScopes(base::JsonValue claim, v1::PintGrant* grant) {
  if (!claim.IsArray()) return Refuse("scopes");
  for (const base::JsonValue& scope : claim.Elements()) {
    const std::optional<std::string_view> text = scope.AsString();
    if (!text || !IsPlainText(*text, kMaxScopeBytes) ||
        grant->scopes_size() == kMaxScopes) {
      return Refuse("scopes");
    }
    grant->add_scopes(std::string(*text));
  }
  return absl::OkStatus();
}

}  // namespace

PintVerifier::PintVerifier(std::string issuer) : issuer_(std::move(issuer)) {}

absl::StatusOr<v1::PintGrant> PintVerifier::Verify(std::string_view token,
                                                   const KeySet& keys,
                                                   std::string_view audience,
                                                   int64_t now_ms) const {
  ASSIGN_OR_RETURN(const base::JsonDocument document,
                   OpenSignedJwt(token, keys, "ES256"));
  const base::JsonValue claims = document.root();
  const int64_t now = now_ms / 1000;
  constexpr int64_t kLatest = std::numeric_limits<int64_t>::max() / 1000;
  const std::optional<int64_t> expiry = NumericDate(claims["exp"]);
  if (!expiry || *expiry <= now || *expiry > kLatest) return Refuse("expired");
  RETURN_IF_ERROR(CheckBegun(claims, now));
  if (!issuer_.empty() && claims["iss"].AsString() != issuer_) {
    return Refuse("issuer");
  }
  if (audience.empty() || claims["aud"].AsString() != audience) {
    return Refuse("audience");
  }
  v1::PintGrant grant;
  RETURN_IF_ERROR(ReadText(claims["sub"], grant.mutable_subject()));
  RETURN_IF_ERROR(ReadText(claims["jti"], grant.mutable_jti()));
  RETURN_IF_ERROR(ReadText(claims["pint_uri"], grant.mutable_pint_id()));
  RETURN_IF_ERROR(ReadText(claims["wallet"], grant.mutable_wallet()));
  RETURN_IF_ERROR(ReadScopes(claims["scopes"], &grant));
  grant.set_audience(std::string(audience));
  grant.set_expires_at_ms(*expiry * 1000);
  return grant;
}

absl::Status CheckPintScope(const v1::PintGrant& grant,
                            std::string_view scope) {
  for (const std::string& text : grant.scopes()) {
    if (std::string_view(text).substr(0, text.find('?')) == scope) {
      return absl::OkStatus();
    }
  }
  return base::Error(v1::ERROR_REASON_PINT_SCOPE_MISSING,
                     "PINT token missing " + std::string(scope) + " scope");
}

}  // namespace kyc::gateway
