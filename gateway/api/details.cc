#include "gateway/api/details.h"

#include <utility>

#include "gateway/api/details_json.h"
#include "gateway/api/links.h"
#include "gateway/http/query.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {

async::Task<absl::Status> GetDetails(Call& call) {
  v1::GetDetailsRequest request;
  request.set_user_id(call.user_id);
  CO_ASSIGN_OR_RETURN(const bool refresh,
                      BoolParameter(call.request.query(), "refresh"));
  request.set_refresh(refresh);
  CO_ASSIGN_OR_RETURN(
      const v1::Details details,
      co_await call.backend.GetDetails(call.context, std::move(request)));
  base::JsonWriter json(&call.response.body);
  json.BeginObject();
  WriteDetails(call, details, DetailsDialect::kUser, &json);
  json.Key("_links").Raw(DetailsLinks()).EndObject();
  co_return absl::OkStatus();
}

}  // namespace kyc::gateway
