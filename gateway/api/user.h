// /v0/user/me: the calling user's account, as far as verification writes it.
#ifndef KYC_GATEWAY_API_USER_H_
#define KYC_GATEWAY_API_USER_H_

#include "gateway/api/call.h"

namespace kyc::gateway {

// GET /v0/user/me
async::Task<absl::Status> GetUser(Call& call);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_USER_H_
