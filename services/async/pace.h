// Lets coroutines through together rather than one by one.
#ifndef KYC_SERVICES_ASYNC_PACE_H_
#define KYC_SERVICES_ASYNC_PACE_H_

#include <chrono>

#include "services/async/task.h"

namespace kyc::async {

// For work that costs less in company, such as writes that Redis syncs to disk:
// those that are issued in one turn of the loop share one sync. One loop only.
class Pace {
 public:
  explicit Pace(std::chrono::steady_clock::duration interval)
      : interval_(interval) {}
  Pace(const Pace&) = delete;
  Pace& operator=(const Pace&) = delete;

  // Returns at once when nobody has passed within the interval. Others wait for
  // the rest of it, and then all pass in one turn of the loop, in any order.
  Task<void> Pass();

 private:
  const std::chrono::steady_clock::duration interval_;
  std::chrono::steady_clock::time_point opens_;
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_PACE_H_
