// Who owns which partition.
//
// A partition has one owner at a time: the process whose lease stands under
// kyc:{e00}:lease. A lease is "<epoch>:<incarnation>:<process>": the epoch
// grows with each owner, so that a lease names one ownership and no later one,
// and a write that only the owner may make compares it in the same script
// (the fencing token). It runs out by itself unless it is renewed.
//
// Live processes stand in the sorted set kyc:{consumers}, each with the time
// until which it counts. Of N partitions and M processes each takes its share,
// N/M rounded either way; who has more than that gives the surplus up.
#ifndef KYC_SERVICES_WEBHOOK_OWNERSHIP_H_
#define KYC_SERVICES_WEBHOOK_OWNERSHIP_H_

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/async/redis.h"
#include "services/async/task.h"

namespace kyc::webhook {

// One process's view. One loop's; Redis errors are not errors here: what
// could not be renewed is lost when its time is over.
class Ownership {
 public:
  struct Options {
    // Unique among live processes. A process that is started again under the
    // same name takes the leases of its former life over at once.
    std::string process;
    int partitions = 16;
    // For how long a lease stands without being renewed.
    std::chrono::milliseconds lease_time{15000};
    // Where the leases of other work than the event stream's stand: the set
    // of its live processes, and the lease of each of its partitions, beside
    // which its epoch is counted under the same key and ":epoch".
    std::string processes = "kyc:{consumers}";
    std::function<std::string(int partition)> lease_key;
  };
  Ownership(async::Redis& redis, Options options);

  // What one round has changed.
  struct Round {
    std::vector<int> taken;
    // Leases that ran out or are somebody else's.
    std::vector<int> lost;
    // How many of the partitions owned are more than this process's share.
    int surplus = 0;
    absl::Status status;
  };
  // Renews what is owned, says that this process lives, and takes vacant
  // partitions up to its share. Call it again within a fifth of the lease
  // time, sooner to share sooner. With `take` false the process takes nothing
  // more and counts no longer: it is about to end.
  async::Task<Round> Next(bool take);

  // Gives a partition up, so that another can take it at once. Nothing may be
  // done for it any more.
  async::Task<void> Release(int partition);

  // Whether it is owned now, by this process's own clock.
  bool Owns(int partition) const;
  // The lease of an owned partition; "" for any other.
  std::string LeaseOf(int partition) const;
  int owned() const { return static_cast<int>(leases_.size()); }

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  struct Lease {
    std::string value;
    TimePoint until;
  };
  struct Vacancy {
    int partition;
    std::string replaces;  // A lease of our own that we do not hold; or "".
  };

  std::string LeaseKey(int partition) const;
  int Share(const std::vector<std::string>& processes) const;
  bool IsOurs(const std::string& lease) const;
  async::Task<void> Take(std::vector<Vacancy> vacancies, int wanted,
                         Round& round);

  async::Redis& redis_;
  const Options options_;
  // Tells this life of the process from an earlier one under the same name.
  const std::string incarnation_;
  bool adopts_ = true;  // Until the first round has seen all leases.
  std::map<int, Lease> leases_;
};

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_OWNERSHIP_H_
