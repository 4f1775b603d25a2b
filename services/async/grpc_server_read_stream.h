// gRPC's client-streaming server calls, as coroutines:
//
//   grpc::ServerReadReactor<UploadRequest>* Upload(
//       grpc::CallbackServerContext* rpc, UploadResponse* response) override {
//     return async::RunClientStream<UploadRequest>(
//         rpc, loop, "KycService/Upload",
//         [this, response](auto context, auto& reader) {
//           return Serve(context, reader, response);
//         });
//   }
#ifndef KYC_SERVICES_ASYNC_GRPC_SERVER_READ_STREAM_H_
#define KYC_SERVICES_ASYNC_GRPC_SERVER_READ_STREAM_H_

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/grpc_server.h"

namespace kyc::async {

// The longest a client's stream may take, whatever the client allows.
inline constexpr std::chrono::minutes kLongestClientStream(5);

// How a handler receives. All calls on the handler's loop.
template <typename Request>
class StreamReader {
 public:
  virtual ~StreamReader() = default;
  // The next message. Asks gRPC for it only now, so that a client never sends
  // more than the connection's window ahead of its reader. nullopt when there
  // are no more: the client has sent all it had, or has gone. (gRPC does not
  // tell the two apart in time: messages must show themselves which is the
  // last.) DEADLINE_EXCEEDED at the context's deadline; nothing can be read
  // afterwards. One Read at a time.
  virtual Task<absl::StatusOr<std::optional<Request>>> Read() = 0;
};

namespace internal {

// A read without its message type. Shared, because gRPC's answer may come
// after the handler's end. Calls belong to the loop where nothing else is
// said.
class ReadCore : public std::enable_shared_from_this<ReadCore> {
 public:
  explicit ReadCore(Loop& loop) : loop_(loop) {}

  void set_deadline(std::chrono::steady_clock::time_point deadline) {
    deadline_ = deadline;
  }
  // False when nothing (more) can be read; else the caller starts the read.
  bool Begin();
  // Whether a message has come.
  Task<absl::StatusOr<bool>> Finished();
  // From gRPC's callback, on any thread.
  void Done(bool ok);

 private:
  enum class State { kIdle, kReading, kOver };

  Loop& loop_;
  std::chrono::steady_clock::time_point deadline_;
  State state_ = State::kIdle;
  Event changed_;
};

// Lives until gRPC's OnDone.
template <typename Request>
class ServerReadStream final : public grpc::ServerReadReactor<Request>,
                               public StreamReader<Request> {
 public:
  explicit ServerReadStream(Loop& loop)
      : core_(std::make_shared<ReadCore>(loop)) {}

  ReadCore& core() { return *core_; }

  Task<absl::StatusOr<std::optional<Request>>> Read() override {
    if (!core_->Begin()) co_return std::optional<Request>();
    this->StartRead(&message_);
    const absl::StatusOr<bool> got = co_await core_->Finished();
    if (!got.ok()) co_return got.status();
    if (!*got) co_return std::optional<Request>();
    co_return std::optional<Request>(std::move(message_));
  }

  void OnReadDone(bool ok) override { core_->Done(ok); }
  void OnDone() override { delete this; }

 private:
  const std::shared_ptr<ReadCore> core_;
  Request message_;  // With gRPC until OnReadDone.
};

}  // namespace internal

// Serves one client-streaming call; as RunUnary (grpc_server.h) otherwise,
// but that it may take kLongestClientStream. The handler may end before it
// has read everything: its status is the answer then, too. A handler whose
// client goes runs to its end.
template <typename Request>
grpc::ServerReadReactor<Request>* RunClientStream(
    grpc::CallbackServerContext* rpc, Loop& loop, std::string_view method,
    std::function<Task<absl::Status>(CallContext, StreamReader<Request>&)>
        handler) {
  auto* stream = new internal::ServerReadStream<Request>(loop);
  internal::SpawnHandler(
      rpc, loop, method,
      [stream, handler = std::move(handler)](CallContext context) {
        stream->core().set_deadline(context.deadline);
        return handler(context, *stream);
      },
      kLongestClientStream,
      [stream](const grpc::Status& status) { stream->Finish(status); });
  return stream;
}

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_GRPC_SERVER_READ_STREAM_H_
