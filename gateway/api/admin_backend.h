// AdminService, as the gateway's handlers see it.
#ifndef KYC_GATEWAY_API_ADMIN_BACKEND_H_
#define KYC_GATEWAY_API_ADMIN_BACKEND_H_

#include "absl/status/statusor.h"
#include "kyc/v1/admin_service.pb.h"
#include "services/async/call_context.h"
#include "services/async/task.h"

namespace kyc::gateway {

// As Backend: one RPC each.
class AdminBackend {
 public:
  virtual ~AdminBackend() = default;

  virtual async::Task<absl::StatusOr<v1::Feature>> PutFeature(
      async::CallContext context, v1::PutFeatureRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::Feature>> GetFeature(
      async::CallContext context, v1::GetFeatureRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::DeleteFeatureResponse>> DeleteFeature(
      async::CallContext context, v1::DeleteFeatureRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::ListFeaturesResponse>> ListFeatures(
      async::CallContext context, v1::ListFeaturesRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::CreateApiKeyResponse>> CreateApiKey(
      async::CallContext context, v1::CreateApiKeyRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::ListApiKeysResponse>> ListApiKeys(
      async::CallContext context, v1::ListApiKeysRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::ApiKey>> GetApiKey(
      async::CallContext context, v1::GetApiKeyRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::ApiKey>> RevokeApiKey(
      async::CallContext context, v1::RevokeApiKeyRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::ApiKey>> VerifyApiKey(
      async::CallContext context, v1::VerifyApiKeyRequest request) = 0;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_ADMIN_BACKEND_H_
