// What the batcher's tests share: a server whose batches wait until the test
// lets them go, and callers.
#ifndef KYC_SERVICES_ASYNC_BATCHER_FOR_TEST_H_
#define KYC_SERVICES_ASYNC_BATCHER_FOR_TEST_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/batcher.h"
#include "services/async/loop.h"
#include "services/async/task.h"
#include "services/async/waiter.h"

namespace kyc::async::batcher_test {

using std::chrono::seconds;
using std::chrono::steady_clock;

using IntBatcher = Batcher<int, int>;

inline constexpr seconds kLong(10);

inline void RunOn(Loop& loop, std::function<Task<void>()> body) {
  auto done = std::make_shared<std::promise<void>>();
  loop.Spawn([](std::function<Task<void>()> body,
                std::shared_ptr<std::promise<void>> done) -> Task<void> {
    co_await body();
    done->set_value();
  }(std::move(body), done));
  ASSERT_EQ(done->get_future().wait_for(seconds(20)),
            std::future_status::ready);
}

// The other side: every batch waits at its gate. An item's result is ten
// times the item; negative items are NOT_FOUND.
struct Server {
  struct Batch {
    explicit Batch(Loop& loop) : gate(loop) {}
    std::vector<int> items;
    Waiter gate;
    int extra_results = 0;
  };

  explicit Server(Loop& loop) : loop(loop) {}

  IntBatcher::Send Send() {
    return [this](std::vector<int> items) { return Serve(std::move(items)); };
  }

  Task<IntBatcher::Results> Serve(std::vector<int> items) {
    Batch& batch = batches.emplace_back(loop);
    batch.items = items;
    most_out = std::max(most_out, ++out);
    co_await batch.gate.Wait();
    --out;
    IntBatcher::Results results;
    for (int item : items) results.push_back(ResultOf(item));
    for (int i = 0; i < batch.extra_results; ++i) results.emplace_back(0);
    co_return results;
  }

  static absl::StatusOr<int> ResultOf(int item) {
    if (item < 0) return absl::NotFoundError(std::to_string(item));
    return item * 10;
  }

  Loop& loop;
  std::deque<Batch> batches;
  size_t out = 0;
  size_t most_out = 0;
};

// One caller, whose answer can be waited for.
struct Caller {
  Caller(Loop& loop, IntBatcher& batcher, int item,
         steady_clock::duration time = kLong)
      : done(loop) {
    loop.Spawn(Call(*this, batcher, item, steady_clock::now() + time));
  }

  static Task<void> Call(Caller& self, IntBatcher& batcher, int item,
                         steady_clock::time_point deadline) {
    self.deadline = deadline;
    self.result = co_await batcher.Call(item, deadline);
    self.answered_at = steady_clock::now();
    self.done.Resume();
  }

  bool answered() const { return !absl::IsUnknown(result.status()); }

  Waiter done;
  absl::StatusOr<int> result = absl::UnknownError("no answer yet");
  steady_clock::time_point deadline;
  steady_clock::time_point answered_at;
};

}  // namespace kyc::async::batcher_test

#endif  // KYC_SERVICES_ASYNC_BATCHER_FOR_TEST_H_
