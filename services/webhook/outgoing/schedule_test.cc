#include "services/webhook/outgoing/schedule.h"

#include <gtest/gtest.h>

namespace kyc::outgoing {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

TEST(ScheduleTest, TenAttemptsOverThreeDays) {
  EXPECT_EQ(kMaxAttempts, 10);
  const milliseconds expected[] = {seconds(5), minutes(5), minutes(30),
                                   hours(2),   hours(5),   hours(10),
                                   hours(14),  hours(20),  hours(24)};
  milliseconds sum(0);
  milliseconds longest(0);
  int made = 1;
  for (; PauseAfter(made, 0, std::nullopt); ++made) {
    EXPECT_EQ(PauseAfter(made, 0, std::nullopt), expected[made - 1]);
    EXPECT_EQ(PauseAfter(made, 1, std::nullopt), expected[made - 1] * 11 / 10);
    sum += *PauseAfter(made, 0, std::nullopt);
    longest += *PauseAfter(made, 1, std::nullopt);
  }
  EXPECT_EQ(made, 10);
  EXPECT_GE(sum, hours(72));
  EXPECT_LT(longest, kMaxAge);
}

TEST(ScheduleTest, JitterStaysWithinATenth) {
  for (const double random : {-1.0, 0.0, 0.3, 0.999, 1.0, 7.0}) {
    const milliseconds pause = *PauseAfter(2, random, std::nullopt);
    EXPECT_GE(pause, minutes(5));
    EXPECT_LE(pause, minutes(5) + seconds(30));
  }
}

TEST(ScheduleTest, NothingOutsideTheSchedule) {
  EXPECT_FALSE(PauseAfter(0, 0, std::nullopt).has_value());
  EXPECT_FALSE(PauseAfter(-1, 0, std::nullopt).has_value());
  EXPECT_FALSE(PauseAfter(10, 0, seconds(1)).has_value());
}

TEST(ScheduleTest, RetryAfterOnlyMakesAPauseLonger) {
  EXPECT_EQ(PauseAfter(1, 0, seconds(1)), seconds(5));
  EXPECT_EQ(PauseAfter(1, 0, seconds(60)), seconds(60));
  EXPECT_EQ(PauseAfter(1, 0, hours(1000)), hours(24));
}

constexpr int64_t kNow = 1'784'000'000'000;  // 2026-07-14T03:33:20Z.

TEST(ScheduleTest, ReadsRetryAfter) {
  EXPECT_EQ(ParseRetryAfter("0", kNow), seconds(0));
  EXPECT_EQ(ParseRetryAfter("120", kNow), seconds(120));
  EXPECT_EQ(ParseRetryAfter("86401", kNow), hours(24));
  EXPECT_EQ(ParseRetryAfter("99999999999999999999", kNow), hours(24));
  EXPECT_EQ(ParseRetryAfter("Tue, 14 Jul 2026 03:34:20 GMT", kNow),
            seconds(60));
  EXPECT_EQ(ParseRetryAfter("Mon, 13 Jul 2026 03:34:20 GMT", kNow), seconds(0));
  EXPECT_EQ(ParseRetryAfter("Fri, 14 Jul 2028 03:34:20 GMT", kNow), hours(24));
  for (const char* text : {"", "-1", "1.5", "soon", "1 ", "0x10",
                           "2026-07-14T03:34:20Z"}) {
    EXPECT_FALSE(ParseRetryAfter(text, kNow).has_value()) << text;
  }
}

}  // namespace
}  // namespace kyc::outgoing
