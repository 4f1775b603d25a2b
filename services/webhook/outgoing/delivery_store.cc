#include "services/webhook/outgoing/delivery_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/base/log.h"
#include "services/base/status_macros.h"

namespace kyc::outgoing {
namespace {

using async::RedisReply;
using async::Task;

constexpr int kLogEntries = 1000;
constexpr int64_t kLogMs = 7LL * 24 * 3600 * 1000;
// Queues of a part that are looked at; one more than there are subscriptions
// is enough, for those of dead receivers stay in front.
constexpr int kMostQueues = 10000;

std::string Prefix(int part) {
  return absl::StrCat("kyc:{out:", absl::Hex(part), "}:");
}

// Begins every script. All keys of a part share its slot; the first key and
// the prefix of the others come from the caller.
constexpr std::string_view kQueueLua = R"lua(
local queues, prefix = KEYS[1], ARGV[1]
local function touch(sub)
  local first = redis.call('ZRANGE', prefix .. 'due:' .. sub, 0, 0,
                           'WITHSCORES')
  if first[1] then
    redis.call('ZADD', queues, first[2], sub)
  else
    redis.call('ZREM', queues, sub)
  end
end
)lua";

// ARGV: prefix, now, entries of a log, age of a log in ms, then id,
// subscription, type and body of each.
const async::RedisScript& AddScript() {
  static const auto* const script =
      new async::RedisScript(std::string(kQueueLua) + R"lua(
local now, most, age = ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
redis.call('ZCARD', queues)
local added = 0
for i = 5, #ARGV, 4 do
  local id, sub = ARGV[i], ARGV[i + 1]
  local key = prefix .. 'dlv:' .. id
  if redis.call('EXISTS', key) == 0 then
    redis.call('HSET', key, 'sub', sub, 'type', ARGV[i + 2],
               'body', ARGV[i + 3], 'state', 'pending', 'attempts', 0,
               'before', 0, 'created', now, 'since', now, 'next', now)
    redis.call('ZADD', prefix .. 'due:' .. sub, now, id)
    touch(sub)
    local log = prefix .. 'log:' .. sub
    redis.call('ZADD', log, now, id)
    redis.call('ZREMRANGEBYSCORE', log, '-inf', now - age)
    redis.call('PEXPIRE', log, age)
    local old = redis.call('ZRANGE', log, 0, -most - 1)
    for _, each in ipairs(old) do
      redis.call('ZREM', log, each)
      local forgotten = prefix .. 'dlv:' .. each
      if redis.call('HGET', forgotten, 'state') ~= 'pending' then
        redis.call('UNLINK', forgotten)
      end
    end
    added = added + 1
  end
end
return added
)lua");
  return *script;
}

// ARGV: prefix, id, attempts as they were seen, age of a log in ms, next
// attempt's time or 0, since when it is to be sent as it was seen (a resend
// changes that), then the fields.
const async::RedisScript& RecordScript() {
  static const auto* const script =
      new async::RedisScript(std::string(kQueueLua) + R"lua(
local id, key = ARGV[2], prefix .. 'dlv:' .. ARGV[2]
if redis.call('HGET', key, 'attempts') ~= ARGV[3] then return 0 end
if redis.call('HGET', key, 'since') ~= ARGV[6] then return 0 end
local sub = redis.call('HGET', key, 'sub')
redis.call('HSET', key, unpack(ARGV, 7))
if ARGV[5] == '0' then
  redis.call('ZREM', prefix .. 'due:' .. sub, id)
  redis.call('PEXPIRE', key, ARGV[4])
else
  redis.call('ZADD', prefix .. 'due:' .. sub, ARGV[5], id)
end
touch(sub)
return 1
)lua");
  return *script;
}

// ARGV: prefix, id, subscription, now.
const async::RedisScript& ResendScript() {
  static const auto* const script =
      new async::RedisScript(std::string(kQueueLua) + R"lua(
local id, key, sub = ARGV[2], prefix .. 'dlv:' .. ARGV[2], ARGV[3]
if redis.call('HGET', key, 'sub') ~= sub then return 0 end
redis.call('PERSIST', key)
redis.call('HSET', key, 'state', 'pending', 'since', ARGV[4], 'next', ARGV[4],
           'before', redis.call('HGET', key, 'attempts'))
redis.call('ZADD', prefix .. 'due:' .. sub, ARGV[4], id)
touch(sub)
return 1
)lua");
  return *script;
}

// ARGV: prefix, id, subscription.
const async::RedisScript& ForgetScript() {
  static const auto* const script =
      new async::RedisScript(std::string(kQueueLua) + R"lua(
redis.call('ZREM', prefix .. 'due:' .. ARGV[3], ARGV[2])
touch(ARGV[3])
return 1
)lua");
  return *script;
}

std::string_view StateName(Delivery::State state) {
  switch (state) {
    case Delivery::State::kPending:
      return "pending";
    case Delivery::State::kDelivered:
      return "delivered";
    case Delivery::State::kFailed:
      return "failed";
    case Delivery::State::kDropped:
      return "dropped";
  }
  return "";
}

std::optional<Delivery::State> ParseState(std::string_view name) {
  for (const auto state :
       {Delivery::State::kPending, Delivery::State::kDelivered,
        Delivery::State::kFailed, Delivery::State::kDropped}) {
    if (StateName(state) == name) return state;
  }
  return std::nullopt;
}

std::optional<Delivery> Decode(std::string id, const RedisReply& reply) {
  const std::vector<RedisReply>& fields = reply.elements;
  if (fields.empty()) return std::nullopt;
  Delivery delivery;
  delivery.id = std::move(id);
  bool readable = true;
  for (size_t i = 0; i + 1 < fields.size(); i += 2) {
    const std::string& name = fields[i].text;
    const std::string& value = fields[i + 1].text;
    const auto number = [&](auto* out) {
      readable = readable && absl::SimpleAtoi(value, out);
    };
    if (name == "sub") delivery.subscription = value;
    if (name == "type") delivery.type = value;
    if (name == "body") delivery.body = value;
    if (name == "attempts") number(&delivery.attempts);
    if (name == "before") number(&delivery.attempts_before);
    if (name == "created") number(&delivery.created_ms);
    if (name == "since") number(&delivery.since_ms);
    if (name == "last") number(&delivery.last_attempt_ms);
    if (name == "next") number(&delivery.next_attempt_ms);
    if (name == "status") number(&delivery.last_status);
    if (name == "error") delivery.last_error = value;
    if (name == "state") {
      const std::optional<Delivery::State> state = ParseState(value);
      readable = readable && state.has_value();
      delivery.state = state.value_or(Delivery::State::kFailed);
    }
  }
  if (!readable || delivery.subscription.empty()) {
    base::LogError("unreadable delivery", {{"delivery", delivery.id}});
    return std::nullopt;
  }
  return delivery;
}

}  // namespace

