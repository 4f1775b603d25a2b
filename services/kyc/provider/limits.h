// What protects the provider from us and us from the provider: circuit
// breaker, token buckets and a concurrency cap. One object for all loops.
//
// Pure but for its lock: time comes in as an argument. Thread-safe.
#ifndef KYC_SERVICES_KYC_PROVIDER_LIMITS_H_
#define KYC_SERVICES_KYC_PROVIDER_LIMITS_H_

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "services/base/mutex.h"

namespace kyc::provider {

using SteadyTime = std::chrono::steady_clock::time_point;

// Opens on >= 20 calls in 10 s of which >= 50 % failed, the failed ones from
// >= 5 different users; then lets one probe through every 5 s and closes when
// one succeeds. So one user's failures never fail another's next call, and it
// closes within 60 s of recovery.
// Shown as the gauge kyc_provider_breaker_open.
class CircuitBreaker {
 public:
  enum class Admission {
    kRefused,
    kCall,
    kProbe,  // While open. One that never reports is followed by the next.
  };

  // Whether a call may go out now.
  Admission Admit(SteadyTime now);
  // By what a call names its user: by one of them it names one user, and the
  // other is not known to the call.
  enum class NamedBy { kUserId, kApplicantId };

  // How a call that went out ended. `name_hash` tells users apart. A user may
  // be known by both names: of the two counts the larger is of as many users
  // for certain. While it is open only probes count: other calls went out
  // before it opened.
  void Record(SteadyTime now, Admission admission, bool success,
              uint64_t name_hash, NamedBy named_by = NamedBy::kUserId);
  bool open() const;

 private:
  struct Call {
    SteadyTime at;
    bool success;
    uint64_t name_hash;
    NamedBy named_by;
  };
  bool ShouldOpen() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SetOpen(bool open) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable base::Mutex mutex_;
  std::deque<Call> calls_ ABSL_GUARDED_BY(mutex_);
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  SteadyTime next_probe_ ABSL_GUARDED_BY(mutex_);
};

// A token bucket that never passes more than `burst` in any window of
// `window`: tokens come back one by one, `window` after they were taken. Those
// who wait are served in the order they came.
class TokenBucket {
 public:
  // Both > 0.
  TokenBucket(int burst, std::chrono::milliseconds window);
  // Takes a token and says how long to wait before using it; nullopt, and no
  // token, when that would be longer than `max_wait`.
  std::optional<std::chrono::milliseconds> Take(
      SteadyTime now, std::chrono::milliseconds max_wait);
  // No token for use before `until` (a 429 with Retry-After). Tokens given out
  // stay good.
  void PauseUntil(SteadyTime until);

 private:
  const size_t burst_;
  const std::chrono::milliseconds window_;
  base::Mutex mutex_;
  // When the last `burst_` tokens are for use, in order.
  std::deque<SteadyTime> taken_ ABSL_GUARDED_BY(mutex_);
  SteadyTime paused_until_ ABSL_GUARDED_BY(mutex_);
};

// Calls of each kind in any 5 s. The defaults are SumSub's documented limits
// for one client.
struct Rates {
  int reads = 300;
  int writes = 50;
};

struct Limits {
  explicit Limits(int max_concurrency, Rates rates = {})
      : reads(rates.reads, std::chrono::seconds(5)),
        writes(rates.writes, std::chrono::seconds(5)),
        max_concurrency(max_concurrency) {}

  CircuitBreaker breaker;
  TokenBucket reads;
  TokenBucket writes;

  // Takes one of the places in flight; false when all are taken. Who got one
  // leaves it.
  bool Enter();
  void Leave();

  const int max_concurrency;

 private:
  base::Mutex mutex_;
  int in_flight_ ABSL_GUARDED_BY(mutex_) = 0;
};

// One of the places in flight, left when it goes.
class Place {
 public:
  explicit Place(Limits& limits) : limits_(limits), taken_(limits.Enter()) {}
  ~Place() {
    if (taken_) limits_.Leave();
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  bool taken() const { return taken_; }

 private:
  Limits& limits_;
  const bool taken_;
};

}  // namespace kyc::provider

#endif  // KYC_SERVICES_KYC_PROVIDER_LIMITS_H_
