// Which mode holds for a caller: the environment's `kyc` feature where it
// names one, else the default.
#ifndef KYC_SERVICES_KYC_SERVER_MODE_RESOLVER_H_
#define KYC_SERVICES_KYC_SERVER_MODE_RESOLVER_H_

#include "absl/status/statusor.h"
#include "services/async/call_context.h"
#include "services/async/task.h"
#include "services/kyc/domain/record.h"
#include "services/kyc/domain/tenant.h"
#include "services/kyc/store/feature_store.h"

namespace kyc::server {

// One loop's. A feature is read anew each time, so a change holds at once. A
// caller without a tenant, or with one that cannot have features, gets the
// default mode.
class ModeResolver {
 public:
  // `features` outlives the resolver.
  ModeResolver(store::FeatureStore& features, domain::Mode default_mode)
      : features_(features), default_mode_(default_mode) {}

  // The mode to act by. GEN-503-001 when the feature cannot be read: better no
  // verification now than one at the wrong level.
  async::Task<absl::StatusOr<domain::Mode>> ToPin(async::CallContext context,
                                                  domain::Tenant tenant);
  // The mode to show: websdk when the feature cannot be read.
  async::Task<domain::Mode> ToShow(async::CallContext context,
                                   domain::Tenant tenant);

 private:
  async::Task<absl::StatusOr<domain::Mode>> Read(async::CallContext context,
                                                 domain::Tenant tenant);

  store::FeatureStore& features_;
  const domain::Mode default_mode_;
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_MODE_RESOLVER_H_
