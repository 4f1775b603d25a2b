// /v0/user/me/kyc/access-log: which partner read what of the calling user.
#ifndef KYC_GATEWAY_API_ACCESS_LOG_H_
#define KYC_GATEWAY_API_ACCESS_LOG_H_

#include "gateway/api/call.h"

namespace kyc::gateway {

// GET /v0/user/me/kyc/access-log[?limit=&cursor=], newest first.
async::Task<absl::Status> GetAccessLog(Call& call);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_ACCESS_LOG_H_
