// Features of environments in Redis:
//   kyc:{org:<org>:<env>}:features   hash   kyc.enabled, kyc.mode, …
#ifndef KYC_SERVICES_KYC_STORE_FEATURE_STORE_H_
#define KYC_SERVICES_KYC_STORE_FEATURE_STORE_H_

#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/redis.h"
#include "services/async/task.h"
#include "services/base/clock.h"
#include "services/kyc/domain/feature.h"
#include "services/kyc/domain/tenant.h"

namespace kyc::store {

std::string FeaturesKey(const domain::Tenant& tenant);

// One loop's access to the feature `kyc` of environments; used on that loop's
// thread. Every call reads or writes Redis: what one process sets, all others
// see at once. A tenant is one that CheckTenant takes. Errors are Redis's, and
// DATA_LOSS for what cannot be read.
class FeatureStore {
 public:
  // Both outlive the store.
  FeatureStore(async::Redis& redis, const base::Clock& clock)
      : redis_(redis), clock_(clock) {}

  // nullopt: never set, or deleted.
  async::Task<absl::StatusOr<std::optional<domain::Feature>>> Get(
      domain::Tenant tenant);
  // Sets it; the time of its creation stays.
  async::Task<absl::StatusOr<domain::Feature>> Put(
      domain::Tenant tenant, domain::FeatureSetting setting);
  // Idempotent.
  async::Task<absl::Status> Delete(domain::Tenant tenant);

 private:
  async::Redis& redis_;
  const base::Clock& clock_;
};

}  // namespace kyc::store

#endif  // KYC_SERVICES_KYC_STORE_FEATURE_STORE_H_
