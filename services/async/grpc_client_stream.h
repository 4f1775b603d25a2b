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

#include <grpcpp/client_context.h>
#include <grpcpp/support/client_callback.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/call_context.h"
#include "services/async/loop.h"
#include "services/async/task.h"
#include "services/async/waiter.h"
#include "services/base/mutex.h"

namespace kyc::async {
namespace internal {

// A call without its message types. It lives until gRPC has ended, with
// everything that gRPC reads and writes, and owns itself for that long: the
// stream's destruction waits for nobody. Calls belong to the loop where
// nothing else is said.
class ClientStreamCore : public std::enable_shared_from_this<ClientStreamCore> {
 public:
  ClientStreamCore(const CallContext& context, std::string_view method);
  virtual ~ClientStreamCore() = default;

  bool over() const { return status_.has_value(); }
  // A write begins, which WriteDone ends; false when the call is over.
  bool BeginWrite();
  // OK when gRPC has taken the message, else how the call ended.
  Task<absl::Status> Written();
  // How the call ended. Its last operation has been started before.
  Task<absl::Status> Ended();
  // Cancels the call unless it has ended; its loop hears no more of it.
  void Abandon();

 protected:
  // The call has been started and holds one of gRPC's holds.
  void Started() { self_ = shared_from_this(); }
  virtual void ReleaseHold() = 0;

  // From gRPC's callbacks, on any thread.
  void WriteDone(bool ok);
  void CallDone(const grpc::Status& status);

  grpc::ClientContext rpc_;

 private:
  // Runs it on the loop, unless the call is abandoned. On any thread.
  void Post(std::function<void()> work);
  void Wake();
  void Release();
  void Count(absl::StatusCode code);

  const std::string_view method_;
  const std::chrono::steady_clock::time_point begin_;
  std::shared_ptr<ClientStreamCore> self_;  // Until CallDone.
  base::Mutex mutex_;
  Loop* loop_ ABSL_GUARDED_BY(mutex_);  // nullptr once abandoned.

  Loop& home_;
  std::unique_ptr<Waiter> waiter_;  // While something is awaited.
  bool held_ = true;
  bool writing_ = false;
  bool broken_ = false;                 // A write has failed.
  std::optional<absl::Status> status_;  // Once the call has ended.
};

template <typename Request, typename Response>
class ClientStreamCall final : public grpc::ClientWriteReactor<Request>,
                               public ClientStreamCore {
 public:
  using Starter = std::function<void(grpc::ClientContext*, Response*,
                                     grpc::ClientWriteReactor<Request>*)>;

  using ClientStreamCore::ClientStreamCore;

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

  void OnWriteDone(bool ok) override { WriteDone(ok); }
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
    if (!call_->BeginWrite()) co_return co_await call_->Ended();
    call_->Send(std::move(message));
    co_return co_await call_->Written();
  }

  // Tells the server that this was all and suspends until it has answered.
  // Once, after the last Write.
  Task<absl::StatusOr<Response>> Finish() {
    if (call_->BeginWrite()) call_->StartWritesDone();
    const absl::Status status = co_await call_->Ended();
    if (!status.ok()) co_return status;
    co_return std::move(call_->response());
  }

 private:
  const std::shared_ptr<Call> call_;
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_GRPC_CLIENT_STREAM_H_
