// SubscriptionService: who is told of what, and what became of it.
#ifndef KYC_SERVICES_WEBHOOK_OUTGOING_SUBSCRIPTION_SERVICE_H_
#define KYC_SERVICES_WEBHOOK_OUTGOING_SUBSCRIPTION_SERVICE_H_

#include <memory>
#include <vector>

#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/base/clock.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace kyc::outgoing {

// Everything must outlive the service.
struct SubscriptionServiceParts {
  async::Runtime* runtime;
  // One connection for each loop of the runtime, in the loops' order.
  std::vector<async::Redis*> redis;
  const base::Clock* clock;
  // As the dispatcher's.
  bool allow_loopback = false;
};

std::unique_ptr<grpc::Service> MakeSubscriptionService(
    SubscriptionServiceParts parts);

}  // namespace kyc::outgoing

#endif  // KYC_SERVICES_WEBHOOK_OUTGOING_SUBSCRIPTION_SERVICE_H_
