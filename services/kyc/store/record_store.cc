#include "services/kyc/store/record_store.h"

#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/base/metrics.h"
#include "services/base/status_macros.h"
#include "services/kyc/domain/reconciliation.h"
#include "services/kyc/store/record_codec.h"

namespace kyc::store {
namespace {

using async::RedisReply;
using async::Task;
using domain::Record;

constexpr int kMaxConflicts = 16;

constexpr std::array<uint16_t, 256> Crc16Table() {
  std::array<uint16_t, 256> table{};
  for (int byte = 0; byte < 256; ++byte) {
    int crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 0x8000) != 0 ? (crc << 1) ^ 0x1021 : crc << 1;
    }
    table[byte] = static_cast<uint16_t>(crc);
  }
  return table;
}

// "kyc:{b000}:<kind><rest>"
std::string Key(int bucket, std::string_view kind, std::string_view rest = {}) {
  const char digits[] = {static_cast<char>('0' + bucket / 100),
                         static_cast<char>('0' + bucket / 10 % 10),
                         static_cast<char>('0' + bucket % 10)};
  std::string key;
  key.reserve(16 + kind.size() + rest.size());
  key.append("kyc:{b").append(digits, sizeof(digits)).append("}:");
  key.append(kind).append(rest);
  return key;
}

// KEYS: record, audit trail, outbox, waiting.
// ARGV: the version and the audit head that the record must have, then four
// lists, each preceded by its length: fields to set, fields to remove, the
// audit entry, the outgoing event (or nothing); then the user and when the
// provider is to be asked ("": not at all, "same": as before); then channel
// and message (or nothing). Answers 1, or the record as it is when it is
// another.
//
// What can fail does so before the first write, or nothing stops it half way:
// a key of a wrong type fails at its XLEN; memory, disk and role are checked
// by Redis at a script's first write and not again.
const async::RedisScript& WriteScript() {
  static const async::RedisScript* const script = new async::RedisScript(R"lua(
local held = redis.call('HMGET', KEYS[1], 'v', 'audit_head')
if (held[1] or '0') ~= ARGV[1] or (held[2] or '') ~= ARGV[2] then
  return redis.call('HGETALL', KEYS[1])
end
redis.call('XLEN', KEYS[2])
redis.call('XLEN', KEYS[3])
redis.call('ZCARD', KEYS[4])
local at = 3
local function take()
  local count = tonumber(ARGV[at])
  local list = {unpack(ARGV, at + 1, at + count)}
  at = at + count + 1
  return list
end
local set, remove, audit, event = take(), take(), take(), take()
redis.call('HSET', KEYS[1], unpack(set))
if #remove > 0 then redis.call('HDEL', KEYS[1], unpack(remove)) end
redis.call('XADD', KEYS[2], '*', unpack(audit))
if #event > 0 then redis.call('XADD', KEYS[3], '*', unpack(event)) end
local user, due = ARGV[at], ARGV[at + 1]
if due == '' then
  redis.call('ZREM', KEYS[4], user)
elseif due ~= 'same' then
  redis.call('ZADD', KEYS[4], due, user)
end
if ARGV[at + 2] then redis.call('PUBLISH', ARGV[at + 2], ARGV[at + 3]) end
return 1
)lua");
  return *script;
}

void AppendList(std::vector<std::string> list, std::vector<std::string>* out) {
  out->push_back(std::to_string(list.size()));
  for (std::string& text : list) out->push_back(std::move(text));
}

std::vector<std::string> OutboxEntry(const Record& record,
                                     const AuditEntry& audit) {
  return {"id",      absl::StrCat("evt_", record.audit_head.substr(0, 32)),
          "type",    "kyc.status.changed",
          "user_id", record.user_id,
          "from",    std::string(domain::StateName(audit.from)),
          "to",      std::string(domain::StateName(audit.to)),
          "version", std::to_string(record.version),
          "time_ms", std::to_string(audit.time_ms),
          "org",     record.tenant.org_id,
          "env",     record.tenant.env_id};
}

