#include "services/kyc/server/wallet_service.h"

#include <optional>
#include <utility>

#include "services/async/grpc_server.h"
#include "services/base/status_macros.h"
#include "services/kyc/server/proto_mapping.h"

namespace kyc::server {
namespace {

using async::CallContext;
using async::Task;

Task<absl::Status> RegisterWallet(Partners& partners,
                                  const v1::RegisterWalletRequest& request,
                                  v1::RegisterWalletResponse* response) {
  CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  domain::Tenant tenant = TenantOf(request.tenant());
  if (tenant != domain::Tenant()) {
    CO_RETURN_IF_ERROR(domain::CheckTenant(tenant));
  }
  CO_ASSIGN_OR_RETURN(
      const store::WalletStore::Registered registered,
      co_await partners.RegisterWallet(request.user_id(), std::move(tenant),
                                       request.eoa_address(),
                                       request.safe_address(),
                                       request.chain_id()));
  FillWallet(registered.wallet, response->mutable_wallet());
  response->set_already_existed(registered.already_existed);
  co_return absl::OkStatus();
}

Task<absl::Status> GetWallet(Partners& partners,
                             const v1::GetWalletRequest& request,
                             v1::Wallet* response) {
  CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  CO_ASSIGN_OR_RETURN(const std::optional<domain::Wallet> wallet,
                      co_await partners.wallets().Get(request.user_id()));
  response->set_user_id(request.user_id());
  if (wallet) FillWallet(*wallet, response);
  co_return absl::OkStatus();
}

}  // namespace

void FillWallet(const domain::Wallet& wallet, v1::Wallet* out) {
  out->set_user_id(wallet.user_id);
  out->set_eoa_address(domain::ToText(wallet.eoa));
  if (wallet.safe) out->set_safe_address(domain::ToText(*wallet.safe));
  out->set_chain_id(wallet.chain_id);
  out->set_created_at_ms(wallet.created_at_ms);
}

grpc::ServerUnaryReactor* WalletService::RegisterWallet(
    grpc::CallbackServerContext* rpc, const v1::RegisterWalletRequest* request,
    v1::RegisterWalletResponse* response) {
  Engines::Home home = engines_.For(request->user_id());
  return async::RunUnary(
      rpc, home.loop, "WalletService/RegisterWallet",
      [&partners = home.partners, request, response](CallContext) {
        return server::RegisterWallet(partners, *request, response);
      });
}

grpc::ServerUnaryReactor* WalletService::GetWallet(
    grpc::CallbackServerContext* rpc, const v1::GetWalletRequest* request,
    v1::Wallet* response) {
  Engines::Home home = engines_.For(request->user_id());
  return async::RunUnary(
      rpc, home.loop, "WalletService/GetWallet",
      [&partners = home.partners, request, response](CallContext) {
        return server::GetWallet(partners, *request, response);
      });
}

}  // namespace kyc::server
