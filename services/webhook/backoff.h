// Growing pauses between attempts.
#ifndef KYC_SERVICES_WEBHOOK_BACKOFF_H_
#define KYC_SERVICES_WEBHOOK_BACKOFF_H_

#include <algorithm>
#include <chrono>
#include <random>

namespace kyc::webhook {

// base, 2·base, 4·base, … up to cap, each cut by a random part of at most
// half, so that what failed together does not come back together.
// Not thread-safe.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds base, std::chrono::milliseconds cap)
      : base_(base), cap_(cap), next_(base) {}

  std::chrono::milliseconds Next() {
    const std::chrono::milliseconds whole = next_;
    next_ = std::min(cap_, 2 * next_);
    thread_local std::minstd_rand random{std::random_device{}()};
    std::uniform_int_distribution<std::chrono::milliseconds::rep> part(
        whole.count() / 2, whole.count());
    return std::chrono::milliseconds(part(random));
  }
  void Reset() { next_ = base_; }

 private:
  const std::chrono::milliseconds base_;
  const std::chrono::milliseconds cap_;
  std::chrono::milliseconds next_;
};

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_BACKOFF_H_