std::optional<int> PartOf(std::string_view delivery_id) {
  constexpr std::string_view kPrefix = "msg_";
  constexpr std::string_view kDigits = "0123456789abcdef";
  if (delivery_id.size() != kPrefix.size() + 32 ||
      !delivery_id.starts_with(kPrefix)) {
    return std::nullopt;
  }
  delivery_id.remove_prefix(kPrefix.size());
  if (delivery_id.find_first_not_of(kDigits) != std::string_view::npos) {
    return std::nullopt;
  }
  return static_cast<int>(kDigits.find(delivery_id[0]));
}

std::string LeaseKeyOfPart(int part) { return Prefix(part) + "lease"; }

Task<absl::StatusOr<int64_t>> DeliveryStore::Add(
    int part, std::vector<Delivery> deliveries, int64_t now_ms) {
  if (deliveries.empty()) co_return 0;
  std::vector<std::string> keys = {Prefix(part) + "queues"};
  std::vector<std::string> arguments = {
      Prefix(part), absl::StrCat(now_ms), absl::StrCat(kLogEntries),
      absl::StrCat(kLogMs)};
  for (Delivery& each : deliveries) {
    arguments.push_back(std::move(each.id));
    arguments.push_back(std::move(each.subscription));
    arguments.push_back(std::move(each.type));
    arguments.push_back(std::move(each.body));
  }
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Eval(AddScript(), std::move(keys),
                                           std::move(arguments)));
  co_return reply.integer;
}

