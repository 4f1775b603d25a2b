// kyc.v1.ProviderEventService over the engines.
#ifndef KYC_SERVICES_KYC_SERVER_PROVIDER_EVENT_SERVICE_H_
#define KYC_SERVICES_KYC_SERVER_PROVIDER_EVENT_SERVICE_H_

#include "kyc/v1/provider_event_service.grpc.pb.h"
#include "services/kyc/server/engines.h"

namespace kyc::server {

// Thread-safe. `engines` outlives it.
class ProviderEventService final
    : public v1::ProviderEventService::CallbackService {
 public:
  explicit ProviderEventService(Engines& engines) : engines_(engines) {}

  grpc::ServerUnaryReactor* ApplyProviderEvent(
      grpc::CallbackServerContext* rpc,
      const v1::ApplyProviderEventRequest* request,
      v1::ApplyProviderEventResponse* response) override;
  grpc::ServerUnaryReactor* BatchApplyProviderEvents(
      grpc::CallbackServerContext* rpc,
      const v1::BatchApplyProviderEventsRequest* request,
      v1::BatchApplyProviderEventsResponse* response) override;

 private:
  Engines& engines_;
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_PROVIDER_EVENT_SERVICE_H_
