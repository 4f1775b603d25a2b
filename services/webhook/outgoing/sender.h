// Sends deliveries to their receivers: from being due to the outcome that is
// stored.
#ifndef KYC_SERVICES_WEBHOOK_OUTGOING_SENDER_H_
#define KYC_SERVICES_WEBHOOK_OUTGOING_SENDER_H_

#include <atomic>
#include <chrono>
#include <map>
#include <memory>

#include "services/async/http_client.h"
#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/async/task.h"
#include "services/base/clock.h"
#include "services/base/metrics.h"
#include "services/webhook/outgoing/attempt.h"
#include "services/webhook/outgoing/circuit.h"
#include "services/webhook/outgoing/delivery_store.h"
#include "services/webhook/outgoing/subscription.h"
#include "services/webhook/outgoing/subscription_store.h"

namespace kyc::outgoing {

// One loop's; used on that loop's thread, but for Stop, and lives until it has
// stopped.
class Sender {
 public:
  struct Options {
    // Whether receivers on this machine may be called: for development.
    bool allow_loopback = false;
    // For one attempt, answer included.
    std::chrono::milliseconds attempt_timeout{15000};
    int max_connections_per_host = 64;
  };
  // `redis`, `deliveries` and `clock` outlive the sender.
  Sender(async::Loop& loop, async::Redis& redis, DeliveryStore& deliveries,
         const base::Clock& clock, Options options);

  // Sees to a delivery that is due. It is dropped when its subscription is
  // disabled or deleted (null), given up when it is older than kMaxAge, and
  // else attempted once, of which `circuit`, the endpoint's, is told. A
  // subscription whose receiver answers 410 is disabled, unless it has another
  // URL by then.
  //
  // Ends when the outcome is stored, or is not to be stored any more
  // (DeliveryStore::Record). As long as Redis fails, storing it is tried again
  // after a pause of at most 5 s; after Stop once is enough.
  //
  // Many at the same time, but each delivery once. `circuit` outlives the
  // task.
  async::Task<void> Attempt(Delivery delivery,
                            std::shared_ptr<const Subscription> subscription,
                            Circuit& circuit);

  // What is under way goes on; see Attempt. Any thread.
  void Stop() { stopping_ = true; }

 private:
  struct Metrics {
    Metrics();
    std::map<Outcome::Kind, base::Counter*> attempts;
    base::Counter* failed;
    base::Counter* dropped;
    base::Counter* disabled;
  };

  async::Task<Outcome> Send(std::shared_ptr<const Subscription> subscription,
                            const Delivery& delivery);
  void Report(const Outcome& outcome, const Delivery& delivery);
  void GivenUp(const Delivery& delivery);
  async::Task<void> Disable(std::shared_ptr<const Subscription> subscription);
  async::Task<void> Record(Delivery delivery, int attempts_seen);

  const Options options_;
  const base::Clock& clock_;
  const Metrics metrics_;
  async::HttpClient http_;
  DeliveryStore& deliveries_;
  SubscriptionStore subscriptions_;
  std::atomic<bool> stopping_{false};
};

}  // namespace kyc::outgoing

#endif  // KYC_SERVICES_WEBHOOK_OUTGOING_SENDER_H_
