#include "services/kyc/provider/limits.h"

#include <algorithm>
#include <unordered_set>

#include "services/base/metrics.h"

namespace kyc::provider {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::seconds kWindow{10};
constexpr std::chrono::seconds kProbeInterval{5};
constexpr size_t kLeastCalls = 20;
constexpr size_t kLeastUsers = 5;

}  // namespace

CircuitBreaker::Admission CircuitBreaker::Admit(SteadyTime now) {
  base::MutexLock lock(&mutex_);
  if (!open_) return Admission::kCall;
  if (now < next_probe_) return Admission::kRefused;
  next_probe_ = now + kProbeInterval;
  return Admission::kProbe;
}

void CircuitBreaker::Record(SteadyTime now, Admission admission, bool success,
                            uint64_t name_hash, NamedBy named_by) {
  base::MutexLock lock(&mutex_);
  if (open_) {
    if (admission != Admission::kProbe) return;
    next_probe_ = now + kProbeInterval;
    if (success) SetOpen(false);
    return;
  }
  calls_.push_back({now, success, name_hash, named_by});
  while (now - calls_.front().at > kWindow) calls_.pop_front();
  if (!success && ShouldOpen()) {
    SetOpen(true);
    calls_.clear();
    next_probe_ = now + kProbeInterval;
  }
}

bool CircuitBreaker::ShouldOpen() const {
  if (calls_.size() < kLeastCalls) return false;
  size_t failures = 0;
  std::unordered_set<uint64_t> user_ids;
  std::unordered_set<uint64_t> applicant_ids;
  for (const Call& call : calls_) {
    if (call.success) continue;
    ++failures;
    (call.named_by == NamedBy::kUserId ? user_ids : applicant_ids)
        .insert(call.name_hash);
  }
  return failures * 2 >= calls_.size() &&
         std::max(user_ids.size(), applicant_ids.size()) >= kLeastUsers;
}

void CircuitBreaker::SetOpen(bool open) {
  static base::Gauge* const gauge = base::GetGauge(
      "kyc_provider_breaker_open",
      "1 while calls to the provider are refused after its failures.");
  open_ = open;
  gauge->Set(open ? 1 : 0);
}

bool CircuitBreaker::open() const {
  base::MutexLock lock(&mutex_);
  return open_;
}

TokenBucket::TokenBucket(int burst, milliseconds window)
    : burst_(burst), window_(window) {}

std::optional<milliseconds> TokenBucket::Take(SteadyTime now,
                                              milliseconds max_wait) {
  base::MutexLock lock(&mutex_);
  SteadyTime at = std::max(now, paused_until_);
  if (taken_.size() == burst_) at = std::max(at, taken_.front() + window_);
  const milliseconds wait = std::chrono::ceil<milliseconds>(at - now);
  if (wait > std::max(max_wait, milliseconds(0))) return std::nullopt;
  if (taken_.size() == burst_) taken_.pop_front();
  // Loops read the clock before they get the lock, so `now` may step back.
  taken_.push_back(taken_.empty() ? at : std::max(at, taken_.back()));
  return wait;
}

void TokenBucket::PauseUntil(SteadyTime until) {
  base::MutexLock lock(&mutex_);
  paused_until_ = std::max(paused_until_, until);
}

bool Limits::Enter() {
  base::MutexLock lock(&mutex_);
  if (in_flight_ >= max_concurrency) return false;
  ++in_flight_;
  return true;
}

void Limits::Leave() {
  base::MutexLock lock(&mutex_);
  --in_flight_;
}

}  // namespace kyc::provider
