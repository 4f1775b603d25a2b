#include "services/webhook/event_stream.h"

#include <charconv>
#include <utility>

#include "absl/strings/match.h"
#include "services/base/status_macros.h"

namespace kyc::webhook {
namespace {

using async::RedisReply;

// The script looks before it writes: only the consumer that finds the entry
// still pending buries it, and when XADD fails (OOM) XACK has not happened.
const async::RedisScript& BuryScript() {
  static const auto* const script = new async::RedisScript(R"lua(
local group, id = ARGV[1], ARGV[2]
if #redis.call('XPENDING', KEYS[1], group, id, id, 1) == 0 then
  return 0
end
redis.call('XADD', KEYS[2], '*', 'p', ARGV[3], 'b', ARGV[4], 't', ARGV[5],
           'tp', ARGV[6], 'id', id, 'reason', ARGV[7], 'n', ARGV[8],
           'at', ARGV[9])
return redis.call('XACK', KEYS[1], group, id)
)lua");
  return *script;
}

int64_t ToInt(std::string_view text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The value of `name` in a reply of alternating names and values.
const RedisReply* Find(const RedisReply& pairs, std::string_view name) {
  for (size_t i = 0; i + 1 < pairs.elements.size(); i += 2) {
    if (pairs.elements[i].text == name) return &pairs.elements[i + 1];
  }
  return nullptr;
}

std::string TextOf(const RedisReply& pairs, std::string_view name) {
  const RedisReply* value = Find(pairs, name);
  return value == nullptr ? std::string() : value->text;
}

// A list of [id, [name, value, …]]; the second is nil for a deleted entry,
// and older servers put nil in the place of the whole entry.
StreamPage ToPage(const RedisReply& entries) {
  StreamPage page;
  for (const RedisReply& entry : entries.elements) {
    if (entry.elements.size() != 2) continue;
    const std::string& id = entry.elements[0].text;
    const RedisReply& fields = entry.elements[1];
    page.last_id = id;
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

// XREADGROUP's reply: nil, or [[stream, entries]] for our one stream.
StreamPage ToReadPage(const RedisReply& reply) {
  if (reply.elements.empty() || reply.elements[0].elements.size() != 2) {
    return {};
  }
  return ToPage(reply.elements[0].elements[1]);
}

// Whether id `a` is before id `b`.
bool Before(std::string_view a, std::string_view b) {
  const auto key = [](std::string_view id) {
    const size_t dash = id.find('-');
    return std::pair(StreamIdMs(id), dash == std::string_view::npos
                                         ? int64_t{0}
                                         : ToInt(id.substr(dash + 1)));
  };
  return key(a) < key(b);
}

}  // namespace

int64_t StreamIdMs(std::string_view id) { return ToInt(id); }

async::Task<absl::StatusOr<std::string>> EventStream::Append(
    StreamEvent event, std::chrono::milliseconds timeout) {
  std::vector<std::string> args = {"XADD",
                                   kEventStream,
                                   "*",
                                   "p",
                                   std::move(event.provider),
                                   "b",
                                   std::move(event.body),
                                   "t",
                                   std::to_string(event.received_ms),
                                   "tp",
                                   std::move(event.traceparent)};
  CO_ASSIGN_OR_RETURN(RedisReply reply,
                      co_await redis_.Command(std::move(args), timeout));
  co_return std::move(reply.text);
}

async::Task<absl::Status> EventStream::EnsureGroup() {
  std::vector<std::string> args = {"XGROUP",       "CREATE", kEventStream,
                                   kConsumerGroup, "0",      "MKSTREAM"};
  const auto reply = co_await redis_.Command(std::move(args));
  if (reply.ok() || absl::StrContains(reply.status().message(), "BUSYGROUP")) {
    co_return absl::OkStatus();
  }
  co_return reply.status();
}

async::Task<absl::StatusOr<StreamPage>> EventStream::ReadPending(
    std::string consumer, std::string after_id, int count) {
  std::vector<std::string> args = {
      "XREADGROUP",        "GROUP",      kConsumerGroup,
      std::move(consumer), "COUNT",      std::to_string(count),
      "STREAMS",           kEventStream, std::move(after_id)};
  CO_ASSIGN_OR_RETURN(RedisReply reply,
                      co_await redis_.Command(std::move(args)));
  co_return ToReadPage(reply);
}

async::Task<absl::StatusOr<StreamPage>> EventStream::ReadNew(
    std::string consumer, int count, std::chrono::milliseconds block) {
  // The reply to an idle BLOCK comes at its end, not before.
  const std::chrono::milliseconds timeout =
      block + std::chrono::milliseconds(1500);
  std::vector<std::string> args = {"XREADGROUP",
                                   "GROUP",
                                   kConsumerGroup,
                                   std::move(consumer),
                                   "COUNT",
                                   std::to_string(count),
                                   "BLOCK",
                                   std::to_string(block.count()),
                                   "STREAMS",
                                   kEventStream,
                                   ">"};
  CO_ASSIGN_OR_RETURN(RedisReply reply,
                      co_await redis_.Command(std::move(args), timeout));
  co_return ToReadPage(reply);
}

async::Task<absl::StatusOr<ClaimedPage>> EventStream::Claim(
    std::string consumer, std::chrono::milliseconds min_idle,
    std::string cursor, int count) {
  std::vector<std::string> args = {"XAUTOCLAIM",
                                   kEventStream,
                                   kConsumerGroup,
                                   std::move(consumer),
                                   std::to_string(min_idle.count()),
                                   std::move(cursor),
                                   "COUNT",
                                   std::to_string(count)};
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

async::Task<absl::StatusOr<std::optional<StreamEvent>>> EventStream::Redeliver(
    std::string consumer, std::string id) {
  std::vector<std::string> args = {
      "XCLAIM", kEventStream, kConsumerGroup, std::move(consumer),
      "0",      std::move(id)};
  CO_ASSIGN_OR_RETURN(RedisReply reply,
                      co_await redis_.Command(std::move(args)));
  StreamPage page = ToPage(reply);
  if (page.events.empty()) co_return std::nullopt;
  co_return std::move(page.events[0]);
}

async::Task<absl::Status> EventStream::Acknowledge(
    std::vector<std::string> ids) {
  std::vector<std::string> args = {"XACK", kEventStream, kConsumerGroup};
  for (std::string& id : ids) args.push_back(std::move(id));
  const auto reply = co_await redis_.Command(std::move(args));
  co_return reply.status();
}

async::Task<absl::Status> EventStream::Bury(StreamEvent event,
                                            std::string reason, int attempts,
                                            int64_t now_ms) {
  std::vector<std::string> keys = {kEventStream, kDeadLetterStream};
  std::vector<std::string> args = {kConsumerGroup,
                                   std::move(event.id),
                                   std::move(event.provider),
                                   std::move(event.body),
                                   std::to_string(event.received_ms),
                                   std::move(event.traceparent),
                                   std::move(reason),
                                   std::to_string(attempts),
                                   std::to_string(now_ms)};
  const auto reply =
      co_await redis_.Eval(BuryScript(), std::move(keys), std::move(args));
  co_return reply.status();
}

async::Task<absl::StatusOr<StreamStats>> EventStream::Stats() {
  // In this order: whatever is up to last_delivered and not acknowledged is
  // then sure to be among the pending, which Trim relies on.
  std::vector<std::string> groups_args = {"XINFO", "GROUPS", kEventStream};
  CO_ASSIGN_OR_RETURN(RedisReply groups,
                      co_await redis_.Command(std::move(groups_args)));
  std::vector<std::string> pending_args = {"XPENDING", kEventStream,
                                           kConsumerGroup};
  CO_ASSIGN_OR_RETURN(RedisReply pending,
                      co_await redis_.Command(std::move(pending_args)));
  std::vector<std::string> dead_args = {"XLEN", kDeadLetterStream};
  CO_ASSIGN_OR_RETURN(RedisReply dead,
                      co_await redis_.Command(std::move(dead_args)));
  StreamStats stats;
  stats.dead_letters = dead.integer;
  if (pending.elements.size() >= 2) {
    stats.pending = pending.elements[0].integer;
    stats.oldest_pending = pending.elements[1].text;
  }
  for (const RedisReply& group : groups.elements) {
    if (TextOf(group, "name") != kConsumerGroup) continue;
    stats.last_delivered = TextOf(group, "last-delivered-id");
    const RedisReply* lag = Find(group, "lag");
    if (lag != nullptr && lag->type == RedisReply::Type::kInteger) {
      stats.lag = lag->integer;
    }
  }
  co_return stats;
}

async::Task<absl::StatusOr<int64_t>> EventStream::Trim(StreamStats stats,
                                                       int64_t before_ms) {
  // What was delivered since has a higher id than last_delivered, and what was
  // acknowledged since only leaves the floor lower than it could be.
  std::string floor = std::to_string(before_ms) + "-0";
  if (Before(stats.last_delivered, floor)) floor = stats.last_delivered;
  if (!stats.oldest_pending.empty() && Before(stats.oldest_pending, floor)) {
    floor = stats.oldest_pending;
  }
  if (floor.empty()) co_return 0;
  std::vector<std::string> args = {"XTRIM", kEventStream, "MINID", "~",
                                   std::move(floor)};
  CO_ASSIGN_OR_RETURN(RedisReply reply,
                      co_await redis_.Command(std::move(args)));
  co_return reply.integer;
}

}  // namespace kyc::webhook
