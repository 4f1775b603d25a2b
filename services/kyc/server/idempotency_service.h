// kyc.v1.IdempotencyService over the store.
#ifndef KYC_SERVICES_KYC_SERVER_IDEMPOTENCY_SERVICE_H_
#define KYC_SERVICES_KYC_SERVER_IDEMPOTENCY_SERVICE_H_

#include "kyc/v1/idempotency_service.grpc.pb.h"
#include "services/kyc/server/engines.h"

namespace kyc::server {

// Thread-safe. `engines` outlives it.
class IdempotencyService final
    : public v1::IdempotencyService::CallbackService {
 public:
  explicit IdempotencyService(Engines& engines) : engines_(engines) {}

  grpc::ServerUnaryReactor* BeginIdempotent(
      grpc::CallbackServerContext* rpc,
      const v1::BeginIdempotentRequest* request,
      v1::BeginIdempotentResponse* response) override;
  grpc::ServerUnaryReactor* EndIdempotent(
      grpc::CallbackServerContext* rpc, const v1::EndIdempotentRequest* request,
      v1::EndIdempotentResponse* response) override;

 private:
  Engines& engines_;
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_IDEMPOTENCY_SERVICE_H_
