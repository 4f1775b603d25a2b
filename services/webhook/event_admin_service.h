// kyc.v1.EventAdminService over the stream.
#ifndef KYC_SERVICES_WEBHOOK_EVENT_ADMIN_SERVICE_H_
#define KYC_SERVICES_WEBHOOK_EVENT_ADMIN_SERVICE_H_

#include <memory>

#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/base/clock.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace kyc::webhook {

// Works on `loop`, whose connection `redis` is. What changes the stream is
// logged. Everything outlives the service.
std::unique_ptr<grpc::Service> MakeEventAdminService(async::Loop& loop,
                                                     async::Redis& redis,
                                                     int partitions,
                                                     const base::Clock& clock);

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_EVENT_ADMIN_SERVICE_H_
