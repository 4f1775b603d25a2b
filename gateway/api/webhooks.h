// /v0/webhooks: events of verification providers.
#ifndef KYC_GATEWAY_API_WEBHOOKS_H_
#define KYC_GATEWAY_API_WEBHOOKS_H_

#include "gateway/api/call.h"

namespace kyc::gateway {

// POST /v0/webhooks/kyc/sumsub/events: 200 once the event is stored, 401
// KYC-401-001 for a bad digest, else 503 so that the provider sends it again.
async::Task<absl::Status> IngestSumsubEvent(Call& call);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_WEBHOOKS_H_
