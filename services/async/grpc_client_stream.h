// gRPC's client-streaming calls, as coroutines of the calling side:
//
//   async::ClientStream<UploadRequest, UploadResponse> upload(
//       context, "KycService/Upload",
//       [&](auto* rpc, auto* response, auto* reactor) {
//         stub->async()->Upload(rpc, response, reactor);
//       });
//   CO_RETURN_IF_ERROR(co_await upload.Write(first));
//   CO_RETURN_IF_ERROR(co_await upload.Write(second));
//   CO_ASSIGN_OR_RETURN(UploadResponse response, co_await upload.Finish());
#ifndef KYC_SERVICES_ASYNC_GRPC_CLIENT_STREAM_H_
#define KYC_SERVICES_ASYNC_GRPC_CLIENT_STREAM_H_

#include <grpcpp/support/client_callback.h>

#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/call_context.h"
#include "services/async/grpc_client_call.h"
#include "services/async/task.h"

namespace kyc::async {
namespace internal {

template <typename Request, typename Response>
class ClientStreamCall final : public grpc::ClientWriteReactor<Request>,
                               public ClientCallCore {
 public:
  using Starter = std::function<void(grpc::ClientContext*, Response*,
                                     grpc::ClientWriteReactor<Request>*)>;

  using ClientCallCore::ClientCallCore;

  void Start(const Starter& start) {
    if (over()) return;  // There was no time left.
    start(&rpc_, &response_, this);
    this->AddHold();  // Operations come from outside gRPC's callbacks.
    Started();
    this->StartCall();
  }
  void Send(Request message) {
    message_ = std::move(message);
    this->StartWrite(&message_);
  }
  Response& response() { return response_; }

  void OnWriteDone(bool ok) override {
    message_ = Request();  // The next may be as large.
    OperationDone(ok);
  }
  void OnDone(const grpc::Status& status) override { CallDone(status); }

 private:
  void ReleaseHold() override { this->RemoveHold(); }

  Request message_;  // With gRPC until OnWriteDone.
  Response response_;
};

}  // namespace internal

// One call. On the loop's thread that makes it. Carries the context's trace
// as `traceparent` and its deadline, at most 5 minutes from now;
// with nothing left no call is made. Destroyed before its end, the call is
// cancelled.
// Counts as CallUnary does (grpc_client.h). `method` is a literal.
template <typename Request, typename Response>
class ClientStream {
 public:
  using Call = internal::ClientStreamCall<Request, Response>;

  ClientStream(CallContext context, std::string_view method,
               const typename Call::Starter& start)
      : call_(std::make_shared<Call>(context, method)) {
    call_->Start(start);
  }
  ~ClientStream() { call_->Abandon(); }
  ClientStream(const ClientStream&) = delete;
  ClientStream& operator=(const ClientStream&) = delete;

  // Suspends until gRPC has taken the message, which it does as fast as the
  // server reads. An error is the call's own end, with reason and extras as
  // the server sent them. OK also when the server has answered already
  // without reading it all: Finish has the answer. One Write at a time.
  Task<absl::Status> Write(Request message) {
    if (call_->Begin()) {
      call_->Send(std::move(message));
      const bool taken = co_await call_->Done();
      if (taken) co_return absl::OkStatus();
    }
    co_return co_await call_->Ended();
  }

  // Tells the server that this was all and suspends until it has answered.
  // Once, after the last Write.
  Task<absl::StatusOr<Response>> Finish() {
    if (call_->Begin()) call_->StartWritesDone();
    const absl::Status status = co_await call_->Ended();
    if (!status.ok()) co_return status;
    co_return std::move(call_->response());
  }

 private:
  const std::shared_ptr<Call> call_;
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_GRPC_CLIENT_STREAM_H_
