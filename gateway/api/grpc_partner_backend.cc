#include "gateway/api/grpc_partner_backend.h"

#include <grpcpp/channel.h>

#include <utility>

#include "gateway/api/unary_rpc.h"
#include "kyc/v1/partner_service.grpc.pb.h"
#include "kyc/v1/wallet_service.grpc.pb.h"
#include "services/async/grpc_client.h"
#include "services/async/grpc_client_read_stream.h"
#include "services/base/status_macros.h"
#include "services/base/trace.h"

namespace kyc::gateway {
namespace {

using async::CallContext;
using async::Task;

// Reads and writes of what is stored.
constexpr std::chrono::seconds kTimeout(4);

template <typename Service>
using Rpc = typename Service::StubInterface::async_interface;

class GrpcImage : public ImageCall {
 public:
  GrpcImage(CallContext context, const v1::ReadImageRequest& request,
            v1::PartnerService::Stub& stub)
      : stream_(context, "PartnerService/ReadImage",
                [&](auto* rpc, auto* reactor) {
                  stub.async()->ReadImage(rpc, &request, reactor);
                }) {}

  Task<absl::StatusOr<std::optional<v1::ReadImageResponse>>> Read() override {
    return stream_.Read();
  }

 private:
  async::ClientReadStream<v1::ReadImageResponse> stream_;
};

class GrpcPartnerBackend : public PartnerBackend {
 public:
  GrpcPartnerBackend(std::shared_ptr<grpc::Channel> channel,
                     std::shared_ptr<grpc::Channel> documents,
                     std::chrono::milliseconds provider_timeout)
      : provider_timeout_(provider_timeout),
        partner_(v1::PartnerService::NewStub(channel)),
        wallet_(v1::WalletService::NewStub(channel)),
        images_(v1::PartnerService::NewStub(documents)) {}

