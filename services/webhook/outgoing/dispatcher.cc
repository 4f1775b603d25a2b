#include "services/webhook/outgoing/dispatcher.h"

#include <array>
#include <atomic>
#include <future>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/task.h"
#include "services/base/log.h"
#include "services/base/metrics.h"
#include "services/base/status_macros.h"
#include "services/webhook/backoff.h"
#include "services/webhook/outgoing/circuit.h"
#include "services/webhook/outgoing/delivery_store.h"
#include "services/webhook/outgoing/outbox_relay.h"
#include "services/webhook/outgoing/sender.h"
#include "services/webhook/outgoing/subscription_cache.h"
#include "services/webhook/ownership.h"

namespace kyc::outgoing {
namespace {

using async::Task;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using webhook::Backoff;

std::string_view View(absl::string_view text) {
  return {text.data(), text.size()};
}

struct Metrics {
  base::Gauge* pending =
      base::GetGauge("kyc_outgoing_pending_deliveries",
                     "Deliveries not made yet, of this process.");
  base::Gauge* due = base::GetGauge("kyc_outgoing_due_deliveries",
                                    "Those of them whose time has come.");
  base::Gauge* oldest = base::GetGauge("kyc_outgoing_oldest_due_seconds",
                                       "For how long the oldest one is due.");
  base::Gauge* open = base::GetGauge("kyc_outgoing_open_circuits",
                                     "Endpoints that fail all the time.");
  base::Gauge* parts = base::GetGauge(
      "kyc_outgoing_parts", "Parts of the work that this process holds.");
};

}  // namespace

// Coroutines on the loop hold the Impl (Go); everything but what Stop sets
// belongs to the loop.
class Dispatcher::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(async::Loop& loop, const async::RedisOptions& redis,
       DispatcherOptions options, const base::Clock& clock)
      : loop_(loop),
        options_(std::move(options)),
        clock_(clock),
        redis_(loop, redis),
        ownership_(redis_, {.process = options_.member,
                            .partitions = kParts,
                            .lease_time = options_.lease_ttl,
                            .processes = "kyc:{outgoing}",
                            .lease_key = LeaseKeyOfPart}),
        deliveries_(redis_),
        cache_(redis_, clock),
        relay_(loop, redis, redis_, deliveries_, cache_, clock,
               {.sweep_interval = options_.sweep_interval,
                .works_on = [this](int part) { return WorksOn(part); },
                .wake = [this] { Wake(); }}),
        sender_(loop, redis_, deliveries_, clock,
                {.allow_loopback = options_.allow_loopback,
                 .attempt_timeout = options_.attempt_timeout,
                 .max_connections_per_host = options_.max_in_flight}) {}

  void Start() {
    Go(Run());
    Go(SampleForever());
  }

  void Stop() {
    stopping_ = true;
    sender_.Stop();
  }

  std::future<void> WhenIdle() {
    std::promise<void> idle;
    std::future<void> future = idle.get_future();
    Go(SignalWhenIdle(std::move(idle)));
    return future;
  }

 private:
  struct Endpoint {
    Circuit circuit;
    int in_flight = 0;
    int64_t revision = 0;  // Of the subscription the circuit is about.
  };

  // An attempt's place among those under way.
  class Slot {
   public:
    Slot(Impl* impl, DueQueue queue, std::string id)
        : impl_(impl), queue_(std::move(queue)), id_(std::move(id)) {
      ++impl_->endpoints_[queue_.subscription].in_flight;
      ++impl_->in_flight_of_part_[queue_.part];
      impl_->in_flight_.insert(id_);
    }
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;
    ~Slot() {
      --impl_->endpoints_[queue_.subscription].in_flight;
      --impl_->in_flight_of_part_[queue_.part];
      impl_->in_flight_.erase(id_);
      impl_->Wake();
    }
    const DueQueue& queue() const { return queue_; }
    const std::string& id() const { return id_; }

   private:
    Impl* const impl_;
    const DueQueue queue_;
    const std::string id_;
  };
  using Slots = std::vector<std::unique_ptr<Slot>>;

  void Go(Task<void> work) {
    loop_.Spawn(Hold(shared_from_this(), std::move(work)));
  }
  static Task<void> Hold(std::shared_ptr<Impl>, Task<void> work) {
    co_await std::move(work);
  }

  void Wake() {
    again_ = true;
    changed_.Notify();
  }
  // Whether this process is to begin anything in that part.
  bool WorksOn(int part) const {
    return ownership_.Owns(part) && !leaving_.contains(part);
  }
  std::vector<int> Parts() const {
    std::vector<int> parts;
    for (int part = 0; part < kParts; ++part) {
      if (WorksOn(part)) parts.push_back(part);
    }
    return parts;
  }

