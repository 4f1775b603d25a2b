#include "services/webhook/consumer.h"

#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/call_context.h"
#include "services/async/task.h"
#include "services/base/log.h"
#include "services/base/metrics.h"
#include "services/base/status_macros.h"
#include "services/webhook/applier.h"
#include "services/webhook/backoff.h"
#include "services/webhook/event_stream.h"

namespace kyc::webhook {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kPage = 64;
// Entries that wait for another attempt (an id and a coroutine each); with
// more of them something is wrong with all events, and reading on would only
// move the whole stream into memory.
constexpr size_t kMaxHeld = 10000;

// Whether the same event may well succeed later.
bool IsTransient(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kResourceExhausted:
    // An older server during a rollout.
    case absl::StatusCode::kUnimplemented:
      return true;
    default:
      return false;
  }
}

std::string_view View(absl::string_view text) {
  return {text.data(), text.size()};
}

base::Counter* Done(const char* effect) {
  return base::GetCounter("kyc_webhook_applied_total",
                          "Events done with, by their effect.",
                          {{"effect", effect}});
}

struct Metrics {
  // By the names Applier gives effects; "dead" is a dead letter.
  std::map<std::string_view, base::Counter*> done = {
      {"applied", Done("applied")}, {"stale", Done("stale")},
      {"ignored", Done("ignored")}, {"unknown", Done("unknown")},
      {"dead", Done("dead")},
  };
  base::Counter* redeliveries =
      base::GetCounter("kyc_webhook_redeliveries_total",
                       "Events taken up again: resumed, claimed or repeated.");
  base::Counter* trimmed = base::GetCounter(
      "kyc_webhook_trimmed_pending_total",
      "Pending events found deleted from the stream: lost by an operator.");
  base::Gauge* lag = base::GetGauge("kyc_webhook_lag_entries",
                                    "Stored events not delivered yet.");
  base::Gauge* pending =
      base::GetGauge("kyc_webhook_pending_entries",
                     "Events delivered and not acknowledged yet.");
  base::Gauge* oldest = base::GetGauge("kyc_webhook_oldest_pending_seconds",
                                       "Age of the oldest pending event.");
  base::Gauge* dead = base::GetGauge("kyc_webhook_dead_letters",
                                     "Events in the dead letter stream.");
};

}  // namespace

