#include "gateway/api/webhook_subscriptions.h"

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/numbers.h"
#include "gateway/http/query.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

constexpr uint32_t kMaxDeliveries = 1000;

// Of the path: /v0/organisation/{0}/environments/{1}/webhooks/{2}…
absl::StatusOr<v1::Tenant> TenantOfPath(const Call& call) {
  const v1::Tenant& own = call.api_key->tenant();
  if (call.path_params[0] == own.org_id() &&
      call.path_params[1] == own.env_id()) {
    return own;
  }
  return base::Error(v1::ERROR_REASON_SUBSCRIPTION_NOT_FOUND);
}

// The body as an object that has no keys but these.
absl::StatusOr<base::JsonDocument> ReadBody(
    const Call& call, std::initializer_list<std::string_view> keys) {
  absl::StatusOr<base::JsonDocument> document =
      base::JsonDocument::Parse(call.body);
  if (!document.ok() || !document->root().IsObject()) {
    return InvalidBody("", "must be a JSON object");
  }
  for (const auto& [key, value] : document->root().Members()) {
    bool known = false;
    std::string all;
    for (const std::string_view each : keys) {
      known = known || key == each;
      all.append(all.empty() ? "" : ", ").append(each);
    }
    if (!known) return InvalidBody("", "must have no keys other than " + all);
  }
  return document;
}

// Leaves `text` as it is where there is none, or null.
absl::Status ReadText(base::JsonValue root, std::string_view key,
                      std::optional<std::string>* text) {
  const base::JsonValue value = root[key];
  if (!value.exists() || value.IsNull()) return absl::OkStatus();
  if (!value.AsString()) {
    return InvalidBody("/" + std::string(key), "must be text");
  }
  *text = std::string(*value.AsString());
  return absl::OkStatus();
}

absl::Status ReadEnabled(base::JsonValue root, std::optional<bool>* enabled) {
  const base::JsonValue value = root["enabled"];
  if (!value.exists()) return absl::OkStatus();
  *enabled = value.AsBool();
  if (enabled->has_value()) return absl::OkStatus();
  return InvalidBody("/enabled", "must be true or false");
}

// An empty secret is no wish for a new one.
absl::Status ReadSecret(base::JsonValue root, std::string* secret) {
  std::optional<std::string> text;
  RETURN_IF_ERROR(ReadText(root, "secret", &text));
  if (text && text->empty()) {
    return InvalidBody("/secret", "must not be empty");
  }
  *secret = text.value_or("");
  return absl::OkStatus();
}

// Adds the types to `types`, a repeated field.
template <typename Types>
absl::Status ReadTypes(base::JsonValue root, Types* types) {
  const base::JsonValue value = root["event_types"];
  if (!value.exists()) return absl::OkStatus();
  if (!value.IsArray() || value.Elements().empty()) {
    return InvalidBody("/event_types", "must be an array of types");
  }
  for (const base::JsonValue type : value.Elements()) {
    if (!type.AsString()) {
      return InvalidBody("/event_types", "must be an array of types");
    }
    types->Add(std::string(*type.AsString()));
  }
  return absl::OkStatus();
}

std::string Path(const v1::Subscription& subscription) {
  // The ids are letters, digits, _ and -: nothing to encode.
  return "/v0/organisation/" + subscription.tenant().org_id() +
         "/environments/" + subscription.tenant().env_id() + "/webhooks/" +
         subscription.id();
}

void WriteLink(std::string_view relation, const std::string& href,
               std::string_view method, base::JsonWriter* json) {
  json->Key(relation).BeginObject().Key("href").String(href);
  if (!method.empty()) json->Key("method").String(method);
  json->EndObject();
}

void WriteLinks(const v1::Subscription& subscription, base::JsonWriter* json) {
  const std::string self = Path(subscription);
  json->Key("_links").BeginObject();
  WriteLink("self", self, {}, json);
  WriteLink("deliveries", self + "/deliveries", {}, json);
  WriteLink("rotate_secret", self + "/rotate-secret", "POST", json);
  WriteLink("test", self + "/test", "POST", json);
  json->EndObject();
}

// The members of a subscription, without the braces.
void WriteMembers(const Call& call, const v1::Subscription& subscription,
                  base::JsonWriter* json) {
  json->Key("id")
      .String(subscription.id())
      .Key("url")
      .String(subscription.url())
      .Key("event_types")
      .BeginArray();
  for (const std::string& type : subscription.event_types()) json->String(type);
  json->EndArray();
  WriteText("description", subscription.description(), json);
  json->Key("enabled").Bool(subscription.enabled());
  WriteText("disabled_reason",
            subscription.enabled() ? "" : subscription.gone() ? "gone" : "user",
            json);
  WriteTime(call, "created_at", subscription.created_at_ms(), json);
  WriteTime(call, "updated_at", subscription.updated_at_ms(), json);
  WriteTime(call, "old_secret_until", subscription.old_secret_until_ms(),
            json);
}

