#include "deploy/kycctl/key_commands.h"

#include <grpcpp/channel.h>

#include <ostream>
#include <string>
#include <string_view>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "deploy/kycctl/rpc.h"
#include "kyc/v1/admin_service.grpc.pb.h"
#include "services/base/json.h"
#include "services/base/status_macros.h"

namespace kyc::kycctl {
namespace {

std::unique_ptr<v1::AdminService::Stub> AdminStub(const Args& args) {
  return v1::AdminService::NewStub(OpenKycChannel(args));
}

void WriteTime(std::string_view name, int64_t ms, base::JsonWriter* json) {
  json->Key(name);
  if (ms == 0) {
    json->Null();
  } else {
    json->Int(ms);
  }
}

// The members of a key's object; its text, where it is known, after the id.
void WriteKey(const v1::ApiKey& key, std::string_view text,
              base::JsonWriter* json) {
  json->BeginObject().Key("id").String(key.id());
  if (!text.empty()) json->Key("key").String(text);
  json->Key("name")
      .String(key.name())
      .Key("org_id")
      .String(key.tenant().org_id())
      .Key("env_id")
      .String(key.tenant().env_id())
      .Key("scopes")
      .BeginArray();
  for (const std::string& scope : key.scopes()) json->String(scope);
  json->EndArray().Key("audience");
  if (key.audience().empty()) {
    json->Null();
  } else {
    json->String(key.audience());
  }
  WriteTime("created_at", key.created_at_ms(), json);
  WriteTime("revoked_at", key.revoked_at_ms(), json);
  WriteTime("last_used_at", key.last_used_at_ms(), json);
  json->EndObject();
}

std::string ShowTime(int64_t ms) {
  if (ms == 0) return "-";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixMillis(ms),
                          absl::UTCTimeZone());
}

absl::Status Create(const Args& args, std::ostream& out) {
  v1::CreateApiKeyRequest request;
  request.mutable_tenant()->set_org_id(args.Get("org"));
  request.mutable_tenant()->set_env_id(args.Get("env"));
  request.set_name(args.Get("name"));
  for (const auto& scope :
       absl::StrSplit(args.Get("scopes"), ',', absl::SkipWhitespace())) {
    const auto name = absl::StripAsciiWhitespace(scope);
    request.add_scopes(std::string(name.data(), name.size()));
  }
  request.set_audience(args.Get("audience"));
  const auto stub = AdminStub(args);
  v1::CreateApiKeyResponse response;
  RETURN_IF_ERROR(CallKyc(args, [&](grpc::ClientContext* context) {
    return stub->CreateApiKey(context, request, &response);
  }));
  const v1::ApiKey& key = response.api_key();
  if (args.IsOn("json")) {
    std::string text;
    base::JsonWriter json(&text);
    WriteKey(key, response.key(), &json);
    out << text << "\n";
  } else {
    out << "id      " << key.id() << "\nkey     " << response.key()
        << "\nscopes  " << absl::StrJoin(key.scopes(), ",")
        << "\nKeep the key now: it is not shown again.\n";
  }
  return absl::OkStatus();
}

absl::Status List(const Args& args, std::ostream& out) {
  if (args.Get("org").empty() != args.Get("env").empty()) {
    return absl::InvalidArgumentError("--org and --env go together");
  }
  v1::ListApiKeysRequest request;
  if (!args.Get("org").empty()) {
    request.mutable_tenant()->set_org_id(args.Get("org"));
    request.mutable_tenant()->set_env_id(args.Get("env"));
  }
  const auto stub = AdminStub(args);
  v1::ListApiKeysResponse response;
  RETURN_IF_ERROR(CallKyc(args, [&](grpc::ClientContext* context) {
    return stub->ListApiKeys(context, request, &response);
  }));
  if (args.IsOn("json")) {
    std::string text;
    base::JsonWriter json(&text);
    json.BeginArray();
    for (const v1::ApiKey& key : response.api_keys()) WriteKey(key, {}, &json);
    json.EndArray();
    out << text << "\n";
    return absl::OkStatus();
  }
  for (const v1::ApiKey& key : response.api_keys()) {
    out << key.id() << "  "
        << (key.revoked_at_ms() == 0 ? "active " : "revoked") << "  "
        << key.tenant().org_id() << ":" << key.tenant().env_id() << "  "
        << absl::StrJoin(key.scopes(), ",") << "  created "
        << ShowTime(key.created_at_ms()) << "  used "
        << ShowTime(key.last_used_at_ms()) << "  " << key.name() << "\n";
  }
  return absl::OkStatus();
}

absl::Status Revoke(const Args& args, std::ostream& out) {
  v1::RevokeApiKeyRequest request;
  request.set_id(args.positional()[0]);
  const auto stub = AdminStub(args);
  v1::ApiKey key;
  RETURN_IF_ERROR(CallKyc(args, [&](grpc::ClientContext* context) {
    return stub->RevokeApiKey(context, request, &key);
  }));
  out << "revoked " << key.id() << "\n";
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> KeyCommands() {
  const Flag address = KycAddressFlag();
  const Flag json{"json", "", "Prints JSON.", "", false};
  return {
      {"keys create",
       "creates an API key and prints it, once",
       {"kycctl keys create --org=acme --env=live --name=admin "
        "--scopes=manage_keys,manage_features",
        "kycctl keys create --org=acme --env=live --name=backend "
        "--scopes=get_kyc,lookup --audience=partner.example --json"},
       {{"org", "ORG", "The organisation's id.", "", true},
        {"env", "ENV", "The environment's id.", "", true},
        {"name", "NAME", "What the key is for.", "", true},
        {"scopes", "A,B",
         "Of get_kyc, lookup, get_details, token_exchange, get_pints, "
         "manage_features, manage_keys, manage_webhooks.",
         "", true},
        {"audience", "AUDIENCE", "Whom partner tokens may be meant for.", "",
         false},
        json,
        address},
       {},
       Create},
      {"keys list",
       "lists the newest API keys: of an environment, or of all",
       {"kycctl keys list", "kycctl keys list --org=acme --env=live --json"},
       {{"org", "ORG", "The organisation's id.", "", false},
        {"env", "ENV", "The environment's id.", "", false},
        json,
        address},
       {},
       List},
      {"keys revoke",
       "makes an API key useless, everywhere within 5 seconds",
       {"kycctl keys revoke key_abcdefghijklmnop"},
       {address},
       {"ID"},
       Revoke},
  };
}

}  // namespace kyc::kycctl
