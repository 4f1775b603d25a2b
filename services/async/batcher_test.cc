#include "services/async/batcher.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "services/async/batcher_for_test.h"
#include "services/async/loop.h"
#include "services/async/task.h"
#include "services/async/waiter.h"

namespace kyc::async::batcher_test {
namespace {

using std::chrono::milliseconds;

class BatcherTest : public ::testing::Test {
 protected:
  BatcherTest() : runtime_(1), loop_(runtime_.loop(0)), server_(loop_) {}

  // Ends behind what this turn of the loop has posted.
  Task<void> TurnEnds() {
    Waiter end(loop_);
    loop_.Post([&end] { end.ResumeNow(); });
    co_await end.Wait();
  }

  // Starts the loop; what `body` uses must live in the test.
  void Run(std::function<Task<void>()> body) {
    runtime_.Start();
    RunOn(loop_, std::move(body));
    runtime_.Stop();
  }

  Runtime runtime_;
  Loop& loop_;
  Server server_;
};

TEST_F(BatcherTest, ALoneRequestGoesAtOnceAndTheNextOnesTogether) {
  IntBatcher batcher(loop_, {}, server_.Send());
  Run([&]() -> Task<void> {
    Caller first(loop_, batcher, 1);
    co_await TurnEnds();
    EXPECT_EQ(server_.batches.size(), 1u);
    EXPECT_EQ(server_.batches[0].items, std::vector<int>{1});
    Caller second(loop_, batcher, 2), third(loop_, batcher, -3);
    co_await TurnEnds();
    EXPECT_EQ(server_.batches.size(), 1u);
    server_.batches[0].gate.Resume();
    co_await first.done.Wait();
    EXPECT_EQ(*first.result, 10);
    EXPECT_EQ(server_.batches.size(), 2u);
    EXPECT_EQ(server_.batches[1].items, (std::vector<int>{2, -3}));
    server_.batches[1].gate.Resume();
    co_await second.done.Wait();
    co_await third.done.Wait();
    EXPECT_EQ(*second.result, 20);
    EXPECT_EQ(third.result.status(), absl::NotFoundError("-3"));
  });
}

TEST_F(BatcherTest, WhatComesInOneTurnLeavesTogether) {
  IntBatcher batcher(loop_, {}, server_.Send());
  Run([&]() -> Task<void> {
    Caller first(loop_, batcher, 1), second(loop_, batcher, 2);
    {
      Caller gone(loop_, batcher, 3, milliseconds(0));
      EXPECT_TRUE(absl::IsDeadlineExceeded(gone.result.status()));
    }
    EXPECT_EQ(server_.batches.size(), 0u);
    co_await TurnEnds();
    EXPECT_EQ(server_.batches.size(), 1u);
    EXPECT_EQ(server_.batches[0].items, (std::vector<int>{1, 2}));
    server_.batches[0].gate.Resume();
    co_await second.done.Wait();
    EXPECT_EQ(*first.result, 10);
    EXPECT_EQ(*second.result, 20);
  });
}

TEST_F(BatcherTest, LingersForAsManyAsTheLastBatchHadButNotForLong) {
  IntBatcher::Options options;
  options.linger = milliseconds(300);
  options.stall_after = seconds(100);
  IntBatcher batcher(loop_, options, server_.Send());
  Run([&]() -> Task<void> {
    std::deque<Caller> callers;
    for (int i = 1; i <= 3; ++i) callers.emplace_back(loop_, batcher, i);
    co_await TurnEnds();
    server_.batches.at(0).gate.Resume();
    co_await callers[2].done.Wait();
    // As many again: they leave at once, together.
    for (int i = 4; i <= 5; ++i) callers.emplace_back(loop_, batcher, i);
    co_await TurnEnds();
    EXPECT_EQ(server_.batches.size(), 1u);
    callers.emplace_back(loop_, batcher, 6);
    co_await TurnEnds();
    EXPECT_EQ(server_.batches.at(1).items, (std::vector<int>{4, 5, 6}));
    server_.batches.at(1).gate.Resume();
    co_await callers[5].done.Wait();
    // Fewer: they are waited for no longer than that.
    const auto begin = steady_clock::now();
    callers.emplace_back(loop_, batcher, 7);
    while (server_.batches.size() < 3) co_await Sleep(milliseconds(1));
    EXPECT_GT(steady_clock::now() - begin, milliseconds(200));
    EXPECT_LT(steady_clock::now() - begin, seconds(5));
    server_.batches.at(2).gate.Resume();
    co_await callers[6].done.Wait();
    // Long after the last batch nobody is waited for.
    co_await Sleep(milliseconds(400));
    callers.emplace_back(loop_, batcher, 8);
    co_await TurnEnds();
    EXPECT_EQ(server_.batches.size(), 4u);
    server_.batches.at(3).gate.Resume();
    co_await callers[7].done.Wait();
    for (int i = 1; i <= 8; ++i) EXPECT_EQ(*callers[i - 1].result, i * 10);
  });
}

TEST_F(BatcherTest, BatchesAreBounded) {
  IntBatcher::Options options;
  options.max_batch = 2;
  options.max_in_flight = 2;
  options.stall_after = seconds(100);
  IntBatcher batcher(loop_, options, server_.Send());
  Run([&]() -> Task<void> {
    std::deque<Caller> callers;
    for (int i = 1; i <= 7; ++i) callers.emplace_back(loop_, batcher, i);
    co_await TurnEnds();
    EXPECT_EQ(server_.batches.size(), 2u);
    for (size_t i = 0; i < 2; ++i) {
      server_.batches[i].gate.Resume();
      co_await callers[2 * i].done.Wait();
    }
    for (Caller& caller : callers) {
      while (!caller.result.ok()) {
        for (auto& batch : server_.batches) batch.gate.Resume();
        co_await Sleep(milliseconds(1));
      }
    }
    for (const auto& batch : server_.batches) {
      EXPECT_LE(batch.items.size(), 2u);
    }
    for (int i = 1; i <= 7; ++i) EXPECT_EQ(*callers[i - 1].result, i * 10);
  });
}

TEST_F(BatcherTest, BatchesAreBoundedByWeight) {
  IntBatcher::Options options;
  options.weigh = [](const int& item) { return static_cast<size_t>(item); };
  options.max_weight = 10;
  options.stall_after = seconds(100);
  IntBatcher batcher(loop_, options, server_.Send());
  Run([&]() -> Task<void> {
    std::deque<Caller> callers;
    for (const int item : {1, 4, 6, 1, 25, 3}) {
      callers.emplace_back(loop_, batcher, item);
      if (item == 1) co_await TurnEnds();
    }
    for (size_t i = 0; i < 5; ++i) {
      while (server_.batches.size() <= i) co_await Sleep(milliseconds(1));
      server_.batches[i].gate.Resume();
    }
    for (Caller& caller : callers) {
      if (!caller.result.ok()) co_await caller.done.Wait();
    }
    const std::vector<std::vector<int>> expected = {
        {1}, {4, 6}, {1}, {25}, {3}};
    for (size_t i = 0; i < server_.batches.size(); ++i) {
      EXPECT_EQ(server_.batches[i].items, expected[i]);
    }
  });
}

TEST_F(BatcherTest, AStuckBatchHoldsUpNobodyButItsOwn) {
  IntBatcher::Options options;
  options.stall_after = milliseconds(20);
  options.max_outstanding = 2;
  IntBatcher batcher(loop_, options, server_.Send());
  Run([&]() -> Task<void> {
    const auto before = steady_clock::now();
    Caller stuck(loop_, batcher, 1);
    co_await TurnEnds();
    Caller second(loop_, batcher, 2);
    while (server_.batches.size() < 2) co_await Sleep(milliseconds(1));
    EXPECT_GE(steady_clock::now() - before, milliseconds(20));
    // As many as may be are out now: a third waits, stalled or not.
    Caller third(loop_, batcher, 3);
    co_await Sleep(milliseconds(40));
    EXPECT_EQ(server_.batches.size(), 2u);
    server_.batches[1].gate.Resume();
    co_await second.done.Wait();
    EXPECT_EQ(*second.result, 20);
    EXPECT_EQ(server_.batches.size(), 3u);
    server_.batches[2].gate.Resume();
    co_await third.done.Wait();
    EXPECT_EQ(*third.result, 30);
    server_.batches[0].gate.Resume();  // Late, not lost.
    co_await stuck.done.Wait();
    EXPECT_EQ(*stuck.result, 10);
  });
}

TEST_F(BatcherTest, ADeadlineEndsItsRequestAlone) {
  IntBatcher::Options options;
  options.stall_after = seconds(100);
  IntBatcher batcher(loop_, options, server_.Send());
  Run([&]() -> Task<void> {
    const auto before = steady_clock::now();
    Caller out(loop_, batcher, 1, milliseconds(30));
    co_await TurnEnds();
    Caller queued(loop_, batcher, 2, milliseconds(10));
    Caller patient(loop_, batcher, 3);
    Caller late(loop_, batcher, 4, milliseconds(0));
    EXPECT_TRUE(absl::IsDeadlineExceeded(late.result.status()));
    co_await queued.done.Wait();
    EXPECT_TRUE(absl::IsDeadlineExceeded(queued.result.status()));
    EXPECT_GE(queued.answered_at - before, milliseconds(10));
    co_await out.done.Wait();
    EXPECT_TRUE(absl::IsDeadlineExceeded(out.result.status()));
    EXPECT_GE(out.answered_at - before, milliseconds(30));
    server_.batches[0].gate.Resume();
    while (server_.batches.size() < 2) co_await Sleep(milliseconds(1));
    EXPECT_EQ(server_.batches[1].items, std::vector<int>{3});
    server_.batches[1].gate.Resume();
    co_await patient.done.Wait();
    EXPECT_EQ(*patient.result, 30);
  });
}

TEST_F(BatcherTest, AResultTooManyIsAnErrorForAll) {
  IntBatcher batcher(loop_, {}, server_.Send());
  Run([&]() -> Task<void> {
    Caller caller(loop_, batcher, 1);
    co_await TurnEnds();
    server_.batches[0].extra_results = 1;
    server_.batches[0].gate.Resume();
    co_await caller.done.Wait();
    EXPECT_TRUE(absl::IsInternal(caller.result.status()));
  });
}

TEST_F(BatcherTest, AFullQueueSaysSo) {
  IntBatcher::Options options;
  options.max_queued = 1;
  options.stall_after = seconds(100);
  IntBatcher batcher(loop_, options, server_.Send());
  Run([&]() -> Task<void> {
    Caller out(loop_, batcher, 1);
    co_await TurnEnds();
    Caller queued(loop_, batcher, 2), one_more(loop_, batcher, 3);
    EXPECT_TRUE(absl::IsUnavailable(one_more.result.status()));
    server_.batches[0].gate.Resume();
    co_await out.done.Wait();
    server_.batches[1].gate.Resume();
    co_await queued.done.Wait();
    EXPECT_EQ(*queued.result, 20);
  });
}

TEST_F(BatcherTest, ASendThatNeverSuspendsServesToo) {
  IntBatcher batcher(loop_, {},
                     [](std::vector<int> items) -> Task<IntBatcher::Results> {
                       IntBatcher::Results results;
                       for (int item : items)
                         results.push_back(Server::ResultOf(item));
                       co_return results;
                     });
  Run([&]() -> Task<void> {
    for (int i = 1; i < 100; ++i) {
      const auto deadline = steady_clock::now() + kLong;
      EXPECT_EQ(*co_await batcher.Call(i, deadline), i * 10);
    }
  });
}

TEST_F(BatcherTest, StopsWithRequestsOutAndQueued) {
  IntBatcher batcher(loop_, {}, server_.Send());
  std::deque<Caller> callers;
  Run([&]() -> Task<void> {
    callers.emplace_back(loop_, batcher, 0);
    co_await TurnEnds();
    for (int i = 1; i < 5; ++i) callers.emplace_back(loop_, batcher, i);
  });
  for (const Caller& caller : callers) {
    EXPECT_TRUE(absl::IsUnknown(caller.result.status()));
  }
}

}  // namespace
}  // namespace kyc::async::batcher_test
