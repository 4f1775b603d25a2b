// Many small requests as few large ones.
//
//   async::Batcher<std::string, v1::Verification> statuses(
//       loop, {}, [this](std::vector<std::string> user_ids)
//                     -> Task<std::vector<absl::StatusOr<v1::Verification>>> {
//         return BatchGetStatus(std::move(user_ids));
//       });
//   auto status = co_await statuses.Call(user_id, context.deadline);
#ifndef KYC_SERVICES_ASYNC_BATCHER_H_
#define KYC_SERVICES_ASYNC_BATCHER_H_

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/loop.h"
#include "services/async/task.h"
#include "services/async/waiter.h"

namespace kyc::async {

// A batch leaves at the end of the turn of the loop in which its first request
// came, with whatever else that turn brought: a lone request goes at once, as a
// batch of one. While `max_in_flight` batches are out, requests queue up; when
// one returns, the queue leaves as the next batches. So the batch size follows
// the load by itself.
//
// One loop only. Lives until its loop has stopped.
template <typename Item, typename Result>
class Batcher {
 public:
  using Results = std::vector<absl::StatusOr<Result>>;
  // Gets the items of one batch and gives a result for each, in their order.
  // Bounds its own time.
  using Send = std::function<Task<Results>(std::vector<Item>)>;

  struct Options {
    size_t max_batch = 256;
    // What the items of a batch may weigh together, where `weigh` is set; an
    // item that is heavier goes alone.
    std::function<size_t(const Item&)> weigh;
    size_t max_weight = 0;
    size_t max_in_flight = 1;
    // After a batch has returned, for how long the next one waits at most for
    // as many requests as that one or the one before had: who asks in a loop
    // asks again at once, and one batch of all costs less than two of half.
    // None by default.
    std::chrono::microseconds linger{0};
    // A batch that is out for longer than this no longer counts as in flight,
    // so that it holds up nobody behind it …
    std::chrono::milliseconds stall_after{50};
    // … while there are fewer than this many out, stalled ones included.
    size_t max_outstanding = 16;
    // Requests waiting to leave; one more fails at once with UNAVAILABLE.
    size_t max_queued = 20000;
  };

  Batcher(Loop& loop, Options options, Send send)
      : loop_(loop), options_(options), send_(std::move(send)) {}
  Batcher(const Batcher&) = delete;
  Batcher& operator=(const Batcher&) = delete;

  // The result for `item`; or UNAVAILABLE (queue full), DEADLINE_EXCEEDED (at
  // `deadline`, to within kTick, whatever its batch does), INTERNAL (`send`
  // gave another number of results).
  Task<absl::StatusOr<Result>> Call(
      Item item, std::chrono::steady_clock::time_point deadline);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::milliseconds kTick{5};

  struct Batch;

  // One Call; stands in its coroutine's frame. It is in the queue, then in a
  // slot of its batch, and leaves either when the frame is destroyed.
  struct Request {
    Request(Loop& loop, Item item, TimePoint deadline)
        : item(std::move(item)), deadline(deadline), done(loop) {}

    Item item;
    const TimePoint deadline;
    Waiter done;
    std::optional<absl::StatusOr<Result>> result;

    Batch* batch = nullptr;
    size_t slot = 0;
    typename std::list<Request*>::iterator place;  // While `queued`.
    bool queued = false;
  };

  // Those who wait for one batch; nullptr where one has gone.
  struct Batch {
    std::vector<Request*> requests;
    TimePoint stalls_at;
  };

  // Lets `request` go, with its result or without one.
  void Leave(Request& request);
  void Finish(Request& request, absl::StatusOr<Result> result);
  // Pumps behind what this turn of the loop still runs.
  void PumpSoon();
  // Sends what may be sent.
  void Pump();
  // How many of those waiting make up the next batch.
  size_t NextSize() const;
  bool MaySend(TimePoint now) const;
  bool Lingers(TimePoint now) const {
    return now < linger_until_ && queue_.size() < landed_size_;
  }
  Task<void> Run(typename std::list<Batch>::iterator batch,
                 std::vector<Item> items);
  // Ends requests whose time is over, and sees batches stall.
  Task<void> Watch();
  void WatchFrom(TimePoint time);
  // What is due now is done; returns when something is due next.
  TimePoint Expire(TimePoint now);