Task<absl::StatusOr<std::vector<DueQueue>>> DeliveryStore::DueQueues(
    std::vector<int> parts, int64_t now_ms) {
  std::vector<DueQueue> queues;
  if (parts.empty()) co_return queues;
  async::RedisBatch batch;
  for (const int part : parts) {
    batch.Add({"ZRANGEBYSCORE", Prefix(part) + "queues", "-inf",
               std::to_string(now_ms), "LIMIT", "0",
               std::to_string(kMostQueues)});
  }
  const auto replies = co_await redis_.CommandMany(std::move(batch));
  for (size_t i = 0; i < replies.size(); ++i) {
    CO_RETURN_IF_ERROR(replies[i].status());
    for (const RedisReply& each : replies[i]->elements) {
      queues.push_back({parts[i], each.text});
    }
  }
  co_return queues;
}

Task<absl::StatusOr<std::vector<std::vector<std::string>>>> DeliveryStore::Due(
    std::vector<DueQueue> queues, int64_t now_ms, int limit) {
  std::vector<std::vector<std::string>> ids(queues.size());
  if (queues.empty()) co_return ids;
  async::RedisBatch batch;
  for (const DueQueue& queue : queues) {
    batch.Add({"ZRANGEBYSCORE",
               absl::StrCat(Prefix(queue.part), "due:", queue.subscription),
               "-inf", std::to_string(now_ms), "LIMIT", "0",
               std::to_string(limit)});
  }
  const auto replies = co_await redis_.CommandMany(std::move(batch));
  for (size_t i = 0; i < replies.size(); ++i) {
    CO_RETURN_IF_ERROR(replies[i].status());
    for (const RedisReply& each : replies[i]->elements) {
      ids[i].push_back(each.text);
    }
  }
  co_return ids;
}

Task<absl::StatusOr<std::vector<std::optional<Delivery>>>> DeliveryStore::Load(
    std::vector<std::string> ids) {
  std::vector<std::optional<Delivery>> deliveries;
  if (ids.empty()) co_return deliveries;
  async::RedisBatch batch;
  for (const std::string& id : ids) {
    batch.Add({"HGETALL",
               absl::StrCat(Prefix(PartOf(id).value_or(0)), "dlv:", id)});
  }
  const auto replies = co_await redis_.CommandMany(std::move(batch));
  for (size_t i = 0; i < replies.size(); ++i) {
    CO_RETURN_IF_ERROR(replies[i].status());
    deliveries.push_back(Decode(ids[i], *replies[i]));
  }
  co_return deliveries;
}

Task<absl::StatusOr<bool>> DeliveryStore::Record(Delivery delivery,
                                                 int attempts_seen) {
  const int part = PartOf(delivery.id).value_or(0);
  std::vector<std::string> keys = {Prefix(part) + "queues"};
  std::vector<std::string> arguments = {
      Prefix(part),
      delivery.id,
      absl::StrCat(attempts_seen),
      absl::StrCat(kLogMs),
      absl::StrCat(delivery.next_attempt_ms),
      absl::StrCat(delivery.since_ms),
      "state",
      std::string(StateName(delivery.state)),
      "attempts",
      absl::StrCat(delivery.attempts),
      "last",
      absl::StrCat(delivery.last_attempt_ms),
      "next",
      absl::StrCat(delivery.next_attempt_ms),
      "status",
      absl::StrCat(delivery.last_status),
      "error",
      delivery.last_error};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Eval(RecordScript(), std::move(keys),
                                           std::move(arguments)));
  co_return reply.integer == 1;
}

Task<absl::Status> DeliveryStore::Forget(DueQueue queue, std::string id) {
  std::vector<std::string> keys = {Prefix(queue.part) + "queues"};
  std::vector<std::string> arguments = {Prefix(queue.part), std::move(id),
                                        std::move(queue.subscription)};
  const auto reply = co_await redis_.Eval(ForgetScript(), std::move(keys),
                                          std::move(arguments));
  co_return reply.status();
}

