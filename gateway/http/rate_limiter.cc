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
                         size_t max_keys, Fields fields)
    : policy_(policy),
      policy_field_(
          absl::StrCat("\"", ToAbsl(policy), "\";q=", per_minute, ";w=60")),
      fields_(fields),
      per_minute_(per_minute),
      interval_(per_minute > 0 ? kMinute / per_minute : nanoseconds(0)),
      max_young_(std::max<size_t>(1, max_keys / (2 * kShards))) {}

RateLimiter::Level RateLimiter::TakeFrom(Shard& shard, std::string_view key,
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
  if (full_at - now > kMinute) return {false, entry->second - now};
  entry->second = full_at;
  return {true, full_at - now};
}

void RateLimiter::WriteFields(int64_t left, std::chrono::seconds reset,
                              async::ServerResponse* response) const {
  if (fields_ == Fields::kStandard) {
    response->headers.emplace_back("RateLimit-Policy", policy_field_);
    response->headers.emplace_back(
        "RateLimit", absl::StrCat("\"", ToAbsl(policy_), "\";r=", left,
                                  ";t=", reset.count()));
    return;
  }
  const auto at = std::chrono::ceil<std::chrono::seconds>(
      std::chrono::system_clock::now() + reset);
  response->headers.emplace_back("X-RateLimit-Limit",
                                 std::to_string(per_minute_));
  response->headers.emplace_back("X-RateLimit-Remaining", std::to_string(left));
  response->headers.emplace_back("X-RateLimit-Reset",
                                 std::to_string(at.time_since_epoch().count()));
}

absl::Status RateLimiter::Take(std::string_view key, TimePoint now, Tell tell,
                               async::ServerResponse* response) {
  if (per_minute_ == 0) return absl::OkStatus();
  const size_t hash = absl::Hash<absl::string_view>()(ToAbsl(key));
  // The maps use the low bits of the same hash.
  Shard& shard = shards_[(hash >> 40) % kShards];
  const Level level = TakeFrom(shard, key, now);
  if (level.taken && tell == Tell::kRefused) return absl::OkStatus();
  const int64_t left = (kMinute - level.until_full) / interval_;
  const nanoseconds until_next = level.until_full + interval_ - kMinute;
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(
      left == 0 ? until_next : level.until_full);
  WriteFields(left, seconds, response);
  if (level.taken) return absl::OkStatus();
  base::ErrorExtras extras;
  extras.retry_after = seconds;
  return base::Error(v1::ERROR_REASON_RATE_LIMITED, {}, std::move(extras));
}

}  // namespace kyc::gateway
