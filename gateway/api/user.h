// /v0/user: the calling user's account, as far as verification writes it.
#ifndef KYC_GATEWAY_API_USER_H_
#define KYC_GATEWAY_API_USER_H_

#include "gateway/api/call.h"

namespace kyc::gateway {

// GET /v0/user/me[?expand=wallets]; other values of `expand` are ignored.
async::Task<absl::Status> GetUser(Call& call);

// POST /v0/user/ {"primary_eoa_address", "chain_id"?,
// "primary_smart_wallet_address"?}: registers the wallet that the user signs
// consents with. 201, or 208 when all of it was registered before.
async::Task<absl::Status> RegisterUser(Call& call);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_USER_H_
