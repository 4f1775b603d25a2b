// Takes changes out of KycService's outbox and delivers them to those who
// subscribed.
#ifndef KYC_SERVICES_WEBHOOK_OUTGOING_DISPATCHER_H_
#define KYC_SERVICES_WEBHOOK_OUTGOING_DISPATCHER_H_

#include <chrono>
#include <future>
#include <memory>
#include <string>

#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/base/clock.h"

namespace kyc::outgoing {

struct DispatcherOptions {
  // Unique among live processes.
  std::string member;
  // Whether receivers on this machine may be called: for development.
  bool allow_loopback = false;
  // For one attempt, answer included.
  std::chrono::milliseconds attempt_timeout{15000};
  // Attempts at the same time, in all and for one subscription.
  int max_in_flight = 64;
  int max_in_flight_per_endpoint = 8;
  // How long what is due may lie until it is looked for. A change in the
  // outbox is taken at once; `sweep_interval` finds those whose message was
  // lost.
  std::chrono::milliseconds poll_interval{500};
  std::chrono::milliseconds sweep_interval{2000};
  std::chrono::milliseconds lease_ttl{15000};
  std::chrono::milliseconds sample_interval{5000};
};

// One process's share of the work, on one loop.
//
// The outboxes and the deliveries fall into 16 parts; each belongs to one
// process at a time (webhook/ownership.h). In its own parts a dispatcher turns
// changes into deliveries (outbox_relay.h) and has those attempted whose time
// has come (sender.h). The subscriptions take turns, each within a circuit
// (circuit.h) and a bound of its own. A delivery is due until its outcome is
// stored: a crash in an attempt means that it is made again, with the same
// webhook-id.
//
// Redis errors are waited out with a back-off.
class Dispatcher {
 public:
  // Works from the loop's start on. `clock` outlives the loop.
  Dispatcher(async::Loop& loop, const async::RedisOptions& redis,
             DispatcherOptions options, const base::Clock& clock);
  // Starts nothing new; what is suspended ends with the loop. Any thread.
  ~Dispatcher();

  // Starts nothing new, and gives the leases back once the attempts under way
  // are over, while the caller goes on. Any thread, but the same one as Drain.
  void Stop();
  // The same, then waits for that. False when `limit` was not enough: what is
  // left is attempted again by whoever comes next. Blocks the calling thread,
  // which must not be the loop's, and the loop must run.
  bool Drain(std::chrono::milliseconds limit);

 private:
  class Impl;
  const std::shared_ptr<Impl> impl_;
  std::future<void> idle_;  // Once stopped.
};

}  // namespace kyc::outgoing

#endif  // KYC_SERVICES_WEBHOOK_OUTGOING_DISPATCHER_H_
