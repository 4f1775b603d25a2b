#include "services/webhook/lease.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/base/status_macros.h"

namespace kyc::webhook {
namespace {

using async::RedisReply;
using async::Task;
using std::chrono::steady_clock;

// KEYS: members, parts. ARGV: this member, ttl in ms, number of parts.
// Answers the fair share, then the parts held. The clock is Redis's, so that
// members need not agree on the time.
const async::RedisScript& HeartbeatScript() {
  static const auto* const script = new async::RedisScript(R"lua(
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('HLEN', KEYS[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
local count = tonumber(ARGV[3])
local share = math.ceil(count / redis.call('ZCARD', KEYS[1]))
local answer = {share}
local free = {}
for part = 0, count - 1 do
  local holder = redis.call('HGET', KEYS[2], part)
  if holder == ARGV[1] then
    answer[#answer + 1] = part
  elseif not holder or not redis.call('ZSCORE', KEYS[1], holder) then
    free[#free + 1] = part
  end
end
for _, part in ipairs(free) do
  if #answer > share then break end
  redis.call('HSET', KEYS[2], part, ARGV[1])
  answer[#answer + 1] = part
end
return answer
)lua");
  return *script;
}

// KEYS: members, parts. ARGV: this member, "1" to leave, then parts; with
// leaving all that are held are meant.
const async::RedisScript& ReleaseScript() {
  static const auto* const script = new async::RedisScript(R"lua(
local parts = {unpack(ARGV, 3)}
if ARGV[2] == '1' then
  parts = redis.call('HKEYS', KEYS[2])
  redis.call('ZREM', KEYS[1], ARGV[1])
end
for _, part in ipairs(parts) do
  if redis.call('HGET', KEYS[2], part) == ARGV[1] then
    redis.call('HDEL', KEYS[2], part)
  end
end
return 1
)lua");
  return *script;
}

}  // namespace

Task<absl::Status> Leases::Heartbeat() {
  const auto sent = steady_clock::now();
  std::vector<std::string> keys = {options_.job + ":members",
                                   options_.job + ":parts"};
  std::vector<std::string> arguments = {options_.member,
                                        absl::StrCat(options_.ttl.count()),
                                        absl::StrCat(options_.parts)};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Eval(HeartbeatScript(), std::move(keys),
                                           std::move(arguments)));
  if (reply.elements.empty()) co_return absl::InternalError("lease: no answer");
  share_ = static_cast<int>(reply.elements[0].integer);
  held_.clear();
  for (size_t i = 1; i < reply.elements.size(); ++i) {
    held_.push_back(static_cast<int>(reply.elements[i].integer));
  }
  std::sort(held_.begin(), held_.end());
  // Counted from before the command was sent and with a margin, for clocks
  // differ: over here before it is over in Redis.
  until_ = sent + options_.ttl * 9 / 10;
  co_return absl::OkStatus();
}

bool Leases::Holds(int part) const {
  return steady_clock::now() < until_ &&
         std::binary_search(held_.begin(), held_.end(), part);
}

std::vector<int> Leases::Held() const {
  return steady_clock::now() < until_ ? held_ : std::vector<int>();
}

std::vector<int> Leases::Surplus() const {
  const std::vector<int> held = Held();
  if (static_cast<int>(held.size()) <= share_) return {};
  return {held.begin() + share_, held.end()};
}

Task<absl::Status> Leases::Release(std::vector<int> parts) {
  if (parts.empty()) co_return absl::OkStatus();
  std::erase_if(held_, [&](int part) {
    return std::find(parts.begin(), parts.end(), part) != parts.end();
  });
  std::vector<std::string> keys = {options_.job + ":members",
                                   options_.job + ":parts"};
  std::vector<std::string> arguments = {options_.member, "0"};
  for (const int part : parts) arguments.push_back(absl::StrCat(part));
  const auto reply = co_await redis_.Eval(ReleaseScript(), std::move(keys),
                                          std::move(arguments));
  co_return reply.status();
}

Task<absl::Status> Leases::Leave() {
  held_.clear();
  until_ = {};
  std::vector<std::string> keys = {options_.job + ":members",
                                   options_.job + ":parts"};
  std::vector<std::string> arguments = {options_.member, "1"};
  const auto reply = co_await redis_.Eval(ReleaseScript(), std::move(keys),
                                          std::move(arguments));
  co_return reply.status();
}

}  // namespace kyc::webhook
