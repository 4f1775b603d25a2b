// A PartnerService and WalletService that answer with what a test put here,
// and keep what they were asked.
#ifndef KYC_GATEWAY_API_PARTNER_BACKEND_FOR_TEST_H_
#define KYC_GATEWAY_API_PARTNER_BACKEND_FOR_TEST_H_

#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "gateway/api/partner_backend.h"

namespace kyc::gateway {

// Gives the messages, then the end.
class FakeImage : public ImageCall {
 public:
  FakeImage(std::vector<v1::ReadImageResponse> messages, absl::Status end)
      : messages_(std::move(messages)), end_(std::move(end)) {}

  async::Task<absl::StatusOr<std::optional<v1::ReadImageResponse>>> Read()
      override {
    if (next_ < messages_.size()) {
      co_return std::optional<v1::ReadImageResponse>(messages_[next_++]);
    }
    if (!end_.ok()) co_return end_;
    co_return std::optional<v1::ReadImageResponse>();
  }

 private:
  const std::vector<v1::ReadImageResponse> messages_;
  const absl::Status end_;
  size_t next_ = 0;
};

class FakePartnerBackend : public PartnerBackend {
 public:
  async::Task<absl::StatusOr<v1::PartnerUser>> LookUpUser(
      async::CallContext, v1::LookUpUserRequest request) override {
    ++calls;
    look_up_user_request = std::move(request);
    co_return look_up_user;
  }
  async::Task<absl::StatusOr<v1::ExchangePintResponse>> ExchangePint(
      async::CallContext, v1::ExchangePintRequest request) override {
    ++calls;
    exchange_pint_request = std::move(request);
    co_return exchange_pint;
  }
  async::Task<absl::StatusOr<v1::Pint>> GetPint(
      async::CallContext, v1::GetPintRequest request) override {
    ++calls;
    get_pint_request = std::move(request);
    co_return get_pint;
  }
  async::Task<absl::StatusOr<v1::ListPintsResponse>> ListPints(
      async::CallContext, v1::ListPintsRequest request) override {
    ++calls;
    list_pints_request = std::move(request);
    co_return list_pints;
  }
  async::Task<absl::StatusOr<v1::PintStatus>> GetPintStatus(
      async::CallContext, v1::GetPintStatusRequest request) override {
    ++calls;
    get_pint_status_request = std::move(request);
    co_return get_pint_status;
  }
  async::Task<absl::StatusOr<v1::ListPintTokensResponse>> ListPintTokens(
      async::CallContext, v1::ListPintTokensRequest request) override {
    ++calls;
    list_pint_tokens_request = std::move(request);
    co_return list_pint_tokens;
  }
  async::Task<absl::StatusOr<v1::Pint>> RevokePint(
      async::CallContext, v1::RevokePintRequest request) override {
    ++calls;
    revoke_pint_request = std::move(request);
    co_return revoke_pint;
  }
  async::Task<absl::StatusOr<v1::ListSigningKeysResponse>> ListSigningKeys(
      async::CallContext, v1::ListSigningKeysRequest request) override {
    ++calls;
    list_signing_keys_request = std::move(request);
    co_return list_signing_keys;
  }
  async::Task<absl::StatusOr<v1::Details>> ReadKyc(
      async::CallContext, v1::ReadKycRequest request) override {
    ++calls;
    read_kyc_request = std::move(request);
    co_return read_kyc;
  }
  async::Task<absl::StatusOr<v1::ListAccessesResponse>> ListAccesses(
      async::CallContext, v1::ListAccessesRequest request) override {
    ++calls;
    list_accesses_request = std::move(request);
    co_return list_accesses;
  }
  async::Task<absl::StatusOr<v1::RegisterWalletResponse>> RegisterWallet(
      async::CallContext, v1::RegisterWalletRequest request) override {
    ++calls;
    register_wallet_request = std::move(request);
    co_return register_wallet;
  }
  async::Task<absl::StatusOr<v1::Wallet>> GetWallet(
      async::CallContext, v1::GetWalletRequest request) override {
    ++calls;
    get_wallet_request = std::move(request);
    co_return get_wallet;
  }
  std::unique_ptr<ImageCall> ReadImage(
      async::CallContext context,
      const v1::ReadImageRequest& request) override {
    ++calls;
    read_image_context = context;
    read_image_request = request;
    return std::make_unique<FakeImage>(image, image_end);
  }

  int calls = 0;
  absl::StatusOr<v1::PartnerUser> look_up_user = v1::PartnerUser();
  absl::StatusOr<v1::ExchangePintResponse> exchange_pint =
      v1::ExchangePintResponse();
  absl::StatusOr<v1::Pint> get_pint = v1::Pint();
  absl::StatusOr<v1::ListPintsResponse> list_pints = v1::ListPintsResponse();
  absl::StatusOr<v1::PintStatus> get_pint_status = v1::PintStatus();
  absl::StatusOr<v1::ListPintTokensResponse> list_pint_tokens =
      v1::ListPintTokensResponse();
  absl::StatusOr<v1::Pint> revoke_pint = v1::Pint();
  absl::StatusOr<v1::ListSigningKeysResponse> list_signing_keys =
      v1::ListSigningKeysResponse();
  absl::StatusOr<v1::Details> read_kyc = v1::Details();
  absl::StatusOr<v1::ListAccessesResponse> list_accesses =
      v1::ListAccessesResponse();
  absl::StatusOr<v1::RegisterWalletResponse> register_wallet =
      v1::RegisterWalletResponse();
  absl::StatusOr<v1::Wallet> get_wallet = v1::Wallet();
  std::vector<v1::ReadImageResponse> image;
  absl::Status image_end;

  v1::LookUpUserRequest look_up_user_request;
  v1::ExchangePintRequest exchange_pint_request;
  v1::GetPintRequest get_pint_request;
  v1::ListPintsRequest list_pints_request;
  v1::GetPintStatusRequest get_pint_status_request;
  v1::ListPintTokensRequest list_pint_tokens_request;
  v1::RevokePintRequest revoke_pint_request;
  v1::ListSigningKeysRequest list_signing_keys_request;
  v1::ReadKycRequest read_kyc_request;
  v1::ListAccessesRequest list_accesses_request;
  v1::RegisterWalletRequest register_wallet_request;
  v1::GetWalletRequest get_wallet_request;
  async::CallContext read_image_context;
  v1::ReadImageRequest read_image_request;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_PARTNER_BACKEND_FOR_TEST_H_
