// The stream between intake and consumer: what stands in Redis, and the
// commands that touch it.
//
//   kyc:{e00}:events       one entry per accepted webhook. Fields: p provider
//                          ("sumsub"), b the raw body, t when it was received
//                          (epoch ms), tp the W3C traceparent of the request;
//                          r, in a repetition that an operator asked for, the
//                          id of the entry it repeats.
//   kyc:{e00}:events:dead  one entry per event that was given up. The same
//                          fields and: id of the original entry, reason (the
//                          canonical code of the last failure), n attempts
//                          made, at when it was given up (epoch ms). Nothing
//                          trims it.
//
// and so on for every partition (partition.h). Consumer group "kyc" reads the
// streams. An entry is acknowledged only after its effect is stored, and only
// acknowledged entries are ever trimmed.
#ifndef KYC_SERVICES_WEBHOOK_EVENT_STREAM_H_
#define KYC_SERVICES_WEBHOOK_EVENT_STREAM_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/redis.h"
#include "services/async/redis_reply.h"
#include "services/async/task.h"
#include "services/webhook/partition.h"

namespace kyc::webhook {

inline constexpr char kConsumerGroup[] = "kyc";

struct StreamEvent {
  std::string id;  // The entry's id; empty before it is stored.
  std::string provider;
  std::string body;
  int64_t received_ms = 0;
  std::string traceparent;
};

// What one read or claim brought.
struct StreamPage {
  std::vector<StreamEvent> events;
  // Entries that are pending but no longer in the stream: somebody trimmed
  // or deleted them. They have to be acknowledged to go away.
  std::vector<std::string> gone;
};

struct ClaimedPage {
  StreamPage page;
  std::string next_cursor;  // "0-0" when the scan is over.
};

struct StreamStats {
  // Entries not delivered yet; absent when Redis does not know.
  std::optional<int64_t> lag;
  int64_t pending = 0;
  // Id of the oldest entry that is not acknowledged, delivered or not; empty
  // without one.
  std::string oldest;
  int64_t dead_letters = 0;
  int64_t trimmed = 0;
};

// Adds the command that appends an event to its applicant's partition, which
// is returned; its reply is the new entry's id.
int AddAppend(const StreamEvent& event, int partitions,
              async::RedisBatch* batch);

// Entries of many partitions that were delivered to nobody yet, up to `count`
// of each; waits up to `block` for one. Blocks the connection: give it one of
// its own. NOT_FOUND when any of the groups has to be made.
async::Task<absl::StatusOr<std::vector<std::pair<int, StreamPage>>>> ReadNew(
    async::Redis& redis, std::string consumer, std::vector<int> partitions,
    int count, std::chrono::milliseconds block);

// A view of one partition through one Redis connection: the connection's
// thread and lifetime rules are its own. Errors are those of
// async::Redis::Command; NOT_FOUND means that the group has to be created
// (EnsureGroup).
class EventStream {
 public:
  EventStream(async::Redis& redis, int partition)
      : redis_(redis), keys_(partition) {}

  // Makes stream and group where they are missing; the group starts at the
  // stream's beginning, so that nothing stored is passed over.
  async::Task<absl::Status> EnsureGroup();

  // Takes over what is pending, whoever's it is, in the order of the stream.
  // For the partition's owner.
  async::Task<absl::StatusOr<ClaimedPage>> ClaimAll(std::string consumer,
                                                    std::string cursor,
                                                    int count);
  // The first `count` entries that have been pending untouched for
  // `min_idle`.
  async::Task<absl::StatusOr<std::vector<std::string>>> Idle(
      std::chrono::milliseconds min_idle, int count);
  // Delivers pending entries again; those that are pending no more, or whose
  // entry is gone, are left out.
  async::Task<absl::StatusOr<std::vector<StreamEvent>>> Claim(
      std::string consumer, std::vector<std::string> ids);

  async::Task<absl::Status> Acknowledge(std::vector<std::string> ids);
  // Moves an entry to the dead letters and acknowledges it, both or neither.
  // False, and nothing done, if it is pending no more or the partition's
  // lease is not `lease` any more.
  async::Task<absl::StatusOr<bool>> Bury(StreamEvent event, std::string reason,
                                         int attempts, int64_t now_ms,
                                         std::string lease);

  // What is in it, after dropping the entries older than `trim_before_ms`,
  // where that is given, that are delivered and acknowledged. An error
  // without stream or group.
  async::Task<absl::StatusOr<StreamStats>> Tidy(
      std::optional<int64_t> trim_before_ms);

 private:
  async::Redis& redis_;
  const PartitionKeys keys_;
};

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_EVENT_STREAM_H_
