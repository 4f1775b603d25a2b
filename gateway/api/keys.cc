#include "gateway/api/keys.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/http/query.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

absl::Status CheckOrganisation(const Call& call) {
  if (call.path_params[0] == call.api_key->tenant().org_id()) {
    return absl::OkStatus();
  }
  return base::Error(v1::ERROR_REASON_API_KEY_NOT_FOUND,
                     "No such organisation or environment");
}

bool SameTenant(const v1::Tenant& a, const v1::Tenant& b) {
  return a.org_id() == b.org_id() && a.env_id() == b.env_id();
}

absl::Status ReadScopes(base::JsonValue scopes,
                        v1::CreateApiKeyRequest* request) {
  if (!scopes.exists()) {
    request->set_default_scopes(true);
    return absl::OkStatus();
  }
  if (!scopes.IsArray()) return InvalidBody("/scopes", "must be an array");
  int index = 0;
  for (const base::JsonValue scope : scopes.Elements()) {
    const std::optional<std::string_view> name = scope.AsString();
    if (!name) {
      return InvalidBody("/scopes/" + std::to_string(index),
                         "must be the name of a scope");
    }
    request->add_scopes(std::string(*name));
    ++index;
  }
  return absl::OkStatus();
}

// The body, but for what the engine knows better.
absl::StatusOr<v1::CreateApiKeyRequest> ReadNewKey(const Call& call) {
  const absl::StatusOr<base::JsonDocument> document =
      base::JsonDocument::Parse(call.body);
  if (!document.ok() || !document->root().IsObject()) {
    return InvalidBody("", "must be a JSON object");
  }
  const base::JsonValue root = document->root();
  for (const auto& [key, value] : root.Members()) {
    // A mistyped "scopes" would make a key with scopes nobody asked for.
    if (key != "name" && key != "env_id" && key != "scopes" &&
        key != "audience") {
      return InvalidBody("",
                         "must have no keys other than name, env_id, "
                         "scopes and audience");
    }
  }
  v1::CreateApiKeyRequest request;
  request.mutable_tenant()->set_org_id(call.path_params[0]);
  const std::optional<std::string_view> name = root["name"].AsString();
  if (!name) return InvalidBody("/name", "must be text");
  request.set_name(std::string(*name));
  const std::optional<std::string_view> env = root["env_id"].AsString();
  if (!env) return InvalidBody("/env_id", "must be an environment's id");
  request.mutable_tenant()->set_env_id(std::string(*env));
  RETURN_IF_ERROR(ReadScopes(root["scopes"], &request));
  if (const base::JsonValue audience = root["audience"];
      audience.exists() && !audience.IsNull()) {
    if (!audience.AsString()) return InvalidBody("/audience", "must be text");
    request.set_audience(std::string(*audience.AsString()));
  }
  return request;
}

void WriteScopes(const v1::ApiKey& key, base::JsonWriter* json) {
  json->Key("scopes").BeginArray();
  for (const std::string& scope : key.scopes()) json->String(scope);
  json->EndArray();
}

void WriteLinks(const v1::ApiKey& key, base::JsonWriter* json) {
  const std::string self =
      "/v0/organisation/" + key.tenant().org_id() + "/keys/" + key.id();
  json->Key("_links").BeginObject();
  WriteLink("self", self, "GET", json);
  if (key.revoked_at_ms() == 0) WriteLink("revoke", self, "DELETE", json);
  json->EndObject();
}

void WriteKey(const Call& call, const v1::ApiKey& key, base::JsonWriter* json) {
  json->BeginObject()
      .Key("id")
      .String(key.id())
      .Key("name")
      .String(key.name())
      .Key("enabled")
      .Bool(key.revoked_at_ms() == 0);
  WriteScopes(key, json);
  json->Key("env_id").String(key.tenant().env_id());
  WriteText("audience", key.audience(), json);
  WriteTime(call, "created_at", key.created_at_ms(), json);
  WriteTime(call, "revoked_at", key.revoked_at_ms(), json);
  WriteTime(call, "last_used_at", key.last_used_at_ms(), json);
  json->EndObject();
}

// The key that the path names, if it is one of the caller's environment.
async::Task<absl::StatusOr<v1::ApiKey>> FindKey(Call& call) {
  CO_RETURN_IF_ERROR(CheckOrganisation(call));
  v1::GetApiKeyRequest request;
  request.set_id(call.path_params[1]);
  CO_ASSIGN_OR_RETURN(v1::ApiKey key, co_await call.backend.admin().GetApiKey(
                                          call.context, std::move(request)));
  if (!SameTenant(key.tenant(), call.api_key->tenant())) {
    co_return base::Error(v1::ERROR_REASON_API_KEY_NOT_FOUND);
  }
  co_return key;
}

}  // namespace

async::Task<absl::Status> CreateKey(Call& call) {
  CO_RETURN_IF_ERROR(CheckOrganisation(call));
  CO_ASSIGN_OR_RETURN(v1::CreateApiKeyRequest request, ReadNewKey(call));
  if (!SameTenant(request.tenant(), call.api_key->tenant())) {
    co_return base::Error(v1::ERROR_REASON_API_KEY_NOT_FOUND,
                          "No such organisation or environment");
  }
  CO_ASSIGN_OR_RETURN(const v1::CreateApiKeyResponse created,
                      co_await call.backend.admin().CreateApiKey(
                          call.context, std::move(request)));
  const v1::ApiKey& key = created.api_key();
  call.response.status = 201;
  base::JsonWriter json(&call.response.body);
  json.BeginObject()
      .Key("id")
      .String(key.id())
      .Key("name")
      .String(key.name())
      .Key("key")
      .String(created.key())
      .Key("meta")
      .BeginObject()
      .Key("env_id")
      .String(key.tenant().env_id());
  WriteText("audience", key.audience(), &json);
  WriteTime(call, "created_at", key.created_at_ms(), &json);
  json.EndObject();
  WriteScopes(key, &json);
  WriteLinks(key, &json);
  json.EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> ListKeys(Call& call) {
  CO_RETURN_IF_ERROR(CheckOrganisation(call));
  v1::ListApiKeysRequest request;
  *request.mutable_tenant() = call.api_key->tenant();
  CO_ASSIGN_OR_RETURN(const v1::ListApiKeysResponse list,
                      co_await call.backend.admin().ListApiKeys(
                          call.context, std::move(request)));
  base::JsonWriter json(&call.response.body);
  json.BeginObject()
      .Key("_links")
      .BeginObject()
      .Key("self")
      .BeginObject()
      .Key("href")
      .String("/v0/organisation/" + call.path_params[0] + "/keys")
      .EndObject()
      .EndObject()
      .Key("api_keys")
      .BeginArray();
  for (const v1::ApiKey& key : list.api_keys()) WriteKey(call, key, &json);
  json.EndArray().EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> GetKey(Call& call) {
  CO_ASSIGN_OR_RETURN(const v1::ApiKey key, co_await FindKey(call));
  base::JsonWriter json(&call.response.body);
  json.BeginObject();
  WriteLinks(key, &json);
  json.Key("api_key");
  WriteKey(call, key, &json);
  json.EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> RevokeKey(Call& call) {
  CO_ASSIGN_OR_RETURN(const v1::ApiKey key, co_await FindKey(call));
  v1::RevokeApiKeyRequest request;
  request.set_id(key.id());
  const auto revoked = co_await call.backend.admin().RevokeApiKey(
      call.context, std::move(request));
  CO_RETURN_IF_ERROR(revoked.status());
  call.response.status = 204;
  call.response.content_type = "";
  co_return absl::OkStatus();
}

}  // namespace kyc::gateway
