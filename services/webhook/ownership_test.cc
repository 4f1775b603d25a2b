// Over a real redis-server, with the rounds of several processes taken in
// turn: time passes only where a test says so.
#include "services/webhook/ownership.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/async/redis_for_test.h"
#include "services/webhook/partition.h"

namespace kyc::webhook {
namespace {

using async::Task;
using std::chrono::milliseconds;

constexpr int kPartitions = 16;

class OwnershipTest : public testing::Test {
 protected:
  OwnershipTest() : redis_(runtime_.loop(0), server_.options()) {
    runtime_.Start();
  }
  ~OwnershipTest() override { runtime_.Stop(); }

  std::unique_ptr<Ownership> Process(
      const std::string& name, milliseconds lease_time = milliseconds(60000)) {
    return std::make_unique<Ownership>(
        redis_, Ownership::Options{.process = name,
                                   .partitions = kPartitions,
                                   .lease_time = lease_time});
  }

  template <typename T>
  T Run(Task<T> task) {
    std::promise<T> promise;
    runtime_.loop(0).Spawn(Into(std::move(task), promise));
    return promise.get_future().get();
  }
  template <typename T>
  static Task<void> Into(Task<T> task, std::promise<T>& promise) {
    promise.set_value(co_await std::move(task));
  }

  Ownership::Round Next(Ownership& process, bool take = true) {
    return Run(process.Next(take));
  }
  // As its consumer does when a process has too many.
  Ownership::Round NextAndGiveUp(Ownership& process) {
    Ownership::Round round = Next(process);
    for (int i = 0; i < kPartitions && round.surplus > 0; ++i) {
      if (!process.Owns(i)) continue;
      Release(process, i);
      --round.surplus;
    }
    return round;
  }
  void Release(Ownership& process, int partition) {
    Run([](Ownership& process, int partition) -> Task<bool> {
      co_await process.Release(partition);
      co_return true;
    }(process, partition));
  }
  async::RedisReply Do(std::vector<std::string> args) {
    auto reply = Run(redis_.Command(std::move(args)));
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? *std::move(reply) : async::RedisReply();
  }
  // Everybody's, together; fails where two own the same one.
  int OwnedByAll(const std::vector<Ownership*>& processes) {
    std::set<int> owned;
    for (const Ownership* process : processes) {
      for (int i = 0; i < kPartitions; ++i) {
        if (!process->Owns(i)) continue;
        EXPECT_TRUE(owned.insert(i).second) << "two own " << i;
        EXPECT_EQ(Do({"GET", PartitionKeys(i).lease}).text,
                  process->LeaseOf(i));
      }
    }
    return static_cast<int>(owned.size());
  }

