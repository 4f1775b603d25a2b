#include "services/kyc/provider/limits.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace kyc::provider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Admission = CircuitBreaker::Admission;

const SteadyTime kStart = SteadyTime() + std::chrono::hours(1);

// Records calls of users 0, 1, … `users`-1 in turn.
void RecordMany(CircuitBreaker& breaker, SteadyTime now, int count,
                bool success, int users = 100) {
  for (int i = 0; i < count; ++i) {
    breaker.Record(now, Admission::kCall, success, i % users);
  }
}

TEST(CircuitBreakerTest, OpensAtTwentyCallsHalfOfThemFailed) {
  CircuitBreaker breaker;
  RecordMany(breaker, kStart, 10, true);
  RecordMany(breaker, kStart, 9, false);
  EXPECT_FALSE(breaker.open());
  EXPECT_EQ(breaker.Admit(kStart), Admission::kCall);
  RecordMany(breaker, kStart, 1, false);
  EXPECT_TRUE(breaker.open());
  EXPECT_EQ(breaker.Admit(kStart), Admission::kRefused);
}

TEST(CircuitBreakerTest, AUserAndTheirApplicantAreNotTwoUsers) {
  using NamedBy = CircuitBreaker::NamedBy;
  CircuitBreaker breaker;
  // Four users, each under both names.
  for (uint64_t i = 0; i < 40; ++i) {
    breaker.Record(kStart, Admission::kCall, false, i % 4, NamedBy::kUserId);
    breaker.Record(kStart, Admission::kCall, false, 100 + i % 4,
                   NamedBy::kApplicantId);
  }
  EXPECT_FALSE(breaker.open());
  breaker.Record(kStart, Admission::kCall, false, 104, NamedBy::kApplicantId);
  EXPECT_TRUE(breaker.open());
}

TEST(CircuitBreakerTest, FewerFailuresThanHalfDoNotOpenIt) {
  CircuitBreaker breaker;
  RecordMany(breaker, kStart, 60, true);
  RecordMany(breaker, kStart, 59, false);
  EXPECT_FALSE(breaker.open());
}

TEST(CircuitBreakerTest, OneUsersFailuresFailNobodyElse) {
  CircuitBreaker breaker;
  RecordMany(breaker, kStart, 20, true);  // Others, who succeed.
  RecordMany(breaker, kStart, 1000, false, /*users=*/4);
  EXPECT_FALSE(breaker.open());
  breaker.Record(kStart, Admission::kCall, false, 4);
  EXPECT_TRUE(breaker.open());
}

TEST(CircuitBreakerTest, OldCallsAreForgotten) {
  CircuitBreaker breaker;
  RecordMany(breaker, kStart, 19, false);
  RecordMany(breaker, kStart + milliseconds(10001), 1, false);
  EXPECT_FALSE(breaker.open());
  RecordMany(breaker, kStart + milliseconds(10002), 19, false);
  EXPECT_TRUE(breaker.open());
}

TEST(CircuitBreakerTest, OneProbeEveryFiveSecondsAndASuccessCloses) {
  CircuitBreaker breaker;
  RecordMany(breaker, kStart, 20, false);
  SteadyTime now = kStart + milliseconds(4999);
  EXPECT_EQ(breaker.Admit(now), Admission::kRefused);
  now = kStart + seconds(5);
  EXPECT_EQ(breaker.Admit(now), Admission::kProbe);
  EXPECT_EQ(breaker.Admit(now), Admission::kRefused);
  breaker.Record(now, Admission::kProbe, false, 1);
  EXPECT_TRUE(breaker.open());
  // A probe that never reports does not keep it open.
  now += seconds(5);
  EXPECT_EQ(breaker.Admit(now), Admission::kProbe);
  now += seconds(5);
  EXPECT_EQ(breaker.Admit(now), Admission::kProbe);
  // Calls from before it opened say nothing.
  breaker.Record(now, Admission::kCall, true, 1);
  EXPECT_TRUE(breaker.open());
  breaker.Record(now, Admission::kProbe, true, 1);
  EXPECT_FALSE(breaker.open());
  EXPECT_EQ(breaker.Admit(now), Admission::kCall);
  // The failures that opened it do not count again.
  RecordMany(breaker, now, 19, false);
  EXPECT_FALSE(breaker.open());
}

TEST(TokenBucketTest, NeverMoreThanTheBurstInAnyWindow) {
  TokenBucket bucket(50, seconds(5));
  std::vector<SteadyTime> uses;
  // Far more calls than allowed, at uneven times, all ready to wait.
  for (int i = 0; i < 500; ++i) {
    const SteadyTime now = kStart + milliseconds(i * i % 7 + i * 13);
    const auto wait = bucket.Take(now, std::chrono::hours(1));
    ASSERT_TRUE(wait.has_value());
    uses.push_back(now + *wait);
  }
  for (size_t i = 50; i < uses.size(); ++i) {
    EXPECT_GE(uses[i] - uses[i - 50], seconds(5)) << i;
  }
  // And not fewer than allowed: 500 in ten windows.
  EXPECT_LE(uses.back() - uses.front(), seconds(46));
}

TEST(TokenBucketTest, ATokenNotWaitedForIsNotTaken) {
  TokenBucket bucket(2, seconds(5));
  EXPECT_EQ(bucket.Take(kStart, milliseconds(0)), milliseconds(0));
  EXPECT_EQ(bucket.Take(kStart + seconds(1), milliseconds(0)), milliseconds(0));
  const SteadyTime now = kStart + seconds(2);
  EXPECT_EQ(bucket.Take(now, milliseconds(2999)), std::nullopt);
  EXPECT_EQ(bucket.Take(now, milliseconds(-5)), std::nullopt);
  EXPECT_EQ(bucket.Take(now, milliseconds(3000)), milliseconds(3000));
  // The next in line waits for the second token.
  EXPECT_EQ(bucket.Take(now, seconds(60)), milliseconds(4000));
  EXPECT_EQ(bucket.Take(now, seconds(60)), milliseconds(8000));
}

TEST(TokenBucketTest, PausesForRetryAfter) {
  TokenBucket bucket(10, seconds(5));
  bucket.PauseUntil(kStart + seconds(3));
  bucket.PauseUntil(kStart + seconds(1));  // Does not shorten it.
  EXPECT_EQ(bucket.Take(kStart, seconds(2)), std::nullopt);
  EXPECT_EQ(bucket.Take(kStart, seconds(3)), milliseconds(3000));
  EXPECT_EQ(bucket.Take(kStart + seconds(4), seconds(0)), milliseconds(0));
}

TEST(LimitsTest, PlacesInFlight) {
  Limits limits(2);
  EXPECT_TRUE(limits.Enter());
  EXPECT_TRUE(limits.Enter());
  EXPECT_FALSE(limits.Enter());
  limits.Leave();
  EXPECT_TRUE(limits.Enter());
}

TEST(LimitsTest, ManyThreads) {
  Limits limits(3);
  TokenBucket bucket(1000, seconds(5));
  std::vector<std::thread> threads;
  std::vector<int> taken(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&limits, &bucket, &taken, t] {
      for (int i = 0; i < 500; ++i) {
        if (limits.Enter()) limits.Leave();
        limits.breaker.Record(kStart, limits.breaker.Admit(kStart), i % 2 == 0,
                              i);
        if (bucket.Take(kStart, milliseconds(0))) ++taken[t];
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken[0] + taken[1] + taken[2] + taken[3], 1000);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(limits.Enter());
  EXPECT_FALSE(limits.Enter());
}

}  // namespace
}  // namespace kyc::provider
