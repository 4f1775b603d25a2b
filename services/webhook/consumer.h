// Takes events out of the stream and gives them to KycService.
#ifndef KYC_SERVICES_WEBHOOK_CONSUMER_H_
#define KYC_SERVICES_WEBHOOK_CONSUMER_H_

#include <chrono>
#include <memory>
#include <string>

#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/base/clock.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace kyc::webhook {

struct ConsumerOptions {
  // This process's name in the consumer group: unique among live processes,
  // and the same after a restart, so that what was left pending is resumed at
  // once.
  std::string name;
  // How often pending entries of consumers that are gone are looked for, and
  // for how long an entry must have lain idle: longer than any apply or
  // back-off takes, else a live consumer's work is done twice (harmless, but
  // for nothing).
  std::chrono::milliseconds claim_interval{15000};
  std::chrono::milliseconds claim_min_idle{60000};
  // Events being applied at the same time.
  int apply_concurrency = 64;
  std::chrono::milliseconds apply_timeout{10000};
  // How long one read waits for new entries; also what Drain may take. Less
  // than the two command time limits after which a silent connection is left.
  std::chrono::milliseconds block{2000};
  // Pauses between the attempts of one event.
  std::chrono::milliseconds retry_base{1000};
  std::chrono::milliseconds retry_cap{30000};
  // Attempts that may fail for a reason a repetition does not mend before
  // the event goes to the dead letters.
  int max_attempts = 5;
  // How long acknowledged entries stay in the stream.
  std::chrono::milliseconds retention{std::chrono::hours(24 * 7)};
  std::chrono::milliseconds sample_interval{5000};
  std::chrono::milliseconds trim_interval{60000};
};

// One consumer of the group, on one loop.
//
// An entry is acknowledged after ProviderEventService answered OK, that is
// after its effect is stored; until then it stays pending in Redis, and a
// crash at any point only means that it is applied again, which has no second
// effect. Order is not kept: the engine does not need it.
//
// While KycService cannot be reached nothing is read, claimed or counted as
// an attempt. An event that fails alone is repeated with a back-off of its own
// while others pass. Redis errors, also an emptied Redis, are waited out with
// a back-off; stream and group are made again.
class Consumer {
 public:
  // Works from the loop's start on. `clock` outlives the loop.
  Consumer(async::Loop& loop, const async::RedisOptions& redis,
           std::shared_ptr<grpc::Channel> kyc, ConsumerOptions options,
           const base::Clock& clock);
  // Starts nothing new; what is suspended ends with the loop. Any thread.
  ~Consumer();

  // Stops reading, then waits for applies in flight. False when `limit` was
  // not enough: what is left stays pending for the next start. Blocks the
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
