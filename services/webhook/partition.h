// How events are spread over the partitions of the stream.
//
// A partition is a stream of its own with a consumer of its own, so events of
// different partitions are read and applied side by side. All events of an
// applicant go to one partition, which keeps them in order. How many there
// are is fixed for a deployment: with another number an applicant's next
// events would overtake those that still wait in the earlier partition (which
// is harmless to the outcome, but costs the order).
//
// Thread-safe: free functions and values.
#ifndef KYC_SERVICES_WEBHOOK_PARTITION_H_
#define KYC_SERVICES_WEBHOOK_PARTITION_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kyc::webhook {

inline constexpr int kDefaultPartitions = 16;
inline constexpr int kMaxPartitions = 256;

// A number for the applicant whom a body is about, the same in every process
// and version: made of externalUserId, by which the engine knows an applicant,
// else of applicantId, else of the body itself. Any bytes have one.
uint64_t ApplicantKey(std::string_view body);

// Of `partitions`, which one that applicant's events are in.
int PartitionOf(uint64_t applicant_key, int partitions);

// The keys of a partition. They share a hash tag, so that one script can
// touch them all on Redis Cluster too.
struct PartitionKeys {
  explicit PartitionKeys(int partition);

  std::string events;  // kyc:{e03}:events
  std::string dead;    // kyc:{e03}:events:dead
  std::string lease;   // kyc:{e03}:lease
  std::string epoch;   // kyc:{e03}:lease:epoch
};

// The same, made once. `partition` < kMaxPartitions.
const PartitionKeys& KeysOf(int partition);

// A stream entry's name outside its partition: "e03:1767225600000-0".
std::string EventId(int partition, std::string_view entry);

struct EventPlace {
  int partition;
  std::string entry;  // "1767225600000-0"
};
// The way back; nothing for a text that names no entry of `partitions`.
std::optional<EventPlace> ParseEventId(std::string_view id, int partitions);

// The time part of a stream entry's id, 0 if it is none.
int64_t StreamIdMs(std::string_view entry);

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_PARTITION_H_