// Coroutines on the loop hold the Impl (Go); everything but the atomics
// belongs to the loop.
class Consumer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(async::Loop& loop, const async::RedisOptions& redis,
       std::shared_ptr<grpc::Channel> kyc, ConsumerOptions options,
       const base::Clock& clock)
      : loop_(loop),
        options_(std::move(options)),
        clock_(clock),
        applier_(std::move(kyc)),
        reader_redis_(loop, redis),
        redis_(loop, redis),
        reader_(reader_redis_),
        stream_(redis_) {}

  void Start() {
    Go(ReadForever());
    Go(ClaimForever());
    Go(SampleForever());
    Go(PingForever());
  }

  // Whoever waits looks at this at least once a second.
  void Stop() { stopping_ = true; }

  std::future<void> WhenIdle() {
    std::promise<void> idle;
    std::future<void> future = idle.get_future();
    Go(SignalWhenIdle(std::move(idle)));
    return future;
  }

  bool redis_ok() const { return redis_ok_; }
  bool kyc_ok() const { return applier_.connected(); }

 private:
  // A place among the applies in flight.
  class Slot {
   public:
    explicit Slot(Impl* impl) : impl_(impl) { ++impl_->applying_; }
    Slot(Slot&& other) noexcept : impl_(std::exchange(other.impl_, nullptr)) {}
    Slot& operator=(Slot&& other) noexcept {
      std::swap(impl_, other.impl_);
      return *this;
    }
    ~Slot() {
      if (impl_ == nullptr) return;
      --impl_->applying_;
      impl_->changed_.Notify();
    }

   private:
    Impl* impl_;
  };

  // Marks an entry as being taken care of here.
  class Held {
   public:
    Held(Impl* impl, std::string id) : impl_(impl), id_(std::move(id)) {}
    Held(const Held&) = delete;
    Held& operator=(const Held&) = delete;
    ~Held() { impl_->held_.erase(id_); }

   private:
    Impl* const impl_;
    const std::string id_;
  };

  void Go(async::Task<void> work) {
    loop_.Spawn(Hold(shared_from_this(), std::move(work)));
  }
  static async::Task<void> Hold(std::shared_ptr<Impl>, async::Task<void> work) {
    co_await std::move(work);
  }

  async::Task<void> ReadForever();
  async::Task<absl::Status> ReadUntilError(Backoff& backoff);
  async::Task<void> ClaimForever();
  async::Task<absl::Status> ClaimOnce();
  async::Task<void> SampleForever();
  async::Task<void> PingForever();
  async::Task<void> SignalWhenIdle(std::promise<void> idle);

  async::Task<bool> KycReady();
  async::Task<std::optional<Slot>> TakeSlot();
  async::Task<void> Dispatch(StreamPage page, bool again);
  async::Task<void> Handle(StreamEvent event, std::optional<Slot> slot);
  async::Task<bool> Repeat(StreamEvent& event, std::optional<Slot>& slot,
                           Backoff& backoff);
  async::Task<void> Insist(std::function<async::Task<absl::Status>()> write);

  async::Loop& loop_;
  const ConsumerOptions options_;
  const base::Clock& clock_;
  const Metrics metrics_;
  Applier applier_;
  async::Redis reader_redis_;  // Blocks in XREADGROUP.
  async::Redis redis_;
  EventStream reader_;
  EventStream stream_;

  std::unordered_set<std::string> held_;
  int applying_ = 0;
  bool read_ended_ = false;
  async::Event changed_;  // A slot has come free, or reading has ended.
  std::atomic<bool> stopping_{false};
  std::atomic<bool> redis_ok_{false};
};

async::Task<void> Consumer::Impl::ReadForever() {
  Backoff backoff(milliseconds(100), milliseconds(5000));
  while (!stopping_) {
    const absl::Status status = co_await ReadUntilError(backoff);
    if (stopping_) break;
    base::LogWarning("reading the event stream failed",
                     {{"error", View(status.message())}});
    co_await async::Sleep(backoff.Next());
  }
  read_ended_ = true;
  changed_.Notify();
}

// Starts over from what is pending under this name: after a restart that is
// what the process was doing, and after an error what was delivered in a
// reply that never came.
async::Task<absl::Status> Consumer::Impl::ReadUntilError(Backoff& backoff) {
  CO_RETURN_IF_ERROR(co_await reader_.EnsureGroup());
  if (!co_await KycReady()) co_return absl::OkStatus();
  std::string after = "0";
  while (!stopping_) {
    CO_ASSIGN_OR_RETURN(StreamPage page, co_await reader_.ReadPending(
                                             options_.name, after, kPage));
    if (page.last_id.empty()) break;
    after = page.last_id;
    co_await Dispatch(std::move(page), /*again=*/true);
  }
  while (!stopping_) {
    if (!co_await KycReady()) break;
    if (held_.size() >= kMaxHeld) {
      co_await changed_.Wait(std::chrono::seconds(1));
      continue;
    }
    CO_ASSIGN_OR_RETURN(
        StreamPage page,
        co_await reader_.ReadNew(options_.name, kPage, options_.block));
    backoff.Reset();
    co_await Dispatch(std::move(page), /*again=*/false);
  }
  co_return absl::OkStatus();
}

async::Task<void> Consumer::Impl::ClaimForever() {
  while (!stopping_) {
    co_await async::Sleep(options_.claim_interval);
    if (!co_await KycReady()) break;
    const absl::Status status = co_await ClaimOnce();
    // Without stream or group there is nothing to claim; the reader makes
    // them.
    if (!status.ok() && !absl::IsNotFound(status)) {
      base::LogWarning("claiming pending events failed",
                       {{"error", View(status.message())}});
    }
  }
}

