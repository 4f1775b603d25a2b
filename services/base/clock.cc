#include "services/base/clock.h"

#include <chrono>

namespace kyc::base {
namespace {

class RealClock : public Clock {
 public:
  int64_t NowMs() const override {
    return std::chrono::duration_cast<std::chrono::milliseconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  }
};

}  // namespace

const Clock& SystemClock() {
  static const RealClock& clock = *new RealClock;
  return clock;
}

}  // namespace kyc::base
