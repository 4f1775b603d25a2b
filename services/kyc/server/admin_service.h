// kyc.v1.AdminService over the stores of features and API keys.
#ifndef KYC_SERVICES_KYC_SERVER_ADMIN_SERVICE_H_
#define KYC_SERVICES_KYC_SERVER_ADMIN_SERVICE_H_

#include "kyc/v1/admin_service.grpc.pb.h"
#include "services/kyc/server/engines.h"

namespace kyc::server {

// Thread-safe. `engines` outlives it.
class AdminService final : public v1::AdminService::CallbackService {
 public:
  explicit AdminService(Engines& engines) : engines_(engines) {}

  grpc::ServerUnaryReactor* PutFeature(grpc::CallbackServerContext* rpc,
                                       const v1::PutFeatureRequest* request,
                                       v1::Feature* response) override;
  grpc::ServerUnaryReactor* GetFeature(grpc::CallbackServerContext* rpc,
                                       const v1::GetFeatureRequest* request,
                                       v1::Feature* response) override;
  grpc::ServerUnaryReactor* DeleteFeature(
      grpc::CallbackServerContext* rpc, const v1::DeleteFeatureRequest* request,
      v1::DeleteFeatureResponse* response) override;
  grpc::ServerUnaryReactor* ListFeatures(
      grpc::CallbackServerContext* rpc, const v1::ListFeaturesRequest* request,
      v1::ListFeaturesResponse* response) override;
  grpc::ServerUnaryReactor* CreateApiKey(
      grpc::CallbackServerContext* rpc, const v1::CreateApiKeyRequest* request,
      v1::CreateApiKeyResponse* response) override;
  grpc::ServerUnaryReactor* ListApiKeys(
      grpc::CallbackServerContext* rpc, const v1::ListApiKeysRequest* request,
      v1::ListApiKeysResponse* response) override;
  grpc::ServerUnaryReactor* GetApiKey(grpc::CallbackServerContext* rpc,
                                      const v1::GetApiKeyRequest* request,
                                      v1::ApiKey* response) override;
  grpc::ServerUnaryReactor* RevokeApiKey(grpc::CallbackServerContext* rpc,
                                         const v1::RevokeApiKeyRequest* request,
                                         v1::ApiKey* response) override;
  grpc::ServerUnaryReactor* VerifyApiKey(grpc::CallbackServerContext* rpc,
                                         const v1::VerifyApiKeyRequest* request,
                                         v1::ApiKey* response) override;

 private:
  Engines& engines_;
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_ADMIN_SERVICE_H_
