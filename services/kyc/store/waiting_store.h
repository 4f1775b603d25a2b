// The users of whom the provider is to be asked, by when: a sorted set per
// bucket, kyc:{b000}:waiting, shared by all processes.
//
// RecordStore writes a user into it, or out of it, together with the record.
// Who asks takes users whose time has come: their time moves ahead a little,
// so nobody else takes them meanwhile, and whoever dies with them loses none.
#ifndef KYC_SERVICES_KYC_STORE_WAITING_STORE_H_
#define KYC_SERVICES_KYC_STORE_WAITING_STORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/redis.h"
#include "services/async/task.h"

namespace kyc::store {

// One loop's access; used on that loop's thread. Errors are Redis's.
class WaitingStore {
 public:
  // `redis` outlives the store.
  explicit WaitingStore(async::Redis& redis) : redis_(redis) {}

  struct Overview {
    std::vector<int> due_buckets;     // Those with users whose time has come.
    int64_t due = 0;                  // How many users those are.
    std::optional<int64_t> first_ms;  // The earliest time of all.
  };
  async::Task<absl::StatusOr<Overview>> Look(int64_t now_ms);

  // Takes at most `count` users of the bucket whose time has come, the
  // earliest first; they are this caller's until `until_ms`.
  async::Task<absl::StatusOr<std::vector<std::string>>> Take(int bucket,
                                                             int64_t now_ms,
                                                             int64_t until_ms,
                                                             int count);

  // Gives a user back who was taken until `until_ms`: for `next_ms`, or for
  // good. Does nothing when the record was written meanwhile: that has set
  // another time.
  async::Task<absl::Status> GiveBack(std::string user_id, int64_t until_ms,
                                     std::optional<int64_t> next_ms);

 private:
  async::Redis& redis_;
};

}  // namespace kyc::store

#endif  // KYC_SERVICES_KYC_STORE_WAITING_STORE_H_
