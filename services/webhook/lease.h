// Who works on which part of a job that several processes share.
//
// A job has a fixed number of parts, each held by one process at a time. A
// process is alive as long as its heartbeat is younger than the time limit;
// what a dead one held is free. Everything stands under one hash tag:
//
//   <job>:members  zset  process -> until when it is alive (epoch ms of Redis)
//   <job>:parts    hash  part -> the process that holds it
//
// A lease makes double work rare, not impossible: a process that is stopped
// while it writes may go on after another has taken over. What it writes must
// be safe to be written twice, as everything here is.
#ifndef KYC_SERVICES_WEBHOOK_LEASE_H_
#define KYC_SERVICES_WEBHOOK_LEASE_H_

#include <chrono>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/async/redis.h"
#include "services/async/task.h"

namespace kyc::webhook {

struct LeaseOptions {
  std::string job;     // With its hash tag: "kyc:{outgoing}".
  std::string member;  // Unique among live processes.
  int parts = 1;
  // After this long without a heartbeat others may take over. Heartbeats are
  // to come at least three times as often.
  std::chrono::milliseconds ttl{15000};
};

// One process's share of a job. One loop's; `redis` outlives it.
class Leases {
 public:
  Leases(async::Redis& redis, LeaseOptions options)
      : redis_(redis), options_(std::move(options)) {}

  // Says that this process is alive, and takes parts that nobody holds, up to
  // a fair share. Errors are Redis's; what is held then stays held until its
  // time is over.
  async::Task<absl::Status> Heartbeat();

  // Whether the part is surely this process's now.
  bool Holds(int part) const;
  // All such parts, in order.
  std::vector<int> Held() const;
  // Parts above the fair share, which others wait for: to be finished, then
  // released. Empty when the share is not exceeded.
  std::vector<int> Surplus() const;

  // Gives parts back. Work on them has ended; they are not held any more,
  // even when this fails.
  async::Task<absl::Status> Release(std::vector<int> parts);
  // Gives everything back and leaves, so that others need not wait.
  async::Task<absl::Status> Leave();

 private:
  async::Redis& redis_;
  const LeaseOptions options_;
  std::vector<int> held_;
  int share_ = 0;
  std::chrono::steady_clock::time_point until_{};
};

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_LEASE_H_
