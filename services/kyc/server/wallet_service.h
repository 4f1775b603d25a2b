// kyc.v1.WalletService over the engines.
#ifndef KYC_SERVICES_KYC_SERVER_WALLET_SERVICE_H_
#define KYC_SERVICES_KYC_SERVER_WALLET_SERVICE_H_

#include "kyc/v1/wallet_service.grpc.pb.h"
#include "services/kyc/server/engines.h"

namespace kyc::server {

// Thread-safe. `engines` outlives it.
class WalletService final : public v1::WalletService::CallbackService {
 public:
  explicit WalletService(Engines& engines) : engines_(engines) {}

  grpc::ServerUnaryReactor* RegisterWallet(
      grpc::CallbackServerContext* rpc,
      const v1::RegisterWalletRequest* request,
      v1::RegisterWalletResponse* response) override;
  grpc::ServerUnaryReactor* GetWallet(grpc::CallbackServerContext* rpc,
                                      const v1::GetWalletRequest* request,
                                      v1::Wallet* response) override;

 private:
  Engines& engines_;
};

// Also part of what partners are told.
void FillWallet(const domain::Wallet& wallet, v1::Wallet* out);

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_WALLET_SERVICE_H_
