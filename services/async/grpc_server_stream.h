// The definition of RunServerStream (grpc_server.h).
#ifndef KYC_SERVICES_ASYNC_GRPC_SERVER_STREAM_H_
#define KYC_SERVICES_ASYNC_GRPC_SERVER_STREAM_H_

#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "services/async/grpc_server.h"
#include "services/async/waiter.h"

namespace kyc::async {
namespace internal {

// What a stream is without its message type. Shared, because callbacks posted
// by gRPC's threads may come after the stream's end. Calls belong to the loop
// where nothing else is said.
class StreamCore : public std::enable_shared_from_this<StreamCore> {
 public:
  StreamCore(grpc::CallbackServerContext* rpc, Loop& loop,
             StreamRegistry& registry)
      : rpc_(rpc), loop_(loop), registry_(registry) {}

  // Runs the handler on the loop; `finish` is called once, there. On any
  // thread.
  void Start(std::string_view method,
             std::function<Task<absl::Status>(CallContext)> handler,
             std::function<void(const grpc::Status&)> finish);

  bool cancelled() const { return !end_.ok(); }
  void OnCancelled(std::function<void()> callback);
  // A write begins, which WriteDone ends.
  void BeginWrite();
  Task<absl::Status> Written();

  // From gRPC's callbacks, on any thread.
  void WriteDone(bool ok);
  // Ends the stream with `why`. On any thread.
  void Cancel(absl::Status why);

 private:
  Task<absl::Status> RunHandler(
      std::function<Task<absl::Status>(CallContext)> handler,
      CallContext context);
  void End(const absl::Status& why);
  // Lets a last write through, if its client reads at all: one that does not
  // would hold the stream for ever.
  static Task<void> CutOff(std::shared_ptr<StreamCore> self);

  grpc::CallbackServerContext* const rpc_;
  Loop& loop_;
  StreamRegistry& registry_;
  bool open_ = true;  // The handler has not ended.
  absl::Status end_;  // Why the stream is cancelled; OK while it is not.
  std::function<void()> on_cancelled_;
  std::unique_ptr<Waiter> write_;  // While a message is with gRPC.
  bool write_ok_ = true;
};

// Lives until gRPC's OnDone.
template <typename Response>
class ServerStream final : public grpc::ServerWriteReactor<Response>,
                           public StreamWriter<Response> {
 public:
  explicit ServerStream(std::shared_ptr<StreamCore> core)
      : core_(std::move(core)) {}

  bool cancelled() const override { return core_->cancelled(); }
  void OnCancelled(std::function<void()> callback) override {
    core_->OnCancelled(std::move(callback));
  }
  Task<absl::Status> Write(Response response) override {
    if (cancelled()) co_return absl::CancelledError("stream cancelled");
    message_ = std::move(response);
    core_->BeginWrite();
    this->StartWrite(&message_);
    co_return co_await core_->Written();
  }

  void OnWriteDone(bool ok) override { core_->WriteDone(ok); }
  void OnCancel() override {
    core_->Cancel(absl::CancelledError("stream cancelled"));
  }
  void OnDone() override { delete this; }

 private:
  const std::shared_ptr<StreamCore> core_;
  Response message_;  // With gRPC until OnWriteDone.
};

}  // namespace internal

template <typename Response>
grpc::ServerWriteReactor<Response>* RunServerStream(
    grpc::CallbackServerContext* rpc, Loop& loop, StreamRegistry& registry,
    std::string_view method,
    std::function<Task<absl::Status>(CallContext, StreamWriter<Response>&)>
        handler) {
  auto core = std::make_shared<internal::StreamCore>(rpc, loop, registry);
  auto* stream = new internal::ServerStream<Response>(core);
  core->Start(
      method,
      [stream, handler = std::move(handler)](CallContext context) {
        return handler(context, *stream);
      },
      [stream](const grpc::Status& status) { stream->Finish(status); });
  return stream;
}

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_GRPC_SERVER_STREAM_H_
