// kycctl webhooks: subscriptions to outgoing webhooks, and their deliveries.
#ifndef KYC_DEPLOY_KYCCTL_WEBHOOK_COMMANDS_H_
#define KYC_DEPLOY_KYCCTL_WEBHOOK_COMMANDS_H_

#include <vector>

#include "deploy/kycctl/cli.h"

namespace kyc::kycctl {

std::vector<Command> WebhookCommands();

}  // namespace kyc::kycctl

#endif  // KYC_DEPLOY_KYCCTL_WEBHOOK_COMMANDS_H_
