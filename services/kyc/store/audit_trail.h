// Audit trails as Redis has them: read by pages, and checked.
#ifndef KYC_SERVICES_KYC_STORE_AUDIT_TRAIL_H_
#define KYC_SERVICES_KYC_STORE_AUDIT_TRAIL_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/redis.h"
#include "services/async/task.h"
#include "services/kyc/store/audit.h"
#include "services/kyc/store/record_store.h"

namespace kyc::store {

// One loop's access; used on that loop's thread. Errors are Redis's.
class AuditTrail {
 public:
  // Both outlive the object.
  AuditTrail(async::Redis& redis, RecordStore& records)
      : redis_(redis), records_(records) {}

  struct Entry {
    std::string id;  // Of the stream.
    AuditFieldList fields;
  };
  // At most `count` entries after the one with the id `after` ("": from the
  // first), oldest first.
  async::Task<absl::StatusOr<std::vector<Entry>>> List(std::string user_id,
                                                       std::string after,
                                                       int count);

  struct Problem {
    std::string entry_id;  // Empty where no entry is at fault.
    std::string what;
  };
  struct Finding {
    int64_t entries = 0;  // That were checked.
    // The hash of the last one. Copies of it kept elsewhere show when trail
    // and record have been replaced together.
    std::string head;
    std::optional<Problem> problem;  // The first one.
  };
  // Checks a user's trail from its first entry to its last, and that the
  // record stands where the trail ends: a changed, removed, inserted or moved
  // entry, a trail cut short or gone, and a record gone or changed by others
  // than this service are problems. Entries that are appended meanwhile are
  // none.
  async::Task<absl::StatusOr<Finding>> Verify(std::string user_id);

  struct Users {
    std::vector<std::string> user_ids;  // May name a user twice.
    std::string next_cursor;            // Empty: that was the last page.
  };
  // About `count` users who have a record or a trail; `cursor` is empty at
  // first. All who are there throughout are found, new ones perhaps.
  async::Task<absl::StatusOr<Users>> ListUsers(std::string cursor, int count);

 private:
  async::Redis& redis_;
  RecordStore& records_;
};

}  // namespace kyc::store

#endif  // KYC_SERVICES_KYC_STORE_AUDIT_TRAIL_H_