  Task<void> Run();
  Task<absl::Status> Turn();
  Task<absl::Status> KeepLeases();
  Task<absl::Status> StartDue();
  void ForgetEndpoints();
  Slots PickDue(const std::vector<DueQueue>& queues,
                const std::vector<std::vector<std::string>>& ids);
  Task<void> Attempt(std::unique_ptr<Slot> slot, Delivery delivery,
                     std::shared_ptr<const Subscription> subscription);
  Task<void> SampleForever();
  Task<void> SignalWhenIdle(std::promise<void> idle);

  async::Loop& loop_;
  const DispatcherOptions options_;
  const base::Clock& clock_;
  const Metrics metrics_;
  async::Redis redis_;
  webhook::Ownership ownership_;
  DeliveryStore deliveries_;
  SubscriptionCache cache_;
  OutboxRelay relay_;
  Sender sender_;

  std::set<int> leaving_;  // Parts to be released when nothing is under way.
  steady_clock::time_point next_round_{};
  std::unordered_map<std::string, Endpoint> endpoints_;  // By subscription.
  std::unordered_set<std::string> in_flight_;            // Deliveries' ids.
  std::array<int, kParts> in_flight_of_part_{};
  bool forget_ = false;    // ForgetEndpoints is due.
  size_t rounds_ = 0;      // Of PickDue.
  bool again_ = false;     // Something has happened since the last turn began.
  bool run_ended_ = false;
  async::Event changed_;
  std::atomic<bool> stopping_{false};
};

Task<void> Dispatcher::Impl::Run() {
  Backoff backoff(milliseconds(100), milliseconds(5000));
  while (!stopping_) {
    again_ = false;
    const absl::Status status = co_await Turn();
    if (!status.ok()) {
      base::LogWarning("outgoing webhooks wait for Redis",
                       {{"error", View(status.message())}});
      co_await async::Sleep(backoff.Next());
      continue;
    }
    backoff.Reset();
    if (!again_) co_await changed_.Wait(options_.poll_interval);
  }
  run_ended_ = true;
  changed_.Notify();
}

Task<absl::Status> Dispatcher::Impl::Turn() {
  CO_RETURN_IF_ERROR(co_await KeepLeases());
  CO_RETURN_IF_ERROR(co_await relay_.Relay());
  co_return co_await StartDue();
}

Task<absl::Status> Dispatcher::Impl::KeepLeases() {
  if (steady_clock::now() < next_round_) co_return absl::OkStatus();
  const webhook::Ownership::Round round =
      co_await ownership_.Next(/*take=*/!stopping_);
  CO_RETURN_IF_ERROR(round.status);
  next_round_ = steady_clock::now() + options_.lease_ttl / 5;
  // What is new here may have waited.
  if (!round.taken.empty()) relay_.SweepNext();
  leaving_.clear();
  int surplus = round.surplus;
  for (int part = kParts - 1; part >= 0 && surplus > 0; --part) {
    if (!ownership_.Owns(part)) continue;
    --surplus;
    if (in_flight_of_part_[part] > 0) {
      leaving_.insert(part);
    } else {
      co_await ownership_.Release(part);
    }
  }
  metrics_.parts->Set(static_cast<int64_t>(Parts().size()));
  co_return absl::OkStatus();
}

// Only between the rounds of StartDue, which looks at an endpoint twice.
void Dispatcher::Impl::ForgetEndpoints() {
  if (!std::exchange(forget_, false)) return;
  const int64_t now_ms = clock_.NowMs();
  std::erase_if(endpoints_, [&](const auto& each) {
    const Endpoint& endpoint = each.second;
    return endpoint.in_flight == 0 && endpoint.circuit.forgettable(now_ms);
  });
}

