#include "services/kyc/server/admin_service.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/async/grpc_server.h"
#include "services/base/error.h"
#include "services/base/log.h"
#include "services/base/status_macros.h"
#include "services/kyc/server/proto_mapping.h"

namespace kyc::server {
namespace {

using async::CallContext;
using async::Task;
using Home = Engines::Home;

void FillFeature(const domain::Feature& feature, v1::Feature* out) {
  out->set_feature(std::string(domain::kKycFeature));
  out->set_enabled(feature.setting.enabled);
  if (feature.setting.mode) out->set_mode(ToProto(*feature.setting.mode));
  out->set_created_at_ms(feature.created_at_ms);
  out->set_updated_at_ms(feature.updated_at_ms);
}

void FillApiKey(const domain::ApiKey& key, v1::ApiKey* out) {
  out->set_id(key.id);
  out->set_name(key.name);
  out->mutable_tenant()->set_org_id(key.tenant.org_id);
  out->mutable_tenant()->set_env_id(key.tenant.env_id);
  for (const std::string& scope : key.scopes) out->add_scopes(scope);
  out->set_audience(key.audience);
  out->set_created_at_ms(key.created_at_ms);
  out->set_revoked_at_ms(key.revoked_at_ms);
  out->set_last_used_at_ms(key.last_used_at_ms);
}

// Which feature of which environment; the errors of a name or tenant that
// cannot be.
template <typename Request>
absl::StatusOr<domain::Tenant> FeatureTenant(const Request& request) {
  RETURN_IF_ERROR(domain::CheckFeatureName(request.feature()));
  domain::Tenant tenant = TenantOf(request.tenant());
  RETURN_IF_ERROR(domain::CheckTenant(tenant));
  return tenant;
}

// What administrators do is logged: a mode decides who is let through.
void LogFeature(std::string_view message, const domain::Tenant& tenant,
                std::string_view mode, const CallContext& context) {
  base::LogInfo(message,
                {{"org_id", tenant.org_id},
                 {"env_id", tenant.env_id},
                 {"feature", domain::kKycFeature},
                 {"mode", mode}},
                &context.trace);
}

void LogKey(std::string_view message, const domain::ApiKey& key,
            const CallContext& context) {
  base::LogInfo(message,
                {{"key_id", key.id},
                 {"org_id", key.tenant.org_id},
                 {"env_id", key.tenant.env_id}},
                &context.trace);
}

Task<absl::Status> PutFeature(CallContext context, Home home,
                              const v1::PutFeatureRequest& request,
                              v1::Feature* response) {
  CO_ASSIGN_OR_RETURN(const domain::Tenant tenant, FeatureTenant(request));
  CO_ASSIGN_OR_RETURN(const domain::FeatureSetting setting,
                      domain::ParseFeatureSetting(request.body_json()));
  CO_ASSIGN_OR_RETURN(const domain::Feature feature,
                      co_await home.features.Put(tenant, setting));
  const std::optional<domain::Mode> mode = domain::ModeOf(setting);
  LogFeature("feature set", tenant,
             mode ? domain::ModeName(*mode) : "the default", context);
  FillFeature(feature, response);
  co_return absl::OkStatus();
}

Task<absl::Status> GetFeature(Home home, const v1::GetFeatureRequest& request,
                              v1::Feature* response) {
  CO_ASSIGN_OR_RETURN(domain::Tenant tenant, FeatureTenant(request));
  CO_ASSIGN_OR_RETURN(const std::optional<domain::Feature> feature,
                      co_await home.features.Get(std::move(tenant)));
  if (!feature) co_return base::Error(v1::ERROR_REASON_FEATURE_NOT_FOUND);
  FillFeature(*feature, response);
  co_return absl::OkStatus();
}

Task<absl::Status> DeleteFeature(CallContext context, Home home,
                                 const v1::DeleteFeatureRequest& request) {
  CO_ASSIGN_OR_RETURN(const domain::Tenant tenant, FeatureTenant(request));
  CO_RETURN_IF_ERROR(co_await home.features.Delete(tenant));
  LogFeature("feature deleted", tenant, "the default", context);
  co_return absl::OkStatus();
}

Task<absl::Status> ListFeatures(Home home,
                                const v1::ListFeaturesRequest& request,
                                v1::ListFeaturesResponse* response) {
  domain::Tenant tenant = TenantOf(request.tenant());
  CO_RETURN_IF_ERROR(domain::CheckTenant(tenant));
  CO_ASSIGN_OR_RETURN(const std::optional<domain::Feature> feature,
                      co_await home.features.Get(std::move(tenant)));
  if (request.available() || (feature && feature->setting.enabled)) {
    FillFeature(feature.value_or(domain::Feature()), response->add_features());
  }
  co_return absl::OkStatus();
}

Task<absl::Status> CreateApiKey(CallContext context, Home home,
                                const v1::CreateApiKeyRequest& request,
                                v1::CreateApiKeyResponse* response) {
  domain::ApiKey key;
  key.tenant = TenantOf(request.tenant());
  key.name = request.name();
  key.audience = request.audience();
  CO_RETURN_IF_ERROR(domain::CheckNewApiKey(key));
  if (request.default_scopes()) {
    if (!request.scopes().empty()) {
      co_return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED,
                            "either scopes or default_scopes");
    }
    key.scopes = domain::PartnerScopes();
  } else {
    CO_ASSIGN_OR_RETURN(key.scopes, domain::ParseScopes(
                                        {request.scopes().begin(),
                                         request.scopes().end()}));
  }
  CO_ASSIGN_OR_RETURN(const store::ApiKeyStore::Created created,
                      co_await home.api_keys.Create(std::move(key)));
  LogKey("API key created", created.key, context);
  FillApiKey(created.key, response->mutable_api_key());
  response->set_key(std::string(created.text.Reveal()));
  co_return absl::OkStatus();
}

Task<absl::Status> ListApiKeys(Home home, const v1::ListApiKeysRequest& request,
                               v1::ListApiKeysResponse* response) {
  std::optional<domain::Tenant> tenant = TenantOf(request.tenant());
  if (*tenant == domain::Tenant()) {
    tenant.reset();
  } else if (tenant->env_id.empty()) {
    CO_RETURN_IF_ERROR(domain::CheckTenant({tenant->org_id, tenant->org_id}));
  } else {
    CO_RETURN_IF_ERROR(domain::CheckTenant(*tenant));
  }
  CO_ASSIGN_OR_RETURN(const std::vector<domain::ApiKey> keys,
                      co_await home.api_keys.List(std::move(tenant)));
  for (const domain::ApiKey& key : keys) {
    FillApiKey(key, response->add_api_keys());
  }
  co_return absl::OkStatus();
}

Task<absl::Status> GetApiKey(Home home, const v1::GetApiKeyRequest& request,
                             v1::ApiKey* response) {
  CO_ASSIGN_OR_RETURN(const domain::ApiKey key,
                      co_await home.api_keys.Get(request.id()));
  FillApiKey(key, response);
  co_return absl::OkStatus();
}

Task<absl::Status> RevokeApiKey(CallContext context, Home home,
                                const v1::RevokeApiKeyRequest& request,
                                v1::ApiKey* response) {
  CO_ASSIGN_OR_RETURN(const domain::ApiKey key,
                      co_await home.api_keys.Revoke(request.id()));
  LogKey("API key revoked", key, context);
  FillApiKey(key, response);
  co_return absl::OkStatus();
}

Task<absl::Status> VerifyApiKey(Home home,
                                const v1::VerifyApiKeyRequest& request,
                                v1::ApiKey* response) {
  CO_ASSIGN_OR_RETURN(
      const domain::ApiKey key,
      co_await home.api_keys.Verify(base::Secret(request.key())));
  FillApiKey(key, response);
  co_return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* AdminService::PutFeature(
    grpc::CallbackServerContext* rpc, const v1::PutFeatureRequest* request,
    v1::Feature* response) {
  const Home home = engines_.For(request->tenant().org_id());
  return async::RunUnary(rpc, home.loop, "AdminService/PutFeature",
                         [home, request, response](CallContext context) {
                           return server::PutFeature(context, home, *request,
                                                     response);
                         });
}

grpc::ServerUnaryReactor* AdminService::GetFeature(
    grpc::CallbackServerContext* rpc, const v1::GetFeatureRequest* request,
    v1::Feature* response) {
  const Home home = engines_.For(request->tenant().org_id());
  return async::RunUnary(rpc, home.loop, "AdminService/GetFeature",
                         [home, request, response](CallContext) {
                           return server::GetFeature(home, *request, response);
                         });
}

grpc::ServerUnaryReactor* AdminService::DeleteFeature(
    grpc::CallbackServerContext* rpc, const v1::DeleteFeatureRequest* request,
    v1::DeleteFeatureResponse*) {
  const Home home = engines_.For(request->tenant().org_id());
  return async::RunUnary(rpc, home.loop, "AdminService/DeleteFeature",
                         [home, request](CallContext context) {
                           return server::DeleteFeature(context, home,
                                                        *request);
                         });
}

grpc::ServerUnaryReactor* AdminService::ListFeatures(
    grpc::CallbackServerContext* rpc, const v1::ListFeaturesRequest* request,
    v1::ListFeaturesResponse* response) {
  const Home home = engines_.For(request->tenant().org_id());
  return async::RunUnary(rpc, home.loop, "AdminService/ListFeatures",
                         [home, request, response](CallContext) {
                           return server::ListFeatures(home, *request,
                                                       response);
                         });
}

grpc::ServerUnaryReactor* AdminService::CreateApiKey(
    grpc::CallbackServerContext* rpc, const v1::CreateApiKeyRequest* request,
    v1::CreateApiKeyResponse* response) {
  const Home home = engines_.For(request->tenant().org_id());
  return async::RunUnary(rpc, home.loop, "AdminService/CreateApiKey",
                         [home, request, response](CallContext context) {
                           return server::CreateApiKey(context, home, *request,
                                                       response);
                         });
}

grpc::ServerUnaryReactor* AdminService::ListApiKeys(
    grpc::CallbackServerContext* rpc, const v1::ListApiKeysRequest* request,
    v1::ListApiKeysResponse* response) {
  const Home home = engines_.For(request->tenant().org_id());
  return async::RunUnary(rpc, home.loop, "AdminService/ListApiKeys",
                         [home, request, response](CallContext) {
                           return server::ListApiKeys(home, *request, response);
                         });
}

grpc::ServerUnaryReactor* AdminService::GetApiKey(
    grpc::CallbackServerContext* rpc, const v1::GetApiKeyRequest* request,
    v1::ApiKey* response) {
  const Home home = engines_.For(request->id());
  return async::RunUnary(rpc, home.loop, "AdminService/GetApiKey",
                         [home, request, response](CallContext) {
                           return server::GetApiKey(home, *request, response);
                         });
}

grpc::ServerUnaryReactor* AdminService::RevokeApiKey(
    grpc::CallbackServerContext* rpc, const v1::RevokeApiKeyRequest* request,
    v1::ApiKey* response) {
  const Home home = engines_.For(request->id());
  return async::RunUnary(rpc, home.loop, "AdminService/RevokeApiKey",
                         [home, request, response](CallContext context) {
                           return server::RevokeApiKey(context, home, *request,
                                                       response);
                         });
}

grpc::ServerUnaryReactor* AdminService::VerifyApiKey(
    grpc::CallbackServerContext* rpc, const v1::VerifyApiKeyRequest* request,
    v1::ApiKey* response) {
  const Home home = engines_.For(request->key());
  return async::RunUnary(rpc, home.loop, "AdminService/VerifyApiKey",
                         [home, request, response](CallContext) {
                           return server::VerifyApiKey(home, *request,
                                                       response);
                         });
}

}  // namespace kyc::server
