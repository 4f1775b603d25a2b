#include "services/async/grpc_server.h"

#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <string>
#include <utility>

#include "services/async/grpc_server_stream.h"
#include "services/async/grpc_status.h"
#include "services/async/rpc_metrics.h"
#include "services/base/error.h"
#include "services/base/log.h"

namespace kyc::async {
namespace {

using std::chrono::steady_clock;
using std::chrono::system_clock;

using Handler = std::function<Task<absl::Status>(CallContext)>;

// The longest a unary call may take, whatever its client allows.
constexpr std::chrono::seconds kLongestCall(30);

// How long a cancelled stream's last write may take.
constexpr std::chrono::milliseconds kLastWrite(500);

// Ends a call exactly once: with the status given, or with UNAVAILABLE when
// the coroutine that holds it is destroyed. The call's reactor and context
// may be gone as soon as it has ended.
class Ending {
 public:
  explicit Ending(std::function<void(const grpc::Status&)> finish)
      : finish_(std::move(finish)) {}
  Ending(Ending&& other) noexcept
      : finish_(std::exchange(other.finish_, nullptr)) {}
  Ending& operator=(Ending&&) = delete;
  ~Ending() {
    if (finish_) Finish(absl::UnavailableError("stopping"));
  }

  void Finish(const absl::Status& status) {
    std::exchange(finish_, nullptr)(ToGrpcStatus(WithReason(status)));
  }

