#include "services/base/trace.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace kyc::base {
namespace {

using ::testing::MatchesRegex;

constexpr char kTrace[] = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr char kSpan[] = "00f067aa0ba902b7";

std::string Header(std::string_view flags = "01",
                   std::string_view version = "00",
                   std::string_view rest = "") {
  std::string text(version);
  text.append("-").append(kTrace).append("-").append(kSpan).append("-");
  return text.append(flags).append(rest);
}

bool Continues(std::string_view traceparent) {
  return TraceContext::Continue(traceparent).trace_id() == kTrace;
}

TEST(TraceContext, StartsWithRandomIds) {
  const TraceContext context = TraceContext::Start();
  EXPECT_THAT(std::string(context.trace_id()), MatchesRegex("[0-9a-f]{32}"));
  EXPECT_THAT(std::string(context.span_id()), MatchesRegex("[0-9a-f]{16}"));
  EXPECT_EQ(context.ToTraceparent(), "00-" + std::string(context.trace_id()) +
                                         "-" + std::string(context.span_id()) +
                                         "-00");
}

TEST(TraceContext, IdsAreUniqueAcrossThreads) {
  std::mutex mutex;
  std::set<std::string> ids;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) {
        const TraceContext context = TraceContext::Start();
        const std::lock_guard lock(mutex);
        ids.emplace(context.trace_id());
        ids.emplace(context.span_id());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ids.size(), 8000u);
}

TEST(TraceContext, ContinuesWithANewSpan) {
  const TraceContext context = TraceContext::Continue(Header());
  EXPECT_EQ(context.trace_id(), kTrace);
  EXPECT_NE(context.span_id(), kSpan);
  EXPECT_TRUE(context.ToTraceparent().ends_with("-01"));
  EXPECT_TRUE(
      TraceContext::Continue(Header("00")).ToTraceparent().ends_with("-00"));
}

TEST(TraceContext, PassesOnOnlyTheSampledBit) {
  EXPECT_TRUE(
      TraceContext::Continue(Header("ff")).ToTraceparent().ends_with("-01"));
  EXPECT_TRUE(
      TraceContext::Continue(Header("fe")).ToTraceparent().ends_with("-00"));
}

TEST(TraceContext, TakesLaterVersions) {
  EXPECT_TRUE(Continues(Header("01", "01")));
  EXPECT_TRUE(Continues(Header("01", "cc", "-what-comes-later")));
  EXPECT_FALSE(Continues(Header("01", "cc", "x")));
  EXPECT_EQ(TraceContext::Continue(Header("01", "cc", "-x"))
                .ToTraceparent()
                .substr(0, 3),
            "00-");
}

TEST(TraceContext, WrongValuesStartANewTrace) {
  const std::string good = Header();
  ASSERT_TRUE(Continues(good));
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(Continues(std::string_view(good).substr(0, size))) << size;
  }
  // Every place takes only the characters it should.
  for (size_t i = 0; i < good.size(); ++i) {
    for (const char wrong : {'g', 'A', ' ', '\0', '\xff'}) {
      std::string text = good;
      text[i] = wrong;
      EXPECT_FALSE(Continues(text)) << text;
    }
  }
  EXPECT_FALSE(Continues(Header("01", "ff")));
  EXPECT_FALSE(Continues(Header("01", "00", "-more")));
  EXPECT_FALSE(Continues(" " + good));
  EXPECT_FALSE(Continues("00-" + std::string(kTrace) + "-0000000000000000-01"));
  const std::string zero_trace =
      "00-00000000000000000000000000000000-" + std::string(kSpan) + "-01";
  EXPECT_NE(TraceContext::Continue(zero_trace).trace_id(),
            zero_trace.substr(3, 32));
}

}  // namespace
}  // namespace kyc::base