  Task<absl::StatusOr<v1::PartnerUser>> LookUpUser(
      CallContext context, v1::LookUpUserRequest request) override {
    return UnaryRpc<v1::PartnerUser>(
        partner_->async(), context.Within(kTimeout),
        "PartnerService/LookUpUser", std::move(request),
        &Rpc<v1::PartnerService>::LookUpUser);
  }
  Task<absl::StatusOr<v1::ExchangePintResponse>> ExchangePint(
      CallContext context, v1::ExchangePintRequest request) override {
    return UnaryRpc<v1::ExchangePintResponse>(
        partner_->async(), context.Within(kTimeout),
        "PartnerService/ExchangePint", std::move(request),
        &Rpc<v1::PartnerService>::ExchangePint);
  }
  Task<absl::StatusOr<v1::Pint>> GetPint(CallContext context,
                                         v1::GetPintRequest request) override {
    return UnaryRpc<v1::Pint>(partner_->async(), context.Within(kTimeout),
                              "PartnerService/GetPint", std::move(request),
                              &Rpc<v1::PartnerService>::GetPint);
  }
  Task<absl::StatusOr<v1::ListPintsResponse>> ListPints(
      CallContext context, v1::ListPintsRequest request) override {
    return UnaryRpc<v1::ListPintsResponse>(
        partner_->async(), context.Within(kTimeout), "PartnerService/ListPints",
        std::move(request), &Rpc<v1::PartnerService>::ListPints);
  }
  Task<absl::StatusOr<v1::PintStatus>> GetPintStatus(
      CallContext context, v1::GetPintStatusRequest request) override {
    return UnaryRpc<v1::PintStatus>(partner_->async(), context.Within(kTimeout),
                                    "PartnerService/GetPintStatus",
                                    std::move(request),
                                    &Rpc<v1::PartnerService>::GetPintStatus);
  }
  Task<absl::StatusOr<v1::ListPintTokensResponse>> ListPintTokens(
      CallContext context, v1::ListPintTokensRequest request) override {
    return UnaryRpc<v1::ListPintTokensResponse>(
        partner_->async(), context.Within(kTimeout),
        "PartnerService/ListPintTokens", std::move(request),
        &Rpc<v1::PartnerService>::ListPintTokens);
  }
  Task<absl::StatusOr<v1::Pint>> RevokePint(
      CallContext context, v1::RevokePintRequest request) override {
    return UnaryRpc<v1::Pint>(partner_->async(), context.Within(kTimeout),
                              "PartnerService/RevokePint", std::move(request),
                              &Rpc<v1::PartnerService>::RevokePint);
  }
  Task<absl::StatusOr<v1::ListSigningKeysResponse>> ListSigningKeys(
      CallContext context, v1::ListSigningKeysRequest request) override {
    return UnaryRpc<v1::ListSigningKeysResponse>(
        partner_->async(), context.Within(kTimeout),
        "PartnerService/ListSigningKeys", std::move(request),
        &Rpc<v1::PartnerService>::ListSigningKeys);
  }
  Task<absl::StatusOr<v1::Details>> ReadKyc(
      CallContext context, v1::ReadKycRequest request) override {
    return UnaryRpc<v1::Details>(partner_->async(),
                                 context.Within(provider_timeout_),
                                 "PartnerService/ReadKyc", std::move(request),
                                 &Rpc<v1::PartnerService>::ReadKyc);
  }
  Task<absl::StatusOr<v1::ListAccessesResponse>> ListAccesses(
      CallContext context, v1::ListAccessesRequest request) override {
    return UnaryRpc<v1::ListAccessesResponse>(
        partner_->async(), context.Within(kTimeout),
        "PartnerService/ListAccesses", std::move(request),
        &Rpc<v1::PartnerService>::ListAccesses);
  }
  Task<absl::StatusOr<v1::RegisterWalletResponse>> RegisterWallet(
      CallContext context, v1::RegisterWalletRequest request) override {
    return UnaryRpc<v1::RegisterWalletResponse>(
        wallet_->async(), context.Within(kTimeout),
        "WalletService/RegisterWallet", std::move(request),
        &Rpc<v1::WalletService>::RegisterWallet);
  }
  Task<absl::StatusOr<v1::Wallet>> GetWallet(
      CallContext context, v1::GetWalletRequest request) override {
    return UnaryRpc<v1::Wallet>(wallet_->async(), context.Within(kTimeout),
                                "WalletService/GetWallet", std::move(request),
                                &Rpc<v1::WalletService>::GetWallet);
  }
  std::unique_ptr<ImageCall> ReadImage(
      CallContext context, const v1::ReadImageRequest& request) override {
    return std::make_unique<GrpcImage>(context, request, *images_);
  }

 private:
  const std::chrono::milliseconds provider_timeout_;
  const std::unique_ptr<v1::PartnerService::Stub> partner_;
  const std::unique_ptr<v1::WalletService::Stub> wallet_;
  const std::unique_ptr<v1::PartnerService::Stub> images_;
};

}  // namespace

std::unique_ptr<PartnerBackend> NewGrpcPartnerBackend(
    std::shared_ptr<grpc::Channel> channel,
    std::shared_ptr<grpc::Channel> documents,
    std::chrono::milliseconds provider_timeout) {
  return std::make_unique<GrpcPartnerBackend>(
      std::move(channel), std::move(documents), provider_timeout);
}

SigningKeys::SigningKeys(const std::string& address) {
  const auto channel = async::OpenChannel(address);
  backend_ = NewGrpcPartnerBackend(channel, channel, kTimeout);
}

Task<absl::StatusOr<std::string>> SigningKeys::Fetch() {
  CallContext context;
  context.trace = base::TraceContext::Start();
  context.deadline = std::chrono::steady_clock::now() + kTimeout;
  CO_ASSIGN_OR_RETURN(v1::ListSigningKeysResponse response,
                      co_await backend_->ListSigningKeys(context, {}));
  co_return std::move(*response.mutable_jwks_json());
}

}  // namespace kyc::gateway
