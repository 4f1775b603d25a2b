// Takes events out of the stream and gives them to KycService.
#ifndef KYC_SERVICES_WEBHOOK_CONSUMER_H_
#define KYC_SERVICES_WEBHOOK_CONSUMER_H_

#include <chrono>
#include <memory>
#include <string>

#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/base/clock.h"
#include "services/webhook/partition.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace kyc::webhook {

struct ConsumerOptions {
  // This process's name: unique among live processes, and the same after a
  // restart, so that it goes on with its partitions at once.
  std::string name;
  // Fixed for a deployment: see partition.h.
  int partitions = kDefaultPartitions;
  // After which the partitions of a dead process are taken over; to that comes
  // one fifteenth of it until the others look.
  std::chrono::milliseconds lease_time{15000};
  // How often entries are looked for that lie untouched in a partition of
  // ours: delivered to a process that was frozen when it lost it. And for how
  // long they must have lain.
  std::chrono::milliseconds claim_interval{15000};
  std::chrono::milliseconds claim_min_idle{30000};
  // Events being applied at the same time.
  int apply_concurrency = 256;
  std::chrono::milliseconds apply_timeout{10000};
  // How long one read waits for new entries; also what Drain may take, and
  // how long a partition just taken may wait for its first read. Less than
  // the two command time limits after which a silent connection is left.
  std::chrono::milliseconds block{1000};
  // Pauses between the attempts of one event.
  std::chrono::milliseconds retry_base{1000};
  std::chrono::milliseconds retry_cap{30000};
  // Attempts that may fail for a reason a repetition does not mend before
  // the event goes to the dead letters.
  int max_attempts = 5;
  // The age at which one goes there that keeps failing for reasons that may
  // pass, while KycService is there.
  std::chrono::milliseconds max_event_age{std::chrono::hours(24)};
  // How long acknowledged entries stay in the stream.
  std::chrono::milliseconds retention{std::chrono::hours(24 * 7)};
  std::chrono::milliseconds sample_interval{5000};
  std::chrono::milliseconds trim_interval{60000};
};

// This process's part in consuming the stream, on one loop.
//
// Of the stream's partitions it owns its share (ownership.h) and works on
// each of them alone: first on what an earlier owner left pending, then on
// what comes. Events of one applicant are applied in order, those of
// different applicants side by side (chains.h).
//
// An entry is acknowledged after ProviderEventService answered OK, that is
// after its effect is stored; until then it stays pending in Redis, and a
// crash at any point only means that it is applied again, which has no second
// effect. A process that was frozen for longer than its lease may apply an
// event beside the partition's new owner: out of order, which the engine does
// not mind.
//
// While KycService cannot be reached nothing is read or counted as an
// attempt. Redis errors, also an emptied Redis, are waited out with a
// back-off; streams, groups and leases are made again.
class Consumer {
 public:
  // Works from the loop's start on. `clock` outlives the loop.
  Consumer(async::Loop& loop, const async::RedisOptions& redis,
           std::shared_ptr<grpc::Channel> kyc, ConsumerOptions options,
           const base::Clock& clock);
  // Starts nothing new; what is suspended ends with the loop. Any thread.
  ~Consumer();

  // Stops reading, waits for applies in flight, and gives each partition up
  // as it comes to rest, so that others take it at once. False when `limit`
  // was not enough: what is left stays pending for the next owner. Blocks the
  // calling thread, which must not be the loop's, and the loop must run.
  bool Drain(std::chrono::milliseconds limit);

  // Whether the last word from Redis was good. Thread-safe.
  bool redis_ok() const;
  // Whether KycService is connected. Thread-safe.
  bool kyc_ok() const;

 private:
  class Impl;
  const std::shared_ptr<Impl> impl_;
};

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_CONSUMER_H_
