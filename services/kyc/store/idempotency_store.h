// Requests with an Idempotency-Key and their answers in Redis:
//   kyc:{b000}:idem:<user>:<SHA-256 of the key in hex>   hash
// with `fingerprint`, and `claim` while the first request is in flight, then
// `status`, `type` and `body` of its answer. Each goes by itself: a claim
// after 60 s, an answer after 24 h.
//   kyc:{b000}:idems:<user>   zset   the user's records, by when they have gone
#ifndef KYC_SERVICES_KYC_STORE_IDEMPOTENCY_STORE_H_
#define KYC_SERVICES_KYC_STORE_IDEMPOTENCY_STORE_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/redis.h"
#include "services/async/task.h"

namespace kyc::store {

std::string IdempotencyRecordKey(std::string_view user_id,
                                 std::string_view key);
// Of the zset whose members are the user's record keys: where erasure finds
// them.
std::string IdempotencyIndexKey(std::string_view user_id);

// One loop's access; used on that loop's thread. Errors are Redis's, those
// named below, and DATA_LOSS for what cannot be read.
class IdempotencyStore {
 public:
  // As it went to the caller.
  struct Answer {
    int status = 0;
    std::string content_type;
    std::string body;
    friend bool operator==(const Answer&, const Answer&) = default;
  };
  struct Begun {
    // The request was answered before.
    std::optional<Answer> answer;
    // Else: what End takes.
    std::string claim;
  };

  // `redis` outlives the store.
  explicit IdempotencyStore(async::Redis& redis) : redis_(redis) {}

  // GEN-422-001 when the key stands for a request of another fingerprint,
  // GEN-409-001 while the first one is in flight.
  async::Task<absl::StatusOr<Begun>> Begin(std::string user_id, std::string key,
                                           std::string fingerprint);

  // Stores the answer in the place of the claim; without one, the key is as
  // if never used. Nothing happens when the claim is not (any more) the
  // key's.
  async::Task<absl::Status> End(std::string user_id, std::string key,
                                std::string claim,
                                std::optional<Answer> answer);

 private:
  async::Redis& redis_;
};

}  // namespace kyc::store

#endif  // KYC_SERVICES_KYC_STORE_IDEMPOTENCY_STORE_H_
