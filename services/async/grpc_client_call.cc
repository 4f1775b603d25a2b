#include "services/async/grpc_client_call.h"

#include "services/async/grpc_status.h"
#include "services/async/rpc_metrics.h"

namespace kyc::async::internal {
namespace {

constexpr std::chrono::minutes kLongestCall(5);

}  // namespace

ClientCallCore::ClientCallCore(const CallContext& context,
                               std::string_view method)
    : method_(method),
      begin_(std::chrono::steady_clock::now()),
      loop_(Loop::Current()),
      home_(*Loop::Current()) {
  const auto left = context.Remaining(kLongestCall);
  if (left <= std::chrono::steady_clock::duration::zero()) {
    status_ = absl::DeadlineExceededError("no time left for the call");
    held_ = false;
    Count(status_->code());
    return;
  }
  rpc_.AddMetadata("traceparent", context.trace.ToTraceparent());
  rpc_.set_deadline(
      std::chrono::system_clock::now() +
      std::chrono::duration_cast<std::chrono::system_clock::duration>(left));
}

bool ClientCallCore::Begin() {
  if (broken_ || over()) return false;
  busy_ = true;
  return true;
}

Task<bool> ClientCallCore::Done() {
  if (busy_) {
    waiter_ = std::make_unique<Waiter>(home_);
    co_await waiter_->Wait();
    waiter_.reset();
  }
  co_return !broken_;
}

Task<absl::Status> ClientCallCore::Ended() {
  Release();
  if (!over()) {
    waiter_ = std::make_unique<Waiter>(home_);
    co_await waiter_->Wait();
    waiter_.reset();
  }
  co_return *status_;
}

void ClientCallCore::Abandon() {
  {
    base::MutexLock lock(&mutex_);
    loop_ = nullptr;
  }
  if (over()) return;
  Count(absl::StatusCode::kCancelled);
  rpc_.TryCancel();
  Release();
}

void ClientCallCore::OperationDone(bool ok) {
  Post([self = shared_from_this(), ok] {
    self->busy_ = false;
    self->broken_ = self->broken_ || !ok;
    self->Wake();
  });
}

void ClientCallCore::CallDone(const grpc::Status& status) {
  const std::shared_ptr<ClientCallCore> self = std::move(self_);
  Post([self, status = FromGrpcStatus(status)] {
    self->status_ = status;
    self->Count(status.code());
    self->Wake();
  });
}

void ClientCallCore::Post(std::function<void()> work) {
  // The lock keeps the loop from ending between the look and the post.
  base::MutexLock lock(&mutex_);
  if (loop_ != nullptr) loop_->Post(std::move(work));
}

void ClientCallCore::Wake() {
  if (waiter_ != nullptr) waiter_->ResumeNow();
}

// gRPC ends the call only when nothing more can be started.
void ClientCallCore::Release() {
  if (std::exchange(held_, false)) ReleaseHold();
}

void ClientCallCore::Count(absl::StatusCode code) {
  RpcMetrics::OfClient(method_).Count(code, begin_);
}

}  // namespace kyc::async::internal
