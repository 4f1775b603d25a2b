// On whose behalf a caller acts: an environment of an organisation.
#ifndef KYC_SERVICES_KYC_DOMAIN_TENANT_H_
#define KYC_SERVICES_KYC_DOMAIN_TENANT_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace kyc::domain {

// Both empty: the caller named none.
struct Tenant {
  std::string org_id;
  std::string env_id;

  bool operator==(const Tenant&) const = default;
};

// Whether an organisation or an environment may have this id: 1 to 64 of
// A-Z a-z 0-9 _ -. Others have no features and no keys.
bool IsTenantId(std::string_view id);

// OK when both ids are such; else KYC-422-002.
absl::Status CheckTenant(const Tenant& tenant);

}  // namespace kyc::domain

#endif  // KYC_SERVICES_KYC_DOMAIN_TENANT_H_
