#include "services/base/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <thread>
#include <vector>

namespace kyc::base {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(Counter, AddsUpOverThreads) {
  Counter* counter = GetCounter("kyc_test_adds_total", "Adds.");
  std::vector<std::thread> threads;
  // More threads than there are cells.
  for (int t = 0; t < 20; ++t) {
    threads.emplace_back([counter] {
      for (int i = 0; i < 1000; ++i) counter->Add();
    });
  }
  for (std::thread& thread : threads) thread.join();
  counter->Add(5);
  const std::string text = RenderMetrics();
  EXPECT_THAT(text, HasSubstr("# HELP kyc_test_adds_total Adds.\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE kyc_test_adds_total counter\n"));
  EXPECT_THAT(text, HasSubstr("\nkyc_test_adds_total 20005\n"));
}

TEST(Counter, SameNameAndLabelsAreTheSame) {
  Counter* a = GetCounter("kyc_test_same_total", "Help.",
                          {{"method", "Get"}, {"code", "OK"}});
  EXPECT_EQ(a, GetCounter("kyc_test_same_total", "Other help.",
                          {{"code", "OK"}, {"method", "Get"}}));
  EXPECT_NE(a, GetCounter("kyc_test_same_total", "Help.",
                          {{"method", "Get"}, {"code", "NOT_FOUND"}}));
  a->Add(3);
  const std::string text = RenderMetrics();
  EXPECT_THAT(text,
              HasSubstr("kyc_test_same_total{code=\"OK\",method=\"Get\"} 3\n"));
  EXPECT_THAT(text, Not(HasSubstr("Other help.")));
}

TEST(Gauge, GoesUpAndDown) {
  Gauge* gauge = GetGauge("kyc_test_level", "Level.");
  gauge->Set(10);
  gauge->Add(-12);
  EXPECT_THAT(RenderMetrics(), HasSubstr("\nkyc_test_level -2\n"));
}

TEST(Histogram, CountsIntoItsBuckets) {
  Histogram* histogram =
      GetLatencyHistogram("kyc_test_wait_seconds", "Wait.", {{"a", "b"}});
  histogram->Observe(0.0001);  // A bound belongs to its bucket.
  histogram->Observe(0.003);
  histogram->Observe(7);
  histogram->Observe(100);
  const std::string text = RenderMetrics();
  const auto bucket = [](const char* bound, int count) {
    return "kyc_test_wait_seconds_bucket{a=\"b\",le=\"" + std::string(bound) +
           "\"} " + std::to_string(count) + "\n";
  };
  EXPECT_THAT(text, HasSubstr("# TYPE kyc_test_wait_seconds histogram\n"));
  EXPECT_THAT(text, HasSubstr(bucket("0.0001", 1)));
  EXPECT_THAT(text, HasSubstr(bucket("0.0025", 1)));
  EXPECT_THAT(text, HasSubstr(bucket("0.005", 2)));
  EXPECT_THAT(text, HasSubstr(bucket("5", 2)));
  EXPECT_THAT(text, HasSubstr(bucket("10", 3)));
  EXPECT_THAT(text, HasSubstr(bucket("+Inf", 4)));
  EXPECT_THAT(text, HasSubstr("kyc_test_wait_seconds_count{a=\"b\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("kyc_test_wait_seconds_sum{a=\"b\"} 107.0031"));
}

TEST(Histogram, SurvivesNumbersThatAreNone) {
  Histogram* histogram = GetLatencyHistogram("kyc_test_odd_seconds", "Odd.");
  histogram->Observe(std::nan(""));
  histogram->Observe(std::numeric_limits<double>::infinity());
  histogram->Observe(-1);
  const std::string text = RenderMetrics();
  EXPECT_THAT(text, HasSubstr("kyc_test_odd_seconds_count 3\n"));
  EXPECT_THAT(text, HasSubstr("kyc_test_odd_seconds_sum 2000000\n"));
}

TEST(ExportValue, IsReadWhenRendered) {
  static int value = 1;
  ExportValue(MetricKind::kGauge, "kyc_test_value", "Value.",
              [] { return value + 0.5; });
  EXPECT_THAT(RenderMetrics(), HasSubstr("\nkyc_test_value 1.5\n"));
  value = 7;
  EXPECT_THAT(RenderMetrics(), HasSubstr("\nkyc_test_value 7.5\n"));
  ExportValue(MetricKind::kGauge, "kyc_test_value", "Value.",
              [] { return 42.0; });
  EXPECT_THAT(RenderMetrics(), HasSubstr("\nkyc_test_value 42\n"));
}

TEST(Metrics, EscapesLabelValues) {
  GetCounter("kyc_test_escape_total", "Help.", {{"v", "a\"b\\c\nd"}})->Add();
  EXPECT_THAT(RenderMetrics(),
              HasSubstr(R"(kyc_test_escape_total{v="a\"b\\c\nd"} 1)"));
}

TEST(MetricsDeathTest, OneNameHasOneKind) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  GetCounter("kyc_test_kind_total", "Help.");
  EXPECT_DEATH(GetGauge("kyc_test_kind_total", "Help."), "two kinds");
  ExportValue(MetricKind::kCounter, "kyc_test_read_total", "Help.",
              [] { return 1.0; });
  EXPECT_DEATH(GetCounter("kyc_test_read_total", "Help."), "two kinds");
}

}  // namespace
}  // namespace kyc::base
