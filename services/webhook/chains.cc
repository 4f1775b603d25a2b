#include "services/webhook/chains.h"

#include <chrono>
#include <functional>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "services/async/call_context.h"
#include "services/base/log.h"

namespace kyc::webhook {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Bodies kept in memory for events that wait; those of others are fetched
// again when it is their turn.
constexpr size_t kMaxBodyBytes = 32 << 20;
// Repetitions come soon after one another, or long after: the provider
// repeats what it had no answer to within hours.
constexpr size_t kMaxRecent = 1024;

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

}  // namespace

Chains::Chains(std::shared_ptr<Work> work, int partition, std::string lease)
    : work_(std::move(work)),
      partition_(partition),
      lease_(std::move(lease)),
      stream_(work_->redis, partition) {}

Chains::~Chains() = default;

void Chains::Add(StreamPage page, bool again) {
  if (stopped_) return;
  if (!page.gone.empty()) {
    work_->metrics.trimmed->Add(page.gone.size());
    base::LogError("pending events are gone from the stream",
                   {{"partition", partition_}, {"entries", page.gone.size()}});
    for (std::string& id : page.gone) Acknowledge(std::move(id));
  }
  for (StreamEvent& event : page.events) {
    if (!held_.insert(event.id).second) continue;
    if (again) work_->metrics.redeliveries->Add();
    const uint64_t applicant = ApplicantKey(event.body);
    Push(applicant, std::move(event));
  }
}

void Chains::Push(uint64_t applicant, StreamEvent event) {
  const auto [found, is_new] = chains_.try_emplace(applicant);
  Chain& chain = found->second;
  Entry entry{.body_hash = std::hash<std::string>()(event.body)};
  entry.event = std::move(event);
  ++work_->held;
  if (chain.stuck) ++work_->stuck;
  work_->bytes += entry.event.body.size();
  if (work_->bytes > kMaxBodyBytes) DropBody(entry);
  chain.entries.push_back(std::move(entry));
  if (is_new) work_->loop.Spawn(Run(shared_from_this(), applicant));
}

void Chains::Pop(Chain& chain) {
  const bool was_full = !work_->HasRoom();
  DropBody(chain.entries.front());
  chain.entries.pop_front();
  --work_->held;
  if (was_full && work_->HasRoom()) work_->changed.Notify();
}

void Chains::SetStuck(Chain& chain, bool stuck) {
  chain.stuck = stuck;
  if (stuck) {
    work_->stuck += chain.entries.size();
    work_->changed.Notify();
  } else {
    work_->stuck -= chain.entries.size();
  }
}

void Chains::DropBody(Entry& entry) {
  if (!entry.has_body) return;
  work_->bytes -= entry.event.body.size();
  entry.event.body = std::string();
  entry.has_body = false;
}

bool Chains::IsRepetition(uint64_t body_hash) {
  if (!recent_.insert(body_hash).second) return true;
  recent_order_.push_back(body_hash);
  if (recent_order_.size() > kMaxRecent) {
    recent_.erase(recent_order_.front());
    recent_order_.pop_front();
  }
  return false;
}

// One chain, from its first entry to its last.
async::Task<void> Chains::Run(std::shared_ptr<Chains>, uint64_t applicant) {
  Backoff backoff(work_->options.retry_base, work_->options.retry_cap);
  Chain& chain = chains_.at(applicant);
  while (!stopped_ && !chain.entries.empty()) {
    if (co_await Try(chain.entries.front()) == Outcome::kDone) {
      Pop(chain);
      backoff.Reset();
      continue;
    }
    if (stopped_) break;
    DropBody(chain.entries.front());
    SetStuck(chain, true);
    co_await async::Sleep(backoff.Next());
    SetStuck(chain, false);
  }
  while (!chain.entries.empty()) Pop(chain);
  chains_.erase(applicant);
}

