// User tokens for development and tests.
#ifndef KYC_DEPLOY_KYCCTL_JWT_H_
#define KYC_DEPLOY_KYCCTL_JWT_H_

#include <cstdint>
#include <string>

#include "services/base/signing_key.h"

namespace kyc::kycctl {

using base::Base64Url;
using base::SigningKey;

// The claims of a user token. Empty `issuer` and `audience` are left out.
struct UserClaims {
  std::string subject;
  std::string issuer;
  std::string audience;
  int64_t issued_at = 0;  // Seconds since 1970.
  int64_t ttl_seconds = 0;
};
std::string RenderClaims(const UserClaims& claims);

}  // namespace kyc::kycctl

#endif  // KYC_DEPLOY_KYCCTL_JWT_H_
