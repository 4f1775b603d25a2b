// What a failed provider call means to whoever called us.
#ifndef KYC_SERVICES_KYC_SERVER_PROVIDER_ERRORS_H_
#define KYC_SERVICES_KYC_SERVER_PROVIDER_ERRORS_H_

#include <string_view>

#include "absl/status/status.h"
#include "services/base/error.h"

namespace kyc::server {

// Our credentials are our fault; everything else is `reason`.
inline absl::Status ProviderError(const absl::Status& status,
                                  v1::ErrorReason reason,
                                  std::string_view detail = {}) {
  if (absl::IsPermissionDenied(status)) {
    return base::Error(v1::ERROR_REASON_INTERNAL);
  }
  return base::Error(reason, detail);
}

// The same about an applicant whom the provider may not know any more.
inline absl::Status ApplicantError(const absl::Status& status,
                                   v1::ErrorReason reason,
                                   std::string_view detail = {}) {
  if (absl::IsNotFound(status)) {
    return base::Error(v1::ERROR_REASON_APPLICANT_NOT_FOUND);
  }
  return ProviderError(status, reason, detail);
}

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_PROVIDER_ERRORS_H_
