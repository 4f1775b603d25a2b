// Records in Redis.
//
// Keys of a user share the hash tag of one of 256 buckets, so that one script
// writes them together, on a cluster too:
//   kyc:{b000}:user:<id>    hash    the record
//   kyc:{b000}:audit:<id>   stream  its audit trail, append-only
//   kyc:{b000}:outbox       stream  outgoing events of the bucket
//   kyc:{b000}:waiting      zset    users of whom the provider is to be asked,
//                                   by when (see waiting_store.h)
//   kyc:{b000}:changes      channel status changes, for WatchStatus
// An outbox entry stands for one change of the public state and has the
// fields id (the same whenever the same change is told again), type
// ("kyc.status.changed"), user_id, from, to, version, time_ms, org and env
// (of the record's tenant, empty without one). Who delivers the entries
// removes them.
#ifndef KYC_SERVICES_KYC_STORE_RECORD_STORE_H_
#define KYC_SERVICES_KYC_STORE_RECORD_STORE_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/redis.h"
#include "services/async/task.h"
#include "services/base/clock.h"
#include "services/kyc/domain/record.h"
#include "services/kyc/store/audit.h"

namespace kyc::store {

inline constexpr int kBucketCount = 256;

// CRC16 (XMODEM, as Redis Cluster's) of the id, modulo 256.
int BucketOf(std::string_view user_id);
// "kyc:{b007}:user:usr_1" and so on.
std::string RecordKey(std::string_view user_id);
std::string AuditKey(std::string_view user_id);
std::string OutboxKey(int bucket);
std::string WaitingKey(int bucket);
std::string ChangesChannel(int bucket);

// A record as a Redis hash: field names and values in turn, without the
// fields that are unset. The inverse ignores unknown fields (a newer version
// may have written them); DATA_LOSS when a value cannot be read.
std::vector<std::string> EncodeRecord(const domain::Record& record);
absl::StatusOr<domain::Record> DecodeRecord(
    std::string_view user_id, const std::vector<std::string>& fields);

// The part of a record that callers are shown as its status: user_id,
// version, state, applicant_id, verified_at_ms, rejected_at_ms and
// reject_reason; nothing else is set.
domain::Record StatusOf(const domain::Record& record);

// What a change message says to those who watch: StatusOf the record.
std::string EncodeChange(const domain::Record& record);
absl::StatusOr<domain::Record> DecodeChange(std::string_view payload);

// One loop's access to the records; used on that loop's thread.
class RecordStore {
 public:
  // All outlive the store. `reconcile_after`: how long a record stays without
  // a decision before the provider is asked.
  RecordStore(
      async::Redis& redis, const base::Clock& clock,
      std::chrono::milliseconds reconcile_after = std::chrono::minutes(10));

  // A user never stored gives a record with version 0.
  async::Task<absl::StatusOr<domain::Record>> Load(std::string user_id);

  // The same for many users at once, pipelined; results in order.
  async::Task<std::vector<absl::StatusOr<domain::Record>>> LoadMany(
      std::vector<std::string> user_ids);
  // The same as StatusOf each record, for less: the path of most requests.
  // Not to be given to UpdateFrom.
  async::Task<std::vector<absl::StatusOr<domain::Record>>> LoadStatuses(
      std::vector<std::string> user_ids);

  // What a change wants written. One whose record is as it was writes the
  // audit entry alone (see AppendAudit).
  struct Change {
    domain::Record record;  // As it shall be.
    AuditEntry audit;       // What happened; the store fills in the chain.
  };
  // Decides what an event makes of a record: nullopt leaves it as it is.
  // Called again with the newer record when another writer came first, so it
  // must depend on its argument alone.
  using Decide =
      std::function<std::optional<Change>(const domain::Record& record)>;

  struct Outcome {
    domain::Record record;  // As stored now.
    bool changed;
  };
  // Reads, decides and writes in one atomic script that compares the version
  // and the head of the audit trail:
  // the fields of the record that changed, the audit entry, when the provider
  // is to be asked if no event comes, the outgoing event if the state changed,
  // and a message to those who watch if StatusOf changed beside its version.
  // Bounded: ABORTED after 16 conflicts in a row. UNAVAILABLE or
  // DEADLINE_EXCEEDED leave open whether it was written; repeating is safe
  // where `decide` is idempotent.
  async::Task<absl::StatusOr<Outcome>> Update(std::string user_id,
                                              Decide decide);
  // The same, starting from a record already read; when `only_this_version`
  // another version is ABORTED at once instead of decided again.
  async::Task<absl::StatusOr<Outcome>> UpdateFrom(domain::Record record,
                                                  Decide decide,
                                                  bool only_this_version);

  // Appends to a user's audit trail what changed nothing of the record: who
  // read it, what was refused. `entry` comes without what the store fills in.
  // The entry is chained and written together with the record's head, like
  // those of changes, so it cannot be taken out unseen.
  // Versions count changes: such an entry carries the version it saw and
  // raises none, so it wakes no watcher, drops no cache and disturbs no poll.
  // (A user never stored gets a record with it: pending, version 1.)
  // Errors as of Update; after UNAVAILABLE or DEADLINE_EXCEEDED it may stand
  // in the trail, and repeating may enter it twice.
  async::Task<absl::StatusOr<domain::Record>> AppendAudit(std::string user_id,
                                                          AuditEntry entry);

 private:
  async::Redis& redis_;
  const base::Clock& clock_;
  const std::chrono::milliseconds reconcile_after_;
};

}  // namespace kyc::store

#endif  // KYC_SERVICES_KYC_STORE_RECORD_STORE_H_
