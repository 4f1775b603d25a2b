// /v0/kyc/details: what the calling user may see of the verification.
#ifndef KYC_GATEWAY_API_DETAILS_H_
#define KYC_GATEWAY_API_DETAILS_H_

#include "gateway/api/call.h"

namespace kyc::gateway {

// GET /v0/kyc/details[?refresh=true]
async::Task<absl::Status> GetDetails(Call& call);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_DETAILS_H_
