// The stream between intake and consumer: what stands in Redis, and the
// commands that touch it.
//
//   kyc:events       one entry per accepted webhook. Fields: p provider
//                    ("sumsub"), b the raw body, t when it was received
//                    (epoch ms), tp the W3C traceparent of the request.
//   kyc:events:dead  one entry per event that was given up. The same fields
//                    and: id of the original entry, reason (the canonical
//                    code of the last failure), n attempts made, at when it
//                    was given up (epoch ms). Nothing trims it.
//
// Consumer group "kyc" reads kyc:events. An entry is acknowledged only after
// its effect is stored, and only acknowledged entries are ever trimmed.
#ifndef KYC_SERVICES_WEBHOOK_EVENT_STREAM_H_
#define KYC_SERVICES_WEBHOOK_EVENT_STREAM_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/redis.h"
#include "services/async/task.h"

namespace kyc::webhook {

inline constexpr char kEventStream[] = "kyc:events";
inline constexpr char kDeadLetterStream[] = "kyc:events:dead";
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
  // The last id of the page, of whichever kind; empty if there was none.
  std::string last_id;
};

struct ClaimedPage {
  StreamPage page;
  std::string next_cursor;  // "0-0" when the scan is over.
};

struct StreamStats {
  // Entries not delivered yet; absent when Redis does not know.
  std::optional<int64_t> lag;
  int64_t pending = 0;
  // Id of the oldest pending entry; empty without one.
  std::string oldest_pending;
  std::string last_delivered;
  int64_t dead_letters = 0;
};

// A view of the stream through one Redis connection: the connection's thread
// and lifetime rules are its own. Errors are those of async::Redis::Command;
// NOT_FOUND means that the group has to be created (EnsureGroup).
class EventStream {
 public:
  explicit EventStream(async::Redis& redis) : redis_(redis) {}

  // Appends and answers with the new entry's id once Redis has it.
  async::Task<absl::StatusOr<std::string>> Append(
      StreamEvent event, std::chrono::milliseconds timeout);

  // Makes stream and group where they are missing; the group starts at the
  // stream's beginning, so that nothing stored is passed over.
  async::Task<absl::Status> EnsureGroup();

  // Entries delivered to `consumer` and not acknowledged, after `after_id`
  // ("0" for all). Does not count as a delivery.
  async::Task<absl::StatusOr<StreamPage>> ReadPending(std::string consumer,
                                                      std::string after_id,
                                                      int count);
  // Entries delivered to nobody yet; waits up to `block` for one. Blocks the
  // connection: give it one of its own.
  async::Task<absl::StatusOr<StreamPage>> ReadNew(
      std::string consumer, int count, std::chrono::milliseconds block);
  // Takes over entries of any consumer that have been idle for `min_idle`.
  async::Task<absl::StatusOr<ClaimedPage>> Claim(
      std::string consumer, std::chrono::milliseconds min_idle,
      std::string cursor, int count);
  // Delivers one pending entry again. Nothing if it is pending no more.
  async::Task<absl::StatusOr<std::optional<StreamEvent>>> Redeliver(
      std::string consumer, std::string id);

  async::Task<absl::Status> Acknowledge(std::vector<std::string> ids);
  // Moves an entry to the dead letters and acknowledges it, both or neither.
  // Without effect if it is pending no more.
  async::Task<absl::Status> Bury(StreamEvent event, std::string reason,
                                 int attempts, int64_t now_ms);

  // An error without stream or group.
  async::Task<absl::StatusOr<StreamStats>> Stats();
  // Drops entries older than `before_ms` that are delivered and acknowledged;
  // says how many.
  async::Task<absl::StatusOr<int64_t>> Trim(StreamStats stats,
                                            int64_t before_ms);

 private:
  async::Redis& redis_;
};

// The time part of a stream id, 0 if it is none.
int64_t StreamIdMs(std::string_view id);

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_EVENT_STREAM_H_
