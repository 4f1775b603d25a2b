// How many requests a minute one caller may make.
#ifndef KYC_GATEWAY_HTTP_RATE_LIMITER_H_
#define KYC_GATEWAY_HTTP_RATE_LIMITER_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "services/async/http_server.h"
#include "services/base/mutex.h"

namespace kyc::gateway {

// One token bucket per key: it holds a minute's requests and fills evenly.
// What is kept per key is the time at which its bucket will be full again.
//
// Bounded: a key not seen for a minute has a full bucket and is forgotten.
// With more than `max_keys` keys a minute the longest unseen are forgotten
// early, which lets them make more requests, not fewer.
//
// Thread-safe, by sharded locks.
class RateLimiter {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Which fields tell of the limit: RateLimit and RateLimit-Policy
  // (draft-ietf-httpapi-ratelimit-headers), or X-RateLimit-Limit, -Remaining
  // and -Reset, the last in seconds since 1970.
  enum class Fields { kStandard, kClassic };

  // `policy` names the limit in the RateLimit header fields; a literal.
  // `per_minute` 0: no limit.
  RateLimiter(std::string_view policy, int per_minute,
              size_t max_keys = 200'000, Fields fields = Fields::kStandard);

  // Which answers carry the fields.
  enum class Tell { kRefused, kAlways };

  // Takes one request off the key's bucket, or returns GEN-429-001 with the
  // time to wait. The fields tell how many requests are left, and when the
  // next may be made (none left) or the bucket will be full again.
  absl::Status Take(std::string_view key, TimePoint now, Tell tell,
                    async::ServerResponse* response);

 private:
  static constexpr size_t kShards = 16;
  using Map = absl::flat_hash_map<std::string, TimePoint>;  // To "full at".
  struct Shard {
    base::Mutex mutex;
    Map young ABSL_GUARDED_BY(mutex);
    Map old ABSL_GUARDED_BY(mutex);
    TimePoint turn ABSL_GUARDED_BY(mutex);  // When young becomes old.
  };

  struct Level {
    bool taken;
    std::chrono::nanoseconds until_full;
  };
  void WriteFields(int64_t left, std::chrono::seconds reset,
                   async::ServerResponse* response) const;
  Level TakeFrom(Shard& shard, std::string_view key, TimePoint now);

  const std::string_view policy_;
  const std::string policy_field_;
  const Fields fields_;
  const int per_minute_;
  const std::chrono::nanoseconds interval_;  // One request's share.
  const size_t max_young_;                   // Of a shard.
  std::array<Shard, kShards> shards_;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_HTTP_RATE_LIMITER_H_
