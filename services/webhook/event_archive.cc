#include "services/webhook/event_archive.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "services/base/error.h"
#include "services/base/status_macros.h"
#include "services/webhook/event_stream.h"
#include "services/webhook/partition.h"

namespace kyc::webhook {
namespace {

using async::RedisReply;
using async::Task;

// Entries that one script looks at: a body may have a megabyte, and Redis
// serves nobody else meanwhile.
constexpr int kChunk = 20;

// An entry's fields as a table; begins each script.
const std::string& FieldsOf() {
  static const auto* const text = new std::string(R"lua(
local function fields_of(entry)
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  return fields
end
)lua");
  return *text;
}

// Everything but the bodies.
const async::RedisScript& ListDeadScript() {
  static const auto* const script = new async::RedisScript(FieldsOf() + R"lua(
local found = {}
local page = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
for i, entry in ipairs(page) do
  local f = fields_of(entry)
  found[i] = {entry[1], f['id'] or '', f['reason'] or '', f['n'] or '',
              f['t'] or '', f['at'] or '', f['tp'] or '', #(f['b'] or '')}
end
return found
)lua");
  return *script;
}

// KEYS: dead letters, events. ARGV: from, to, how many. When XADD fails (OOM)
// XDEL has not happened.
const async::RedisScript& RedriveScript() {
  static const auto* const script = new async::RedisScript(FieldsOf() + R"lua(
local ids = {}
local page = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
for i, entry in ipairs(page) do
  local f = fields_of(entry)
  ids[i] = redis.call('XADD', KEYS[2], '*', 'p', f['p'] or '',
                      'b', f['b'] or '', 't', f['t'] or '',
                      'tp', f['tp'] or '', 'r', f['id'] or '')
  redis.call('XDEL', KEYS[1], entry[1])
end
return ids
)lua");
  return *script;
}

// Answers how many were appended, and the last entry looked at.
const async::RedisScript& ReplayScript() {
  static const auto* const script = new async::RedisScript(FieldsOf() + R"lua(
local count, last = 0, ''
local page = redis.call('XRANGE', KEYS[1], ARGV[1], ARGV[2], 'COUNT', ARGV[3])
for _, entry in ipairs(page) do
  local f = fields_of(entry)
  last = entry[1]
  if not f['r'] then
    redis.call('XADD', KEYS[1], '*', 'p', f['p'] or '', 'b', f['b'] or '',
               't', f['t'] or '', 'tp', f['tp'] or '', 'r', entry[1])
    count = count + 1
  end
end
return {count, last}
)lua");
  return *script;
}

int64_t ToInt(std::string_view text) {
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

absl::Status NotThere() {
  return base::Error(v1::ERROR_REASON_STREAM_ENTRY_NOT_FOUND);
}

// A walk through the partitions, from where a token stands.
struct Walk {
  int partition = 0;
  std::string after;  // The last entry seen there; empty: from the beginning.

  std::string From() const { return after.empty() ? "-" : "(" + after; }
  std::string Token() const { return EventId(partition, after); }
  void NextPartition() {
    ++partition;
    after.clear();
  }
};

absl::StatusOr<Walk> WalkFrom(const std::string& token, int partitions) {
  if (token.empty()) return Walk{};
  auto place = ParseEventId(token, partitions);
  if (!place) {
    return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED,
                       "not a page token of this list");
  }
  return Walk{place->partition, std::move(place->entry)};
}

DeadLetter ToLetter(int partition, const RedisReply& row) {
  const auto& cells = row.elements;
  return {.id = EventId(partition, cells[0].text),
          .event_id = EventId(partition, cells[1].text),
          .reason = cells[2].text,
          .attempts = ToInt(cells[3].text),
          .received_ms = ToInt(cells[4].text),
          .given_up_ms = ToInt(cells[5].text),
          .traceparent = cells[6].text,
          .body_bytes = cells[7].integer};
}

}  // namespace

Task<absl::StatusOr<ArchivePage<DeadLetter>>> EventArchive::ListDead(
    int count, std::string token) {
  CO_ASSIGN_OR_RETURN(Walk walk, WalkFrom(token, partitions_));
  ArchivePage<DeadLetter> page;
  while (walk.partition < partitions_) {
    const int left = count - static_cast<int>(page.items.size());
    if (left == 0) {
      page.next_token = walk.Token();
      break;
    }
    std::vector<std::string> keys = {KeysOf(walk.partition).dead};
    std::vector<std::string> args = {walk.From(), "+",
                                     std::to_string(std::min(left, kChunk))};
    CO_ASSIGN_OR_RETURN(RedisReply rows,
                        co_await redis_.Eval(ListDeadScript(), std::move(keys),
                                             std::move(args)));
    for (const RedisReply& row : rows.elements) {
      if (row.elements.size() != 8) continue;
      page.items.push_back(ToLetter(walk.partition, row));
      walk.after = row.elements[0].text;
    }
    if (rows.elements.empty()) walk.NextPartition();
  }
  co_return page;
}

Task<absl::StatusOr<EventArchive::Letter>> EventArchive::GetDead(
    std::string id) {
  const auto place = ParseEventId(id, partitions_);
  if (!place) co_return NotThere();
  const std::string key = KeysOf(place->partition).dead;
  std::vector<std::string> keys = {key};
  std::vector<std::string> args = {place->entry, place->entry, "1"};
  CO_ASSIGN_OR_RETURN(
      RedisReply rows,
      co_await redis_.Eval(ListDeadScript(), std::move(keys), std::move(args)));
  if (rows.elements.empty() || rows.elements[0].elements.size() != 8) {
    co_return NotThere();
  }
  std::vector<std::string> range = {"XRANGE", key, place->entry, place->entry};
  CO_ASSIGN_OR_RETURN(RedisReply entries,
                      co_await redis_.Command(std::move(range)));
  if (entries.elements.empty() || entries.elements[0].elements.size() != 2) {
    co_return NotThere();
  }
  Letter letter{.letter = ToLetter(place->partition, rows.elements[0])};
  const auto& fields = entries.elements[0].elements[1].elements;
  for (size_t i = 0; i + 1 < fields.size(); i += 2) {
    if (fields[i].text == "b") letter.body = fields[i + 1].text;
  }
  co_return letter;
}

Task<absl::StatusOr<std::string>> EventArchive::Redrive(std::string id) {
  const auto place = ParseEventId(id, partitions_);
  if (!place) co_return NotThere();
  const PartitionKeys partition(place->partition);
  std::vector<std::string> keys = {partition.dead, partition.events};
  std::vector<std::string> args = {place->entry, place->entry, "1"};
  CO_ASSIGN_OR_RETURN(
      RedisReply ids,
      co_await redis_.Eval(RedriveScript(), std::move(keys), std::move(args)));
  if (ids.elements.empty()) co_return NotThere();
  co_return EventId(place->partition, ids.elements[0].text);
}

Task<absl::StatusOr<int>> EventArchive::RedriveSome(int count) {
  int redriven = 0;
  for (int i = 0; i < partitions_ && redriven < count;) {
    const PartitionKeys partition(i);
    std::vector<std::string> keys = {partition.dead, partition.events};
    std::vector<std::string> args = {
        "-", "+", std::to_string(std::min(count - redriven, kChunk))};
    CO_ASSIGN_OR_RETURN(RedisReply ids,
                        co_await redis_.Eval(RedriveScript(), std::move(keys),
                                             std::move(args)));
    redriven += static_cast<int>(ids.elements.size());
    if (ids.elements.empty()) ++i;
  }
  co_return redriven;
}

Task<absl::Status> EventArchive::Drop(std::string id) {
  const auto place = ParseEventId(id, partitions_);
  if (!place) co_return NotThere();
  std::vector<std::string> args = {"XDEL", KeysOf(place->partition).dead,
                                   place->entry};
  CO_ASSIGN_OR_RETURN(RedisReply reply,
                      co_await redis_.Command(std::move(args)));
  co_return reply.integer == 1 ? absl::OkStatus() : NotThere();
}

Task<absl::StatusOr<int64_t>> EventArchive::CountDead() {
  async::RedisBatch batch;
  for (int i = 0; i < partitions_; ++i) {
    batch.Add({"XLEN", KeysOf(i).dead});
  }
  const auto replies = co_await redis_.CommandMany(std::move(batch));
  int64_t count = 0;
  for (const auto& reply : replies) {
    CO_RETURN_IF_ERROR(reply.status());
    count += reply->integer;
  }
  co_return count;
}

Task<absl::StatusOr<EventArchive::Replayed>> EventArchive::Replay(
    int64_t from_ms, int64_t to_ms, int count, std::string token) {
  CO_ASSIGN_OR_RETURN(Walk walk, WalkFrom(token, partitions_));
  Replayed replayed;
  int seen = 0;
  while (walk.partition < partitions_) {
    // Repetitions are passed over, but looking at them takes time, too.
    if (replayed.count >= count || seen >= 10 * count) {
      replayed.next_token = walk.Token();
      break;
    }
    std::vector<std::string> keys = {KeysOf(walk.partition).events};
    std::vector<std::string> args = {
        walk.after.empty() ? std::to_string(from_ms) : walk.From(),
        std::to_string(to_ms),
        std::to_string(std::min(count - replayed.count, kChunk))};
    CO_ASSIGN_OR_RETURN(
        RedisReply chunk,
        co_await redis_.Eval(ReplayScript(), std::move(keys), std::move(args)));
    if (chunk.elements.size() != 2 || chunk.elements[1].text.empty()) {
      walk.NextPartition();
      continue;
    }
    replayed.count += static_cast<int>(chunk.elements[0].integer);
    seen += kChunk;
    walk.after = chunk.elements[1].text;
  }
  co_return replayed;
}

Task<absl::StatusOr<ArchivePage<PendingEvent>>> EventArchive::ListPending(
    int count, std::string token) {
  CO_ASSIGN_OR_RETURN(Walk walk, WalkFrom(token, partitions_));
  ArchivePage<PendingEvent> page;
  while (walk.partition < partitions_) {
    const int left = count - static_cast<int>(page.items.size());
    if (left == 0) {
      page.next_token = walk.Token();
      break;
    }
    std::vector<std::string> args = {"XPENDING",
                                     KeysOf(walk.partition).events,
                                     kConsumerGroup,
                                     walk.From(),
                                     "+",
                                     std::to_string(left)};
    const auto rows = co_await redis_.Command(std::move(args));
    // Without a group nothing is pending.
    if (!rows.ok() && !absl::IsNotFound(rows.status())) co_return rows.status();
    if (!rows.ok() || rows->elements.empty()) {
      walk.NextPartition();
      continue;
    }
    for (const RedisReply& row : rows->elements) {
      if (row.elements.size() != 4) continue;
      walk.after = row.elements[0].text;
      page.items.push_back({.id = EventId(walk.partition, walk.after),
                            .consumer = row.elements[1].text,
                            .idle_ms = row.elements[2].integer,
                            .deliveries = row.elements[3].integer});
    }
  }
  co_return page;
}

}  // namespace kyc::webhook
