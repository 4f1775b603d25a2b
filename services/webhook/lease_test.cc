#include "services/webhook/lease.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <set>
#include <string>

#include "services/async/loop.h"
#include "services/async/redis_for_test.h"

namespace kyc::webhook {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class LeaseTest : public ::testing::Test {
 protected:
  LeaseTest() { runtime_.Start(); }
  ~LeaseTest() override { runtime_.Stop(); }

  std::unique_ptr<Leases> Join(const std::string& member, int parts = 4,
                               std::chrono::milliseconds ttl =
                                   std::chrono::seconds(60)) {
    return std::make_unique<Leases>(
        redis_, LeaseOptions{"kyc:{job}", member, parts, ttl});
  }

  static async::Task<void> Into(
      std::function<async::Task<absl::Status>()> work,
      std::promise<absl::Status>& done) {
    done.set_value(co_await work());
  }
  void Run(const std::function<async::Task<absl::Status>()>& work) {
    std::promise<absl::Status> done;
    runtime_.loop(0).Post(
        [&] { runtime_.loop(0).Spawn(Into(work, done)); });
    const absl::Status status = done.get_future().get();
    EXPECT_TRUE(status.ok()) << status;
  }
  void Beat(Leases& leases) {
    Run([&] { return leases.Heartbeat(); });
  }

  async::RedisForTest server_;
  async::Runtime runtime_{1};
  async::Redis redis_{runtime_.loop(0), server_.options()};
};

TEST_F(LeaseTest, OneProcessHoldsEverything) {
  const auto a = Join("a");
  EXPECT_THAT(a->Held(), IsEmpty());
  Beat(*a);
  EXPECT_THAT(a->Held(), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(a->Surplus(), IsEmpty());
  EXPECT_TRUE(a->Holds(3));
  EXPECT_FALSE(a->Holds(4));
}

TEST_F(LeaseTest, ProcessesShareAndNoPartHasTwoHolders) {
  const auto a = Join("a", 5);
  const auto b = Join("b", 5);
  Beat(*a);
  Beat(*b);
  EXPECT_THAT(b->Held(), IsEmpty());
  Beat(*a);
  const std::vector<int> surplus = a->Surplus();
  EXPECT_THAT(surplus, SizeIs(2));
  Run([&] { return a->Release(surplus); });
  EXPECT_THAT(a->Held(), SizeIs(3));
  Beat(*b);
  Beat(*a);
  std::set<int> all;
  for (const int part : a->Held()) all.insert(part);
  for (const int part : b->Held()) all.insert(part);
  EXPECT_THAT(all, SizeIs(5));
  EXPECT_THAT(a->Held(), SizeIs(3));
  EXPECT_THAT(b->Held(), SizeIs(2));
}

TEST_F(LeaseTest, WhatTheDeadHeldIsTakenOver) {
  const auto dead = Join("dead", 4, std::chrono::milliseconds(50));
  Beat(*dead);
  const auto heir = Join("heir");
  for (int i = 0; i < 500 && heir->Held().size() < 4; ++i) Beat(*heir);
  EXPECT_THAT(heir->Held(), SizeIs(4));
  // By its own clock, too, it holds nothing any more.
  EXPECT_THAT(dead->Held(), IsEmpty());
}

TEST_F(LeaseTest, WhoLeavesLeavesNothingBehind) {
  const auto a = Join("a");
  const auto b = Join("b");
  Beat(*a);
  Run([&] { return a->Leave(); });
  EXPECT_THAT(a->Held(), IsEmpty());
  Beat(*b);
  EXPECT_THAT(b->Held(), SizeIs(4));
}

TEST_F(LeaseTest, ARestartUnderTheSameNameHoldsTheSame) {
  const auto before = Join("a");
  Beat(*before);
  const auto after = Join("a");
  Beat(*after);
  EXPECT_THAT(after->Held(), ElementsAre(0, 1, 2, 3));
}

}  // namespace
}  // namespace kyc::webhook
