// gRPC's server-streaming calls, as coroutines of the calling side:
//
//   async::ClientReadStream<ReadImageResponse> image(
//       context, "PartnerService/ReadImage", [&](auto* rpc, auto* reactor) {
//         stub->async()->ReadImage(rpc, &request, reactor);
//       });
//   while (true) {
//     CO_ASSIGN_OR_RETURN(std::optional<ReadImageResponse> message,
//                         co_await image.Read());
//     if (!message) break;
//     ...
//   }
#ifndef KYC_SERVICES_ASYNC_GRPC_CLIENT_READ_STREAM_H_
#define KYC_SERVICES_ASYNC_GRPC_CLIENT_READ_STREAM_H_

#include <grpcpp/support/client_callback.h>

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/grpc_client_call.h"

namespace kyc::async {
namespace internal {

template <typename Response>
class ClientReadCall final : public grpc::ClientReadReactor<Response>,
                             public ClientCallCore {
 public:
  using Starter = std::function<void(grpc::ClientContext*,
                                     grpc::ClientReadReactor<Response>*)>;

  using ClientCallCore::ClientCallCore;

  void Start(const Starter& start) {
    if (over()) return;  // There was no time left.
    start(&rpc_, this);
    this->AddHold();  // Operations come from outside gRPC's callbacks.
    Started();
    this->StartCall();
  }
  void Receive() { this->StartRead(&message_); }
  Response& message() { return message_; }

  void OnReadDone(bool ok) override { OperationDone(ok); }
  void OnDone(const grpc::Status& status) override { CallDone(status); }

 private:
  void ReleaseHold() override { this->RemoveHold(); }

  Response message_;  // With gRPC until OnReadDone.
};

}  // namespace internal

// One call. On the loop's thread that makes it. Carries the context's trace
// as `traceparent` and its deadline, at most 5 minutes from now; with nothing
// left no call is made. Destroyed before its end, the call is cancelled.
// Counts as CallUnary does (grpc_client.h). `method` is a literal.
//
// No message is asked for before Read: a reader that waits holds back the
// server once gRPC's window, of some messages, is full.
template <typename Response>
class ClientReadStream {
 public:
  using Call = internal::ClientReadCall<Response>;

  // What `start` captures, the request too, must live through this alone.
  ClientReadStream(CallContext context, std::string_view method,
                   const typename Call::Starter& start)
      : call_(std::make_shared<Call>(context, method)) {
    call_->Start(start);
  }
  ~ClientReadStream() { call_->Abandon(); }
  ClientReadStream(const ClientReadStream&) = delete;
  ClientReadStream& operator=(const ClientReadStream&) = delete;

  // The next message, or nullopt after the last of a call that ended well. An
  // error is the call's own end, with reason and extras as the server sent
  // them. One Read at a time.
  Task<absl::StatusOr<std::optional<Response>>> Read() {
    if (call_->Begin()) {
      call_->Receive();
      const bool received = co_await call_->Done();
      if (received) {
        co_return std::optional<Response>(std::move(call_->message()));
      }
    }
    const absl::Status status = co_await call_->Ended();
    if (!status.ok()) co_return status;
    co_return std::optional<Response>();
  }

 private:
  const std::shared_ptr<Call> call_;
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_GRPC_CLIENT_READ_STREAM_H_
