#include "gateway/api/access_log.h"

#include <optional>
#include <string>
#include <utility>

#include "gateway/http/query.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

constexpr int kMaxPage = 100;
constexpr int kDefaultPage = 50;

void WriteAccess(const Call& call,
                 const v1::ListAccessesResponse::Access& access,
                 base::JsonWriter* json) {
  json->BeginObject().Key("id").String(access.id());
  WriteTime(call, "accessed_at", access.time_ms(), json);
  json->Key("partner").BeginObject();
  WriteText("org_id", access.partner().org_id(), json);
  WriteText("env_id", access.partner().env_id(), json);
  WriteText("key_id", access.key_id(), json);
  json->EndObject();
  WriteText("pint_id", access.pint_id(), json);
  json->Key("what").String(access.what());
  WriteText("image_id", access.image_id(), json);
  json->EndObject();
}

}  // namespace

async::Task<absl::Status> GetAccessLog(Call& call) {
  v1::ListAccessesRequest request;
  request.set_user_id(call.user_id);
  CO_ASSIGN_OR_RETURN(const std::optional<int> limit,
                      IntParameter(call.request.query(), "limit", 1, kMaxPage));
  request.set_limit(limit.value_or(kDefaultPage));
  CO_ASSIGN_OR_RETURN(std::optional<std::string> cursor,
                      QueryParameter(call.request.query(), "cursor"));
  if (cursor) request.set_cursor(*std::move(cursor));
  CO_ASSIGN_OR_RETURN(const v1::ListAccessesResponse list,
                      co_await call.backend.partner().ListAccesses(
                          call.context, std::move(request)));
  base::JsonWriter json(&call.response.body);
  json.BeginObject().Key("data").BeginArray();
  for (const v1::ListAccessesResponse::Access& access : list.accesses()) {
    WriteAccess(call, access, &json);
  }
  json.EndArray().Key("has_more").Bool(!list.next_cursor().empty());
  WriteText("cursor", list.next_cursor(), &json);
  json.Key("limit").Int(limit.value_or(kDefaultPage));
  json.Key("_links").BeginObject();
  WriteLink("self", "/v0/user/me/kyc/access-log", "GET", &json);
  WriteLink("user", "/v0/user/me", "GET", &json);
  json.EndObject().EndObject();
  co_return absl::OkStatus();
}

}  // namespace kyc::gateway