  async::RedisForTest server_;
  async::Runtime runtime_{1};
  async::Redis redis_;
};

TEST_F(OwnershipTest, ProcessesShareThePartitions) {
  const auto a = Process("a");
  EXPECT_EQ(Next(*a).taken.size(), 16u);
  EXPECT_EQ(a->owned(), 16);
  // Whoever joins waits until the others have given up what is too much.
  const auto b = Process("b"), c = Process("c");
  EXPECT_EQ(Next(*b).taken.size(), 0u);
  EXPECT_EQ(Next(*c).taken.size(), 0u);
  EXPECT_EQ(Next(*a).surplus, 10);
  for (int round = 0; round < 3; ++round) {
    for (Ownership* each : {a.get(), b.get(), c.get()}) NextAndGiveUp(*each);
  }
  EXPECT_EQ(a->owned(), 6);
  EXPECT_EQ(b->owned(), 5);
  EXPECT_EQ(c->owned(), 5);
  EXPECT_EQ(OwnedByAll({a.get(), b.get(), c.get()}), 16);

  // Whoever leaves gives all up, and the others take it at once.
  Next(*b, /*take=*/false);
  for (int i = 0; i < kPartitions; ++i) Release(*b, i);
  for (int round = 0; round < 3; ++round) {
    for (Ownership* each : {a.get(), c.get()}) NextAndGiveUp(*each);
  }
  EXPECT_EQ(b->owned(), 0);
  EXPECT_EQ(a->owned(), 8);
  EXPECT_EQ(c->owned(), 8);
  EXPECT_EQ(OwnedByAll({a.get(), c.get()}), 16);
}

TEST_F(OwnershipTest, ADeadProcessLosesItsPartitionsWithTime) {
  const auto dead = Process("dead", milliseconds(1000));
  ASSERT_EQ(Next(*dead).taken.size(), 16u);
  const std::string first = dead->LeaseOf(0);
  const auto alive = Process("alive", milliseconds(60000));
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (alive->owned() < 16 && std::chrono::steady_clock::now() < end) {
    for (int i = 0; i < kPartitions; ++i) {
      EXPECT_FALSE(alive->Owns(i) && dead->Owns(i)) << i;
    }
    std::this_thread::sleep_for(milliseconds(50));
    Next(*alive);
  }
  EXPECT_EQ(alive->owned(), 16);
  // By its own clock it has stopped, before it is told.
  EXPECT_FALSE(dead->Owns(0));
  // It comes back: what it had is another's, and it disturbs nothing.
  EXPECT_NE(alive->LeaseOf(0), first);
  EXPECT_EQ(Next(*dead).lost.size(), 16u);
  Release(*dead, 0);
  EXPECT_EQ(OwnedByAll({alive.get()}), 16);
}

TEST_F(OwnershipTest, AProcessStartedAgainGoesOnAtOnce) {
  const auto before = Process("same");
  ASSERT_EQ(Next(*before).taken.size(), 16u);
  const auto after = Process("same");
  EXPECT_EQ(Next(*after).taken.size(), 16u);
  EXPECT_NE(after->LeaseOf(0), before->LeaseOf(0));
  // A name given twice is no disaster: one works, the other waits.
  EXPECT_EQ(Next(*before).lost.size(), 16u);
  EXPECT_EQ(Next(*before).taken.size(), 0u);
  EXPECT_EQ(OwnedByAll({after.get()}), 16);
}

TEST_F(OwnershipTest, EachOwnershipHasALeaseOfItsOwn) {
  const auto a = Process("a");
  std::set<std::string> leases;
  for (int i = 0; i < 3; ++i) {
    Next(*a);
    EXPECT_TRUE(leases.insert(a->LeaseOf(3)).second) << a->LeaseOf(3);
    Release(*a, 3);
    EXPECT_FALSE(a->Owns(3));
    EXPECT_EQ(a->LeaseOf(3), "");
  }
}

TEST_F(OwnershipTest, AnEmptiedRedisIsSharedAnew) {
  const auto a = Process("a");
  Next(*a);
  Do({"FLUSHALL"});
  EXPECT_EQ(Next(*a).lost.size(), 16u);
  EXPECT_EQ(Next(*a).taken.size(), 16u);
  EXPECT_EQ(OwnedByAll({a.get()}), 16);
}

TEST_F(OwnershipTest, WhatCannotBeRenewedIsLostInTime) {
  const auto a = Process("a", milliseconds(1000));
  ASSERT_EQ(Next(*a).taken.size(), 16u);
  server_.Kill();
  // An error alone takes nothing away while the lease stands.
  size_t lost = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (lost == 0 && std::chrono::steady_clock::now() < end) {
    const Ownership::Round round = Next(*a);
    EXPECT_FALSE(round.status.ok());
    lost = round.lost.size();
    std::this_thread::sleep_for(milliseconds(20));
  }
  EXPECT_EQ(lost, 16u);
  server_.Restart();
  const auto again =
      std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (a->owned() == 0 && std::chrono::steady_clock::now() < again) Next(*a);
  EXPECT_EQ(a->owned(), 16);
}

}  // namespace
}  // namespace kyc::webhook
