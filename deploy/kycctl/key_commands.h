// kycctl keys …: API keys of organisations.
#ifndef KYC_DEPLOY_KYCCTL_KEY_COMMANDS_H_
#define KYC_DEPLOY_KYCCTL_KEY_COMMANDS_H_

#include <vector>

#include "deploy/kycctl/cli.h"

namespace kyc::kycctl {

std::vector<Command> KeyCommands();

}  // namespace kyc::kycctl

#endif  // KYC_DEPLOY_KYCCTL_KEY_COMMANDS_H_
