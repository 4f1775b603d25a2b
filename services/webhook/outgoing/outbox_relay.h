// Turns what stands in KycService's outboxes (event.h) into deliveries
// (delivery_store.h).
//
// An entry becomes one delivery for each event type that a subscription of the
// user's tenant wants, and is removed only when these are stored. A crash in
// between only means that the same deliveries, with the same ids, are stored
// again, which has no effect.
#ifndef KYC_SERVICES_WEBHOOK_OUTGOING_OUTBOX_RELAY_H_
#define KYC_SERVICES_WEBHOOK_OUTGOING_OUTBOX_RELAY_H_

#include <chrono>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/async/task.h"
#include "services/base/clock.h"
#include "services/base/metrics.h"
#include "services/webhook/outgoing/delivery_store.h"
#include "services/webhook/outgoing/subscription_cache.h"

namespace kyc::outgoing {

// One loop's; used on that loop's thread, and lives until it has stopped.
class OutboxRelay {
 public:
  struct Options {
    // How often outboxes are looked into that no message told of: messages
    // may be lost.
    std::chrono::milliseconds sweep_interval{2000};
    // Whether this process sees to the outboxes of that part now. Asked on
    // the loop, again after each wait.
    std::function<bool(int part)> works_on;
    // Called on the loop when Relay has something to do that it did not have
    // before.
    std::function<void()> wake;
  };
  // Listens on the channels of all buckets, over a connection of its own.
  // `redis`, `deliveries`, `cache` and `clock` outlive the relay.
  OutboxRelay(async::Loop& loop, const async::RedisOptions& subscriber,
              async::Redis& redis, DeliveryStore& deliveries,
              SubscriptionCache& cache, const base::Clock& clock,
              Options options);

  // Sweeps when its time has come, then takes at most one page of 64 entries
  // out of each outbox that has some, so that nothing else waits for a long
  // backlog; wakes when there are more. An entry that cannot be read is
  // logged and removed, an outbox that Redis refuses is logged and left to the
  // next sweep. Other errors are Redis's; what was not done then is done by a
  // later call. One call at a time.
  async::Task<absl::Status> Relay();
  // The next Relay looks into every outbox: there are new parts to work on.
  void SweepNext() { next_sweep_ = {}; }

 private:
  // As XRANGE gives it.
  struct Entry {
    std::string id;
    std::vector<std::string> fields;
  };
  struct Metrics {
    Metrics();
    base::Gauge* outbox;
    base::Counter* created;
    base::Counter* unreadable;
  };

  static std::vector<Entry> Entries(const async::RedisReply& reply);
  void Mark(int bucket);
  async::Task<absl::Status> Sweep();
  async::Task<absl::Status> DrainOutboxes();
  async::Task<absl::Status> DrainOutbox(int bucket);
  async::Task<absl::StatusOr<std::vector<Delivery>>> DeliveriesOf(
      int part, std::vector<Entry> entries);

  const Options options_;
  const base::Clock& clock_;
  const Metrics metrics_;
  async::Redis& redis_;
  DeliveryStore& deliveries_;
  SubscriptionCache& cache_;
  std::set<int> dirty_;  // Buckets that may have something in their outbox.
  std::chrono::steady_clock::time_point next_sweep_{};
  async::RedisSubscriber subscriber_;
};

}  // namespace kyc::outgoing

#endif  // KYC_SERVICES_WEBHOOK_OUTGOING_OUTBOX_RELAY_H_
