// kycctl token …: user tokens for a sandbox.
#ifndef KYC_DEPLOY_KYCCTL_TOKEN_COMMANDS_H_
#define KYC_DEPLOY_KYCCTL_TOKEN_COMMANDS_H_

#include <vector>

#include "deploy/kycctl/cli.h"

namespace kyc::kycctl {

std::vector<Command> TokenCommands();

}  // namespace kyc::kycctl

#endif  // KYC_DEPLOY_KYCCTL_TOKEN_COMMANDS_H_
