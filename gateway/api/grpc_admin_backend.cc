#include "gateway/api/grpc_admin_backend.h"

#include <grpcpp/channel.h>

#include <chrono>
#include <string_view>
#include <utility>

#include "gateway/api/unary_rpc.h"
#include "kyc/v1/admin_service.grpc.pb.h"

namespace kyc::gateway {
namespace {

using async::CallContext;
using async::Task;
using Rpc = v1::AdminService::StubInterface::async_interface;

// All of them are reads and writes of what is stored.
constexpr std::chrono::seconds kTimeout(4);

class GrpcAdminBackend : public AdminBackend {
 public:
  explicit GrpcAdminBackend(std::shared_ptr<grpc::Channel> channel)
      : channel_(std::move(channel)),
        stub_(v1::AdminService::NewStub(channel_)) {}

  Task<absl::StatusOr<v1::Feature>> PutFeature(
      CallContext context, v1::PutFeatureRequest request) override {
    return Call<v1::Feature>(context, "AdminService/PutFeature",
                             std::move(request), &Rpc::PutFeature);
  }
  Task<absl::StatusOr<v1::Feature>> GetFeature(
      CallContext context, v1::GetFeatureRequest request) override {
    return Call<v1::Feature>(context, "AdminService/GetFeature",
                             std::move(request), &Rpc::GetFeature);
  }
  Task<absl::StatusOr<v1::DeleteFeatureResponse>> DeleteFeature(
      CallContext context, v1::DeleteFeatureRequest request) override {
    return Call<v1::DeleteFeatureResponse>(
        context, "AdminService/DeleteFeature", std::move(request),
        &Rpc::DeleteFeature);
  }
  Task<absl::StatusOr<v1::ListFeaturesResponse>> ListFeatures(
      CallContext context, v1::ListFeaturesRequest request) override {
    return Call<v1::ListFeaturesResponse>(context, "AdminService/ListFeatures",
                                          std::move(request),
                                          &Rpc::ListFeatures);
  }
  Task<absl::StatusOr<v1::CreateApiKeyResponse>> CreateApiKey(
      CallContext context, v1::CreateApiKeyRequest request) override {
    return Call<v1::CreateApiKeyResponse>(context, "AdminService/CreateApiKey",
                                          std::move(request),
                                          &Rpc::CreateApiKey);
  }
  Task<absl::StatusOr<v1::ListApiKeysResponse>> ListApiKeys(
      CallContext context, v1::ListApiKeysRequest request) override {
    return Call<v1::ListApiKeysResponse>(context, "AdminService/ListApiKeys",
                                         std::move(request), &Rpc::ListApiKeys);
  }
  Task<absl::StatusOr<v1::ApiKey>> GetApiKey(
      CallContext context, v1::GetApiKeyRequest request) override {
    return Call<v1::ApiKey>(context, "AdminService/GetApiKey",
                            std::move(request), &Rpc::GetApiKey);
  }
  Task<absl::StatusOr<v1::ApiKey>> RevokeApiKey(
      CallContext context, v1::RevokeApiKeyRequest request) override {
    return Call<v1::ApiKey>(context, "AdminService/RevokeApiKey",
                            std::move(request), &Rpc::RevokeApiKey);
  }
  Task<absl::StatusOr<v1::ApiKey>> VerifyApiKey(
      CallContext context, v1::VerifyApiKeyRequest request) override {
    return Call<v1::ApiKey>(context, "AdminService/VerifyApiKey",
                            std::move(request), &Rpc::VerifyApiKey);
  }

 private:
  template <typename Response, typename Request>
  Task<absl::StatusOr<Response>> Call(
      CallContext context, std::string_view method, Request request,
      void (Rpc::*start)(grpc::ClientContext*, const Request*, Response*,
                         std::function<void(grpc::Status)>)) {
    return UnaryRpc<Response>(stub_->async(), context.Within(kTimeout), method,
                              std::move(request), start);
  }

  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::AdminService::Stub> stub_;
};

}  // namespace

std::unique_ptr<AdminBackend> NewGrpcAdminBackend(
    std::shared_ptr<grpc::Channel> channel) {
  return std::make_unique<GrpcAdminBackend>(std::move(channel));
}

}  // namespace kyc::gateway