Task<absl::Status> Dispatcher::Impl::StartDue() {
  ForgetEndpoints();
  const int64_t now_ms = clock_.NowMs();
  CO_ASSIGN_OR_RETURN(std::vector<DueQueue> queues,
                      co_await deliveries_.DueQueues(Parts(), now_ms));
  if (queues.empty()) co_return absl::OkStatus();
  CO_RETURN_IF_ERROR(co_await cache_.Refresh());
  std::map<std::string, std::shared_ptr<const Subscription>> subscriptions;
  std::vector<DueQueue> ready;
  for (DueQueue& queue : queues) {
    auto [known, fresh] = subscriptions.try_emplace(queue.subscription);
    if (fresh) {
      CO_ASSIGN_OR_RETURN(known->second,
                          co_await cache_.Find(queue.subscription));
    }
    Endpoint& endpoint = endpoints_[queue.subscription];
    const int64_t revision = known->second ? known->second->revision : 0;
    // A changed subscription may well work.
    if (std::exchange(endpoint.revision, revision) != revision) {
      endpoint.circuit = Circuit();
    }
    if (endpoint.circuit.Allowance(now_ms, endpoint.in_flight,
                                   options_.max_in_flight_per_endpoint) > 0) {
      ready.push_back(std::move(queue));
    }
  }
  // What is under way is still due.
  const int limit = 2 * options_.max_in_flight_per_endpoint;
  CO_ASSIGN_OR_RETURN(const auto ids,
                      co_await deliveries_.Due(ready, now_ms, limit));
  Slots slots = PickDue(ready, ids);
  std::vector<std::string> picked;
  for (const auto& slot : slots) picked.push_back(slot->id());
  CO_ASSIGN_OR_RETURN(auto deliveries,
                      co_await deliveries_.Load(std::move(picked)));
  for (size_t i = 0; i < slots.size(); ++i) {
    if (!deliveries[i]) {
      CO_RETURN_IF_ERROR(
          co_await deliveries_.Forget(slots[i]->queue(), slots[i]->id()));
      continue;
    }
    auto subscription = subscriptions[slots[i]->queue().subscription];
    Go(Attempt(std::move(slots[i]), *std::move(deliveries[i]),
               std::move(subscription)));
  }
  co_return absl::OkStatus();
}

// The queues take turns, so that a long one leaves room for the others, and
// begin with another one each time, so that none is always the last.
Dispatcher::Impl::Slots Dispatcher::Impl::PickDue(
    const std::vector<DueQueue>& queues,
    const std::vector<std::vector<std::string>>& ids) {
  const int64_t now_ms = clock_.NowMs();
  Slots slots;
  const size_t first = rounds_++;
  bool more = true;
  for (size_t turn = 0; more; ++turn) {
    more = false;
    for (size_t each = 0; each < queues.size(); ++each) {
      const size_t i = (first + each) % queues.size();
      if (turn >= ids[i].size() || !WorksOn(queues[i].part)) continue;
      more = true;
      if (in_flight_.size() >= static_cast<size_t>(options_.max_in_flight)) {
        return slots;
      }
      const Endpoint& endpoint = endpoints_[queues[i].subscription];
      if (in_flight_.contains(ids[i][turn]) ||
          endpoint.circuit.Allowance(now_ms, endpoint.in_flight,
                                     options_.max_in_flight_per_endpoint) ==
              0) {
        continue;
      }
      slots.push_back(std::make_unique<Slot>(this, queues[i], ids[i][turn]));
    }
  }
  return slots;
}

// Holds the slot until the outcome is stored.
Task<void> Dispatcher::Impl::Attempt(
    std::unique_ptr<Slot> slot, Delivery delivery,
    std::shared_ptr<const Subscription> subscription) {
  // While a slot is held its endpoint is not forgotten (ForgetEndpoints).
  Circuit& circuit = endpoints_[slot->queue().subscription].circuit;
  co_await sender_.Attempt(std::move(delivery), std::move(subscription),
                           circuit);
}

Task<void> Dispatcher::Impl::SampleForever() {
  while (!stopping_) {
    const int64_t now_ms = clock_.NowMs();
    const absl::StatusOr<Backlog> backlog =
        co_await deliveries_.Measure(Parts(), now_ms);
    if (backlog.ok()) {
      metrics_.pending->Set(backlog->pending);
      metrics_.due->Set(backlog->due);
      metrics_.oldest->Set(backlog->oldest_due_ms == 0
                               ? 0
                               : (now_ms - backlog->oldest_due_ms) / 1000);
    }
    int64_t open = 0;
    for (const auto& [id, endpoint] : endpoints_) {
      open += endpoint.circuit.open() ? 1 : 0;
    }
    metrics_.open->Set(open);
    forget_ = true;
    co_await async::Sleep(options_.sample_interval);
  }
}

Task<void> Dispatcher::Impl::SignalWhenIdle(std::promise<void> idle) {
  while (!run_ended_ || !in_flight_.empty()) {
    co_await changed_.Wait(milliseconds(100));
  }
  // So that others need not wait for the leases to run out.
  for (int part = 0; part < kParts; ++part) {
    co_await ownership_.Release(part);
  }
  (void)co_await ownership_.Next(/*take=*/false);
  idle.set_value();
}

Dispatcher::Dispatcher(async::Loop& loop, const async::RedisOptions& redis,
                       DispatcherOptions options, const base::Clock& clock)
    : impl_(std::make_shared<Impl>(loop, redis, std::move(options), clock)) {
  impl_->Start();
}

Dispatcher::~Dispatcher() { impl_->Stop(); }

void Dispatcher::Stop() {
  if (idle_.valid()) return;
  impl_->Stop();
  idle_ = impl_->WhenIdle();
}

bool Dispatcher::Drain(milliseconds limit) {
  Stop();
  return idle_.wait_for(limit) == std::future_status::ready;
}

}  // namespace kyc::outgoing
