// What operators do with a user's data: erase it, and forbid to erase it.
#ifndef KYC_SERVICES_KYC_SERVER_OPERATIONS_H_
#define KYC_SERVICES_KYC_SERVER_OPERATIONS_H_

#include <string>

#include "absl/status/statusor.h"
#include "services/async/call_context.h"
#include "services/async/redis.h"
#include "services/async/task.h"
#include "services/base/clock.h"
#include "services/kyc/domain/record.h"
#include "services/kyc/store/record_store.h"

namespace kyc::server {

// One loop's; used on its thread. Every call that does something is one entry
// of the user's audit trail, and so is an erasure that a hold forbids.
class Operations {
 public:
  // All outlive the object.
  Operations(store::RecordStore& store, async::Redis& redis,
             const base::Clock& clock)
      : store_(store), redis_(redis), clock_(clock) {}

  // Who does it, and why: both for the audit trail.
  struct By {
    std::string operator_name;
    std::string reference;  // A case's number, say.
  };

  struct Erasure {
    int64_t erased_ms;  // The first one's time.
    bool was_unknown;   // Nothing was stored of such a user.
  };
  // Removes what is personal, or leads to it, here and in the memory of every
  // process (store/erasure.h); keeps decision, times and trail. A user never
  // stored gets a record that says so, since events may be on their way.
  // Idempotent: after an error do it again. OPS-409-001 under a legal hold.
  async::Task<absl::StatusOr<Erasure>> Erase(async::CallContext context,
                                             std::string user_id, By by);

  // Sets a hold, or lifts it; one that stands, or none, is left as it is.
  async::Task<absl::StatusOr<domain::Record>> SetLegalHold(
      async::CallContext context, std::string user_id, By by, bool hold);

 private:
  store::RecordStore& store_;
  async::Redis& redis_;
  const base::Clock& clock_;
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_OPERATIONS_H_