async::Task<absl::Status> Consumer::Impl::ClaimOnce() {
  std::string cursor = "0-0";
  do {
    CO_ASSIGN_OR_RETURN(
        ClaimedPage claimed,
        co_await stream_.Claim(options_.name, options_.claim_min_idle, cursor,
                               kPage));
    cursor = std::move(claimed.next_cursor);
    co_await Dispatch(std::move(claimed.page), /*again=*/true);
  } while (cursor != "0-0" && held_.size() < kMaxHeld && !stopping_);
  co_return absl::OkStatus();
}

async::Task<void> Consumer::Impl::SampleForever() {
  steady_clock::time_point next_trim =
      steady_clock::now() + options_.trim_interval;
  while (!stopping_) {
    co_await async::Sleep(options_.sample_interval);
    const absl::StatusOr<StreamStats> stats = co_await stream_.Stats();
    if (!stats.ok()) continue;
    if (stats->lag.has_value()) metrics_.lag->Set(*stats->lag);
    metrics_.pending->Set(stats->pending);
    metrics_.dead->Set(stats->dead_letters);
    const int64_t now_ms = clock_.NowMs();
    metrics_.oldest->Set(stats->oldest_pending.empty()
                             ? 0
                             : (now_ms - StreamIdMs(stats->oldest_pending)) /
                                   1000);
    if (steady_clock::now() < next_trim) continue;
    next_trim = steady_clock::now() + options_.trim_interval;
    const auto trimmed =
        co_await stream_.Trim(*stats, now_ms - options_.retention.count());
    if (trimmed.ok() && *trimmed > 0) {
      base::LogInfo("event stream trimmed", {{"entries", *trimmed}});
    }
  }
}

async::Task<void> Consumer::Impl::PingForever() {
  while (!stopping_) {
    std::vector<std::string> ping = {"PING"};
    const auto pong = co_await redis_.Command(std::move(ping));
    redis_ok_ = pong.ok();
    co_await async::Sleep(std::chrono::seconds(1));
  }
}

async::Task<void> Consumer::Impl::SignalWhenIdle(std::promise<void> idle) {
  while (!read_ended_ || applying_ > 0) {
    co_await changed_.Wait(milliseconds(100));
  }
  idle.set_value();
}

// Waits for KycService's channel; false when stopping. Asking before each
// attempt keeps an outage from using attempts up.
async::Task<bool> Consumer::Impl::KycReady() {
  Backoff pause(milliseconds(50), milliseconds(1000));
  while (!stopping_) {
    if (applier_.connected()) co_return true;
    co_await async::Sleep(pause.Next());
  }
  co_return false;
}

// Nothing when stopping.
async::Task<std::optional<Consumer::Impl::Slot>> Consumer::Impl::TakeSlot() {
  while (co_await KycReady()) {
    if (applying_ < options_.apply_concurrency) co_return Slot(this);
    co_await changed_.Wait(std::chrono::seconds(1));
  }
  co_return std::nullopt;
}

// Starts to work on each entry that is not held already, as slots come free.
async::Task<void> Consumer::Impl::Dispatch(StreamPage page, bool again) {
  if (!page.gone.empty()) {
    metrics_.trimmed->Add(page.gone.size());
    base::LogError("pending events are gone from the stream",
                   {{"entries", page.gone.size()}});
    co_await Insist([this, &page] { return stream_.Acknowledge(page.gone); });
  }
  for (StreamEvent& event : page.events) {
    if (held_.contains(event.id)) continue;
    std::optional<Slot> slot = co_await TakeSlot();
    if (!slot.has_value()) co_return;
    if (!held_.insert(event.id).second) continue;
    if (again) metrics_.redeliveries->Add();
    Go(Handle(std::move(event), std::move(slot)));
  }
}

