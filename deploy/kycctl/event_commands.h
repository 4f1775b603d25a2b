// kycctl deadletters … and events …: provider events, seen from their
// stream.
#ifndef KYC_DEPLOY_KYCCTL_EVENT_COMMANDS_H_
#define KYC_DEPLOY_KYCCTL_EVENT_COMMANDS_H_

#include <vector>

#include "deploy/kycctl/cli.h"

namespace kyc::kycctl {

std::vector<Command> EventCommands();

}  // namespace kyc::kycctl

#endif  // KYC_DEPLOY_KYCCTL_EVENT_COMMANDS_H_
