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

}  // namespace

Flag AddressFlag(const Process& process) {
  return {process.flag, "ADDRESS",
          std::string(process.name) + ": host:port or unix:/path.",
          process.default_address, false};
}

std::shared_ptr<grpc::Channel> OpenChannel(const Process& process,
                                           const Args& args) {
  return async::OpenChannel(args.Get(process.flag));
}

absl::Status CallProcess(
    const Process& process, const Args& args,
    const std::function<grpc::Status(grpc::ClientContext*)>& call) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kTimeout);
  const absl::Status status = async::FromGrpcStatus(call(&context));
  if (status.ok()) return status;
  const v1::ErrorReason reason = base::ReasonOf(status);
  if (reason == v1::ERROR_REASON_UNSPECIFIED) {
    return absl::UnavailableError(
        std::string(process.name) + " at " + args.Get(process.flag) +
        " does not answer: " +
        std::string(absl::StatusCodeToString(status.code())));
  }
  std::string text(status.message());
  for (const base::Violation& violation : base::ExtrasOf(status).violations) {
    text += "; " + violation.name + " " + violation.detail;
  }
  text += " (" + std::string(base::LookUpError(reason).code) + ")";
  return absl::FailedPreconditionError(text);
}

}  // namespace kyc::kycctl
