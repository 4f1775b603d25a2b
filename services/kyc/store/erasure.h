// What erasing a user removes from Redis.
//
// The personal fields of the record go with a change of the record
// (domain::RemovePersonalData); the keys beside it are listed in erasure.cc,
// one row per kind. Who stores something else that is personal adds a row.
// Left in place are the record's decision and times, the audit trail, which
// holds nothing personal, and outgoing events not delivered yet, which name
// the user's id alone.
#ifndef KYC_SERVICES_KYC_STORE_ERASURE_H_
#define KYC_SERVICES_KYC_STORE_ERASURE_H_

#include <string>

#include "absl/status/status.h"
#include "services/async/redis.h"
#include "services/async/task.h"

namespace kyc::store {

// Where processes hear, by user id, whose data they are to forget.
inline constexpr char kErasedChannel[] = "kyc:erased";

// Removes every key in the list, then tells all processes to forget what they
// hold in memory. Idempotent: after an error do it again.
async::Task<absl::Status> EraseKeysOf(async::Redis& redis, std::string user_id);

}  // namespace kyc::store

#endif  // KYC_SERVICES_KYC_STORE_ERASURE_H_
