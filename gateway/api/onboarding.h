// /v0/user/me/onboarding/steps: where the calling user stands among the
// onboarding steps.
#ifndef KYC_GATEWAY_API_ONBOARDING_H_
#define KYC_GATEWAY_API_ONBOARDING_H_

#include "gateway/api/call.h"

namespace kyc::gateway {

// GET
async::Task<absl::Status> GetOnboarding(Call& call);
// POST {"step": "<the current step>"}
async::Task<absl::Status> SubmitOnboardingStep(Call& call);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_ONBOARDING_H_
