// PartnerService and WalletService, as the gateway's handlers see them.
#ifndef KYC_GATEWAY_API_PARTNER_BACKEND_H_
#define KYC_GATEWAY_API_PARTNER_BACKEND_H_

#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "kyc/v1/partner_service.pb.h"
#include "kyc/v1/wallet_service.pb.h"
#include "services/async/call_context.h"
#include "services/async/task.h"

namespace kyc::gateway {

// One image on its way from KycService; cancelled when destroyed before its
// end. The context of its start bounds it.
class ImageCall {
 public:
  virtual ~ImageCall() = default;

  // The next message, as fast as the provider sends; nullopt at the end.
  virtual async::Task<absl::StatusOr<std::optional<v1::ReadImageResponse>>>
  Read() = 0;
};

// As Backend: one RPC each.
class PartnerBackend {
 public:
  virtual ~PartnerBackend() = default;

  virtual async::Task<absl::StatusOr<v1::PartnerUser>> LookUpUser(
      async::CallContext context, v1::LookUpUserRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::ExchangePintResponse>> ExchangePint(
      async::CallContext context, v1::ExchangePintRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::Pint>> GetPint(
      async::CallContext context, v1::GetPintRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::ListPintsResponse>> ListPints(
      async::CallContext context, v1::ListPintsRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::PintStatus>> GetPintStatus(
      async::CallContext context, v1::GetPintStatusRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::ListPintTokensResponse>>
  ListPintTokens(async::CallContext context,
                 v1::ListPintTokensRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::Pint>> RevokePint(
      async::CallContext context, v1::RevokePintRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::ListSigningKeysResponse>>
  ListSigningKeys(async::CallContext context,
                  v1::ListSigningKeysRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::Details>> ReadKyc(
      async::CallContext context, v1::ReadKycRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::ListAccessesResponse>> ListAccesses(
      async::CallContext context, v1::ListAccessesRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::RegisterWalletResponse>>
  RegisterWallet(async::CallContext context,
                 v1::RegisterWalletRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::Wallet>> GetWallet(
      async::CallContext context, v1::GetWalletRequest request) = 0;
  virtual std::unique_ptr<ImageCall> ReadImage(
      async::CallContext context, const v1::ReadImageRequest& request) = 0;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_PARTNER_BACKEND_H_
