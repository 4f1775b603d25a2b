// kycctl pint …: wallets and signed consents for trying the partner surface.
#ifndef KYC_DEPLOY_KYCCTL_PINT_COMMANDS_H_
#define KYC_DEPLOY_KYCCTL_PINT_COMMANDS_H_

#include <vector>

#include "deploy/kycctl/cli.h"

namespace kyc::kycctl {

std::vector<Command> PintCommands();

}  // namespace kyc::kycctl

#endif  // KYC_DEPLOY_KYCCTL_PINT_COMMANDS_H_
