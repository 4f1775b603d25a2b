// Webhooks as SumSub writes them: https://docs.sumsub.com/docs/webhooks.
#ifndef KYC_DEPLOY_SANDBOX_WEBHOOK_BODY_H_
#define KYC_DEPLOY_SANDBOX_WEBHOOK_BODY_H_

#include <string>
#include <string_view>

#include "deploy/sandbox/applicant.h"

namespace kyc::sandbox {

// The body, in the style of Jackson's pretty printer ("key" : "value",
// [ "A", "B" ]) and without a newline at its end. A receiver that parses and
// writes it again before checking the digest fails on it.
std::string RenderWebhook(const Event& event, std::string_view client_id);

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_WEBHOOK_BODY_H_
