// /v0/users/{user}…: what a partner may read of a user who has consented.
#ifndef KYC_GATEWAY_API_PARTNER_USERS_H_
#define KYC_GATEWAY_API_PARTNER_USERS_H_

#include "gateway/api/call.h"

namespace kyc::gateway {

// GET /v0/users/{sri}: who is behind an identifier; its `external_id` names
// the user in the other two.
async::Task<absl::Status> LookUpUser(Call& call);
// GET /v0/users/{user_id}/kyc
async::Task<absl::Status> ReadKyc(Call& call);
// GET /v0/users/{user_id}/kyc/document/{image_id}: the image itself, streamed.
async::Task<absl::Status> ReadImage(Call& call);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_PARTNER_USERS_H_