Task<absl::StatusOr<std::optional<Delivery>>> DeliveryStore::Resend(
    std::string id, std::string subscription, int64_t now_ms) {
  const std::optional<int> part = PartOf(id);
  if (!part) co_return std::optional<Delivery>();
  std::vector<std::string> keys = {Prefix(*part) + "queues"};
  std::vector<std::string> arguments = {Prefix(*part), id, subscription,
                                        absl::StrCat(now_ms)};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Eval(ResendScript(), std::move(keys),
                                           std::move(arguments)));
  if (reply.integer != 1) co_return std::optional<Delivery>();
  std::vector<std::string> ids = {id};
  CO_ASSIGN_OR_RETURN(auto loaded, co_await Load(std::move(ids)));
  co_return std::move(loaded[0]);
}

Task<absl::StatusOr<std::vector<Delivery>>> DeliveryStore::Log(
    std::string subscription, int limit) {
  async::RedisBatch batch;
  for (int part = 0; part < kParts; ++part) {
    batch.Add({"ZREVRANGE", absl::StrCat(Prefix(part), "log:", subscription),
               "0", std::to_string(limit - 1), "WITHSCORES"});
  }
  const auto replies = co_await redis_.CommandMany(std::move(batch));
  std::vector<std::pair<int64_t, std::string>> newest;
  for (const auto& reply : replies) {
    CO_RETURN_IF_ERROR(reply.status());
    for (size_t i = 0; i + 1 < reply->elements.size(); i += 2) {
      int64_t created = 0;
      (void)absl::SimpleAtoi(reply->elements[i + 1].text, &created);
      newest.emplace_back(created, reply->elements[i].text);
    }
  }
  std::sort(newest.rbegin(), newest.rend());
  if (newest.size() > static_cast<size_t>(limit)) newest.resize(limit);
  std::vector<std::string> ids;
  for (auto& [created, id] : newest) ids.push_back(std::move(id));
  CO_ASSIGN_OR_RETURN(auto loaded, co_await Load(std::move(ids)));
  std::vector<Delivery> deliveries;
  for (std::optional<Delivery>& each : loaded) {
    if (each) deliveries.push_back(*std::move(each));
  }
  co_return deliveries;
}

Task<absl::StatusOr<Backlog>> DeliveryStore::Measure(std::vector<int> parts,
                                                     int64_t now_ms) {
  Backlog backlog;
  if (parts.empty()) co_return backlog;
  async::RedisBatch first;
  for (const int part : parts) {
    first.Add({"ZRANGE", Prefix(part) + "queues", "0",
               std::to_string(kMostQueues - 1), "WITHSCORES"});
  }
  const auto queues = co_await redis_.CommandMany(std::move(first));
  async::RedisBatch second;
  for (size_t i = 0; i < queues.size(); ++i) {
    CO_RETURN_IF_ERROR(queues[i].status());
    const std::vector<RedisReply>& pairs = queues[i]->elements;
    for (size_t j = 0; j + 1 < pairs.size(); j += 2) {
      int64_t due_ms = 0;
      (void)absl::SimpleAtoi(pairs[j + 1].text, &due_ms);
      if (due_ms <= now_ms && (backlog.oldest_due_ms == 0 ||
                               due_ms < backlog.oldest_due_ms)) {
        backlog.oldest_due_ms = due_ms;
      }
      const std::string key =
          absl::StrCat(Prefix(parts[i]), "due:", pairs[j].text);
      second.Add({"ZCARD", key});
      second.Add({"ZCOUNT", key, "-inf", std::to_string(now_ms)});
    }
  }
  if (second.size() == 0) co_return backlog;
  const auto counts = co_await redis_.CommandMany(std::move(second));
  for (size_t i = 0; i + 1 < counts.size(); i += 2) {
    CO_RETURN_IF_ERROR(counts[i].status());
    CO_RETURN_IF_ERROR(counts[i + 1].status());
    backlog.pending += counts[i]->integer;
    backlog.due += counts[i + 1]->integer;
  }
  co_return backlog;
}

}  // namespace kyc::outgoing