  Loop& loop_;
  const Options options_;
  const Send send_;
  std::list<Request*> queue_;
  std::list<Batch> out_;  // In the order they left.
  bool pump_due_ = false;
  size_t last_size_ = 0;    // Of the batch that returned last.
  size_t landed_size_ = 0;  // Of the larger of the last two.
  TimePoint linger_until_;
  bool watching_ = false;
  Event earlier_;  // `next_look_` has moved to an earlier time.
  TimePoint next_look_ = TimePoint::max();
};

template <typename Item, typename Result>
Task<absl::StatusOr<Result>> Batcher<Item, Result>::Call(Item item,
                                                         TimePoint deadline) {
  if (deadline <= std::chrono::steady_clock::now()) {
    co_return absl::DeadlineExceededError("no time left for the request");
  }
  if (queue_.size() >= options_.max_queued) {
    co_return absl::UnavailableError("too many requests wait");
  }
  Request request(loop_, std::move(item), deadline);
  // Also when the coroutine is destroyed.
  struct Leaving {
    Batcher* self;
    Request& request;
    ~Leaving() { self->Leave(request); }
  } leaving{this, request};
  request.place = queue_.insert(queue_.end(), &request);
  request.queued = true;
  WatchFrom(deadline);
  PumpSoon();
  co_await request.done.Wait();
  co_return *std::move(request.result);
}

template <typename Item, typename Result>
void Batcher<Item, Result>::Leave(Request& request) {
  if (std::exchange(request.queued, false)) queue_.erase(request.place);
  if (Batch* batch = std::exchange(request.batch, nullptr)) {
    batch->requests[request.slot] = nullptr;
  }
}

template <typename Item, typename Result>
void Batcher<Item, Result>::Finish(Request& request,
                                   absl::StatusOr<Result> result) {
  Leave(request);
  request.result = std::move(result);
  request.done.Resume();
}

template <typename Item, typename Result>
bool Batcher<Item, Result>::MaySend(TimePoint now) const {
  if (out_.size() < options_.max_in_flight) return true;
  if (out_.size() >= options_.max_outstanding) return false;
  // Batches stall in the order in which they left.
  const auto fresh =
      std::find_if(out_.begin(), out_.end(),
                   [now](const Batch& batch) { return batch.stalls_at > now; });
  return static_cast<size_t>(std::distance(fresh, out_.end())) <
         options_.max_in_flight;
}

template <typename Item, typename Result>
void Batcher<Item, Result>::PumpSoon() {
  const auto now = std::chrono::steady_clock::now();
  if (pump_due_ || Lingers(now) || !MaySend(now)) return;
  pump_due_ = true;
  loop_.Post([this] {
    pump_due_ = false;
    Pump();
  });
}

template <typename Item, typename Result>
void Batcher<Item, Result>::Pump() {
  const auto now = std::chrono::steady_clock::now();
  if (Lingers(now)) return WatchFrom(linger_until_);
  while (!queue_.empty() && MaySend(now)) {
    const auto batch = out_.emplace(out_.end());
    batch->stalls_at = now + options_.stall_after;
    const size_t size = NextSize();
    std::vector<Item> items;
    items.reserve(size);
    batch->requests.reserve(size);
    for (size_t slot = 0; slot < size; ++slot) {
      Request* request = queue_.front();
      queue_.pop_front();
      request->queued = false;
      request->batch = &*batch;
      request->slot = slot;
      batch->requests.push_back(request);
      items.push_back(std::move(request->item));
    }
    WatchFrom(batch->stalls_at);
    loop_.Spawn(Run(batch, std::move(items)));
  }
}

template <typename Item, typename Result>
size_t Batcher<Item, Result>::NextSize() const {
  const size_t most = std::min(queue_.size(), options_.max_batch);
  if (!options_.weigh) return most;
  size_t size = 0;
  size_t weight = 0;
  for (const Request* request : queue_) {
    weight += options_.weigh(request->item);
    if (size == most || (size > 0 && weight > options_.max_weight)) break;
    ++size;
  }
  return size;
}

template <typename Item, typename Result>
Task<void> Batcher<Item, Result>::Run(typename std::list<Batch>::iterator batch,
                                      std::vector<Item> items) {
  Results results = co_await send_(std::move(items));
  std::list<Batch> landed;
  landed.splice(landed.end(), out_, batch);
  const size_t size = batch->requests.size();
  landed_size_ = std::max(size, std::exchange(last_size_, size));
  if (options_.linger.count() > 0) {
    linger_until_ = std::chrono::steady_clock::now() + options_.linger;
  }
  // The next batch leaves before this one's answers are handed out.
  Pump();
  const bool whole = results.size() == batch->requests.size();
  for (size_t slot = 0; slot < batch->requests.size(); ++slot) {
    Request* request = batch->requests[slot];
    if (request == nullptr) continue;
    if (whole) {
      Finish(*request, std::move(results[slot]));
    } else {
      Finish(*request, absl::InternalError("a batch of another size"));
    }
  }
}

template <typename Item, typename Result>
void Batcher<Item, Result>::WatchFrom(TimePoint time) {
  if (time >= next_look_) return;
  next_look_ = time;
  if (watching_) {
    earlier_.Notify();
  } else {
    watching_ = true;
    loop_.Spawn(Watch());
  }
}

// One timer for all. It is not moved when requests end, so under load it
// fires once per stall_after rather than once per request.
template <typename Item, typename Result>
Task<void> Batcher<Item, Result>::Watch() {
  constexpr std::chrono::hours kIdle(1);
  while (true) {
    const auto now = std::chrono::steady_clock::now();
    if (next_look_ <= now) {
      next_look_ = std::max(Expire(now), now + kTick);
      Pump();
    }
    co_await earlier_.Wait(
        std::min<std::chrono::steady_clock::duration>(next_look_ - now, kIdle));
  }
}

template <typename Item, typename Result>
auto Batcher<Item, Result>::Expire(TimePoint now) -> TimePoint {
  TimePoint next = TimePoint::max();
  const auto look = [&](Request& request) {
    if (request.deadline <= now) {
      Finish(request, absl::DeadlineExceededError("no answer in time"));
    } else {
      next = std::min(next, request.deadline);
    }
  };
  for (auto it = queue_.begin(); it != queue_.end();) look(**it++);
  for (Batch& batch : out_) {
    for (Request* request : batch.requests) {
      if (request != nullptr) look(*request);
    }
    if (batch.stalls_at > now) next = std::min(next, batch.stalls_at);
  }
  return next;
}

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_BATCHER_H_