// When the provider is to be asked about the record, as the script takes it.
std::string DueArgument(const Record& before, const Record& after,
                        std::chrono::milliseconds reconcile_after) {
  if (before.version == after.version) return "same";
  if (!domain::AwaitsReconciliation(after)) return "";
  return std::to_string(
      domain::NextQuestionMs(after, reconcile_after, after.updated_ms));
}

bool ShowsTheSame(const Record& before, const Record& after) {
  Record status = StatusOf(before);
  status.version = after.version;
  return status == StatusOf(after);
}

std::vector<std::string> WriteArguments(const Record& before,
                                        const Record& after,
                                        const AuditEntry& audit,
                                        const AuditFieldList& audit_fields,
                                        std::string due) {
  std::vector<std::string> arguments = {std::to_string(before.version),
                                        before.audit_head};
  RecordDiff diff = DiffRecords(before, after);
  AppendList(std::move(diff.set), &arguments);
  AppendList(std::move(diff.remove), &arguments);
  std::vector<std::string> entry;
  for (const auto& [name, value] : audit_fields) {
    entry.push_back(name);
    entry.push_back(value);
  }
  entry.emplace_back(kAuditHashField);
  entry.push_back(after.audit_head);
  AppendList(std::move(entry), &arguments);
  AppendList(before.state == after.state ? std::vector<std::string>()
                                         : OutboxEntry(after, audit),
             &arguments);
  arguments.push_back(after.user_id);
  arguments.push_back(std::move(due));
  if (!ShowsTheSame(before, after)) {
    arguments.push_back(ChangesChannel(BucketOf(after.user_id)));
    arguments.push_back(EncodeChange(after));
  }
  return arguments;
}

base::Counter* WriteCounter(const char* result) {
  return base::GetCounter("kyc_record_writes_total",
                          "Attempts to change a record, by how they ended.",
                          {{"result", result}});
}

}  // namespace

int BucketOf(std::string_view user_id) {
  static constexpr std::array<uint16_t, 256> kTable = Crc16Table();
  uint16_t crc = 0;
  for (char c : user_id) {
    crc = static_cast<uint16_t>((crc << 8) ^
                                kTable[(crc >> 8) ^ static_cast<uint8_t>(c)]);
  }
  return crc % kBucketCount;
}

std::string RecordKey(std::string_view user_id) {
  return Key(BucketOf(user_id), "user:", user_id);
}

std::string AuditKey(std::string_view user_id) {
  return Key(BucketOf(user_id), "audit:", user_id);
}

std::string OutboxKey(int bucket) { return Key(bucket, "outbox"); }

std::string WaitingKey(int bucket) { return Key(bucket, "waiting"); }

std::string ChangesChannel(int bucket) { return Key(bucket, "changes"); }

RecordStore::RecordStore(async::Redis& redis, const base::Clock& clock,
                         std::chrono::milliseconds reconcile_after)
    : redis_(redis), clock_(clock), reconcile_after_(reconcile_after) {}

Task<absl::StatusOr<Record>> RecordStore::Load(std::string user_id) {
  std::vector<std::string> command = {"HGETALL", RecordKey(user_id)};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Command(std::move(command)));
  co_return DecodeHash(user_id, reply);
}

Task<std::vector<absl::StatusOr<Record>>> RecordStore::LoadMany(
    std::vector<std::string> user_ids) {
  async::RedisBatch batch;
  for (const std::string& user_id : user_ids) {
    batch.Add({"HGETALL", RecordKey(user_id)});
  }
  const auto replies = co_await redis_.CommandMany(std::move(batch));
  std::vector<absl::StatusOr<Record>> records;
  records.reserve(replies.size());
  for (size_t i = 0; i < replies.size(); ++i) {
    if (replies[i].ok()) {
      records.push_back(DecodeHash(user_ids[i], *replies[i]));
    } else {
      records.push_back(replies[i].status());
    }
  }
  co_return records;
}

