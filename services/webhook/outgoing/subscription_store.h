// Subscriptions in Redis:
//   kyc:{subscriptions}:id:<id>          hash    the subscription
//   kyc:{subscriptions}:all              zset    ids by time of creation
//   kyc:{subscriptions}:env:<org>:<env>  zset    the same of one environment
//   kyc:{subscriptions}:version          string  grows with each change of any
#ifndef KYC_SERVICES_WEBHOOK_OUTGOING_SUBSCRIPTION_STORE_H_
#define KYC_SERVICES_WEBHOOK_OUTGOING_SUBSCRIPTION_STORE_H_

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/redis.h"
#include "services/async/task.h"
#include "services/base/clock.h"
#include "services/webhook/outgoing/subscription.h"

namespace kyc::outgoing {

// How many a list holds at most: the newest.
inline constexpr int kMaxListed = 1000;

// What a reader who keeps subscriptions compares: as long as this key's value
// stays the same, so do they.
extern const char kSubscriptionsVersionKey[];

// One loop's access; used on that loop's thread. Errors are Redis's, those
// named below, and DATA_LOSS for what cannot be read.
class SubscriptionStore {
 public:
  // Both outlive the store.
  SubscriptionStore(async::Redis& redis, const base::Clock& clock)
      : redis_(redis), clock_(clock) {}

  // Stores a new one, which gets its id and times here. WHK-409-001 when the
  // environment has its number.
  async::Task<absl::StatusOr<Subscription>> Create(Subscription subscription);

  // WHK-404-001 when there is none.
  async::Task<absl::StatusOr<Subscription>> Get(std::string id);

  // The newest first; of every environment without a tenant. One that cannot
  // be read is logged and left out.
  async::Task<absl::StatusOr<std::vector<Subscription>>> List(
      std::optional<Tenant> tenant);

  // Lets `change` alter what is stored and stores it; called again when
  // another writer came first. An error of `change` ends it. WHK-404-001;
  // ABORTED after 16 conflicts in a row.
  using Alter = std::function<absl::Status(Subscription& subscription)>;
  async::Task<absl::StatusOr<Subscription>> Update(std::string id,
                                                   Alter change);

  // WHK-404-001 when there is none.
  async::Task<absl::Status> Delete(std::string id);

 private:
  async::Redis& redis_;
  const base::Clock& clock_;
};

}  // namespace kyc::outgoing

#endif  // KYC_SERVICES_WEBHOOK_OUTGOING_SUBSCRIPTION_STORE_H_
