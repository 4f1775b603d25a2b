#include "gateway/http/rate_limiter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "services/base/error.h"

namespace kyc::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const RateLimiter::TimePoint kStart{std::chrono::hours(1000)};

bool Take(RateLimiter& limiter, std::string_view key,
          RateLimiter::TimePoint now) {
  async::ServerResponse response;
  return limiter.Take(key, now, RateLimiter::Tell::kRefused, &response).ok();
}

TEST(RateLimiterTest, TakesAMinutesRequestsAtOnceAndThenEvenly) {
  RateLimiter limiter("user", 60);
  for (int i = 0; i < 60; ++i) EXPECT_TRUE(Take(limiter, "a", kStart)) << i;
  EXPECT_FALSE(Take(limiter, "a", kStart));
  EXPECT_TRUE(Take(limiter, "b", kStart));
  EXPECT_FALSE(Take(limiter, "a", kStart + milliseconds(999)));
  EXPECT_TRUE(Take(limiter, "a", kStart + seconds(1)));
  EXPECT_FALSE(Take(limiter, "a", kStart + seconds(1)));
  // Refused requests cost nothing.
  for (int i = 0; i < 60; ++i) {
    EXPECT_TRUE(Take(limiter, "a", kStart + seconds(61)));
  }
  EXPECT_FALSE(Take(limiter, "a", kStart + seconds(61)));
}

TEST(RateLimiterTest, NoMinuteHasMoreThanTwiceTheLimit) {
  RateLimiter limiter("user", 100);
  int taken = 0;
  for (int ms = 0; ms < 60'000; ms += 10) {
    taken += Take(limiter, "a", kStart + milliseconds(ms));
  }
  EXPECT_LE(taken, 200);
  EXPECT_GE(taken, 199);
}

TEST(RateLimiterTest, TellsInEitherWay) {
  RateLimiter limiter("key", 6, 100, RateLimiter::Fields::kClassic);
  const auto unix_seconds = [] {
    return std::chrono::duration_cast<seconds>(
               std::chrono::system_clock::now().time_since_epoch())
        .count();
  };
  const int64_t before = unix_seconds();
  async::ServerResponse response;
  ASSERT_TRUE(
      limiter.Take("a", kStart, RateLimiter::Tell::kAlways, &response).ok());
  ASSERT_EQ(response.headers.size(), 3u);
  EXPECT_EQ(response.headers[0].first, "X-RateLimit-Limit");
  EXPECT_EQ(response.headers[0].second, "6");
  EXPECT_EQ(response.headers[1].first, "X-RateLimit-Remaining");
  EXPECT_EQ(response.headers[1].second, "5");
  EXPECT_EQ(response.headers[2].first, "X-RateLimit-Reset");
  const int64_t reset = std::stoll(response.headers[2].second);
  EXPECT_GE(reset, before + 10);
  EXPECT_LE(reset, unix_seconds() + 12);
}

TEST(RateLimiterTest, SaysHowLongToWait) {
  RateLimiter limiter("user", 6);
  for (int i = 0; i < 6; ++i) Take(limiter, "a", kStart);
  async::ServerResponse response;
  const absl::Status status = limiter.Take(
      "a", kStart + milliseconds(500), RateLimiter::Tell::kRefused, &response);
  EXPECT_EQ(base::ReasonOf(status), v1::ERROR_REASON_RATE_LIMITED);
  EXPECT_EQ(base::ExtrasOf(status).retry_after, seconds(10));
  EXPECT_THAT(response.headers,
              ::testing::ElementsAre(
                  ::testing::Pair("RateLimit-Policy", "\"user\";q=6;w=60"),
                  ::testing::Pair("RateLimit", "\"user\";r=0;t=10")));
}

TEST(RateLimiterTest, TellsWhatIsLeft) {
  RateLimiter limiter("user", 6);
  const struct {
    RateLimiter::Tell tell;
    seconds at;
    const char* field;
  } cases[] = {
      {RateLimiter::Tell::kAlways, seconds(0), "\"user\";r=5;t=10"},
      {RateLimiter::Tell::kAlways, seconds(0), "\"user\";r=4;t=20"},
      {RateLimiter::Tell::kRefused, seconds(0), ""},
      {RateLimiter::Tell::kAlways, seconds(10), "\"user\";r=3;t=30"},
      {RateLimiter::Tell::kAlways, seconds(10), "\"user\";r=2;t=40"},
      {RateLimiter::Tell::kAlways, seconds(10), "\"user\";r=1;t=50"},
      // The last one: what counts is when the next will be there.
      {RateLimiter::Tell::kAlways, seconds(11), "\"user\";r=0;t=9"},
      {RateLimiter::Tell::kAlways, seconds(11), "\"user\";r=0;t=9"},
      {RateLimiter::Tell::kAlways, seconds(20), "\"user\";r=0;t=10"},
  };
  for (const auto& one : cases) {
    async::ServerResponse response;
    limiter.Take("a", kStart + one.at, one.tell, &response).IgnoreError();
    if (*one.field == 0) {
      EXPECT_THAT(response.headers, ::testing::IsEmpty());
    } else {
      EXPECT_THAT(response.headers,
                  ::testing::ElementsAre(
                      ::testing::Pair("RateLimit-Policy", "\"user\";q=6;w=60"),
                      ::testing::Pair("RateLimit", one.field)));
    }
  }
}

TEST(RateLimiterTest, ZeroIsNoLimit) {
  RateLimiter limiter("user", 0);
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(Take(limiter, "a", kStart));
}

TEST(RateLimiterTest, RemembersAcrossManyOtherKeys) {
  RateLimiter limiter("user", 2);
  EXPECT_TRUE(Take(limiter, "a", kStart));
  EXPECT_TRUE(Take(limiter, "a", kStart));
  for (int i = 0; i < 50'000; ++i) {
    Take(limiter, std::to_string(i), kStart + milliseconds(i / 10));
  }
  EXPECT_FALSE(Take(limiter, "a", kStart + seconds(6)));
  EXPECT_TRUE(Take(limiter, "a", kStart + seconds(30)));
}

TEST(RateLimiterTest, HoldsWithManyThreads) {
  RateLimiter limiter("user", 1000);
  std::atomic<int> taken = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1000; ++n) taken += Take(limiter, "a", kStart);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(taken, 1000);
}

}  // namespace
}  // namespace kyc::gateway
