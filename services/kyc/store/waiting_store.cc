#include "services/kyc/store/waiting_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "services/base/status_macros.h"
#include "services/kyc/store/record_store.h"

namespace kyc::store {
namespace {

using async::RedisReply;
using async::Task;

// KEYS: waiting. ARGV: now, until, how many.
const async::RedisScript& TakeScript() {
  static const auto* const script = new async::RedisScript(R"lua(
local users = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1],
                         'LIMIT', 0, ARGV[3])
for _, user in ipairs(users) do
  redis.call('ZADD', KEYS[1], ARGV[2], user)
end
return users
)lua");
  return *script;
}

// KEYS: waiting. ARGV: user, until, next or nothing.
const async::RedisScript& GiveBackScript() {
  static const auto* const script = new async::RedisScript(R"lua(
local score = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not score or tonumber(score) ~= tonumber(ARGV[2]) then return 0 end
if ARGV[3] then return redis.call('ZADD', KEYS[1], ARGV[3], ARGV[1]) end
return redis.call('ZREM', KEYS[1], ARGV[1])
)lua");
  return *script;
}

}  // namespace

Task<absl::StatusOr<WaitingStore::Overview>> WaitingStore::Look(
    int64_t now_ms) {
  async::RedisBatch batch;
  const std::string now = std::to_string(now_ms);
  for (int bucket = 0; bucket < kBucketCount; ++bucket) {
    const std::string key = WaitingKey(bucket);
    batch.Add({"ZCOUNT", key, "-inf", now});
    batch.Add({"ZRANGE", key, "0", "0", "WITHSCORES"});
  }
  const auto replies = co_await redis_.CommandMany(std::move(batch));
  Overview overview;
  for (int bucket = 0; bucket < kBucketCount; ++bucket) {
    const auto& due = replies[2 * bucket];
    const auto& first = replies[2 * bucket + 1];
    CO_RETURN_IF_ERROR(due.status());
    CO_RETURN_IF_ERROR(first.status());
    if (due->integer > 0) overview.due_buckets.push_back(bucket);
    overview.due += due->integer;
    double score = 0;
    if (first->elements.size() == 2 &&
        absl::SimpleAtod(first->elements[1].text, &score)) {
      const auto first_ms = static_cast<int64_t>(score);
      overview.first_ms =
          std::min(overview.first_ms.value_or(first_ms), first_ms);
    }
  }
  co_return overview;
}

Task<absl::StatusOr<std::vector<std::string>>> WaitingStore::Take(
    int bucket, int64_t now_ms, int64_t until_ms, int count) {
  std::vector<std::string> keys = {WaitingKey(bucket)};
  std::vector<std::string> arguments = {
      std::to_string(now_ms), std::to_string(until_ms), std::to_string(count)};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Eval(TakeScript(), std::move(keys),
                                           std::move(arguments)));
  std::vector<std::string> users;
  for (const RedisReply& user : reply.elements) users.push_back(user.text);
  co_return users;
}

Task<absl::Status> WaitingStore::GiveBack(std::string user_id, int64_t until_ms,
                                          std::optional<int64_t> next_ms) {
  std::vector<std::string> keys = {WaitingKey(BucketOf(user_id))};
  std::vector<std::string> arguments = {std::move(user_id),
                                        std::to_string(until_ms)};
  if (next_ms) arguments.push_back(std::to_string(*next_ms));
  const absl::StatusOr<RedisReply> reply = co_await redis_.Eval(
      GiveBackScript(), std::move(keys), std::move(arguments));
  co_return reply.status();
}

}  // namespace kyc::store