 private:
  std::function<void(const grpc::Status&)> finish_;
};

// gRPC counts in the system clock, we in the steady one.
steady_clock::time_point DeadlineOf(const grpc::CallbackServerContext& rpc,
                                    steady_clock::duration cap) {
  const system_clock::time_point deadline = rpc.deadline();
  const auto now = steady_clock::now();
  steady_clock::duration left = steady_clock::time_point::max() - now;
  if (deadline != system_clock::time_point::max()) {
    left = std::max(deadline - system_clock::now(),
                    system_clock::duration::zero());
  }
  return now + std::min(left, cap);
}

CallContext ContextOf(const grpc::CallbackServerContext& rpc,
                      steady_clock::duration cap) {
  const auto& metadata = rpc.client_metadata();
  const auto it = metadata.find("traceparent");
  return {it == metadata.end() ? base::TraceContext::Start()
                               : base::TraceContext::Continue(std::string_view(
                                     it->second.data(), it->second.length())),
          DeadlineOf(rpc, cap)};
}

// One call, from its arrival on the loop to its end. `rpc` is valid until
// `ending` is used.
Task<void> Serve(grpc::CallbackServerContext* rpc, std::string_view method,
                 Handler handler, steady_clock::duration cap, Ending ending,
                 steady_clock::time_point begin) {
  const CallContext context = ContextOf(*rpc, cap);
  absl::Status status;
  try {
    status = co_await handler(context);
  } catch (const std::exception& e) {
    status = absl::InternalError(e.what());
  } catch (...) {
    status = absl::InternalError("exception of no known kind");
  }
  absl::Status answer = WithReason(status);
  if (answer != status) {
    // Its own words end here; the client gets the catalogue's.
    base::LogWarning("call failed",
                     {{"method", method},
                      {"code", absl::StatusCodeToString(status.code())},
                      {"error", std::string_view(status.message().data(),
                                                 status.message().size())}},
                     &context.trace);
  }
  RpcMetrics::OfServer(method).Count(answer.code(), begin);
  ending.Finish(answer);
}

}  // namespace

void ApplyServerDefaults(grpc::ServerBuilder& builder) {
  builder.SetMaxReceiveMessageSize(4 << 20);
  builder.SetMaxSendMessageSize(4 << 20);
  builder.AddChannelArgument(
      GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 60'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
}

grpc::ServerUnaryReactor* RunUnary(grpc::CallbackServerContext* rpc, Loop& loop,
                                   std::string_view method, Handler handler) {
  // gRPC's own reactor lives in the call and ends it where Finish is called;
  // for another one it would wake two threads more.
  grpc::ServerUnaryReactor* const call = rpc->DefaultReactor();
  internal::SpawnHandler(
      rpc, loop, method, std::move(handler), kLongestCall,
      [call](const grpc::Status& status) { call->Finish(status); });
  return call;
}

void StreamRegistry::CancelAll() {
  std::set<std::shared_ptr<internal::StreamCore>> open;
  {
    base::MutexLock lock(&mutex_);
    ending_ = true;
    open = open_;
  }
  for (const auto& stream : open) {
    stream->Cancel(base::Error(v1::ERROR_REASON_UNAVAILABLE));
  }
}

bool StreamRegistry::Add(const std::shared_ptr<internal::StreamCore>& stream) {
  base::MutexLock lock(&mutex_);
  open_.insert(stream);
  return !ending_;
}

void StreamRegistry::Remove(
    const std::shared_ptr<internal::StreamCore>& stream) {
  base::MutexLock lock(&mutex_);
  open_.erase(stream);
}

namespace internal {

void SpawnHandler(grpc::CallbackServerContext* rpc, Loop& loop,
                  std::string_view method, Handler handler,
                  steady_clock::duration longest,
                  std::function<void(const grpc::Status&)> finish) {
  loop.Spawn(Serve(rpc, method, std::move(handler), longest,
                   Ending(std::move(finish)), steady_clock::now()));
}

void StreamCore::Start(std::string_view method, Handler handler,
                       std::function<void(const grpc::Status&)> finish) {
  if (!registry_.Add(shared_from_this())) {
    Cancel(base::Error(v1::ERROR_REASON_UNAVAILABLE));
  }
  SpawnHandler(
      rpc_, loop_, method,
      [self = shared_from_this(), handler = std::move(handler)](
          CallContext context) { return self->RunHandler(handler, context); },
      steady_clock::duration::max(), std::move(finish));
}

Task<absl::Status> StreamCore::RunHandler(Handler handler,
                                          CallContext context) {
  // Also when the handler throws or is destroyed.
  struct Close {
    StreamCore& core;
    ~Close() {
      core.open_ = false;
      core.on_cancelled_ = nullptr;
      core.registry_.Remove(core.shared_from_this());
    }
  } close{*this};
  if (cancelled()) co_return end_;  // Before it began.
  absl::Status status = co_await handler(context);
  co_return cancelled() ? end_ : status;
}

void StreamCore::OnCancelled(std::function<void()> callback) {
  if (cancelled()) {
    callback();
  } else {
    on_cancelled_ = std::move(callback);
  }
}

void StreamCore::BeginWrite() { write_ = std::make_unique<Waiter>(loop_); }

Task<absl::Status> StreamCore::Written() {
  co_await write_->Wait();
  write_.reset();
  if (!write_ok_ || cancelled()) {
    co_return absl::CancelledError("stream cancelled");
  }
  co_return absl::OkStatus();
}

void StreamCore::WriteDone(bool ok) {
  loop_.Post([self = shared_from_this(), ok] {
    self->write_ok_ = ok;
    if (self->write_ != nullptr) self->write_->ResumeNow();
  });
}

void StreamCore::Cancel(absl::Status why) {
  loop_.Post(
      [self = shared_from_this(), why = std::move(why)] { self->End(why); });
}

Task<void> StreamCore::CutOff(std::shared_ptr<StreamCore> self) {
  co_await Sleep(kLastWrite);
  if (self->open_ && self->write_ != nullptr) self->rpc_->TryCancel();
}

void StreamCore::End(const absl::Status& why) {
  if (!open_ || cancelled()) return;
  end_ = why;
  if (write_ != nullptr) loop_.Spawn(CutOff(shared_from_this()));
  if (auto callback = std::exchange(on_cancelled_, nullptr)) callback();
}

}  // namespace internal
}  // namespace kyc::async