Task<std::vector<absl::StatusOr<Record>>> RecordStore::LoadStatuses(
    std::vector<std::string> user_ids) {
  // One such command with an id of usual length.
  constexpr size_t kCommandBytes = 192;
  async::RedisBatch batch;
  batch.Reserve(user_ids.size() * kCommandBytes);
  for (const std::string& user_id : user_ids) {
    batch.Add({"HMGET", RecordKey(user_id), kStatusFields[0], kStatusFields[1],
               kStatusFields[2], kStatusFields[3], kStatusFields[4],
               kStatusFields[5]});
  }
  const auto replies = co_await redis_.CommandMany(std::move(batch));
  std::vector<absl::StatusOr<Record>> records;
  records.reserve(replies.size());
  for (size_t i = 0; i < replies.size(); ++i) {
    if (replies[i].ok()) {
      records.push_back(DecodeStatus(user_ids[i], *replies[i]));
    } else {
      records.push_back(replies[i].status());
    }
  }
  co_return records;
}

Task<absl::StatusOr<RecordStore::Outcome>> RecordStore::Update(
    std::string user_id, Decide decide) {
  CO_ASSIGN_OR_RETURN(Record record, co_await Load(std::move(user_id)));
  co_return co_await UpdateFrom(std::move(record), std::move(decide), false);
}

Task<absl::StatusOr<RecordStore::Outcome>> RecordStore::UpdateFrom(
    Record record, Decide decide, bool only_this_version) {
  static base::Counter* const written = WriteCounter("written");
  static base::Counter* const conflict = WriteCounter("conflict");
  for (int attempt = 0; attempt < kMaxConflicts; ++attempt) {
    std::optional<Change> change = decide(record);
    if (!change) co_return Outcome{std::move(record), false};
    Record& next = change->record;
    AuditEntry& audit = change->audit;
    next.user_id = record.user_id;
    const bool is_entry_alone = next == record && record.version > 0;
    next.version = record.version + (is_entry_alone ? 0 : 1);
    audit.version = next.version;
    audit.from = record.state;
    audit.to = next.state;
    audit.time_ms = clock_.NowMs();
    if (!is_entry_alone) next.updated_ms = audit.time_ms;
    const AuditFieldList fields = AuditFields(audit);
    next.audit_head = AuditHash(record.audit_head, record.user_id, fields);
    const int bucket = BucketOf(record.user_id);
    std::vector<std::string> keys = {RecordKey(record.user_id),
                                     AuditKey(record.user_id),
                                     OutboxKey(bucket), WaitingKey(bucket)};
    std::string due = DueArgument(record, next, reconcile_after_);
    CO_ASSIGN_OR_RETURN(
        const RedisReply reply,
        co_await redis_.Eval(
            WriteScript(), std::move(keys),
            WriteArguments(record, next, audit, fields, std::move(due))));
    if (reply.type == RedisReply::Type::kInteger) {
      written->Add();
      co_return Outcome{std::move(next), true};
    }
    conflict->Add();
    const uint64_t version = record.version;
    CO_ASSIGN_OR_RETURN(record, DecodeHash(record.user_id, reply));
    if (only_this_version && record.version != version) {
      co_return absl::AbortedError("the record has changed meanwhile");
    }
  }
  co_return absl::AbortedError("too many writers of one record");
}

Task<absl::StatusOr<Record>> RecordStore::AppendAudit(std::string user_id,
                                                      AuditEntry entry) {
  CO_ASSIGN_OR_RETURN(
      Outcome outcome,
      co_await Update(std::move(user_id), [&](const Record& current) {
        return std::make_optional(Change{current, entry});
      }));
  co_return std::move(outcome.record);
}

}  // namespace kyc::store
