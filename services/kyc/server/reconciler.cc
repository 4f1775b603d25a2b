#include "services/kyc/server/reconciler.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "services/base/log.h"
#include "services/base/metrics.h"
#include "services/base/status_macros.h"
#include "services/kyc/domain/reconciliation.h"

namespace kyc::server {
namespace {

using async::Task;
using std::chrono::milliseconds;

// How long a user is this process's; longer than any question takes.
constexpr int64_t kTakenMs = 60'000;
// Users taken at a time: those whom a process that dies leaves for a minute.
constexpr int kTakeAtMost = 4;
// The shortest time between two rounds.
constexpr milliseconds kShortestPause{500};
// After so many failures in a row the rest of a round is left.
constexpr int kMostFailures = 5;

base::Counter* Asked(const char* result) {
  return base::GetCounter(
      "kyc_reconcile_asked_total",
      "Questions to the provider about records that no event settled.",
      {{"result", result}});
}

}  // namespace

Reconciler::Reconciler(VerificationEngine& engine, store::WaitingStore& waiting,
                       const base::Clock& clock, Options options)
    : engine_(engine),
      waiting_(waiting),
      clock_(clock),
      options_(options),
      random_(std::random_device()()) {}

double Reconciler::Between(double least, double most) {
  return std::uniform_real_distribution<double>(least, most)(random_);
}

Task<void> Reconciler::Run() {
  for (;;) {
    look_soon_ = false;
    const absl::StatusOr<std::optional<int64_t>> next = co_await Sweep();
    milliseconds pause = std::chrono::duration_cast<milliseconds>(
        options_.interval * Between(0.5, 1));
    if (!next.ok()) {
      base::LogWarning(
          "records to be reconciled cannot be read",
          {{"code", absl::StatusCodeToString(next.status().code())}});
    } else if (*next) {
      pause = std::min(pause, milliseconds(**next - clock_.NowMs()));
    }
    if (look_soon_) pause = kShortestPause;
    co_await wake_.Wait(std::max(pause, kShortestPause));
  }
}

Task<absl::StatusOr<store::WaitingStore::Overview>> Reconciler::Look() {
  static base::Gauge* const due = base::GetGauge(
      "kyc_reconcile_due",
      "Users whom the provider should have been asked about by now.");
  static base::Gauge* const oldest =
      base::GetGauge("kyc_reconcile_oldest_due_seconds",
                     "How long the first of them has been due.");
  const int64_t now_ms = clock_.NowMs();
  CO_ASSIGN_OR_RETURN(store::WaitingStore::Overview overview,
                      co_await waiting_.Look(now_ms));
  due->Set(overview.due);
  oldest->Set(
      std::max<int64_t>(0, now_ms - overview.first_ms.value_or(now_ms)) / 1000);
  co_return overview;
}

Task<absl::StatusOr<std::optional<int64_t>>> Reconciler::Sweep() {
  CO_ASSIGN_OR_RETURN(store::WaitingStore::Overview overview, co_await Look());
  // Each process begins elsewhere.
  std::shuffle(overview.due_buckets.begin(), overview.due_buckets.end(),
               random_);
  failures_ = 0;
  absl::Status status;
  for (const int bucket : overview.due_buckets) {
    while (status.ok() && failures_ < kMostFailures) {
      const int64_t now_ms = clock_.NowMs();
      absl::StatusOr<std::vector<std::string>> users = co_await waiting_.Take(
          bucket, now_ms, now_ms + kTakenMs, kTakeAtMost);
      status = users.status();
      if (!status.ok() || users->empty()) break;
      for (std::string& user_id : *users) {
        co_await Turn();
        ++in_flight_;
        async::Loop::Current()->Spawn(
            Ask(std::move(user_id), now_ms + kTakenMs));
      }
    }
  }
  while (in_flight_ > 0) co_await asked_.Wait(std::chrono::minutes(1));
  CO_RETURN_IF_ERROR(status);
  if (!overview.due_buckets.empty()) {
    CO_ASSIGN_OR_RETURN(overview, co_await Look());
  }
  co_return overview.first_ms;
}

Task<void> Reconciler::Turn() {
  co_await async::Sleep(std::chrono::duration_cast<milliseconds>(
      std::chrono::duration<double>(Between(0.5, 1.5) / options_.per_second)));
  while (in_flight_ >= options_.at_once) {
    co_await asked_.Wait(std::chrono::minutes(1));
  }
}

Task<void> Reconciler::Ask(std::string user_id, int64_t until_ms) {
  static base::Counter* const settled = Asked("settled");
  static base::Counter* const waiting = Asked("waiting");
  static base::Counter* const failed = Asked("failed");
  async::CallContext context;
  context.trace = base::TraceContext::Start();
  const absl::StatusOr<VerificationEngine::Reconciled> result =
      co_await engine_.Reconcile(context, user_id);
  if (result.ok()) {
    const bool waits = domain::AwaitsReconciliation(result->record);
    if (!result->asked.ok()) {
      failed->Add();
      ++failures_;
    } else {
      (waits ? waiting : settled)->Add();
      failures_ = 0;
    }
    std::optional<int64_t> next_ms;
    if (waits) {
      // Those who became due together do not stay together.
      const int64_t now_ms = clock_.NowMs();
      const int64_t exact =
          domain::NextQuestionMs(result->record, options_.after, now_ms);
      next_ms =
          now_ms + static_cast<int64_t>(static_cast<double>(exact - now_ms) *
                                        Between(1, 1.2));
    }
    // Where that fails they are due again when they are nobody's any more.
    (co_await waiting_.GiveBack(std::move(user_id), until_ms, next_ms))
        .IgnoreError();
  }
  --in_flight_;
  asked_.Notify();
}

}  // namespace kyc::server
