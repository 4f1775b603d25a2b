#include "gateway/api/pints.h"

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/http/percent.h"
#include "gateway/http/query.h"
#include "services/base/status_macros.h"
#include "services/base/utf8.h"

namespace kyc::gateway {
namespace {

constexpr int kMaxPage = 50;

std::string_view StatusName(v1::Pint::Status status) {
  switch (status) {
    case v1::Pint::STATUS_REVOKED:
      return "revoked";
    case v1::Pint::STATUS_EXPIRED:
      return "expired";
    default:
      return "active";
  }
}

std::string PartnerPath(std::string_view pint_id) {
  return "/v0/sis/pint/" + EncodePathSegment(pint_id);
}

std::string UserPath(std::string_view pint_id) {
  return "/v0/pint/" + EncodePathSegment(pint_id);
}

void WriteTexts(std::string_view key,
                const google::protobuf::RepeatedPtrField<std::string>& texts,
                base::JsonWriter* json) {
  json->Key(key).BeginArray();
  for (const std::string& text : texts) json->String(text);
  json->EndArray();
}

void WriteTokens(const Call& call, const v1::ListPintTokensResponse& list,
                 base::JsonWriter* json) {
  json->BeginArray();
  for (const v1::ListPintTokensResponse::Token& token : list.tokens()) {
    json->BeginObject()
        .Key("jti")
        .String(token.jti())
        .Key("audience")
        .String(token.audience())
        .Key("key_id")
        .String(token.key_id());
    WriteTime(call, "issued_at", token.issued_at_ms(), json);
    WriteTime(call, "expires_at", token.expires_at_ms(), json);
    json->EndObject();
  }
  json->EndArray();
}

void WritePintLinks(std::string_view pint_id, base::JsonWriter* json) {
  json->Key("_links").BeginObject();
  WriteLink("self", PartnerPath(pint_id), "GET", json);
  WriteLink("pint_status", PartnerPath(pint_id) + "/status", "GET", json);
  WriteLink("pint_tokens", UserPath(pint_id) + "/tokens", "GET", json);
  json->EndObject();
}

// `tokens`: null, or those of the PINT.
void WritePint(const Call& call, const v1::Pint& pint,
               const v1::ListPintTokensResponse* tokens,
               base::JsonWriter* json) {
  json->BeginObject()
      .Key("id")
      .String(pint.id())
      .Key("status")
      .String(StatusName(pint.status()))
      .Key("sri")
      .String(pint.sri())
      .Key("wallet")
      .String(pint.wallet())
      .Key("signer")
      .String(pint.signer())
      .Key("signer_type")
      .String("user")
      .Key("version")
      .String(pint.version())
      .Key("nonce")
      .String(pint.nonce())
      .Key("statement")
      .String(pint.statement());
  WriteTexts("scopes", pint.scopes(), json);
  WriteTexts("resources", pint.resources(), json);
  if (pint.version() == "3") WriteTexts("conditions", pint.conditions(), json);
  json->Key("max_amount")
      .String(pint.max_amount())
      .Key("max_amount_token")
      .String(pint.max_amount_token());
  WriteTime(call, "expires_at", pint.expires_at_ms(), json);
  WriteTime(call, "created_at", pint.created_at_ms(), json);
  WriteTime(call, "revoked_at", pint.revoked_at_ms(), json);
  json->Key("tokens");
  if (tokens != nullptr) {
    WriteTokens(call, *tokens, json);
  } else {
    json->Null();
  }
  json->EndObject();
}

absl::Status ReadListQuery(const Call& call, v1::ListPintsRequest* request) {
  const std::string_view query = call.request.query();
  const std::pair<std::string_view, std::string*> parameters[] = {
      {"wallet", request->mutable_wallet()},
      {"status", request->mutable_status()},
      {"sort", request->mutable_sort()},
      {"order", request->mutable_order()},
      {"cursor", request->mutable_cursor()}};
  for (const auto& [name, field] : parameters) {
    ASSIGN_OR_RETURN(std::optional<std::string> value,
                     QueryParameter(query, name));
    if (!value) continue;
    if (value->empty()) return InvalidParameter(name, "must not be empty");
    *field = *std::move(value);
  }
  ASSIGN_OR_RETURN(const std::optional<int> limit,
                   IntParameter(query, "limit", 1, kMaxPage));
  request->set_limit(limit.value_or(0));
  return absl::OkStatus();
}

}  // namespace

async::Task<absl::Status> ExchangePint(Call& call) {
  if (!base::IsUtf8(call.body)) co_return InvalidBody("", "must be UTF-8");
  v1::ExchangePintRequest request;
  SetCaller(call, &request);
  request.set_body_json(std::move(call.body));
  CO_ASSIGN_OR_RETURN(const v1::ExchangePintResponse exchanged,
                      co_await call.backend.partner().ExchangePint(
                          call.context, std::move(request)));
  const std::string& id = exchanged.pint_id();
  base::JsonWriter json(&call.response.body);
  // One guide calls it token, the other sig.
  json.BeginObject()
      .Key("token")
      .String(exchanged.token())
      .Key("sig")
      .String(exchanged.token())
      .Key("id")
      .String(id)
      .Key("audience")
      .String(exchanged.audience());
  WriteTexts("scopes", exchanged.scopes(), &json);
  json.Key("expires_at")
      .Int(exchanged.expires_at_ms() / 1000)
      .Key("sri")
      .String(exchanged.sri())
      .Key("_links")
      .BeginObject();
  WriteLink("self", "/v0/sis/token/pint", "POST", &json);
  WriteLink("pint", PartnerPath(id), "GET", &json);
  WriteLink("pint_status", PartnerPath(id) + "/status", "GET", &json);
  WriteLink("pint_tokens", UserPath(id) + "/tokens", "GET", &json);
  WriteLink("revoke", UserPath(id), "DELETE", &json);
  WriteLink("jwks", "/v0/sis/.well-known/jwks.json", "GET", &json);
  json.EndObject().EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> ListPints(Call& call) {
  v1::ListPintsRequest request;
  SetCaller(call, &request);
  CO_RETURN_IF_ERROR(ReadListQuery(call, &request));
  CO_ASSIGN_OR_RETURN(const v1::ListPintsResponse list,
                      co_await call.backend.partner().ListPints(
                          call.context, std::move(request)));
  base::JsonWriter json(&call.response.body);
  json.BeginObject().Key("data").BeginArray();
  for (const v1::Pint& pint : list.pints()) {
    json.BeginObject().Key("pint");
    WritePint(call, pint, nullptr, &json);
    WritePintLinks(pint.id(), &json);
    json.EndObject();
  }
  json.EndArray().Key("has_more").Bool(!list.next_cursor().empty());
  WriteText("cursor", list.next_cursor(), &json);
  json.Key("limit").Int(list.limit()).Key("_links").BeginObject();
  WriteLink("self", "/v0/sis/pint", "GET", &json);
  json.EndObject().EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> GetPint(Call& call) {
  CO_ASSIGN_OR_RETURN(const std::optional<std::string> expand,
                      QueryParameter(call.request.query(), "expand"));
  if (expand && *expand != "tokens") {
    co_return InvalidParameter("expand", "must be tokens");
  }
  v1::GetPintRequest request;
  SetCaller(call, &request);
  request.set_pint_id(call.path_params[0]);
  CO_ASSIGN_OR_RETURN(const v1::Pint pint,
                      co_await call.backend.partner().GetPint(
                          call.context, std::move(request)));
  std::optional<v1::ListPintTokensResponse> tokens;
  if (expand) {
    v1::ListPintTokensRequest of_pint;
    SetCaller(call, &of_pint);
    of_pint.set_pint_id(pint.id());
    CO_ASSIGN_OR_RETURN(tokens, co_await call.backend.partner().ListPintTokens(
                                    call.context, std::move(of_pint)));
  }
  base::JsonWriter json(&call.response.body);
  json.BeginObject().Key("pint");
  WritePint(call, pint, tokens ? &*tokens : nullptr, &json);
  WritePintLinks(pint.id(), &json);
  json.EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> GetPintStatus(Call& call) {
  v1::GetPintStatusRequest request;
  SetCaller(call, &request);
  request.set_pint_id(call.path_params[0]);
  CO_ASSIGN_OR_RETURN(const v1::PintStatus status,
                      co_await call.backend.partner().GetPintStatus(
                          call.context, std::move(request)));
  const bool valid = status.status() == v1::Pint::STATUS_ACTIVE;
  base::JsonWriter json(&call.response.body);
  json.BeginObject()
      .Key("id")
      .String(status.pint_id())
      .Key("valid")
      .Bool(valid);
  WriteText("reason", valid ? "" : StatusName(status.status()), &json);
  WriteTime(call, "revoked_at", status.revoked_at_ms(), &json);
  json.Key("_links").BeginObject();
  WriteLink("self", PartnerPath(status.pint_id()) + "/status", "GET", &json);
  WriteLink("pint", PartnerPath(status.pint_id()), "GET", &json);
  json.EndObject().EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> ListPintTokens(Call& call) {
  v1::ListPintTokensRequest request;
  if (call.api_key != nullptr) {
    SetCaller(call, &request);
  } else {
    request.set_user_id(call.user_id);
  }
  request.set_pint_id(call.path_params[0]);
  CO_ASSIGN_OR_RETURN(const v1::ListPintTokensResponse list,
                      co_await call.backend.partner().ListPintTokens(
                          call.context, std::move(request)));
  base::JsonWriter json(&call.response.body);
  json.BeginObject().Key("tokens");
  WriteTokens(call, list, &json);
  json.Key("_links").BeginObject();
  WriteLink("self", UserPath(call.path_params[0]) + "/tokens", "GET", &json);
  WriteLink("revoke", UserPath(call.path_params[0]), "DELETE", &json);
  json.EndObject().EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> RevokePint(Call& call) {
  v1::RevokePintRequest request;
  request.set_user_id(call.user_id);
  request.set_pint_id(call.path_params[0]);
  CO_ASSIGN_OR_RETURN(const v1::Pint pint,
                      co_await call.backend.partner().RevokePint(
                          call.context, std::move(request)));
  base::JsonWriter json(&call.response.body);
  json.BeginObject().Key("id").String(pint.id()).Key("status").String(
      StatusName(pint.status()));
  WriteTime(call, "revoked_at", pint.revoked_at_ms(), &json);
  json.Key("_links").BeginObject();
  WriteLink("self", UserPath(pint.id()), "DELETE", &json);
  WriteLink("pint_tokens", UserPath(pint.id()) + "/tokens", "GET", &json);
  json.EndObject().EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> GetSigningKeys(Call& call) {
  CO_ASSIGN_OR_RETURN(
      v1::ListSigningKeysResponse keys,
      co_await call.backend.partner().ListSigningKeys(call.context, {}));
  call.response.body = std::move(*keys.mutable_jwks_json());
  ReplaceHeader("Cache-Control", "public, max-age=300", &call.response);
  co_return absl::OkStatus();
}

}  // namespace kyc::gateway
