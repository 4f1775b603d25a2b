#include "gateway/api/user.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/api/links.h"
#include "gateway/http/query.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

absl::StatusOr<v1::RegisterWalletRequest> ReadWallet(const Call& call) {
  const absl::StatusOr<base::JsonDocument> document =
      base::JsonDocument::Parse(call.body);
  if (!document.ok() || !document->root().IsObject()) {
    return InvalidBody("", "must be a JSON object");
  }
  const base::JsonValue root = document->root();
  v1::RegisterWalletRequest request;
  request.set_user_id(call.user_id);
  SetTenant(call, &request);
  const std::optional<std::string_view> eoa =
      root["primary_eoa_address"].AsString();
  if (!eoa) return InvalidBody("/primary_eoa_address", "must be an address");
  request.set_eoa_address(std::string(*eoa));
  constexpr std::string_view kSafe = "primary_smart_wallet_address";
  if (const base::JsonValue safe = root[kSafe];
      safe.exists() && !safe.IsNull()) {
    const std::optional<std::string_view> address = safe.AsString();
    if (!address || address->empty()) {
      return InvalidBody("/primary_smart_wallet_address", "must be an address");
    }
    request.set_safe_address(std::string(*address));
  }
  if (const base::JsonValue chain = root["chain_id"]; chain.exists()) {
    const std::optional<int64_t> id = chain.AsInt();
    if (!id || *id < 1) return InvalidBody("/chain_id", "must be a chain's id");
    request.set_chain_id(*id);
  }
  return request;
}

void WriteWallets(const v1::Wallet& wallet, base::JsonWriter* json) {
  const std::pair<std::string_view, std::string_view> addresses[] = {
      {"eoa", wallet.eoa_address()}, {"safe", wallet.safe_address()}};
  json->BeginArray();
  for (const auto& [type, address] : addresses) {
    if (address.empty()) continue;
    json->BeginObject()
        .Key("type")
        .String(type)
        .Key("address")
        .String(address)
        .Key("chain_id")
        .Int(wallet.chain_id())
        .EndObject();
  }
  json->EndArray();
}

}  // namespace

async::Task<absl::Status> RegisterUser(Call& call) {
  CO_ASSIGN_OR_RETURN(v1::RegisterWalletRequest request, ReadWallet(call));
  CO_ASSIGN_OR_RETURN(const v1::RegisterWalletResponse registered,
                      co_await call.backend.partner().RegisterWallet(
                          call.context, std::move(request)));
  const v1::Wallet& wallet = registered.wallet();
  call.response.status = registered.already_existed() ? 208 : 201;
  base::JsonWriter json(&call.response.body);
  json.BeginObject()
      .Key("_links")
      .Raw(UserLinks())
      .Key("user")
      .BeginObject()
      .Key("id")
      .String(call.user_id)
      .Key("account_status")
      .String("active")
      .Key("primary_eoa_address")
      .String(wallet.eoa_address());
  WriteText("primary_smart_wallet_address", wallet.safe_address(), &json);
  json.Key("chain_id").Int(wallet.chain_id());
  WriteTime(call, "created_at", wallet.created_at_ms(), &json);
  json.EndObject().EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> GetUser(Call& call) {
  v1::GetUserRequest request;
  request.set_user_id(call.user_id);
  CO_ASSIGN_OR_RETURN(
      const v1::User user,
      co_await call.backend.GetUser(call.context, std::move(request)));
  std::optional<v1::Wallet> wallet;
  if (HasParameterValue(call.request.query(), "expand", "wallets")) {
    v1::GetWalletRequest of_user;
    of_user.set_user_id(call.user_id);
    CO_ASSIGN_OR_RETURN(wallet, co_await call.backend.partner().GetWallet(
                                    call.context, std::move(of_user)));
  }
  base::JsonWriter json(&call.response.body);
  json.BeginObject()
      .Key("_links")
      .Raw(UserLinks())
      .Key("user")
      .BeginObject()
      .Key("id")
      .String(call.user_id);
  WriteText("first_name", user.first_name(), &json);
  WriteText("last_names", user.last_names(), &json);
  WriteTime(call, "kyc_verified_at", user.kyc_verified_at_ms(), &json);
  WriteTime(call, "kyc_rejected_at", user.kyc_rejected_at_ms(), &json);
  json.EndObject().Key("wallets");
  if (wallet) {
    WriteWallets(*wallet, &json);
  } else {
    json.Null();
  }
  json.EndObject();
  co_return absl::OkStatus();
}

}  // namespace kyc::gateway