// One entry's way from delivery to acknowledgement.
async::Task<void> Consumer::Impl::Handle(StreamEvent event,
                                         std::optional<Slot> slot) {
  const Held held(this, event.id);
  async::CallContext context{
      .trace = base::TraceContext::Continue(event.traceparent)};
  Backoff backoff(options_.retry_base, options_.retry_cap);
  int failures = 0;
  do {
    context.deadline = steady_clock::now() + options_.apply_timeout;
    const absl::StatusOr<std::string_view> effect =
        co_await applier_.Apply(context, event);
    if (effect.ok()) {
      metrics_.done.at(*effect)->Add();
      base::LogInfo("webhook applied",
                    {{"entry", event.id}, {"effect", *effect}}, &context.trace);
      co_await Insist([this, &event] {
        return stream_.Acknowledge(std::vector<std::string>{event.id});
      });
      co_return;
    }
    const absl::StatusCode code = effect.status().code();
    const std::string reason = absl::StatusCodeToString(code);
    if (!IsTransient(code)) ++failures;
    if (failures >= options_.max_attempts) {
      metrics_.done.at("dead")->Add();
      base::LogError("webhook given up",
                     {{"entry", event.id}, {"code", reason}}, &context.trace);
      co_await Insist([this, &event, &reason, failures] {
        return stream_.Bury(event, reason, failures, clock_.NowMs());
      });
      co_return;
    }
    base::LogWarning(
        "webhook not applied",
        {{"entry", event.id}, {"code", reason}, {"failures", failures}},
        &context.trace);
  } while (co_await Repeat(event, slot, backoff));
}

// Waits for the next attempt and fetches the event again; neither its body
// nor the slot is kept meanwhile. False when there is nothing left to do:
// stopping, or the entry is pending no more.
async::Task<bool> Consumer::Impl::Repeat(StreamEvent& event,
                                         std::optional<Slot>& slot,
                                         Backoff& backoff) {
  event.body = std::string();
  while (true) {
    slot.reset();
    co_await async::Sleep(backoff.Next());
    slot = co_await TakeSlot();
    if (!slot.has_value()) co_return false;
    // Redis starts the entry's idle time anew, so that nobody claims it.
    absl::StatusOr<std::optional<StreamEvent>> fetched =
        co_await stream_.Redeliver(options_.name, event.id);
    if (absl::IsNotFound(fetched.status())) co_return false;
    if (!fetched.ok()) continue;
    if (!fetched->has_value()) co_return false;
    metrics_.redeliveries->Add();
    event = **std::move(fetched);
    co_return true;
  }
}

// Repeats a write until Redis has done it. When stopping, once is enough:
// the entry stays pending and is applied again, without a second effect.
async::Task<void> Consumer::Impl::Insist(
    std::function<async::Task<absl::Status>()> write) {
  Backoff backoff(milliseconds(100), milliseconds(5000));
  while (true) {
    const absl::Status status = co_await write();
    if (status.ok() || stopping_) co_return;
    base::LogWarning("acknowledging an event failed",
                     {{"error", View(status.message())}});
    co_await async::Sleep(backoff.Next());
  }
}

Consumer::Consumer(async::Loop& loop, const async::RedisOptions& redis,
                   std::shared_ptr<grpc::Channel> kyc, ConsumerOptions options,
                   const base::Clock& clock)
    : impl_(std::make_shared<Impl>(loop, redis, std::move(kyc),
                                   std::move(options), clock)) {
  impl_->Start();
}

Consumer::~Consumer() { impl_->Stop(); }

bool Consumer::Drain(milliseconds limit) {
  impl_->Stop();
  return impl_->WhenIdle().wait_for(limit) == std::future_status::ready;
}

bool Consumer::redis_ok() const { return impl_->redis_ok(); }
bool Consumer::kyc_ok() const { return impl_->kyc_ok(); }

}  // namespace kyc::webhook
