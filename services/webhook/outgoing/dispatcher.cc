#include "services/webhook/outgoing/dispatcher.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <map>
#include <random>
#include <set>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/address_policy.h"
#include "services/async/http_client.h"
#include "services/async/task.h"
#include "services/base/log.h"
#include "services/base/metrics.h"
#include "services/base/status_macros.h"
#include "services/webhook/backoff.h"
#include "services/webhook/outgoing/attempt.h"
#include "services/webhook/outgoing/circuit.h"
#include "services/webhook/outgoing/delivery_store.h"
#include "services/webhook/outgoing/endpoint.h"
#include "services/webhook/outgoing/outbox_relay.h"
#include "services/webhook/outgoing/schedule.h"
#include "services/webhook/outgoing/subscription_cache.h"
#include "services/webhook/ownership.h"

namespace kyc::outgoing {
namespace {

using async::Task;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using webhook::Backoff;

// The longest that a Retry-After stops everything to an endpoint; the delivery
// it was said of waits as long as it says.
constexpr milliseconds kLongestPause = std::chrono::hours(1);

std::string_view View(absl::string_view text) {
  return {text.data(), text.size()};
}

base::Counter* Attempts(Outcome::Kind kind) {
  return base::GetCounter("kyc_outgoing_attempts_total",
                          "Attempts to deliver a webhook, by their outcome.",
                          {{"result", std::string(KindName(kind))}});
}

struct Metrics {
  std::map<Outcome::Kind, base::Counter*> attempts;
  base::Counter* failed =
      base::GetCounter("kyc_outgoing_failed_total",
                       "Deliveries given up: all their attempts failed.");
  base::Counter* dropped = base::GetCounter(
      "kyc_outgoing_dropped_total",
      "Deliveries whose subscription was disabled or deleted before.");
  base::Counter* disabled = base::GetCounter(
      "kyc_outgoing_disabled_total",
      "Subscriptions that their receiver ended with an answer 410.");
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

  Metrics() {
    using Kind = Outcome::Kind;
    for (const Kind kind :
         {Kind::kDelivered, Kind::kGone, Kind::kRefused, Kind::kTimeout,
          Kind::kConnection, Kind::kAddress, Kind::kProtocol}) {
      attempts[kind] = Attempts(kind);
    }
  }
};

double Random() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(random);
}

}  // namespace

// Coroutines on the loop hold the Impl (Go); everything but `stopping_`
// belongs to the loop.
class Dispatcher::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(async::Loop& loop, const async::RedisOptions& redis,
       DispatcherOptions options, const base::Clock& clock)
      : loop_(loop),
        options_(std::move(options)),
        clock_(clock),
        redis_(loop, redis),
        http_(loop, {.max_connections_per_host = options_.max_in_flight,
                     .connect_timeout = std::chrono::seconds(5),
                     .addresses = options_.allow_loopback
                                      ? async::AddressPolicy::kPublicOrLoopback
                                      : async::AddressPolicy::kPublic}),
        ownership_(redis_, {.process = options_.member,
                            .partitions = kParts,
                            .lease_time = options_.lease_ttl,
                            .processes = "kyc:{outgoing}",
                            .lease_key = LeaseKeyOfPart}),
        deliveries_(redis_),
        subscriptions_(redis_, clock),
        cache_(redis_, clock),
        relay_(loop, redis, redis_, deliveries_, cache_, clock,
               {.sweep_interval = options_.sweep_interval,
                .works_on = [this](int part) { return WorksOn(part); },
                .wake = [this] { Wake(); }}) {}

  void Start() {
    Go(Run());
    Go(SampleForever());
  }

  void Stop() { stopping_ = true; }

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
  Slots PickDue(const std::vector<DueQueue>& queues,
                const std::vector<std::vector<std::string>>& ids);
  Task<void> Attempt(std::unique_ptr<Slot> slot, Delivery delivery,
                     std::shared_ptr<const Subscription> subscription);
  Task<Outcome> Send(std::shared_ptr<const Subscription> subscription,
                     const Delivery& delivery);
  void Settle(const Outcome& outcome, Endpoint& endpoint, Delivery& delivery);
  Task<void> Disable(std::shared_ptr<const Subscription> subscription);
  Task<void> Record(Delivery delivery, int attempts_seen);
  Task<void> SampleForever();
  Task<void> SignalWhenIdle(std::promise<void> idle);

  async::Loop& loop_;
  const DispatcherOptions options_;
  const base::Clock& clock_;
  const Metrics metrics_;
  async::Redis redis_;
  async::HttpClient http_;
  webhook::Ownership ownership_;
  DeliveryStore deliveries_;
  SubscriptionStore subscriptions_;
  SubscriptionCache cache_;
  OutboxRelay relay_;

  std::set<int> leaving_;  // Parts to be released when nothing is under way.
  steady_clock::time_point next_round_{};
  std::unordered_map<std::string, Endpoint> endpoints_;  // By subscription.
  std::unordered_set<std::string> in_flight_;            // Deliveries' ids.
  std::array<int, kParts> in_flight_of_part_{};
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

