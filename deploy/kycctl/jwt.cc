#include "deploy/kycctl/jwt.h"

#include "services/base/json.h"

namespace kyc::kycctl {

std::string RenderClaims(const UserClaims& claims) {
  std::string out;
  base::JsonWriter json(&out);
  json.BeginObject();
  json.Key("sub").String(claims.subject);
  if (!claims.issuer.empty()) json.Key("iss").String(claims.issuer);
  if (!claims.audience.empty()) json.Key("aud").String(claims.audience);
  json.Key("iat").Int(claims.issued_at);
  json.Key("exp").Int(claims.issued_at + claims.ttl_seconds);
  json.EndObject();
  return out;
}

}  // namespace kyc::kycctl
