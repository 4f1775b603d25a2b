// Keeps a dead endpoint from taking time that others could use.
#ifndef KYC_SERVICES_WEBHOOK_OUTGOING_CIRCUIT_H_
#define KYC_SERVICES_WEBHOOK_OUTGOING_CIRCUIT_H_

#include <algorithm>
#include <cstdint>

namespace kyc::outgoing {

// After 5 failures in a row it opens: nothing is attempted for 30 seconds, then
// one attempt at a time is, and each that fails doubles the pause, up to 15
// minutes. What fails during a pause was under way when it began, and makes it
// no longer. Any success closes it. Times are epoch milliseconds. Not
// thread-safe.
class Circuit {
 public:
  // How many more attempts may begin, with `in_flight` under way and `most` at
  // the same time at best.
  int Allowance(int64_t now_ms, int in_flight, int most) const {
    if (now_ms < not_before_ms_) return 0;
    return std::max(0, (open() ? 1 : most) - in_flight);
  }
  // Whether it need not be kept: no pause is to be waited for, and no failure
  // counts, or the last one is more than an hour ago.
  bool forgettable(int64_t now_ms) const {
    return not_before_ms_ <= now_ms &&
           (failures_ == 0 || last_failure_ms_ + kForgetMs < now_ms);
  }
  bool open() const { return failures_ >= kThreshold; }

  void Succeeded() { *this = Circuit(); }
  void Failed(int64_t now_ms) {
    last_failure_ms_ = now_ms;
    if (failures_ < kThreshold) ++failures_;
    if (!open() || now_ms < not_before_ms_) return;
    not_before_ms_ = now_ms + pause_ms_;
    pause_ms_ = std::min(pause_ms_ * 2, kLongestPauseMs);
  }
  // The receiver asks for a pause itself.
  void Pause(int64_t until_ms) {
    not_before_ms_ = std::max(not_before_ms_, until_ms);
  }

 private:
  static constexpr int kThreshold = 5;
  static constexpr int64_t kFirstPauseMs = 30'000;
  static constexpr int64_t kLongestPauseMs = 15 * 60'000;
  static constexpr int64_t kForgetMs = 60 * 60'000;

  int failures_ = 0;
  int64_t last_failure_ms_ = 0;
  int64_t pause_ms_ = kFirstPauseMs;
  int64_t not_before_ms_ = 0;
};

}  // namespace kyc::outgoing

#endif  // KYC_SERVICES_WEBHOOK_OUTGOING_CIRCUIT_H_
