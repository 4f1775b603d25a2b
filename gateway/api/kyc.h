// /v0/kyc: the verification of the calling user.
#ifndef KYC_GATEWAY_API_KYC_H_
#define KYC_GATEWAY_API_KYC_H_

#include "gateway/api/call.h"

namespace kyc::gateway {

// POST /v0/kyc/applicant: 201 for a new applicant, 200 for the one there is.
async::Task<absl::Status> CreateApplicant(Call& call);
// POST /v0/kyc/access-token[?level=liveness]
async::Task<absl::Status> CreateAccessToken(Call& call);
// GET /v0/kyc/status[?refresh=true]
async::Task<absl::Status> GetStatus(Call& call);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_KYC_H_
