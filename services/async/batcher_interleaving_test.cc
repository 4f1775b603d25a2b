// Random calls, replies, deadlines and turns of the loop, in any order.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <deque>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/batcher_for_test.h"
#include "services/async/loop.h"
#include "services/async/task.h"
#include "services/async/waiter.h"

namespace kyc::async::batcher_test {
namespace {

using std::chrono::milliseconds;

// Random requests against a random server: everyone gets the result of the
// own item, or an error with a cause.
RC_GTEST_PROP(BatcherPropertyTest, EachRequestGetsItsOwnAnswer, ()) {
  IntBatcher::Options options;
  options.max_batch = *rc::gen::inRange<size_t>(1, 6);
  options.max_in_flight = *rc::gen::inRange<size_t>(1, 4);
  options.max_outstanding =
      options.max_in_flight + *rc::gen::inRange<size_t>(0, 4);
  options.stall_after = milliseconds(*rc::gen::inRange(1, 8));
  options.linger = std::chrono::microseconds(*rc::gen::inRange(0, 3000));

  struct Request {
    int start_ms;
    bool hurried;  // Has a deadline that may come before the answer.
    bool exists;
  };
  const auto requests =
      *rc::gen::container<std::vector<Request>>(rc::gen::apply(
          [](int start_ms, bool hurried, bool exists) {
            return Request{start_ms, hurried, exists};
          },
          rc::gen::inRange(0, 6), rc::gen::arbitrary<bool>(),
          rc::gen::arbitrary<bool>()));
  struct Reply {
    int delay_ms;
    bool wrong_size;
  };
  const auto replies =
      *rc::gen::nonEmpty(rc::gen::container<std::vector<Reply>>(rc::gen::apply(
          [](int delay_ms, int wrong) {
            return Reply{delay_ms, wrong == 0};
          },
          rc::gen::inRange(0, 10), rc::gen::inRange(0, 8))));

  constexpr milliseconds kHurry(6);
  struct World {
    size_t out = 0, most_out = 0, largest = 0, batches = 0;
    std::multiset<int> sent;
    std::set<int> in_wrong_size;
  } world;
  Runtime runtime(1);
  Loop& loop = runtime.loop(0);
  IntBatcher batcher(
      loop, options, [&](std::vector<int> items) -> Task<IntBatcher::Results> {
        const Reply reply = replies[world.batches++ % replies.size()];
        world.most_out = std::max(world.most_out, ++world.out);
        world.largest = std::max(world.largest, items.size());
        world.sent.insert(items.begin(), items.end());
        if (reply.wrong_size) {
          world.in_wrong_size.insert(items.begin(), items.end());
        }
        co_await Sleep(milliseconds(reply.delay_ms));
        --world.out;
        IntBatcher::Results results;
        for (int item : items) results.push_back(Server::ResultOf(item));
        if (reply.wrong_size) results.pop_back();
        co_return results;
      });

  struct Outcome {
    absl::StatusOr<int> result = 0;
    steady_clock::duration took;
  };
  std::vector<Outcome> outcomes(requests.size());
  // Items are unique: 1, 2, … or, where there is nothing to find, -1, -2, …
  const auto item_of = [&](size_t i) {
    const int id = static_cast<int>(i) + 1;
    return requests[i].exists ? id : -id;
  };
  runtime.Start();
  RunOn(loop, [&]() -> Task<void> {
    Waiter all(loop);
    size_t left = requests.size();
    const auto call = [&](size_t i) -> Task<void> {
      co_await Sleep(milliseconds(requests[i].start_ms));
      const auto begin = steady_clock::now();
      outcomes[i].result = co_await batcher.Call(
          item_of(i),
          begin + (requests[i].hurried ? steady_clock::duration(kHurry)
                                       : steady_clock::duration(kLong)));
      outcomes[i].took = steady_clock::now() - begin;
      if (--left == 0) all.Resume();
    };
    for (size_t i = 0; i < requests.size(); ++i) loop.Spawn(call(i));
    if (left > 0) co_await all.Wait();
  });
  runtime.Stop();

  RC_ASSERT(world.largest <= options.max_batch);
  RC_ASSERT(world.most_out <= options.max_outstanding);
  for (size_t i = 0; i < requests.size(); ++i) {
    const int item = item_of(i);
    const auto& result = outcomes[i].result;
    RC_ASSERT(world.sent.count(item) <= 1u);
    if (absl::IsDeadlineExceeded(result.status())) {
      RC_ASSERT(requests[i].hurried);
      RC_ASSERT(outcomes[i].took >= kHurry);
    } else if (absl::IsInternal(result.status())) {
      RC_ASSERT(world.in_wrong_size.count(item) == 1u);
    } else {
      RC_ASSERT(world.in_wrong_size.count(item) == 0u);
      RC_ASSERT(result == Server::ResultOf(item));
    }
  }
}

// One random interleaving of calls, landing batches, passing time and turns
// of the loop, all from one seed.
class Interleaving {
 public:
  Interleaving(Loop& loop, unsigned seed)
      : loop_(loop),
        random_(seed),
        options_(RandomOptions()),
        server_(loop),
        batcher_(loop, options_, server_.Send()) {}