async::Task<Chains::Outcome> Chains::Try(Entry& entry) {
  const async::Slots::Slot slot = co_await work_->slots.Take();
  if (!co_await KycReady()) co_return Outcome::kAgain;
  struct Applying {
    explicit Applying(Chains* chains) : chains(chains) { ++chains->applying_; }
    ~Applying() {
      --chains->applying_;
      if (chains->stopped_) chains->work_->changed.Notify();
    }
    Chains* const chains;
  } applying(this);

  if (!entry.has_body) {
    std::vector<std::string> ids = {entry.event.id};
    // Redis starts the entry's idle time anew, so that it counts as cared for.
    auto fetched = co_await stream_.Claim(work_->options.name, std::move(ids));
    if (!fetched.ok()) co_return Outcome::kAgain;
    if (fetched->empty()) {
      work_->metrics.trimmed->Add();
      base::LogError("a pending event is gone from the stream",
                     {{"event_id", EventId(partition_, entry.event.id)}});
      Acknowledge(entry.event.id);
      co_return Outcome::kDone;
    }
    entry.event = std::move(fetched->front());
    entry.has_body = true;
    work_->bytes += entry.event.body.size();
  }
  if (entry.tried) work_->metrics.redeliveries->Add();

  const std::string event_id = EventId(partition_, entry.event.id);
  const async::CallContext context{
      .trace = base::TraceContext::Continue(entry.event.traceparent),
      .deadline = steady_clock::now() + work_->options.apply_timeout};
  const absl::StatusOr<std::string_view> effect = co_await work_->applier.Apply(
      context, entry.event, event_id, /*alone=*/entry.tried);
  entry.tried = true;
  if (effect.ok()) {
    const bool repeated = IsRepetition(entry.body_hash);
    const std::string_view name =
        repeated && *effect == "stale" ? "duplicate" : *effect;
    work_->metrics.done.at(name)->Add();
    base::LogInfo("webhook applied", {{"event_id", event_id}, {"effect", name}},
                  &context.trace);
    Acknowledge(entry.event.id);
    co_return Outcome::kDone;
  }
  const absl::StatusCode code = effect.status().code();
  const std::string reason = absl::StatusCodeToString(code);
  if (!IsTransient(code)) {
    ++entry.failures;
  } else if (work_->applier.connected()) {
    ++entry.unsettled;
  }
  base::LogWarning(
      "webhook not applied",
      {{"event_id", event_id}, {"code", reason}, {"failures", entry.failures}},
      &context.trace);
  if (!GivenUp(entry)) co_return Outcome::kAgain;
  co_return co_await Bury(entry, reason, context.trace);
}

// Waits for KycService's channel; false when stopped. Asking before each
// attempt keeps an outage from using attempts up.
async::Task<bool> Chains::KycReady() {
  Backoff pause(milliseconds(50), milliseconds(1000));
  while (!stopped_) {
    if (work_->applier.connected()) co_return true;
    co_await async::Sleep(pause.Next());
  }
  co_return false;
}

// One that only ever fails for reasons that may pass is given time; but not
// for ever, for it holds back its applicant and the trimming of the stream.
bool Chains::GivenUp(const Entry& entry) const {
  const int most = work_->options.max_attempts;
  if (entry.failures >= most) return true;
  const milliseconds age(work_->clock.NowMs() - StreamIdMs(entry.event.id));
  return entry.unsettled >= most && age > work_->options.max_event_age;
}

async::Task<Chains::Outcome> Chains::Bury(Entry& entry, std::string reason,
                                          base::TraceContext trace) {
  Backoff backoff(milliseconds(100), milliseconds(5000));
  const int attempts = entry.failures + entry.unsettled;
  while (!stopped_) {
    const absl::StatusOr<bool> buried = co_await stream_.Bury(
        entry.event, reason, attempts, work_->clock.NowMs(), lease_);
    if (buried.ok()) {
      held_.erase(entry.event.id);
      if (!*buried) co_return Outcome::kDone;  // Others have taken care.
      work_->metrics.done.at("dead")->Add();
      base::LogError("webhook given up",
                     {{"event_id", EventId(partition_, entry.event.id)},
                      {"code", reason},
                      {"attempts", attempts}},
                     &trace);
      co_return Outcome::kDone;
    }
    base::LogWarning("giving an event up failed",
                     {{"error", View(buried.status().message())}}, &trace);
    co_await async::Sleep(backoff.Next());
  }
  co_return Outcome::kAgain;
}

void Chains::Acknowledge(std::string id) {
  done_.push_back(std::move(id));
  if (acknowledging_) return;
  acknowledging_ = true;
  work_->loop.Spawn(FlushAcknowledgements(shared_from_this()));
}

// What is done while one command is on its way leaves with the next. When
// stopped, one attempt is enough: the entry stays pending and is applied
// again, without a second effect.
async::Task<void> Chains::FlushAcknowledgements(std::shared_ptr<Chains>) {
  Backoff backoff(milliseconds(100), milliseconds(5000));
  while (!done_.empty()) {
    std::vector<std::string> ids = std::exchange(done_, {});
    const absl::Status status = co_await stream_.Acknowledge(ids);
    if (status.ok()) {
      for (const std::string& id : ids) held_.erase(id);
      continue;
    }
    if (stopped_) break;
    base::LogWarning(
        "acknowledging events failed",
        {{"partition", partition_}, {"error", View(status.message())}});
    done_.insert(done_.begin(), std::make_move_iterator(ids.begin()),
                 std::make_move_iterator(ids.end()));
    co_await async::Sleep(backoff.Next());
  }
  acknowledging_ = false;
  work_->changed.Notify();
}

}  // namespace kyc::webhook
