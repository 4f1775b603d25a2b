#include "gateway/api/user.h"

#include <utility>

#include "gateway/api/links.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {

async::Task<absl::Status> GetUser(Call& call) {
  v1::GetUserRequest request;
  request.set_user_id(call.user_id);
  CO_ASSIGN_OR_RETURN(
      const v1::User user,
      co_await call.backend.GetUser(call.context, std::move(request)));
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
  json.EndObject().Key("wallets").Null().EndObject();
  co_return absl::OkStatus();
}

}  // namespace kyc::gateway
