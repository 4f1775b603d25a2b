// Calls of kycctl to the services.
#ifndef KYC_DEPLOY_KYCCTL_RPC_H_
#define KYC_DEPLOY_KYCCTL_RPC_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "deploy/kycctl/cli.h"

namespace grpc {
class Channel;
class ClientContext;
class Status;
}  // namespace grpc

namespace kyc::kycctl {

// --kyc_address, of every command that calls KycService's process.
Flag KycAddressFlag();
// A channel to it.
std::shared_ptr<grpc::Channel> OpenKycChannel(const Args& args);

// --webhook_address, of every command that calls WebhookService's process.
Flag WebhookAddressFlag();
std::shared_ptr<grpc::Channel> OpenWebhookChannel(const Args& args);

// Makes one call, of at most 10 seconds. What fails is said in one line, with
// its code where it has one, and never as INVALID_ARGUMENT: the line's form
// was right.
absl::Status CallKyc(
    const Args& args,
    const std::function<grpc::Status(grpc::ClientContext*)>& call);
// The same of WebhookService's process.
absl::Status CallWebhook(
    const Args& args,
    const std::function<grpc::Status(grpc::ClientContext*)>& call);

}  // namespace kyc::kycctl

#endif  // KYC_DEPLOY_KYCCTL_RPC_H_
