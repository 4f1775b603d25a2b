#include "gateway/api/features.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/http/query.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"
#include "services/base/utf8.h"

namespace kyc::gateway {
namespace {

// Of the path: /v0/organisation/{0}/environments/{1}/features/{2}.
absl::StatusOr<v1::Tenant> TenantOfPath(const Call& call) {
  const v1::Tenant& own = call.api_key->tenant();
  if (call.path_params[0] == own.org_id() &&
      call.path_params[1] == own.env_id()) {
    return own;
  }
  return base::Error(v1::ERROR_REASON_FEATURE_NOT_FOUND);
}

std::string_view ModeName(v1::KycMode mode) {
  switch (mode) {
    case v1::KYC_MODE_WEBSDK:
      return "websdk";
    case v1::KYC_MODE_HYBRID:
      return "hybrid";
    case v1::KYC_MODE_DOCUMENT_ONLY:
      return "document_only";
    default:
      return {};
  }
}

void WriteLinks(const v1::Tenant& tenant, std::string_view feature,
                base::JsonWriter* json) {
  // The ids are letters, digits, _ and -: nothing to encode.
  const std::string environment = "/v0/organisation/" + tenant.org_id() +
                                  "/environments/" + tenant.env_id();
  std::string self = environment + "/features";
  if (!feature.empty()) self.append("/").append(feature);
  json->Key("_links")
      .BeginObject()
      .Key("self")
      .BeginObject()
      .Key("href")
      .String(self)
      .EndObject()
      .Key("environment")
      .BeginObject()
      .Key("href")
      .String(environment)
      .EndObject()
      .EndObject();
}

void WriteFeature(const Call& call, const v1::Feature& feature,
                  base::JsonWriter* json) {
  json->BeginObject()
      .Key("feature")
      .String(feature.feature())
      .Key("enabled")
      .Bool(feature.enabled())
      .Key("config")
      .BeginObject();
  if (const std::string_view mode = ModeName(feature.mode()); !mode.empty()) {
    json->Key("mode").String(mode);
  }
  json->EndObject();
  WriteTime(call, "created_at", feature.created_at_ms(), json);
  WriteTime(call, "updated_at", feature.updated_at_ms(), json);
  json->EndObject();
}

void WriteAnswer(Call& call, const v1::Tenant& tenant,
                 const v1::Feature& feature) {
  base::JsonWriter json(&call.response.body);
  json.BeginObject();
  WriteLinks(tenant, feature.feature(), &json);
  json.Key("feature");
  WriteFeature(call, feature, &json);
  json.EndObject();
}

}  // namespace

async::Task<absl::Status> PutFeature(Call& call) {
  CO_ASSIGN_OR_RETURN(const v1::Tenant tenant, TenantOfPath(call));
  if (!base::IsUtf8(call.body)) co_return InvalidBody("", "must be UTF-8");
  v1::PutFeatureRequest request;
  *request.mutable_tenant() = tenant;
  request.set_feature(call.path_params[2]);
  request.set_body_json(call.body);
  CO_ASSIGN_OR_RETURN(const v1::Feature feature,
                      co_await call.backend.admin().PutFeature(
                          call.context, std::move(request)));
  WriteAnswer(call, tenant, feature);
  co_return absl::OkStatus();
}

async::Task<absl::Status> GetFeature(Call& call) {
  CO_ASSIGN_OR_RETURN(const v1::Tenant tenant, TenantOfPath(call));
  v1::GetFeatureRequest request;
  *request.mutable_tenant() = tenant;
  request.set_feature(call.path_params[2]);
  CO_ASSIGN_OR_RETURN(const v1::Feature feature,
                      co_await call.backend.admin().GetFeature(
                          call.context, std::move(request)));
  WriteAnswer(call, tenant, feature);
  co_return absl::OkStatus();
}

async::Task<absl::Status> DeleteFeature(Call& call) {
  CO_ASSIGN_OR_RETURN(const v1::Tenant tenant, TenantOfPath(call));
  v1::DeleteFeatureRequest request;
  *request.mutable_tenant() = tenant;
  request.set_feature(call.path_params[2]);
  const auto deleted = co_await call.backend.admin().DeleteFeature(
      call.context, std::move(request));
  CO_RETURN_IF_ERROR(deleted.status());
  call.response.status = 204;
  call.response.content_type = "";
  co_return absl::OkStatus();
}

async::Task<absl::Status> ListFeatures(Call& call) {
  CO_ASSIGN_OR_RETURN(const v1::Tenant tenant, TenantOfPath(call));
  CO_ASSIGN_OR_RETURN(const std::optional<std::string> scope,
                      QueryParameter(call.request.query(), "scope"));
  if (scope && *scope != "enabled" && *scope != "available") {
    co_return InvalidParameter("scope", "must be enabled or available");
  }
  v1::ListFeaturesRequest request;
  *request.mutable_tenant() = tenant;
  request.set_available(scope == "available");
  CO_ASSIGN_OR_RETURN(const v1::ListFeaturesResponse list,
                      co_await call.backend.admin().ListFeatures(
                          call.context, std::move(request)));
  base::JsonWriter json(&call.response.body);
  json.BeginObject();
  WriteLinks(tenant, {}, &json);
  json.Key("features").BeginArray();
  for (const v1::Feature& feature : list.features()) {
    WriteFeature(call, feature, &json);
  }
  json.EndArray().EndObject();
  co_return absl::OkStatus();
}

}  // namespace kyc::gateway
