// Subscriptions in memory, as long as nobody has changed any.
#ifndef KYC_SERVICES_WEBHOOK_OUTGOING_SUBSCRIPTION_CACHE_H_
#define KYC_SERVICES_WEBHOOK_OUTGOING_SUBSCRIPTION_CACHE_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/redis.h"
#include "services/async/task.h"
#include "services/webhook/outgoing/subscription_store.h"

namespace kyc::outgoing {

// One loop's. A subscription that was created, changed or deleted before
// Refresh was called is seen as such after it: who subscribes first and acts
// then misses nothing.
class SubscriptionCache {
 public:
  using List = std::vector<std::shared_ptr<const Subscription>>;

  // `redis` outlives the cache.
  SubscriptionCache(async::Redis& redis, const base::Clock& clock)
      : redis_(redis), store_(redis, clock) {}

  // Forgets everything if any subscription has changed.
  async::Task<absl::Status> Refresh();

  // Of one environment.
  async::Task<absl::StatusOr<List>> OfTenant(Tenant tenant);
  // Null when there is none, or none that can be read.
  async::Task<absl::StatusOr<std::shared_ptr<const Subscription>>> Find(
      std::string id);

 private:
  async::Redis& redis_;
  SubscriptionStore store_;
  std::string version_;
  std::map<std::pair<std::string, std::string>, List> by_tenant_;
  std::map<std::string, std::shared_ptr<const Subscription>> by_id_;
};

}  // namespace kyc::outgoing

#endif  // KYC_SERVICES_WEBHOOK_OUTGOING_SUBSCRIPTION_CACHE_H_
