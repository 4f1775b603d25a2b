// kycctl user … and audit …: records, audit trails, erasure, legal holds.
#ifndef KYC_DEPLOY_KYCCTL_USER_COMMANDS_H_
#define KYC_DEPLOY_KYCCTL_USER_COMMANDS_H_

#include <vector>

#include "deploy/kycctl/cli.h"

namespace kyc::kycctl {

std::vector<Command> UserCommands();

}  // namespace kyc::kycctl

#endif  // KYC_DEPLOY_KYCCTL_USER_COMMANDS_H_
