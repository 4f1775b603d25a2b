#include "services/webhook/event_stream.h"

#include <charconv>
#include <map>

#include "absl/strings/match.h"
#include "services/base/status_macros.h"

namespace kyc::webhook {
namespace {

using async::RedisReply;

// The script looks before it writes: only the partition's owner buries an
// entry, and only one that is still pending; and when XADD fails (OOM) XACK
// has not happened.
const async::RedisScript& BuryScript() {
  static const auto* const script = new async::RedisScript(R"lua(
local group, lease, id = ARGV[1], ARGV[2], ARGV[3]
if redis.call('GET', KEYS[3]) ~= lease or
   #redis.call('XPENDING', KEYS[1], group, id, id, 1) == 0 then
  return 0
end
redis.call('XADD', KEYS[2], '*', 'p', ARGV[4], 'b', ARGV[5], 't', ARGV[6],
           'tp', ARGV[7], 'id', id, 'reason', ARGV[8], 'n', ARGV[9],
           'at', ARGV[10])
redis.call('XACK', KEYS[1], group, id)
return 1
)lua");
  return *script;
}

// Nothing is delivered or acknowledged while the script looks, so the floor is
// exact: below it everything is delivered and acknowledged.
const async::RedisScript& TidyScript() {
  static const auto* const script = new async::RedisScript(R"lua(
local group, before = ARGV[1], ARGV[2]
local lag, delivered = -1, '0-0'
for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local fields = {}
  for i = 1, #info, 2 do fields[info[i]] = info[i + 1] end
  if fields['name'] == group then
    delivered = fields['last-delivered-id']
    lag = fields['lag'] or -1
  end
end
local pending = redis.call('XPENDING', KEYS[1], group)
local oldest = pending[2] or ''
if oldest == '' and lag ~= 0 then
  local waiting = redis.call('XRANGE', KEYS[1], '(' .. delivered, '+',
                             'COUNT', 1)
  if waiting[1] then oldest = waiting[1][1] end
end
local trimmed = 0
if before ~= '' then
  local function parts(id)
    local ms, n = string.match(id, '^(%d+)%-?(%d*)$')
    return tonumber(ms), tonumber(n) or 0
  end
  local function lower(a, b)
    local a_ms, a_n = parts(a)
    local b_ms, b_n = parts(b)
    if a_ms < b_ms or (a_ms == b_ms and a_n < b_n) then return a end
    return b
  end
  local floor = lower(before, delivered)
  if oldest ~= '' then floor = lower(floor, oldest) end
  trimmed = redis.call('XTRIM', KEYS[1], 'MINID', '~', floor)
end
return {lag, pending[1], oldest, redis.call('XLEN', KEYS[2]), trimmed}
)lua");
  return *script;
}

int64_t ToInt(std::string_view text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The value of `name` in a reply of alternating names and values.
std::string TextOf(const RedisReply& pairs, std::string_view name) {
  for (size_t i = 0; i + 1 < pairs.elements.size(); i += 2) {
    if (pairs.elements[i].text == name) return pairs.elements[i + 1].text;
  }
  return {};
}

// A list of [id, [name, value, …]]; the second is nil for a deleted entry,
// and older servers put nil in the place of the whole entry.
StreamPage ToPage(const RedisReply& entries) {
  StreamPage page;
  for (const RedisReply& entry : entries.elements) {
    if (entry.elements.size() != 2) continue;
    const std::string& id = entry.elements[0].text;
    const RedisReply& fields = entry.elements[1];
    if (fields.is_nil()) {
      page.gone.push_back(id);
      continue;
    }
    page.events.push_back(StreamEvent{
        .id = id,
        .provider = TextOf(fields, "p"),
        .body = TextOf(fields, "b"),
        .received_ms = ToInt(TextOf(fields, "t")),
        .traceparent = TextOf(fields, "tp"),
    });
  }
  return page;
}

}  // namespace

int AddAppend(const StreamEvent& event, int partitions,
              async::RedisBatch* batch) {
  const int partition = PartitionOf(ApplicantKey(event.body), partitions);
  const std::string received = std::to_string(event.received_ms);
  batch->Add({"XADD", KeysOf(partition).events, "*", "p", event.provider,
              "b", event.body, "t", received, "tp", event.traceparent});
  return partition;
}

async::Task<absl::StatusOr<std::vector<std::pair<int, StreamPage>>>> ReadNew(
    async::Redis& redis, std::string consumer, std::vector<int> partitions,
    int count, std::chrono::milliseconds block) {
  // The reply to an idle BLOCK comes at its end, not before.
  const std::chrono::milliseconds timeout =
      block + std::chrono::milliseconds(1500);
  std::vector<std::string> args = {
      "XREADGROUP",   "GROUP",
      kConsumerGroup, std::move(consumer),
      "COUNT",        std::to_string(count),
      "BLOCK",        std::to_string(block.count()),
      "STREAMS"};
  std::map<std::string, int, std::less<>> by_key;
  for (const int partition : partitions) {
    args.push_back(KeysOf(partition).events);
    by_key[args.back()] = partition;
  }
  args.insert(args.end(), partitions.size(), ">");
  CO_ASSIGN_OR_RETURN(RedisReply reply,
                      co_await redis.Command(std::move(args), timeout));
  // nil, or [[stream, entries], …] of those that have some.
  std::vector<std::pair<int, StreamPage>> pages;
  for (const RedisReply& stream : reply.elements) {
    if (stream.elements.size() != 2) continue;
    const auto partition = by_key.find(stream.elements[0].text);
    if (partition == by_key.end()) continue;
    pages.emplace_back(partition->second, ToPage(stream.elements[1]));
  }
  co_return pages;
}

async::Task<absl::Status> EventStream::EnsureGroup() {
  std::vector<std::string> args = {"XGROUP",       "CREATE", keys_.events,
                                   kConsumerGroup, "0",      "MKSTREAM"};
  const auto reply = co_await redis_.Command(std::move(args));
  if (reply.ok() || absl::StrContains(reply.status().message(), "BUSYGROUP")) {
    co_return absl::OkStatus();
  }
  co_return reply.status();
}

async::Task<absl::StatusOr<ClaimedPage>> EventStream::ClaimAll(
    std::string consumer, std::string cursor, int count) {
  std::vector<std::string> args = {
      "XAUTOCLAIM", keys_.events,      kConsumerGroup, std::move(consumer),
      "0",          std::move(cursor), "COUNT",        std::to_string(count)};
  CO_ASSIGN_OR_RETURN(RedisReply reply,
                      co_await redis_.Command(std::move(args)));
  if (reply.elements.size() < 2) {
    co_return absl::InternalError("XAUTOCLAIM: unexpected reply");
  }
  ClaimedPage claimed{.page = ToPage(reply.elements[1]),
                      .next_cursor = reply.elements[0].text};
  // Redis 7 drops deleted entries from the pending list itself, and tells.
  if (reply.elements.size() > 2) {
    for (const RedisReply& id : reply.elements[2].elements) {
      claimed.page.gone.push_back(id.text);
    }
  }
  co_return claimed;
}

async::Task<absl::StatusOr<std::vector<std::string>>> EventStream::Idle(
    std::chrono::milliseconds min_idle, int count) {
  std::vector<std::string> args = {"XPENDING",
                                   keys_.events,
                                   kConsumerGroup,
                                   "IDLE",
                                   std::to_string(min_idle.count()),
                                   "-",
                                   "+",
                                   std::to_string(count)};
  CO_ASSIGN_OR_RETURN(RedisReply reply,
                      co_await redis_.Command(std::move(args)));
  std::vector<std::string> ids;
  for (const RedisReply& entry : reply.elements) {
    if (!entry.elements.empty()) ids.push_back(entry.elements[0].text);
  }
  co_return ids;
}

async::Task<absl::StatusOr<std::vector<StreamEvent>>> EventStream::Claim(
    std::string consumer, std::vector<std::string> ids) {
  std::vector<std::string> args = {"XCLAIM", keys_.events, kConsumerGroup,
                                   std::move(consumer), "0"};
  for (std::string& id : ids) args.push_back(std::move(id));
  CO_ASSIGN_OR_RETURN(RedisReply reply,
                      co_await redis_.Command(std::move(args)));
  co_return ToPage(reply).events;
}

async::Task<absl::Status> EventStream::Acknowledge(
    std::vector<std::string> ids) {
  std::vector<std::string> args = {"XACK", keys_.events, kConsumerGroup};
  for (std::string& id : ids) args.push_back(std::move(id));
  const auto reply = co_await redis_.Command(std::move(args));
  co_return reply.status();
}

async::Task<absl::StatusOr<bool>> EventStream::Bury(StreamEvent event,
                                                    std::string reason,
                                                    int attempts,
                                                    int64_t now_ms,
                                                    std::string lease) {
  std::vector<std::string> keys = {keys_.events, keys_.dead, keys_.lease};
  std::vector<std::string> args = {kConsumerGroup,
                                   std::move(lease),
                                   std::move(event.id),
                                   std::move(event.provider),
                                   std::move(event.body),
                                   std::to_string(event.received_ms),
                                   std::move(event.traceparent),
                                   std::move(reason),
                                   std::to_string(attempts),
                                   std::to_string(now_ms)};
  CO_ASSIGN_OR_RETURN(
      RedisReply reply,
      co_await redis_.Eval(BuryScript(), std::move(keys), std::move(args)));
  co_return reply.integer == 1;
}

async::Task<absl::StatusOr<StreamStats>> EventStream::Tidy(
    std::optional<int64_t> trim_before_ms) {
  std::vector<std::string> keys = {keys_.events, keys_.dead};
  std::vector<std::string> args = {
      kConsumerGroup, trim_before_ms ? std::to_string(*trim_before_ms) : ""};
  CO_ASSIGN_OR_RETURN(
      RedisReply reply,
      co_await redis_.Eval(TidyScript(), std::move(keys), std::move(args)));
  if (reply.elements.size() != 5) {
    co_return absl::InternalError("tidy: unexpected reply");
  }
  StreamStats stats{.pending = reply.elements[1].integer,
                    .oldest = reply.elements[2].text,
                    .dead_letters = reply.elements[3].integer,
                    .trimmed = reply.elements[4].integer};
  if (reply.elements[0].integer >= 0) stats.lag = reply.elements[0].integer;
  co_return stats;
}

}  // namespace kyc::webhook
