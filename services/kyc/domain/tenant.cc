#include "services/kyc/domain/tenant.h"

#include <algorithm>

#include "services/base/error.h"

namespace kyc::domain {
namespace {

constexpr size_t kMaxId = 64;

bool IsIdChar(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c >= '0' && c <= '9') || c == '_' || c == '-';
}

}  // namespace

bool IsTenantId(std::string_view id) {
  return !id.empty() && id.size() <= kMaxId &&
         std::all_of(id.begin(), id.end(), IsIdChar);
}

absl::Status CheckTenant(const Tenant& tenant) {
  if (IsTenantId(tenant.org_id) && IsTenantId(tenant.env_id)) {
    return absl::OkStatus();
  }
  return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED,
                     "An organisation's and an environment's id are 1 to 64 "
                     "letters, digits, '_' or '-'.");
}

}  // namespace kyc::domain
