#include "gateway/http/rate_limiter.h"

#include <algorithm>
#include <utility>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "services/base/error.h"

namespace kyc::gateway {
namespace {

using std::chrono::nanoseconds;

constexpr nanoseconds kMinute = std::chrono::minutes(1);

absl::string_view ToAbsl(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

RateLimiter::RateLimiter(std::string_view policy, int per_minute,
                         size_t max_keys)
    : policy_(policy),
      per_minute_(per_minute),
      interval_(per_minute > 0 ? kMinute / per_minute : nanoseconds(0)),
      max_young_(std::max<size_t>(1, max_keys / (2 * kShards))) {}

// How long until the key may make this request; zero: it has made it.
nanoseconds RateLimiter::TakeFrom(Shard& shard, std::string_view key,
                                  TimePoint now) {
  base::MutexLock lock(&shard.mutex);
  if (now >= shard.turn || shard.young.size() >= max_young_) {
    shard.old = std::exchange(shard.young, {});
    shard.turn = now + kMinute;
  }
  auto entry = shard.young.find(ToAbsl(key));
  if (entry == shard.young.end()) {
    const auto before = shard.old.find(ToAbsl(key));
    const TimePoint full_at = before == shard.old.end() ? now : before->second;
    entry = shard.young.emplace(std::string(key), full_at).first;
  }
  const TimePoint full_at = std::max(entry->second, now) + interval_;
  if (full_at - now > kMinute) return full_at - now - kMinute;
  entry->second = full_at;
  return nanoseconds(0);
}

absl::Status RateLimiter::Take(std::string_view key, TimePoint now,
                               async::ServerResponse* response) {
  if (per_minute_ == 0) return absl::OkStatus();
  const size_t hash = absl::Hash<absl::string_view>()(ToAbsl(key));
  // The maps use the low bits of the same hash.
  Shard& shard = shards_[(hash >> 40) % kShards];
  const nanoseconds wait = TakeFrom(shard, key, now);
  if (wait == nanoseconds(0)) return absl::OkStatus();
  base::ErrorExtras extras;
  extras.retry_after = std::chrono::ceil<std::chrono::seconds>(wait);
  response->headers.emplace_back(
      "RateLimit-Policy",
      absl::StrCat("\"", ToAbsl(policy_), "\";q=", per_minute_, ";w=60"));
  response->headers.emplace_back(
      "RateLimit", absl::StrCat("\"", ToAbsl(policy_),
                                "\";r=0;t=", extras.retry_after->count()));
  return base::Error(v1::ERROR_REASON_RATE_LIMITED, {}, std::move(extras));
}

}  // namespace kyc::gateway
