// An AdminService that answers with what a test put here, and keeps what it
// was asked.
#ifndef KYC_GATEWAY_API_ADMIN_BACKEND_FOR_TEST_H_
#define KYC_GATEWAY_API_ADMIN_BACKEND_FOR_TEST_H_

#include <utility>

#include "gateway/api/admin_backend.h"
#include "services/base/error.h"

namespace kyc::gateway {

class FakeAdminBackend : public AdminBackend {
 public:
  async::Task<absl::StatusOr<v1::Feature>> PutFeature(
      async::CallContext, v1::PutFeatureRequest request) override {
    put_request = std::move(request);
    co_return feature;
  }
  async::Task<absl::StatusOr<v1::Feature>> GetFeature(
      async::CallContext, v1::GetFeatureRequest request) override {
    get_request = std::move(request);
    co_return feature;
  }
  async::Task<absl::StatusOr<v1::DeleteFeatureResponse>> DeleteFeature(
      async::CallContext, v1::DeleteFeatureRequest request) override {
    delete_request = std::move(request);
    co_return v1::DeleteFeatureResponse();
  }
  async::Task<absl::StatusOr<v1::ListFeaturesResponse>> ListFeatures(
      async::CallContext, v1::ListFeaturesRequest request) override {
    list_request = std::move(request);
    co_return features;
  }
  async::Task<absl::StatusOr<v1::CreateApiKeyResponse>> CreateApiKey(
      async::CallContext, v1::CreateApiKeyRequest request) override {
    create_request = std::move(request);
    co_return created;
  }
  async::Task<absl::StatusOr<v1::ListApiKeysResponse>> ListApiKeys(
      async::CallContext, v1::ListApiKeysRequest request) override {
    list_keys_request = std::move(request);
    co_return api_keys;
  }
  async::Task<absl::StatusOr<v1::ApiKey>> GetApiKey(
      async::CallContext, v1::GetApiKeyRequest request) override {
    get_key_request = std::move(request);
    co_return api_key;
  }
  async::Task<absl::StatusOr<v1::ApiKey>> RevokeApiKey(
      async::CallContext, v1::RevokeApiKeyRequest request) override {
    revoked_id = request.id();
    co_return api_key;
  }
  async::Task<absl::StatusOr<v1::ApiKey>> VerifyApiKey(
      async::CallContext, v1::VerifyApiKeyRequest) override {
    ++verifications;
    co_return caller;
  }

  absl::StatusOr<v1::Feature> feature = v1::Feature();
  absl::StatusOr<v1::ListFeaturesResponse> features =
      v1::ListFeaturesResponse();
  absl::StatusOr<v1::CreateApiKeyResponse> created = v1::CreateApiKeyResponse();
  absl::StatusOr<v1::ListApiKeysResponse> api_keys = v1::ListApiKeysResponse();
  absl::StatusOr<v1::ApiKey> api_key = v1::ApiKey();
  // The key that calls.
  absl::StatusOr<v1::ApiKey> caller =
      base::Error(v1::ERROR_REASON_API_KEY_INVALID);
  int verifications = 0;

  v1::PutFeatureRequest put_request;
  v1::GetFeatureRequest get_request;
  v1::DeleteFeatureRequest delete_request;
  v1::ListFeaturesRequest list_request;
  v1::CreateApiKeyRequest create_request;
  v1::ListApiKeysRequest list_keys_request;
  v1::GetApiKeyRequest get_key_request;
  std::string revoked_id;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_ADMIN_BACKEND_FOR_TEST_H_
