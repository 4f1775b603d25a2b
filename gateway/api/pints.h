// /v0/sis… and /v0/pint…: consents that users have signed (PINTs), and the
// tokens partners get for them.
#ifndef KYC_GATEWAY_API_PINTS_H_
#define KYC_GATEWAY_API_PINTS_H_

#include "gateway/api/call.h"

namespace kyc::gateway {

// POST /v0/sis/token/pint: a token for a signed PINT. Its times are those of
// the PINT: in seconds.
async::Task<absl::Status> ExchangePint(Call& call);
// GET /v0/sis/pint[?wallet=&status=&sort=&order=&limit=&cursor=]
async::Task<absl::Status> ListPints(Call& call);
// GET /v0/sis/pint/{pint_id}[?expand=tokens]
async::Task<absl::Status> GetPint(Call& call);
// GET /v0/sis/pint/{pint_id}/status
async::Task<absl::Status> GetPintStatus(Call& call);
// GET /v0/pint/{pint_id}/tokens: by the user whose PINT it is, or by the
// partner that exchanged it.
async::Task<absl::Status> ListPintTokens(Call& call);
// DELETE /v0/pint/{pint_id}: by the user. Idempotent.
async::Task<absl::Status> RevokePint(Call& call);
// GET /v0/sis/.well-known/jwks.json
async::Task<absl::Status> GetSigningKeys(Call& call);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_PINTS_H_
