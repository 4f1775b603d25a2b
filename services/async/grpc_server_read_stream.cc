#include "services/async/grpc_server_read_stream.h"

namespace kyc::async::internal {

bool ReadCore::Begin() {
  if (state_ != State::kIdle) return false;
  state_ = State::kReading;
  return true;
}

Task<absl::StatusOr<bool>> ReadCore::Finished() {
  while (state_ == State::kReading) {
    const auto left = deadline_ - std::chrono::steady_clock::now();
    // The message stays with gRPC until the call ends.
    if (left <= std::chrono::steady_clock::duration::zero()) {
      co_return absl::DeadlineExceededError("no message in time");
    }
    co_await changed_.Wait(left);
  }
  co_return state_ == State::kIdle;
}

void ReadCore::Done(bool ok) {
  loop_.Post([self = shared_from_this(), ok] {
    self->state_ = ok ? State::kIdle : State::kOver;
    self->changed_.Notify();
  });
}

}  // namespace kyc::async::internal
