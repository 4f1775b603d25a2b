#include "services/webhook/consumer.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/task.h"
#include "services/base/log.h"
#include "services/base/status_macros.h"
#include "services/webhook/backoff.h"
#include "services/webhook/chains.h"
#include "services/webhook/event_stream.h"
#include "services/webhook/ownership.h"
#include "services/webhook/work.h"

namespace kyc::webhook {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

// Entries of one partition in one read.
constexpr int kPage = 64;

std::string_view View(absl::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

// Coroutines on the loop hold the Impl (Go); everything but the atomics
// belongs to the loop.
class Consumer::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(async::Loop& loop, const async::RedisOptions& redis,
       std::shared_ptr<grpc::Channel> kyc, ConsumerOptions options,
       const base::Clock& clock)
      : work_(std::make_shared<Work>(loop, redis, std::move(kyc),
                                     std::move(options), clock)),
        options_(work_->options),
        reader_(loop, redis),
        ownership_(work_->redis, {.process = options_.name,
                                  .partitions = options_.partitions,
                                  .lease_time = options_.lease_time}) {}

  void Start() {
    Go(OwnForever());
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
  bool kyc_ok() const { return work_->applier.connected(); }

 private:
  // One that is owned.
  struct Partition {
    Partition(int index, std::shared_ptr<Chains> chains)
        : index(index), chains(std::move(chains)) {}

    const int index;
    const std::shared_ptr<Chains> chains;
    bool ready = false;       // What was pending is known: new ones may come.
    bool recovering = false;  // That is being found out.
    bool reading = false;     // A read that is under way may bring more.
    std::optional<int64_t> lag;
  };
  using PartitionPtr = std::shared_ptr<Partition>;

  void Go(async::Task<void> work) {
    work_->loop.Spawn(Hold(shared_from_this(), std::move(work)));
  }
  static async::Task<void> Hold(std::shared_ptr<Impl>, async::Task<void> work) {
    co_await std::move(work);
  }

  async::Task<void> OwnForever();
  void Begin(int index);
  void Lose(int index);
  void GiveUp(int count);
  async::Task<void> Release(PartitionPtr partition);

  void RecoverAll();
  void StartToRecover(PartitionPtr partition);
  async::Task<void> Recover(PartitionPtr partition);
  async::Task<absl::Status> RecoverOnce(Partition& partition);

  async::Task<void> ReadForever();
  async::Task<absl::Status> ReadOnce(std::vector<PartitionPtr> partitions);
  async::Task<void> ClaimForever();
  async::Task<absl::Status> ClaimStrays(Partition& partition);
  async::Task<void> SampleForever();
  async::Task<void> Sample(bool trim);
  async::Task<void> PingForever();
  async::Task<void> SignalWhenIdle(std::promise<void> idle);

  // Those that may be worked on.
  std::vector<PartitionPtr> Ready() const;
  async::Task<bool> KycReady();

  const std::shared_ptr<Work> work_;
  const ConsumerOptions& options_;
  async::Redis reader_;  // Blocks in XREADGROUP.
  Ownership ownership_;
  std::map<int, PartitionPtr> partitions_;
  async::Event stop_;      // Wakes OwnForever.
  bool released_ = false;  // It has ended.
  std::atomic<bool> stopping_{false};
  std::atomic<bool> redis_ok_{false};
};

// Ownership.

async::Task<void> Consumer::Impl::OwnForever() {
  bool complained = false;
  while (!stopping_ || !partitions_.empty()) {
    const Ownership::Round round = co_await ownership_.Next(!stopping_);
    for (const int index : round.lost) Lose(index);
    for (const int index : round.taken) Begin(index);
    if (!round.taken.empty() || !round.lost.empty()) {
      base::Log(
          round.lost.empty() ? base::LogLevel::kInfo : base::LogLevel::kWarning,
          "partitions",
          {{"owned", ownership_.owned()},
           {"taken", round.taken.size()},
           {"lost", round.lost.size()}});
    }
    if (!round.status.ok() && !std::exchange(complained, true)) {
      base::LogWarning("renewing the leases failed",
                       {{"error", View(round.status.message())}});
    } else if (round.status.ok()) {
      complained = false;
    }
    GiveUp(stopping_ ? static_cast<int>(partitions_.size()) : round.surplus);
    work_->metrics.owned->Set(ownership_.owned());
    milliseconds pause = options_.lease_time / 15;
    if (stopping_ || !round.lost.empty()) {
      pause = std::min(pause, milliseconds(100));
    }
    co_await stop_.Wait(pause);
  }
  work_->metrics.owned->Set(0);
  // No longer counted among the processes that share the partitions.
  co_await ownership_.Next(/*take=*/false);
  released_ = true;
  work_->changed.Notify();
}

void Consumer::Impl::Begin(int index) {
  const auto partition = std::make_shared<Partition>(
      index, std::make_shared<Chains>(work_, index, ownership_.LeaseOf(index)));
  partitions_[index] = partition;
  StartToRecover(partition);
}

void Consumer::Impl::Lose(int index) {
  const auto found = partitions_.find(index);
  if (found == partitions_.end()) return;
  found->second->chains->Stop();
  partitions_.erase(found);
}

// Lets go of `count` partitions, those that are being let go of included.
void Consumer::Impl::GiveUp(int count) {
  for (const auto& [index, partition] : partitions_) {
    if (partition->chains->stopped()) --count;
  }
  for (const auto& [index, partition] : partitions_) {
    if (count <= 0) return;
    if (partition->chains->stopped()) continue;
    --count;
    partition->chains->Stop();
    Go(Release(partition));
  }
}

// When what is in flight has come to its end.
async::Task<void> Consumer::Impl::Release(PartitionPtr partition) {
  while (partition->reading || !partition->chains->idle()) {
    co_await work_->changed.Wait(milliseconds(100));
  }
  const auto found = partitions_.find(partition->index);
  if (found == partitions_.end() || found->second != partition) co_return;
  co_await ownership_.Release(partition->index);
  // Looked up again: it may have been lost meanwhile.
  const auto present = partitions_.find(partition->index);
  if (present != partitions_.end() && present->second == partition) {
    partitions_.erase(present);
  }
  work_->changed.Notify();
}

// Reading.

void Consumer::Impl::RecoverAll() {
  for (const auto& [index, partition] : partitions_) StartToRecover(partition);
}

void Consumer::Impl::StartToRecover(PartitionPtr partition) {
  partition->ready = false;
  if (std::exchange(partition->recovering, true)) return;
  Go(Recover(partition));
}

// Takes up what is pending in the partition, whoever's it was: after a
// takeover what an earlier owner was doing, after an error what was delivered
// in a reply that never came.
async::Task<void> Consumer::Impl::Recover(PartitionPtr partition) {
  Backoff backoff(milliseconds(100), milliseconds(5000));
  while (!partition->chains->stopped()) {
    const absl::Status status = co_await RecoverOnce(*partition);
    if (status.ok()) {
      partition->ready = true;
      break;
    }
    base::LogWarning(
        "taking up a partition failed",
        {{"partition", partition->index}, {"error", View(status.message())}});
    co_await async::Sleep(backoff.Next());
  }
  partition->recovering = false;
  work_->changed.Notify();
}

async::Task<absl::Status> Consumer::Impl::RecoverOnce(Partition& partition) {
  EventStream stream(work_->redis, partition.index);
  CO_RETURN_IF_ERROR(co_await stream.EnsureGroup());
  std::string cursor = "0-0";
  do {
    while (!work_->HasRoom() && !partition.chains->stopped()) {
      co_await work_->changed.Wait(seconds(1));
    }
    if (partition.chains->stopped()) break;
    CO_ASSIGN_OR_RETURN(ClaimedPage claimed,
                        co_await stream.ClaimAll(options_.name, cursor, kPage));
    cursor = std::move(claimed.next_cursor);
    partition.chains->Add(std::move(claimed.page), /*again=*/true);
  } while (cursor != "0-0");
  co_return absl::OkStatus();
}

auto Consumer::Impl::Ready() const -> std::vector<PartitionPtr> {
  std::vector<PartitionPtr> ready;
  for (const auto& [index, partition] : partitions_) {
    if (partition->ready && !partition->chains->stopped() &&
        ownership_.Owns(index)) {
      ready.push_back(partition);
    }
  }
  return ready;
}

async::Task<void> Consumer::Impl::ReadForever() {
  Backoff backoff(milliseconds(100), milliseconds(5000));
  while (!stopping_) {
    if (!co_await KycReady()) break;
    std::vector<PartitionPtr> partitions = Ready();
    if (partitions.empty() || !work_->HasRoom()) {
      co_await work_->changed.Wait(seconds(1));
      continue;
    }
    const absl::Status status = co_await ReadOnce(std::move(partitions));
    if (status.ok()) {
      backoff.Reset();
      continue;
    }
    base::LogWarning("reading the event stream failed",
                     {{"error", View(status.message())}});
    co_await async::Sleep(backoff.Next());
    RecoverAll();
  }
}

async::Task<absl::Status> Consumer::Impl::ReadOnce(
    std::vector<PartitionPtr> partitions) {
  std::vector<int> indices;
  for (const PartitionPtr& partition : partitions) {
    partition->reading = true;
    indices.push_back(partition->index);
  }
  auto pages = co_await ReadNew(reader_, options_.name, std::move(indices),
                                kPage, options_.block);
  for (const PartitionPtr& partition : partitions) partition->reading = false;
  CO_RETURN_IF_ERROR(pages.status());
  for (auto& [index, page] : *pages) {
    const auto read = std::find_if(
        partitions.begin(), partitions.end(),
        [index = index](const auto& p) { return p->index == index; });
    if (read == partitions.end()) continue;
    if (!(*read)->chains->stopped()) {
      (*read)->chains->Add(std::move(page), /*again=*/false);
      continue;
    }
    // One that is being given up takes nothing on: its next owner claims it.
    // That may be this process, which looked for such entries before the
    // read was over.
    const auto next = partitions_.find(index);
    if (next != partitions_.end() && next->second != *read) {
      StartToRecover(next->second);
    }
  }
  co_return absl::OkStatus();
}

async::Task<void> Consumer::Impl::ClaimForever() {
  while (!stopping_) {
    co_await async::Sleep(options_.claim_interval);
    if (!co_await KycReady()) break;
    for (const PartitionPtr& partition : Ready()) {
      const absl::Status status = co_await ClaimStrays(*partition);
      if (status.ok()) continue;
      // Without stream or group there is nothing to claim; the reader makes
      // them.
      if (!absl::IsNotFound(status)) {
        base::LogWarning("claiming pending events failed",
                         {{"error", View(status.message())}});
      }
      break;
    }
  }
}

async::Task<absl::Status> Consumer::Impl::ClaimStrays(Partition& partition) {
  EventStream stream(work_->redis, partition.index);
  CO_ASSIGN_OR_RETURN(std::vector<std::string> ids,
                      co_await stream.Idle(options_.claim_min_idle, 1000));
  std::erase_if(
      ids, [&](const std::string& id) { return partition.chains->Holds(id); });
  if (ids.size() > kPage) ids.resize(kPage);
  if (ids.empty() || !work_->HasRoom()) co_return absl::OkStatus();
  const size_t asked = ids.size();
  CO_ASSIGN_OR_RETURN(std::vector<StreamEvent> events,
                      co_await stream.Claim(options_.name, std::move(ids)));
  if (events.size() < asked) work_->metrics.trimmed->Add(asked - events.size());
  StreamPage page;
  page.events = std::move(events);
  partition.chains->Add(std::move(page), /*again=*/true);
  co_return absl::OkStatus();
}

// Waits for KycService's channel; false when stopping.
async::Task<bool> Consumer::Impl::KycReady() {
  Backoff pause(milliseconds(50), milliseconds(1000));
  while (!stopping_) {
    if (work_->applier.connected()) co_return true;
    co_await async::Sleep(pause.Next());
  }
  co_return false;
}

// Watching.

async::Task<void> Consumer::Impl::SampleForever() {
  steady_clock::time_point next_trim =
      steady_clock::now() + options_.trim_interval;
  while (!stopping_) {
    co_await async::Sleep(options_.sample_interval);
    const bool trim = steady_clock::now() >= next_trim;
    if (trim) next_trim = steady_clock::now() + options_.trim_interval;
    co_await Sample(trim);
  }
}

async::Task<void> Consumer::Impl::Sample(bool trim) {
  const int64_t now_ms = work_->clock.NowMs();
  std::optional<int64_t> trim_before_ms;
  if (trim) trim_before_ms = now_ms - options_.retention.count();
  int64_t lag = 0, pending = 0, dead = 0, oldest_ms = now_ms, trimmed = 0;
  for (const PartitionPtr& partition : Ready()) {
    EventStream stream(work_->redis, partition->index);
    const absl::StatusOr<StreamStats> stats =
        co_await stream.Tidy(trim_before_ms);
    if (!stats.ok()) co_return;
    if (stats->lag.has_value()) partition->lag = stats->lag;
    lag += partition->lag.value_or(0);
    pending += stats->pending;
    dead += stats->dead_letters;
    trimmed += stats->trimmed;
    if (!stats->oldest.empty()) {
      oldest_ms = std::min(oldest_ms, StreamIdMs(stats->oldest));
    }
  }
  work_->metrics.lag->Set(lag);
  work_->metrics.pending->Set(pending);
  work_->metrics.dead->Set(dead);
  work_->metrics.oldest->Set((now_ms - oldest_ms) / 1000);
  if (trimmed > 0)
    base::LogInfo("event stream trimmed", {{"entries", trimmed}});
}

async::Task<void> Consumer::Impl::PingForever() {
  while (!stopping_) {
    std::vector<std::string> ping = {"PING"};
    const auto pong = co_await work_->redis.Command(std::move(ping));
    redis_ok_ = pong.ok();
    co_await async::Sleep(seconds(1));
  }
}

async::Task<void> Consumer::Impl::SignalWhenIdle(std::promise<void> idle) {
  GiveUp(static_cast<int>(partitions_.size()));
  stop_.Notify();
  while (!released_) co_await work_->changed.Wait(milliseconds(100));
  idle.set_value();
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
