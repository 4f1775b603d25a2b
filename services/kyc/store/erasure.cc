#include "services/kyc/store/erasure.h"

#include <utility>
#include <vector>

#include "services/base/status_macros.h"
#include "services/kyc/store/idempotency_store.h"
#include "services/kyc/store/pint_store.h"

namespace kyc::store {
namespace {

using async::RedisReply;
using async::Task;

// Answers under Idempotency-Keys: their bodies say where the user stood.
Task<absl::Status> EraseIdempotencyRecords(async::Redis& redis,
                                           std::string user_id) {
  const std::string index = IdempotencyIndexKey(user_id);
  std::vector<std::string> range = {"ZRANGE", index, "0", "-1"};
  CO_ASSIGN_OR_RETURN(const RedisReply records,
                      co_await redis.Command(std::move(range)));
  std::vector<std::string> remove = {"DEL", index};
  for (const RedisReply& record : records.elements) {
    remove.push_back(record.text);
  }
  const auto removed = co_await redis.Command(std::move(remove));
  co_return removed.status();
}

using EraseKind = Task<absl::Status> (*)(async::Redis& redis,
                                         std::string user_id);

// The list.
constexpr EraseKind kKinds[] = {
    EraseIdempotencyRecords,
    EraseConsents,
};

}  // namespace

Task<absl::Status> EraseKeysOf(async::Redis& redis, std::string user_id) {
  for (const EraseKind erase : kKinds) {
    CO_RETURN_IF_ERROR(co_await erase(redis, user_id));
  }
  std::vector<std::string> publish = {"PUBLISH", kErasedChannel,
                                      std::move(user_id)};
  const auto told = co_await redis.Command(std::move(publish));
  co_return told.status();
}

}  // namespace kyc::store
