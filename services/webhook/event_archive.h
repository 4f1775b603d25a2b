// What an operator finds in the stream and does with it: dead letters, what is
// pending, and the past.
//
// Redis holds these in the keys that event_stream.h names. Each call looks at
// a bounded part; a token says where the next goes on.
#ifndef KYC_SERVICES_WEBHOOK_EVENT_ARCHIVE_H_
#define KYC_SERVICES_WEBHOOK_EVENT_ARCHIVE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/redis.h"
#include "services/async/task.h"

namespace kyc::webhook {

struct DeadLetter {
  std::string id;        // Of the letter, an EventId.
  std::string event_id;  // Of the event that was given up.
  std::string reason;
  int64_t attempts = 0;
  int64_t received_ms = 0;
  int64_t given_up_ms = 0;
  std::string traceparent;
  int64_t body_bytes = 0;
};

struct PendingEvent {
  std::string id;
  std::string consumer;
  int64_t idle_ms = 0;
  int64_t deliveries = 0;
};

template <typename T>
struct ArchivePage {
  std::vector<T> items;
  std::string next_token;  // Empty: that was all.
};

// On the connection's loop. Errors are those of async::Redis, OPS-404-001 for
// an id that is not there, KYC-422-002 for a token that is none.
class EventArchive {
 public:
  EventArchive(async::Redis& redis, int partitions)
      : redis_(redis), partitions_(partitions) {}

  async::Task<absl::StatusOr<ArchivePage<DeadLetter>>> ListDead(
      int count, std::string token);
  struct Letter {
    DeadLetter letter;
    std::string body;
  };
  async::Task<absl::StatusOr<Letter>> GetDead(std::string id);
  // Puts it back at the end of its partition and takes it off the dead
  // letters, both or neither. Gives the event's id now.
  async::Task<absl::StatusOr<std::string>> Redrive(std::string id);
  // The same with up to `count`, oldest first; says how many.
  async::Task<absl::StatusOr<int>> RedriveSome(int count);
  async::Task<absl::Status> Drop(std::string id);
  async::Task<absl::StatusOr<int64_t>> CountDead();

  // Appends up to `count` of the events received from `from_ms` to `to_ms`
  // once more; those that are repetitions themselves are passed over.
  struct Replayed {
    int count = 0;
    std::string next_token;
  };
  async::Task<absl::StatusOr<Replayed>> Replay(int64_t from_ms, int64_t to_ms,
                                               int count, std::string token);

  async::Task<absl::StatusOr<ArchivePage<PendingEvent>>> ListPending(
      int count, std::string token);

 private:
  async::Redis& redis_;
  const int partitions_;
};

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_EVENT_ARCHIVE_H_
