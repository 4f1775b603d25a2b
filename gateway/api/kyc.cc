#include "gateway/api/kyc.h"

#include <optional>
#include <utility>

#include "gateway/api/links.h"
#include "gateway/http/query.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

async::Task<absl::StatusOr<v1::Verification>> Refresh(Call& call) {
  v1::RefreshStatusRequest request;
  request.set_user_id(call.user_id);
  return call.backend.RefreshStatus(call.context, std::move(request));
}

}  // namespace

async::Task<absl::Status> CreateApplicant(Call& call) {
  v1::CreateApplicantRequest request;
  request.set_user_id(call.user_id);
  SetTenant(call, &request);
  CO_ASSIGN_OR_RETURN(
      const v1::CreateApplicantResponse applicant,
      co_await call.backend.CreateApplicant(call.context, std::move(request)));
  call.response.status = applicant.already_existed() ? 200 : 201;
  base::JsonWriter json(&call.response.body);
  json.BeginObject()
      .Key("applicant_id")
      .String(applicant.applicant_id())
      .Key("user_id")
      .String(call.user_id)
      .Key("already_existed")
      .Bool(applicant.already_existed())
      .Key("_links")
      .Raw(ApplicantLinks())
      .EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> CreateAccessToken(Call& call) {
  CO_ASSIGN_OR_RETURN(const std::optional<std::string> level,
                      QueryParameter(call.request.query(), "level"));
  if (level && *level != "liveness") {
    co_return InvalidParameter("level", "must be liveness, or absent");
  }
  v1::CreateAccessTokenRequest request;
  request.set_user_id(call.user_id);
  SetTenant(call, &request);
  if (level) request.set_scope(v1::CreateAccessTokenRequest::SCOPE_LIVENESS);
  CO_ASSIGN_OR_RETURN(const v1::CreateAccessTokenResponse token,
                      co_await call.backend.CreateAccessToken(
                          call.context, std::move(request)));
  base::JsonWriter json(&call.response.body);
  json.BeginObject()
      .Key("access_token")
      .String(token.access_token())
      .Key("expires_in")
      .Int(token.expires_in_s())
      .Key("user_id")
      .String(call.user_id)
      .Key("_links")
      .Raw(AccessTokenLinks())
      .EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> GetStatus(Call& call) {
  CO_ASSIGN_OR_RETURN(const bool refresh,
                      BoolParameter(call.request.query(), "refresh"));
  const absl::StatusOr<v1::Verification> result =
      refresh ? co_await Refresh(call)
              : co_await call.backend.GetStatus(call.context, call.user_id);
  if (!result.ok()) co_return result.status();
  const std::string_view state = StateName(result->state());
  call.response.body.reserve(512);
  base::JsonWriter json(&call.response.body);
  json.BeginObject().Key("status").String(state);
  WriteText("applicant_id", result->applicant_id(), &json);
  WriteTime(call, "verified_at", result->verified_at_ms(), &json);
  WriteTime(call, "rejected_at", result->rejected_at_ms(), &json);
  WriteText("reject_reason", result->reject_reason(), &json);
  json.Key("_links")
      .Raw(StatusLinks(state == "pending" || state == "retry"))
      .EndObject();
  co_return absl::OkStatus();
}

}  // namespace kyc::gateway