void WriteSubscription(const Call& call, const v1::Subscription& subscription,
                       std::string_view secret, base::JsonWriter* json) {
  json->BeginObject();
  WriteMembers(call, subscription, json);
  if (!secret.empty()) json->Key("secret").String(secret);
  WriteLinks(subscription, json);
  json->EndObject();
}

std::string_view StateName(v1::DeliveryState state) {
  switch (state) {
    case v1::DELIVERY_STATE_DELIVERED:
      return "delivered";
    case v1::DELIVERY_STATE_FAILED:
      return "failed";
    case v1::DELIVERY_STATE_DROPPED:
      return "dropped";
    default:
      return "pending";
  }
}

void WriteDelivery(const Call& call, const v1::Delivery& delivery,
                   base::JsonWriter* json) {
  json->BeginObject()
      .Key("id")
      .String(delivery.id())
      .Key("event_type")
      .String(delivery.event_type())
      .Key("state")
      .String(StateName(delivery.state()))
      .Key("attempts")
      .Int(delivery.attempts());
  json->Key("last_status");
  if (delivery.last_status() == 0) {
    json->Null();
  } else {
    json->Int(delivery.last_status());
  }
  WriteText("last_error", delivery.last_error(), json);
  WriteTime(call, "created_at", delivery.created_at_ms(), json);
  WriteTime(call, "last_attempt_at", delivery.last_attempt_at_ms(), json);
  WriteTime(call, "next_attempt_at", delivery.next_attempt_at_ms(), json);
  json->EndObject();
}

void AnswerWithDelivery(Call& call, const v1::Delivery& delivery) {
  call.response.status = 202;
  base::JsonWriter json(&call.response.body);
  WriteDelivery(call, delivery, &json);
}

}  // namespace

async::Task<absl::Status> CreateWebhook(Call& call) {
  v1::CreateSubscriptionRequest request;
  CO_ASSIGN_OR_RETURN(*request.mutable_tenant(), TenantOfPath(call));
  CO_ASSIGN_OR_RETURN(const base::JsonDocument document,
                      ReadBody(call, {"url", "event_types", "description",
                                      "enabled", "secret"}));
  const base::JsonValue root = document.root();
  const std::optional<std::string_view> url = root["url"].AsString();
  if (!url) co_return InvalidBody("/url", "must be text");
  request.set_url(std::string(*url));
  std::optional<std::string> description;
  std::optional<bool> enabled;
  CO_RETURN_IF_ERROR(ReadText(root, "description", &description));
  CO_RETURN_IF_ERROR(ReadSecret(root, request.mutable_secret()));
  CO_RETURN_IF_ERROR(ReadEnabled(root, &enabled));
  CO_RETURN_IF_ERROR(ReadTypes(root, request.mutable_event_types()));
  request.set_description(description.value_or(""));
  request.set_disabled(!enabled.value_or(true));
  CO_ASSIGN_OR_RETURN(const v1::SubscriptionWithSecret created,
                      co_await call.backend.subscriptions().Create(
                          call.context, std::move(request)));
  call.response.status = 201;
  base::JsonWriter json(&call.response.body);
  WriteSubscription(call, created.subscription(), created.secret(), &json);
  co_return absl::OkStatus();
}

