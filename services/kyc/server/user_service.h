// kyc.v1.UserService over the engines.
#ifndef KYC_SERVICES_KYC_SERVER_USER_SERVICE_H_
#define KYC_SERVICES_KYC_SERVER_USER_SERVICE_H_

#include "kyc/v1/user_service.grpc.pb.h"
#include "services/kyc/server/engines.h"

namespace kyc::server {

// Thread-safe. `engines` outlives it.
class UserService final : public v1::UserService::CallbackService {
 public:
  explicit UserService(Engines& engines) : engines_(engines) {}

  grpc::ServerUnaryReactor* GetUser(grpc::CallbackServerContext* rpc,
                                    const v1::GetUserRequest* request,
                                    v1::User* response) override;
  grpc::ServerUnaryReactor* GetOnboarding(
      grpc::CallbackServerContext* rpc, const v1::GetOnboardingRequest* request,
      v1::Onboarding* response) override;
  grpc::ServerUnaryReactor* SubmitOnboardingStep(
      grpc::CallbackServerContext* rpc,
      const v1::SubmitOnboardingStepRequest* request,
      v1::Onboarding* response) override;

 private:
  Engines& engines_;
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_USER_SERVICE_H_