  // Some steps; what is out or queued then stays so.
  Task<void> Play() {
    for (int steps = Below(60); steps > 0; --steps) {
      switch (Below(8)) {
        case 0:
        case 1:
        case 2:
        case 3:
          Start();
          break;
        case 4:
        case 5:
          Land(Below(static_cast<int>(server_.batches.size()) + 1));
          break;
        case 6:
          co_await Turn();
          break;
        default:
          // Time, now and then enough for deadlines and stalls.
          co_await Sleep(milliseconds(Below(20) == 0 ? 8 : 1));
      }
    }
  }

  // Lands everything until all are answered.
  Task<void> End() {
    for (Caller& caller : callers_) {
      while (!caller.answered()) {
        for (size_t i = 0; i < server_.batches.size(); ++i) Land(i);
        co_await Sleep(milliseconds(1));
      }
    }
  }

  bool AllAnswered() const {
    return std::all_of(callers_.begin(), callers_.end(),
                       [](const Caller& caller) { return caller.answered(); });
  }

  // What must hold of an interleaving at any time.
  void Check() const {
    std::map<int, const Server::Batch*> sent;
    int newest = 0;
    for (const Server::Batch& batch : server_.batches) {
      EXPECT_LE(batch.items.size(), options_.max_batch);
      EXPECT_FALSE(batch.items.empty());
      size_t weight = 0;
      for (const int item : batch.items) {
        weight += Weight(item);
        // Once each, and in the order of the calls.
        EXPECT_LT(newest, std::abs(item));
        newest = std::abs(item);
        sent[item] = &batch;
      }
      if (options_.weigh && batch.items.size() > 1) {
        EXPECT_LE(weight, options_.max_weight);
      }
    }
    EXPECT_LE(server_.most_out, options_.max_outstanding);
    for (size_t i = 0; i < callers_.size(); ++i) {
      if (callers_[i].answered()) {
        CheckAnswer(callers_[i], items_[i], sent[items_[i]]);
      }
    }
  }

 private:
  static constexpr milliseconds kHurry{3};

  static void CheckAnswer(const Caller& caller, int item,
                          const Server::Batch* batch) {
    const absl::Status& status = caller.result.status();
    if (absl::IsDeadlineExceeded(status)) {
      EXPECT_GE(caller.answered_at, caller.deadline);
    } else if (absl::IsUnavailable(status)) {
      EXPECT_EQ(batch, nullptr);  // The queue was full.
    } else if (absl::IsInternal(status)) {
      ASSERT_NE(batch, nullptr);
      EXPECT_NE(batch->extra_results, 0);
    } else {
      ASSERT_NE(batch, nullptr);
      EXPECT_EQ(batch->extra_results, 0);
      EXPECT_EQ(caller.result, Server::ResultOf(item));
    }
  }

