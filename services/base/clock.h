// The time of day, as a dependency.
#ifndef KYC_SERVICES_BASE_CLOCK_H_
#define KYC_SERVICES_BASE_CLOCK_H_

#include <cstdint>

namespace kyc::base {

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Milliseconds since 1970-01-01 UTC.
  virtual int64_t NowMs() const = 0;
};

// The machine's clock; lives as long as the process.
const Clock& SystemClock();

// A clock that stands still until it is told to move. For tests.
class FakeClock : public Clock {
 public:
  explicit FakeClock(int64_t now_ms) : now_ms_(now_ms) {}
  int64_t NowMs() const override { return now_ms_; }
  void Set(int64_t now_ms) { now_ms_ = now_ms; }
  void Advance(int64_t ms) { now_ms_ += ms; }

 private:
  int64_t now_ms_;
};

}  // namespace kyc::base

#endif  // KYC_SERVICES_BASE_CLOCK_H_