Task<absl::Status> Dispatcher::Impl::StartDue() {
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

// A delivery's way from being due to the outcome that is stored.
Task<void> Dispatcher::Impl::Attempt(
    std::unique_ptr<Slot> slot, Delivery delivery,
    std::shared_ptr<const Subscription> subscription) {
  const int attempts_seen = delivery.attempts;
  delivery.next_attempt_ms = 0;
  if (subscription == nullptr || !subscription->enabled) {
    delivery.state = Delivery::State::kDropped;
    metrics_.dropped->Add();
  } else if (clock_.NowMs() - delivery.since_ms >
             std::chrono::milliseconds(kMaxAge).count()) {
    delivery.state = Delivery::State::kFailed;
    metrics_.failed->Add();
  } else {
    const Outcome outcome = co_await Send(subscription, delivery);
    Settle(outcome, endpoints_[delivery.subscription], delivery);
    if (outcome.kind == Outcome::Kind::kGone) co_await Disable(subscription);
  }
  co_await Record(std::move(delivery), attempts_seen);
}

Task<Outcome> Dispatcher::Impl::Send(
    std::shared_ptr<const Subscription> subscription,
    const Delivery& delivery) {
  // Once more: the rules may have changed since it was stored.
  if (!CheckEndpoint(subscription->url, options_.allow_loopback).ok()) {
    co_return Outcome{.kind = Outcome::Kind::kAddress};
  }
  async::ClientRequest request = MakeRequest(
      *subscription, delivery, clock_.NowMs(), options_.attempt_timeout);
  const auto response = co_await http_.Send(std::move(request));
  co_return Judge(response, clock_.NowMs());
}

// What an outcome means for the delivery and its endpoint.
void Dispatcher::Impl::Settle(const Outcome& outcome, Endpoint& endpoint,
                              Delivery& delivery) {
  using Kind = Outcome::Kind;
  const int64_t now_ms = clock_.NowMs();
  metrics_.attempts.at(outcome.kind)->Add();
  ++delivery.attempts;
  delivery.last_attempt_ms = now_ms;
  delivery.last_status = outcome.status;
  delivery.last_error =
      outcome.status == 0 ? std::string(KindName(outcome.kind)) : std::string();
  base::LogInfo("webhook attempted",
                {{"delivery", delivery.id},
                 {"subscription", delivery.subscription},
                 {"result", KindName(outcome.kind)},
                 {"status", outcome.status},
                 {"attempt", delivery.attempts}});
  if (outcome.kind == Kind::kDelivered) {
    endpoint.circuit.Succeeded();
    delivery.state = Delivery::State::kDelivered;
    return;
  }
  endpoint.circuit.Failed(now_ms);
  if (outcome.retry_after) {
    endpoint.circuit.Pause(
        now_ms + std::min(*outcome.retry_after, kLongestPause).count());
  }
  const std::optional<milliseconds> pause =
      outcome.kind == Kind::kGone
          ? std::nullopt
          : PauseAfter(delivery.attempts - delivery.attempts_before, Random(),
                       outcome.retry_after);
  if (pause) {
    delivery.next_attempt_ms = now_ms + pause->count();
    return;
  }
  delivery.state = Delivery::State::kFailed;
  metrics_.failed->Add();
  base::LogWarning("webhook given up",
                   {{"delivery", delivery.id},
                    {"subscription", delivery.subscription},
                    {"attempts", delivery.attempts}});
}

Task<void> Dispatcher::Impl::Disable(
    std::shared_ptr<const Subscription> subscription) {
  metrics_.disabled->Add();
  base::LogWarning("subscription ended by its receiver",
                   {{"subscription", subscription->id}});
  const auto updated = co_await subscriptions_.Update(
      subscription->id, [&](Subscription& stored) {
        // Another url meanwhile is another receiver.
        if (stored.url == subscription->url) {
          stored.enabled = false;
          stored.gone = true;
        }
        return absl::OkStatus();
      });
  if (!updated.ok() && !absl::IsNotFound(updated.status())) {
    // The next event's 410 will do.
    base::LogWarning("subscription not disabled",
                     {{"subscription", subscription->id},
                      {"error", View(updated.status().message())}});
  }
}

// Repeats until Redis has it: a delivery whose outcome is unknown would be
// made again at once. When stopping, once is enough.
Task<void> Dispatcher::Impl::Record(Delivery delivery, int attempts_seen) {
  Backoff backoff(milliseconds(100), milliseconds(5000));
  while (true) {
    const absl::StatusOr<bool> recorded =
        co_await deliveries_.Record(delivery, attempts_seen);
    if (recorded.ok() || stopping_) co_return;
    base::LogWarning("outcome of a webhook not stored",
                     {{"error", View(recorded.status().message())}});
    co_await async::Sleep(backoff.Next());
  }
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
    std::erase_if(endpoints_, [&](const auto& each) {
      const Endpoint& endpoint = each.second;
      return endpoint.in_flight == 0 && endpoint.circuit.forgettable(now_ms);
    });
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

void Dispatcher::Stop() { impl_->Stop(); }

bool Dispatcher::Drain(milliseconds limit) {
  impl_->Stop();
  return impl_->WhenIdle().wait_for(limit) == std::future_status::ready;
}

}  // namespace kyc::outgoing
