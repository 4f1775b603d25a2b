#include "services/webhook/outgoing/circuit.h"

#include <gtest/gtest.h>

namespace kyc::outgoing {
namespace {

constexpr int64_t kNow = 1'784'000'000'000;

TEST(CircuitTest, ClosedItAllowsWhatThereIsRoomFor) {
  Circuit circuit;
  EXPECT_EQ(circuit.Allowance(kNow, 0, 8), 8);
  EXPECT_EQ(circuit.Allowance(kNow, 7, 8), 1);
  EXPECT_EQ(circuit.Allowance(kNow, 9, 8), 0);
  for (int i = 0; i < 4; ++i) circuit.Failed(kNow);
  EXPECT_FALSE(circuit.open());
  EXPECT_EQ(circuit.Allowance(kNow, 0, 8), 8);
}

TEST(CircuitTest, OpensAfterFiveFailuresInARow) {
  Circuit circuit;
  for (int i = 0; i < 4; ++i) circuit.Failed(kNow);
  circuit.Succeeded();
  for (int i = 0; i < 4; ++i) circuit.Failed(kNow);
  EXPECT_FALSE(circuit.open());
  circuit.Failed(kNow);
  EXPECT_TRUE(circuit.open());
  EXPECT_EQ(circuit.Allowance(kNow, 0, 8), 0);
  EXPECT_EQ(circuit.Allowance(kNow + 29'999, 0, 8), 0);
  EXPECT_EQ(circuit.Allowance(kNow + 30'000, 0, 8), 1);
  EXPECT_EQ(circuit.Allowance(kNow + 30'000, 1, 8), 0);
}

TEST(CircuitTest, PausesGrowAndASuccessEndsThem) {
  Circuit circuit;
  int64_t now = kNow;
  for (int i = 0; i < 5; ++i) circuit.Failed(now);
  int64_t pause = 30'000;
  for (int i = 0; i < 12; ++i) {
    EXPECT_EQ(circuit.Allowance(now + pause - 1, 0, 8), 0) << i;
    now += pause;
    EXPECT_EQ(circuit.Allowance(now, 0, 8), 1) << i;
    circuit.Failed(now);
    pause = std::min<int64_t>(2 * pause, 15 * 60'000);
  }
  EXPECT_EQ(pause, 15 * 60'000);
  circuit.Succeeded();
  EXPECT_FALSE(circuit.open());
  EXPECT_EQ(circuit.Allowance(now, 0, 8), 8);
}

TEST(CircuitTest, WhatWasUnderWayMakesAPauseNoLonger) {
  Circuit circuit;
  for (int i = 0; i < 8; ++i) circuit.Failed(kNow + i);
  EXPECT_EQ(circuit.Allowance(kNow + 4 + 29'999, 0, 8), 0);
  EXPECT_EQ(circuit.Allowance(kNow + 4 + 30'000, 0, 8), 1);
  circuit.Failed(kNow + 60'000);
  EXPECT_EQ(circuit.Allowance(kNow + 60'000 + 59'999, 0, 8), 0);
  EXPECT_EQ(circuit.Allowance(kNow + 60'000 + 60'000, 0, 8), 1);
}

TEST(CircuitTest, APauseThatWasAskedForHoldsWhileItIsClosed) {
  Circuit circuit;
  circuit.Failed(kNow);
  circuit.Pause(kNow + 1000);
  EXPECT_FALSE(circuit.open());
  EXPECT_EQ(circuit.Allowance(kNow + 999, 0, 8), 0);
  EXPECT_EQ(circuit.Allowance(kNow + 1000, 0, 8), 8);
}

TEST(CircuitTest, FailuresAreForgottenAfterAnHourOrASuccess) {
  Circuit circuit;
  EXPECT_TRUE(circuit.forgettable(kNow));
  circuit.Failed(kNow - 1000);
  circuit.Failed(kNow);
  EXPECT_FALSE(circuit.forgettable(kNow));
  EXPECT_FALSE(circuit.forgettable(kNow + 3'600'000));
  EXPECT_TRUE(circuit.forgettable(kNow + 3'600'001));
  circuit.Succeeded();
  EXPECT_TRUE(circuit.forgettable(kNow));
  circuit.Pause(kNow + 1000);
  EXPECT_FALSE(circuit.forgettable(kNow + 999));
  EXPECT_TRUE(circuit.forgettable(kNow + 1000));
}

}  // namespace
}  // namespace kyc::outgoing
