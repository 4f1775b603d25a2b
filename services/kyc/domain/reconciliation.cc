#include "services/kyc/domain/reconciliation.h"

#include <algorithm>

namespace kyc::domain {
namespace {

using std::chrono::milliseconds;

int64_t AfterAsLongAgain(int64_t since_ms, milliseconds shortest,
                         int64_t now_ms) {
  const int64_t longest = milliseconds(kLongestPause).count();
  const int64_t waited =
      now_ms - std::clamp(since_ms, now_ms - longest, now_ms);
  return now_ms + std::max<int64_t>(waited, shortest.count());
}

}  // namespace

bool AwaitsReconciliation(const Record& record) {
  return record.erased_ms == 0 &&
         (record.state == State::kInProgress || record.unsettled_ms != 0);
}

int64_t NextQuestionMs(const Record& record, milliseconds after,
                       int64_t now_ms) {
  const int64_t undecided = AfterAsLongAgain(record.updated_ms, after, now_ms);
  if (record.unsettled_ms == 0) return undecided;
  const int64_t unsettled =
      AfterAsLongAgain(record.unsettled_ms,
                       std::min<milliseconds>(after, kShortestPause), now_ms);
  return record.state == State::kInProgress ? std::min(undecided, unsettled)
                                            : unsettled;
}

}  // namespace kyc::domain
