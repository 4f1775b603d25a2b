#include "services/async/grpc_client.h"

#include <grpc/grpc.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <atomic>
#include <chrono>
#include <utility>

#include "services/async/loop.h"
#include "services/async/rpc_metrics.h"
#include "services/async/waiter.h"

namespace kyc::async {
namespace {

constexpr std::chrono::seconds kLongestCall(30);

// What the calling coroutine and gRPC's callback share.
struct Call {
  explicit Call(Loop& loop) : loop(loop), answered(loop) {}

  Loop& loop;
  grpc::ClientContext rpc;
  grpc::Status status;
  Waiter answered;  // Touched on the loop alone.
  std::atomic<bool> over = false;
};

// On a gRPC thread. The loop gets a bare pointer: the posted work runs only
// while the coroutine, which owns the call too, is suspended.
void Finish(const std::shared_ptr<Call>& call, grpc::Status status) {
  call->status = std::move(status);
  call->loop.Post([call = call.get()] { call->answered.ResumeNow(); });
  call->over.store(true);
  call->over.notify_one();
}

// Keeps the coroutine's frame, into which gRPC writes, until gRPC has ended.
class Attached {
 public:
  explicit Attached(std::shared_ptr<Call> call) : call_(std::move(call)) {}
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;
  ~Attached() {
    if (answered_) return;
    call_->rpc.TryCancel();
    call_->over.wait(false);
  }
  void Answered() { answered_ = true; }

 private:
  const std::shared_ptr<Call> call_;
  bool answered_ = false;
};

}  // namespace

Task<absl::Status> CallUnary(
    CallContext context, std::string_view method,
    std::function<void(grpc::ClientContext*, std::function<void(grpc::Status)>)>
        start) {
  const auto begin = std::chrono::steady_clock::now();
  RpcMetrics& metrics = RpcMetrics::OfClient(method);
  const auto time_left = context.Remaining(kLongestCall);
  if (time_left <= std::chrono::steady_clock::duration::zero()) {
    metrics.Count(absl::StatusCode::kDeadlineExceeded, begin);
    co_return absl::DeadlineExceededError("no time left for the call");
  }
  const auto call = std::make_shared<Call>(*Loop::Current());
  call->rpc.AddMetadata("traceparent", context.trace.ToTraceparent());
  call->rpc.set_deadline(
      std::chrono::system_clock::now() +
      std::chrono::duration_cast<std::chrono::system_clock::duration>(
          time_left));
  Attached attached(call);
  start(&call->rpc,
        [call](grpc::Status status) { Finish(call, std::move(status)); });
  co_await call->answered.Wait();
  attached.Answered();
  absl::Status status = FromGrpcStatus(call->status);
  metrics.Count(status.code(), begin);
  co_return status;
}

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address) {
  // gRPC is never taken down again: with the last of its objects it would
  // join a thread that may sleep in a poll until a past call's deadline.
  [[maybe_unused]] static const bool kept = (grpc_init(), true);
  grpc::ChannelArguments args;
  // Pings only while calls are open; the servers allow them at this rate
  // (ApplyServerDefaults).
  args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 1'000);  // Connect timeout.
  args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2'000);
  args.SetMaxReceiveMessageSize(4 << 20);
  args.SetMaxSendMessageSize(4 << 20);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // Else gRPC shares one connection among all channels to an address.
  args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  auto channel = grpc::CreateCustomChannel(
      address, grpc::InsecureChannelCredentials(), args);
  channel->GetState(/*try_to_connect=*/true);
  return channel;
}

}  // namespace kyc::async
