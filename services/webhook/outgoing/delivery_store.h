// Deliveries in Redis: what is to be sent, when, and what became of it.
//
// They fall into 16 parts, by the bucket of the user; the process that owns a
// part (webhook/ownership.h) sends what is in it. A delivery's id names its
// part. Keys of a part share a hash tag:
//   kyc:{out:0}:dlv:<id>    hash  one delivery
//   kyc:{out:0}:due:<sub>   zset  a subscription's pending ones by due time
//   kyc:{out:0}:queues      zset  subscriptions with pending ones by the
//                                 earliest due time
//   kyc:{out:0}:log:<sub>   zset  a subscription's deliveries by creation
//   kyc:{out:0}:lease       string  the process that owns the part
// A queue for each subscription, so that one receiver's backlog stands in
// nobody else's way. What is finished is forgotten after 7 days, or when a
// subscription has 1,000 newer ones in the part.
#ifndef KYC_SERVICES_WEBHOOK_OUTGOING_DELIVERY_STORE_H_
#define KYC_SERVICES_WEBHOOK_OUTGOING_DELIVERY_STORE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/redis.h"
#include "services/async/task.h"

namespace kyc::outgoing {

inline constexpr int kParts = 16;

// The part in a delivery's id ("msg_" and 32 hex digits, of which the first is
// the part); nothing when it is none.
std::optional<int> PartOf(std::string_view delivery_id);
// Where the lease of a part stands: kyc:{out:0}:lease.
std::string LeaseKeyOfPart(int part);
// The part that a bucket's changes go to.
inline int PartOfBucket(int bucket) { return bucket % kParts; }

struct Delivery {
  enum class State { kPending, kDelivered, kFailed, kDropped };

  std::string id;
  std::string subscription;
  std::string type;
  std::string body;
  State state = State::kPending;
  int attempts = 0;            // Made in all.
  int attempts_before = 0;     // Of these, before it was last sent again.
  int64_t created_ms = 0;
  int64_t since_ms = 0;        // Creation, or when it was last sent again.
  int64_t last_attempt_ms = 0;
  int64_t next_attempt_ms = 0; // 0: none is due.
  int last_status = 0;
  std::string last_error;

  bool operator==(const Delivery&) const = default;
};

// A queue with something due.
struct DueQueue {
  int part = 0;
  std::string subscription;
};

struct Backlog {
  int64_t pending = 0;
  int64_t due = 0;
  int64_t oldest_due_ms = 0;  // 0: nothing is due.
};

// One loop's access; used on that loop's thread. Errors are Redis's.
class DeliveryStore {
 public:
  explicit DeliveryStore(async::Redis& redis) : redis_(redis) {}

  // Stores new deliveries of one part, due now. One whose id is known already
  // is left as it is. Says how many are new.
  async::Task<absl::StatusOr<int64_t>> Add(int part,
                                           std::vector<Delivery> deliveries,
                                           int64_t now_ms);

  // Queues of these parts that have something due, the longest due first; at
  // most 10,000 of each part.
  async::Task<absl::StatusOr<std::vector<DueQueue>>> DueQueues(
      std::vector<int> parts, int64_t now_ms);
  // Ids of what is due in each queue, at most `limit` of each.
  async::Task<absl::StatusOr<std::vector<std::vector<std::string>>>> Due(
      std::vector<DueQueue> queues, int64_t now_ms, int limit);

  // In order of the ids; nothing for those that do not exist, or cannot be
  // read, which is logged.
  async::Task<absl::StatusOr<std::vector<std::optional<Delivery>>>> Load(
      std::vector<std::string> ids);

  // Writes the outcome of an attempt: state, attempts, times and answer of
  // `delivery`. False, and nothing is written, if `attempts_seen` or its
  // since_ms is not what is stored: somebody else has made an attempt
  // meanwhile, or it is to be sent again.
  async::Task<absl::StatusOr<bool>> Record(Delivery delivery,
                                           int attempts_seen);

  // Takes an id out of its queue that has no delivery any more.
  async::Task<absl::Status> Forget(DueQueue queue, std::string id);

  // Makes a delivery of that subscription due now, with all its attempts
  // before it again. Nothing if there is none.
  async::Task<absl::StatusOr<std::optional<Delivery>>> Resend(
      std::string id, std::string subscription, int64_t now_ms);

  // A subscription's newest deliveries, the newest first.
  async::Task<absl::StatusOr<std::vector<Delivery>>> Log(
      std::string subscription, int limit);

  // What waits in these parts.
  async::Task<absl::StatusOr<Backlog>> Measure(std::vector<int> parts,
                                               int64_t now_ms);

 private:
  async::Redis& redis_;
};

}  // namespace kyc::outgoing

#endif  // KYC_SERVICES_WEBHOOK_OUTGOING_DELIVERY_STORE_H_
