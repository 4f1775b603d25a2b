// /v0/organisation/{org}/keys…
#ifndef KYC_GATEWAY_API_KEYS_H_
#define KYC_GATEWAY_API_KEYS_H_

#include "gateway/api/call.h"

namespace kyc::gateway {

// The caller's key has the scope manage_keys, and sees the keys of its own
// organisation and environment; others are answered like ones that do not
// exist.

// {"name", "env_id", "scopes"?, "audience"?}: 201 with the key's text, which
// is shown here and never again. Without scopes it has all of the partner
// surface.
async::Task<absl::Status> CreateKey(Call& call);
async::Task<absl::Status> ListKeys(Call& call);
async::Task<absl::Status> GetKey(Call& call);
// Idempotent.
async::Task<absl::Status> RevokeKey(Call& call);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_KEYS_H_