  static size_t Weight(const int& item) { return std::abs(item) % 5 + 1; }

  int Below(int bound) {
    return std::uniform_int_distribution<int>(0, bound - 1)(random_);
  }

  IntBatcher::Options RandomOptions() {
    IntBatcher::Options options;
    options.max_batch = 1 + Below(5);
    options.max_in_flight = 1 + Below(3);
    options.max_outstanding = options.max_in_flight + Below(4);
    options.stall_after =
        Below(2) == 0 ? milliseconds(1 + Below(4)) : milliseconds(100'000);
    options.max_queued = Below(4) == 0 ? 3 : 1000;
    if (Below(3) == 0) options.linger = std::chrono::microseconds(Below(2000));
    if (Below(3) == 0) {
      options.weigh = &Weight;
      options.max_weight = 1 + Below(8);
    }
    return options;
  }

  void Start() {
    // Every third item does not exist: an error of its own.
    const int id = static_cast<int>(callers_.size()) + 1;
    items_.push_back(Below(3) == 0 ? -id : id);
    const int kind = Below(10);
    callers_.emplace_back(loop_, batcher_, items_.back(),
                          kind == 0  ? milliseconds(0)
                          : kind < 3 ? kHurry
                                     : milliseconds(kLong));
  }

  void Land(size_t index) {
    if (index >= server_.batches.size() || landed_.count(index) > 0) return;
    landed_.insert(index);
    if (Below(10) == 0) server_.batches[index].extra_results = 1;
    server_.batches[index].gate.Resume();
  }

  Task<void> Turn() {
    Waiter turn(loop_);
    turn.Resume();
    co_await turn.Wait();
  }

  Loop& loop_;
  std::minstd_rand random_;
  const IntBatcher::Options options_;
  Server server_;
  IntBatcher batcher_;
  std::deque<Caller> callers_;
  std::vector<int> items_;  // Of each caller.
  std::set<size_t> landed_;
};

// Whatever happens in whatever order: each caller gets the answer to its own
// item or an error with a cause, a late one not before its deadline; items
// leave once and in order; batches keep their bounds; and nobody is forgotten.
TEST(BatcherInterleavingTest, TenThousand) {
  constexpr unsigned kAtOnce = 200;
  for (unsigned first = 1; first <= 10'000; first += kAtOnce) {
    Runtime runtime(1);
    Loop& loop = runtime.loop(0);
    std::deque<Interleaving> all;
    for (unsigned i = 0; i < kAtOnce; ++i) all.emplace_back(loop, first + i);
    runtime.Start();
    RunOn(loop, [&]() -> Task<void> {
      size_t left = all.size();
      Waiter done(loop);
      const auto play = [&](Interleaving& one) -> Task<void> {
        co_await one.Play();
        co_await one.End();
        if (--left == 0) done.Resume();
      };
      for (Interleaving& one : all) loop.Spawn(play(one));
      co_await done.Wait();
    });
    runtime.Stop();
    for (unsigned i = 0; i < kAtOnce; ++i) {
      SCOPED_TRACE("seed " + std::to_string(first + i));
      EXPECT_TRUE(all[i].AllAnswered());
      all[i].Check();
    }
    if (::testing::Test::HasFailure()) break;
  }
}

// A loop that stops cancels what is out and what is queued, wherever that is.
TEST(BatcherInterleavingTest, MayBeCutOffAnywhere) {
  for (unsigned seed = 1; seed <= 250; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Runtime runtime(1);
    Interleaving one(runtime.loop(0), seed);
    runtime.Start();
    RunOn(runtime.loop(0), [&] { return one.Play(); });
    runtime.Stop();
    one.Check();
    if (::testing::Test::HasFailure()) break;
  }
}

}  // namespace
}  // namespace kyc::async::batcher_test
