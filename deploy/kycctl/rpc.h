// Calls of kycctl to the services.
#ifndef KYC_DEPLOY_KYCCTL_RPC_H_
#define KYC_DEPLOY_KYCCTL_RPC_H_

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "deploy/kycctl/cli.h"
#include "services/base/status_macros.h"

namespace grpc {
class Channel;
class ClientContext;
class Status;
}  // namespace grpc

namespace kyc::kycctl {

// A process that is called, named after its service, and the flag that says
// where it listens.
struct Process {
  const char* name;
  const char* flag;
  const char* default_address;
};
inline constexpr Process kKycProcess{"KycService", "kyc_address",
                                     "127.0.0.1:50051"};
inline constexpr Process kWebhookProcess{"WebhookService", "webhook_address",
                                         "127.0.0.1:50052"};

// The flag, of every command that calls the process.
Flag AddressFlag(const Process& process);
// A channel to it.
std::shared_ptr<grpc::Channel> OpenChannel(const Process& process,
                                           const Args& args);

// Makes one call, of at most 10 seconds. What fails is said in one line, with
// its code where it has one, and never as INVALID_ARGUMENT: the line's form
// was right.
absl::Status CallProcess(
    const Process& process, const Args& args,
    const std::function<grpc::Status(grpc::ClientContext*)>& call);

// Calls one of a process's services, with CallProcess. `args` must outlive it.
template <typename Service>
class Client {
 public:
  template <typename Request, typename Response>
  using Method = grpc::Status (Service::Stub::*)(grpc::ClientContext*,
                                                 const Request&, Response*);

  Client(const Process& process, const Args& args)
      : process_(process),
        args_(args),
        stub_(Service::NewStub(OpenChannel(process, args))) {}

  template <typename Request, typename Response>
  absl::StatusOr<Response> Call(Method<Request, Response> method,
                                const Request& request) const {
    Response response;
    RETURN_IF_ERROR(
        CallProcess(process_, args_, [&](grpc::ClientContext* context) {
          return (stub_.get()->*method)(context, request, &response);
        }));
    return response;
  }

  // Calls a method that gives its answer in pages until the last of them;
  // `each` gets every page.
  template <typename Request, typename Response, typename Each>
  absl::Status ForEachPage(Method<Request, Response> method, Request request,
                           Each each) const {
    do {
      ASSIGN_OR_RETURN(const Response page, Call(method, request));
      each(page);
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return absl::OkStatus();
  }

 private:
  const Process process_;
  const Args& args_;
  const std::unique_ptr<typename Service::Stub> stub_;
};

}  // namespace kyc::kycctl

#endif  // KYC_DEPLOY_KYCCTL_RPC_H_