async::Task<absl::Status> ListWebhooks(Call& call) {
  v1::ListSubscriptionsRequest request;
  CO_ASSIGN_OR_RETURN(*request.mutable_tenant(), TenantOfPath(call));
  CO_ASSIGN_OR_RETURN(const v1::ListSubscriptionsResponse list,
                      co_await call.backend.subscriptions().List(
                          call.context, std::move(request)));
  base::JsonWriter json(&call.response.body);
  json.BeginObject().Key("_links").BeginObject();
  WriteLink("self",
            "/v0/organisation/" + call.path_params[0] + "/environments/" +
                call.path_params[1] + "/webhooks",
            {}, &json);
  json.EndObject().Key("webhooks").BeginArray();
  for (const v1::Subscription& each : list.subscriptions()) {
    WriteSubscription(call, each, {}, &json);
  }
  json.EndArray().EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> GetWebhook(Call& call) {
  v1::GetSubscriptionRequest request;
  CO_ASSIGN_OR_RETURN(*request.mutable_tenant(), TenantOfPath(call));
  request.set_id(call.path_params[2]);
  CO_ASSIGN_OR_RETURN(const v1::Subscription subscription,
                      co_await call.backend.subscriptions().Get(
                          call.context, std::move(request)));
  base::JsonWriter json(&call.response.body);
  WriteSubscription(call, subscription, {}, &json);
  co_return absl::OkStatus();
}

async::Task<absl::Status> UpdateWebhook(Call& call) {
  v1::UpdateSubscriptionRequest request;
  CO_ASSIGN_OR_RETURN(*request.mutable_tenant(), TenantOfPath(call));
  request.set_id(call.path_params[2]);
  CO_ASSIGN_OR_RETURN(
      const base::JsonDocument document,
      ReadBody(call, {"url", "event_types", "description", "enabled"}));
  const base::JsonValue root = document.root();
  std::optional<std::string> url;
  std::optional<bool> enabled;
  CO_RETURN_IF_ERROR(ReadText(root, "url", &url));
  CO_RETURN_IF_ERROR(ReadEnabled(root, &enabled));
  if (url) request.set_url(*url);
  if (enabled) request.set_enabled(*enabled);
  if (root["event_types"].exists()) {
    CO_RETURN_IF_ERROR(
        ReadTypes(root, request.mutable_event_types()->mutable_types()));
  }
  if (root["description"].exists()) {
    // null removes it.
    std::optional<std::string> description;
    CO_RETURN_IF_ERROR(ReadText(root, "description", &description));
    request.set_description(description.value_or(""));
  }
  CO_ASSIGN_OR_RETURN(const v1::Subscription subscription,
                      co_await call.backend.subscriptions().Update(
                          call.context, std::move(request)));
  base::JsonWriter json(&call.response.body);
  WriteSubscription(call, subscription, {}, &json);
  co_return absl::OkStatus();
}

async::Task<absl::Status> DeleteWebhook(Call& call) {
  v1::DeleteSubscriptionRequest request;
  CO_ASSIGN_OR_RETURN(*request.mutable_tenant(), TenantOfPath(call));
  request.set_id(call.path_params[2]);
  const auto deleted = co_await call.backend.subscriptions().Delete(
      call.context, std::move(request));
  CO_RETURN_IF_ERROR(deleted.status());
  call.response.status = 204;
  call.response.content_type = "";
  co_return absl::OkStatus();
}

async::Task<absl::Status> RotateWebhookSecret(Call& call) {
  v1::RotateSubscriptionSecretRequest request;
  CO_ASSIGN_OR_RETURN(*request.mutable_tenant(), TenantOfPath(call));
  request.set_id(call.path_params[2]);
  if (!call.body.empty()) {
    CO_ASSIGN_OR_RETURN(const base::JsonDocument document,
                        ReadBody(call, {"secret"}));
    CO_RETURN_IF_ERROR(
        ReadSecret(document.root(), request.mutable_secret()));
  }
  CO_ASSIGN_OR_RETURN(const v1::SubscriptionWithSecret rotated,
                      co_await call.backend.subscriptions().Rotate(
                          call.context, std::move(request)));
  base::JsonWriter json(&call.response.body);
  WriteSubscription(call, rotated.subscription(), rotated.secret(), &json);
  co_return absl::OkStatus();
}

async::Task<absl::Status> ListWebhookDeliveries(Call& call) {
  v1::ListDeliveriesRequest request;
  CO_ASSIGN_OR_RETURN(*request.mutable_tenant(), TenantOfPath(call));
  request.set_subscription_id(call.path_params[2]);
  CO_ASSIGN_OR_RETURN(const std::optional<std::string> limit,
                      QueryParameter(call.request.query(), "limit"));
  if (limit) {
    uint32_t number = 0;
    if (!absl::SimpleAtoi(*limit, &number) || number < 1 ||
        number > kMaxDeliveries) {
      co_return InvalidParameter("limit", "must be from 1 to 1000");
    }
    request.set_limit(number);
  }
  CO_ASSIGN_OR_RETURN(const v1::ListDeliveriesResponse list,
                      co_await call.backend.subscriptions().ListDeliveries(
                          call.context, std::move(request)));
  base::JsonWriter json(&call.response.body);
  json.BeginObject().Key("deliveries").BeginArray();
  for (const v1::Delivery& each : list.deliveries()) {
    WriteDelivery(call, each, &json);
  }
  json.EndArray().EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> ResendWebhookDelivery(Call& call) {
  v1::ResendDeliveryRequest request;
  CO_ASSIGN_OR_RETURN(*request.mutable_tenant(), TenantOfPath(call));
  request.set_subscription_id(call.path_params[2]);
  request.set_delivery_id(call.path_params[3]);
  CO_ASSIGN_OR_RETURN(const v1::Delivery delivery,
                      co_await call.backend.subscriptions().Resend(
                          call.context, std::move(request)));
  AnswerWithDelivery(call, delivery);
  co_return absl::OkStatus();
}

async::Task<absl::Status> TestWebhook(Call& call) {
  v1::SendTestEventRequest request;
  CO_ASSIGN_OR_RETURN(*request.mutable_tenant(), TenantOfPath(call));
  request.set_subscription_id(call.path_params[2]);
  CO_ASSIGN_OR_RETURN(const v1::Delivery delivery,
                      co_await call.backend.subscriptions().Test(
                          call.context, std::move(request)));
  AnswerWithDelivery(call, delivery);
  co_return absl::OkStatus();
}

}  // namespace kyc::gateway
