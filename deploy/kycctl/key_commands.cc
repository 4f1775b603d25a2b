#include "deploy/kycctl/key_commands.h"

#include <grpcpp/channel.h>

#include <ostream>
#include <string>
#include <string_view>

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "deploy/kycctl/output.h"
#include "deploy/kycctl/rpc.h"
#include "kyc/v1/admin_service.grpc.pb.h"
#include "services/base/json.h"
#include "services/base/status_macros.h"

namespace kyc::kycctl {
namespace {

using Stub = v1::AdminService::Stub;

Client<v1::AdminService> Connect(const Args& args) {
  return {kKycProcess, args};
}

// A key; with its text, where it is known, after the id.
void WriteWithText(const v1::ApiKey& key, std::string_view text,
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
  json->EndArray();
  WriteOrNull("audience", key.audience(), json);
  WriteOrNull("created_at", key.created_at_ms(), json);
  WriteOrNull("revoked_at", key.revoked_at_ms(), json);
  WriteOrNull("last_used_at", key.last_used_at_ms(), json);
  json->EndObject();
}

void WriteKey(const v1::ApiKey& key, base::JsonWriter* json) {
  WriteWithText(key, {}, json);
}

void ShowKey(const v1::ApiKey& key, std::ostream& out) {
  PrintRow({key.id(), key.revoked_at_ms() == 0 ? "active " : "revoked",
            key.tenant().org_id() + ":" + key.tenant().env_id(),
            absl::StrJoin(key.scopes(), ","),
            "created " + ShowTime(key.created_at_ms()),
            "used " + ShowTime(key.last_used_at_ms()), key.name()},
           out);
}

constexpr Format<v1::ApiKey> kKey{WriteKey, ShowKey};

void WriteMade(const v1::CreateApiKeyResponse& made, base::JsonWriter* json) {
  WriteWithText(made.api_key(), made.key(), json);
}

void ShowMade(const v1::CreateApiKeyResponse& made, std::ostream& out) {
  PrintFacts(8,
             {{"id", made.api_key().id()},
              {"key", made.key()},
              {"scopes", absl::StrJoin(made.api_key().scopes(), ",")}},
             out);
  out << "Keep the key now: it is not shown again.\n";
}

// A key with its text, which is shown once.
constexpr Format<v1::CreateApiKeyResponse> kMade{WriteMade, ShowMade};

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
  return Print(args, out, kMade,
               Connect(args).Call(&Stub::CreateApiKey, request));
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
  ASSIGN_OR_RETURN(const auto response,
                   Connect(args).Call(&Stub::ListApiKeys, request));
  ListPrinter list(args, out, kKey);
  list.Add(response.api_keys());
  return list.End();
}

absl::Status Revoke(const Args& args, std::ostream& out) {
  v1::RevokeApiKeyRequest request;
  request.set_id(args.positional()[0]);
  ASSIGN_OR_RETURN(const v1::ApiKey key,
                   Connect(args).Call(&Stub::RevokeApiKey, request));
  out << "revoked " << key.id() << "\n";
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> KeyCommands() {
  const Flag address = AddressFlag(kKycProcess);
  const Flag json = JsonFlag();
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
