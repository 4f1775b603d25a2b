#include "services/kyc/domain/reconciliation.h"

#include <gtest/gtest.h>

#include <vector>

namespace kyc::domain {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;

constexpr int64_t kNow = 1'767'225'600'000;
constexpr int64_t kMinute = 60'000;

// The pauses, in minutes, of a record that nothing changes.
std::vector<int64_t> Pauses(const Record& record, int count) {
  std::vector<int64_t> pauses;
  int64_t now = kNow;
  for (int i = 0; i < count; ++i) {
    const int64_t next = NextQuestionMs(record, minutes(10), now);
    pauses.push_back((next - now) / kMinute);
    now = next;
  }
  return pauses;
}

TEST(Reconciliation, ConcernsWhatHasNoDecisionOrIsUnsettled) {
  for (int state = 0; state < kStateCount; ++state) {
    Record record;
    record.state = static_cast<State>(state);
    EXPECT_EQ(AwaitsReconciliation(record), record.state == State::kInProgress);
    record.unsettled_ms = kNow;
    EXPECT_TRUE(AwaitsReconciliation(record));
    record.erased_ms = kNow;
    EXPECT_FALSE(AwaitsReconciliation(record));
  }
}

TEST(Reconciliation, AsksEverMoreRarely) {
  Record record;
  record.state = State::kInProgress;
  record.updated_ms = kNow;
  EXPECT_EQ(Pauses(record, 8),
            (std::vector<int64_t>{10, 10, 20, 40, 80, 160, 320, 360}));
}

TEST(Reconciliation, AsksSoonAboutWhatAnEventLeftUnsettled) {
  Record record;
  record.state = State::kApproved;
  record.updated_ms = record.unsettled_ms = kNow;
  EXPECT_EQ(NextQuestionMs(record, minutes(10), kNow), kNow + 2000);
  EXPECT_EQ(NextQuestionMs(record, minutes(10), kNow + 8000), kNow + 16'000);
  EXPECT_EQ(NextQuestionMs(record, milliseconds(100), kNow), kNow + 100);
  record.state = State::kInProgress;
  EXPECT_EQ(NextQuestionMs(record, minutes(10), kNow), kNow + 2000);
}

TEST(Reconciliation, ARecordWithoutItsTimeIsNotAskedAboutAllTheTime) {
  Record record;
  record.state = State::kInProgress;
  EXPECT_EQ(Pauses(record, 2), (std::vector<int64_t>{360, 360}));
}

}  // namespace
}  // namespace kyc::domain
