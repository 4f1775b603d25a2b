#include "deploy/kycctl/rpc.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <chrono>

#include "services/async/grpc_client.h"
#include "services/async/grpc_status.h"
#include "services/base/error.h"

namespace kyc::kycctl {
namespace {

constexpr std::chrono::seconds kTimeout(10);
constexpr char kAddress[] = "kyc_address";
constexpr char kWebhookAddress[] = "webhook_address";

absl::Status Call(
    const std::string& service, const std::string& address,
    const std::function<grpc::Status(grpc::ClientContext*)>& call) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kTimeout);
  const absl::Status status = async::FromGrpcStatus(call(&context));
  if (status.ok()) return status;
  const v1::ErrorReason reason = base::ReasonOf(status);
  if (reason == v1::ERROR_REASON_UNSPECIFIED) {
    return absl::UnavailableError(
        service + " at " + address + " does not answer: " +
        std::string(absl::StatusCodeToString(status.code())));
  }
  std::string text(status.message());
  for (const base::Violation& violation : base::ExtrasOf(status).violations) {
    text += "; " + violation.name + " " + violation.detail;
  }
  text += " (" + std::string(base::LookUpError(reason).code) + ")";
  return absl::FailedPreconditionError(text);
}

}  // namespace

Flag KycAddressFlag() {
  return {kAddress, "ADDRESS", "KycService: host:port or unix:/path.",
          "127.0.0.1:50051", false};
}

std::shared_ptr<grpc::Channel> OpenKycChannel(const Args& args) {
  return async::OpenChannel(args.Get(kAddress));
}

absl::Status CallKyc(
    const Args& args,
    const std::function<grpc::Status(grpc::ClientContext*)>& call) {
  return Call("KycService", args.Get(kAddress), call);
}

Flag WebhookAddressFlag() {
  return {kWebhookAddress, "ADDRESS",
          "WebhookService: host:port or unix:/path.", "127.0.0.1:50052", false};
}

std::shared_ptr<grpc::Channel> OpenWebhookChannel(const Args& args) {
  return async::OpenChannel(args.Get(kWebhookAddress));
}

absl::Status CallWebhook(
    const Args& args,
    const std::function<grpc::Status(grpc::ClientContext*)>& call) {
  return Call("WebhookService", args.Get(kWebhookAddress), call);
}

}  // namespace kyc::kycctl
