#include "deploy/kycctl/webhook_commands.h"

#include <grpcpp/channel.h>

#include <ostream>
#include <string>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "deploy/kycctl/rpc.h"
#include "kyc/v1/subscription_service.grpc.pb.h"
#include "services/base/json.h"
#include "services/base/status_macros.h"

namespace kyc::kycctl {
namespace {

std::unique_ptr<v1::SubscriptionService::Stub> Stub(const Args& args) {
  return v1::SubscriptionService::NewStub(OpenWebhookChannel(args));
}

// --org and --env, together or not at all.
template <typename Request>
absl::Status SetTenant(const Args& args, Request* request) {
  if (args.Get("org").empty() != args.Get("env").empty()) {
    return absl::InvalidArgumentError("--org and --env go together");
  }
  if (!args.Get("org").empty()) {
    request->mutable_tenant()->set_org_id(args.Get("org"));
    request->mutable_tenant()->set_env_id(args.Get("env"));
  }
  return absl::OkStatus();
}

void WriteText(std::string_view name, std::string_view text,
               base::JsonWriter* json) {
  json->Key(name);
  if (text.empty()) {
    json->Null();
  } else {
    json->String(text);
  }
}

void WriteNumber(std::string_view name, int64_t number,
                 base::JsonWriter* json) {
  json->Key(name);
  if (number == 0) {
    json->Null();
  } else {
    json->Int(number);
  }
}

void WriteSubscription(const v1::Subscription& subscription,
                       std::string_view secret, base::JsonWriter* json) {
  json->BeginObject().Key("id").String(subscription.id());
  if (!secret.empty()) json->Key("secret").String(secret);
  WriteText("org_id", subscription.tenant().org_id(), json);
  WriteText("env_id", subscription.tenant().env_id(), json);
  json->Key("url").String(subscription.url()).Key("event_types").BeginArray();
  for (const std::string& type : subscription.event_types()) json->String(type);
  json->EndArray();
  WriteText("description", subscription.description(), json);
  json->Key("enabled")
      .Bool(subscription.enabled())
      .Key("gone")
      .Bool(subscription.gone());
  WriteNumber("created_at", subscription.created_at_ms(), json);
  WriteNumber("updated_at", subscription.updated_at_ms(), json);
  WriteNumber("old_secret_until", subscription.old_secret_until_ms(), json);
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

void WriteDelivery(const v1::Delivery& delivery, base::JsonWriter* json) {
  json->BeginObject()
      .Key("id")
      .String(delivery.id())
      .Key("event_type")
      .String(delivery.event_type())
      .Key("state")
      .String(StateName(delivery.state()))
      .Key("attempts")
      .Int(delivery.attempts());
  WriteNumber("last_status", delivery.last_status(), json);
  WriteText("last_error", delivery.last_error(), json);
  WriteNumber("created_at", delivery.created_at_ms(), json);
  WriteNumber("last_attempt_at", delivery.last_attempt_at_ms(), json);
  WriteNumber("next_attempt_at", delivery.next_attempt_at_ms(), json);
  json->EndObject();
}

std::string ShowTime(int64_t ms) {
  if (ms == 0) return "-";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixMillis(ms),
                          absl::UTCTimeZone());
}

std::string_view Condition(const v1::Subscription& subscription) {
  if (subscription.enabled()) return "enabled ";
  return subscription.gone() ? "gone    " : "disabled";
}

void ShowSubscription(const v1::Subscription& subscription,
                      std::ostream& out) {
  out << subscription.id() << "  " << Condition(subscription) << "  "
      << (subscription.tenant().org_id().empty()
              ? std::string("-")
              : subscription.tenant().org_id() + ":" +
                    subscription.tenant().env_id())
      << "  " << absl::StrJoin(subscription.event_types(), ",") << "  "
      << subscription.url() << "\n";
}

void ShowDelivery(const v1::Delivery& delivery, std::ostream& out) {
  out << delivery.id() << "  " << StateName(delivery.state()) << "  "
      << delivery.event_type() << "  attempts " << delivery.attempts()
      << "  last ";
  if (delivery.last_status() != 0) {
    out << delivery.last_status();
  } else {
    out << (delivery.last_error().empty() ? "-" : delivery.last_error());
  }
  out << "  created " << ShowTime(delivery.created_at_ms()) << "  next "
      << ShowTime(delivery.next_attempt_at_ms()) << "\n";
}

// A subscription with the secret that is shown once.
void Print(const Args& args, const v1::SubscriptionWithSecret& made,
           std::ostream& out) {
  if (args.IsOn("json")) {
    std::string text;
    base::JsonWriter json(&text);
    WriteSubscription(made.subscription(), made.secret(), &json);
    out << text << "\n";
    return;
  }
  out << "id      " << made.subscription().id() << "\nsecret  "
      << made.secret() << "\nKeep the secret now: it is not shown again.\n";
}

void Print(const Args& args, const v1::Delivery& delivery, std::ostream& out) {
  if (args.IsOn("json")) {
    std::string text;
    base::JsonWriter json(&text);
    WriteDelivery(delivery, &json);
    out << text << "\n";
    return;
  }
  ShowDelivery(delivery, out);
}

absl::Status Create(const Args& args, std::ostream& out) {
  v1::CreateSubscriptionRequest request;
  RETURN_IF_ERROR(SetTenant(args, &request));
  request.set_url(args.Get("url"));
  request.set_description(args.Get("description"));
  for (const auto& type :
       absl::StrSplit(args.Get("events"), ',', absl::SkipWhitespace())) {
    const auto name = absl::StripAsciiWhitespace(type);
    request.add_event_types(std::string(name.data(), name.size()));
  }
  const auto stub = Stub(args);
  v1::SubscriptionWithSecret response;
  RETURN_IF_ERROR(CallWebhook(args, [&](grpc::ClientContext* context) {
    return stub->CreateSubscription(context, request, &response);
  }));
  Print(args, response, out);
  return absl::OkStatus();
}

absl::Status List(const Args& args, std::ostream& out) {
  v1::ListSubscriptionsRequest request;
  RETURN_IF_ERROR(SetTenant(args, &request));
  const auto stub = Stub(args);
  v1::ListSubscriptionsResponse response;
  RETURN_IF_ERROR(CallWebhook(args, [&](grpc::ClientContext* context) {
    return stub->ListSubscriptions(context, request, &response);
  }));
  if (args.IsOn("json")) {
    std::string text;
    base::JsonWriter json(&text);
    json.BeginArray();
    for (const v1::Subscription& each : response.subscriptions()) {
      WriteSubscription(each, {}, &json);
    }
    json.EndArray();
    out << text << "\n";
    return absl::OkStatus();
  }
  for (const v1::Subscription& each : response.subscriptions()) {
    ShowSubscription(each, out);
  }
  return absl::OkStatus();
}

absl::Status Show(const Args& args, std::ostream& out) {
  v1::GetSubscriptionRequest request;
  request.set_id(args.positional()[0]);
  const auto stub = Stub(args);
  v1::Subscription subscription;
  RETURN_IF_ERROR(CallWebhook(args, [&](grpc::ClientContext* context) {
    return stub->GetSubscription(context, request, &subscription);
  }));
  if (args.IsOn("json")) {
    std::string text;
    base::JsonWriter json(&text);
    WriteSubscription(subscription, {}, &json);
    out << text << "\n";
  } else {
    ShowSubscription(subscription, out);
  }
  return absl::OkStatus();
}

absl::Status Delete(const Args& args, std::ostream& out) {
  v1::DeleteSubscriptionRequest request;
  request.set_id(args.positional()[0]);
  const auto stub = Stub(args);
  v1::DeleteSubscriptionResponse response;
  RETURN_IF_ERROR(CallWebhook(args, [&](grpc::ClientContext* context) {
    return stub->DeleteSubscription(context, request, &response);
  }));
  out << "deleted " << request.id() << "\n";
  return absl::OkStatus();
}

absl::Status Rotate(const Args& args, std::ostream& out) {
  v1::RotateSubscriptionSecretRequest request;
  request.set_id(args.positional()[0]);
  const auto stub = Stub(args);
  v1::SubscriptionWithSecret response;
  RETURN_IF_ERROR(CallWebhook(args, [&](grpc::ClientContext* context) {
    return stub->RotateSubscriptionSecret(context, request, &response);
  }));
  Print(args, response, out);
  return absl::OkStatus();
}

absl::Status Deliveries(const Args& args, std::ostream& out) {
  v1::ListDeliveriesRequest request;
  request.set_subscription_id(args.positional()[0]);
  uint32_t limit = 0;
  if (!absl::SimpleAtoi(args.Get("limit"), &limit) || limit < 1 ||
      limit > 1000) {
    return absl::InvalidArgumentError("--limit: must be from 1 to 1000");
  }
  request.set_limit(limit);
  const auto stub = Stub(args);
  v1::ListDeliveriesResponse response;
  RETURN_IF_ERROR(CallWebhook(args, [&](grpc::ClientContext* context) {
    return stub->ListDeliveries(context, request, &response);
  }));
  if (args.IsOn("json")) {
    std::string text;
    base::JsonWriter json(&text);
    json.BeginArray();
    for (const v1::Delivery& each : response.deliveries()) {
      WriteDelivery(each, &json);
    }
    json.EndArray();
    out << text << "\n";
    return absl::OkStatus();
  }
  for (const v1::Delivery& each : response.deliveries()) {
    ShowDelivery(each, out);
  }
  return absl::OkStatus();
}

absl::Status Resend(const Args& args, std::ostream& out) {
  v1::ResendDeliveryRequest request;
  request.set_subscription_id(args.positional()[0]);
  request.set_delivery_id(args.positional()[1]);
  const auto stub = Stub(args);
  v1::Delivery delivery;
  RETURN_IF_ERROR(CallWebhook(args, [&](grpc::ClientContext* context) {
    return stub->ResendDelivery(context, request, &delivery);
  }));
  Print(args, delivery, out);
  return absl::OkStatus();
}

absl::Status Test(const Args& args, std::ostream& out) {
  v1::SendTestEventRequest request;
  request.set_subscription_id(args.positional()[0]);
  const auto stub = Stub(args);
  v1::Delivery delivery;
  RETURN_IF_ERROR(CallWebhook(args, [&](grpc::ClientContext* context) {
    return stub->SendTestEvent(context, request, &delivery);
  }));
  Print(args, delivery, out);
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> WebhookCommands() {
  const Flag address = WebhookAddressFlag();
  const Flag json{"json", "", "Prints JSON.", "", false};
  const Flag org{"org", "ORG", "The organisation's id.", "", false};
  const Flag env{"env", "ENV", "The environment's id.", "", false};
  return {
      {"webhooks create",
       "subscribes a receiver and prints its secret, once; without --org for "
       "the users of no organisation",
       {"kycctl webhooks create --org=acme --env=live "
        "--url=https://hooks.acme.example/kyc",
        "kycctl webhooks create --url=https://hooks.example.com/kyc "
        "--events=kyc.approved,kyc.rejected --json"},
       {org,
        env,
        {"url", "URL", "https, a public host.", "", true},
        {"events", "A,B",
         "Of kyc.status.changed, kyc.approved, kyc.rejected, "
         "kyc.retry_requested.",
         "kyc.status.changed", false},
        {"description", "TEXT", "For people.", "", false},
        json,
        address},
       {},
       Create},
      {"webhooks list",
       "lists the newest subscriptions: of an environment, or of all",
       {"kycctl webhooks list", "kycctl webhooks list --org=acme --env=live"},
       {org, env, json, address},
       {},
       List},
      {"webhooks show",
       "shows a subscription",
       {"kycctl webhooks show whk_0123456789abcdef0123 --json"},
       {json, address},
       {"ID"},
       Show},
      {"webhooks delete",
       "ends a subscription; what it was not told yet is dropped",
       {"kycctl webhooks delete whk_0123456789abcdef0123"},
       {address},
       {"ID"},
       Delete},
      {"webhooks rotate",
       "makes a new secret and prints it, once; the old one signs as well for "
       "24 hours",
       {"kycctl webhooks rotate whk_0123456789abcdef0123"},
       {json, address},
       {"ID"},
       Rotate},
      {"webhooks deliveries",
       "lists a subscription's newest deliveries and what became of them",
       {"kycctl webhooks deliveries whk_0123456789abcdef0123 --limit=20"},
       {{"limit", "N", "At most that many, up to 1000.", "100", false},
        json,
        address},
       {"ID"},
       Deliveries},
      {"webhooks resend",
       "attempts a delivery again, now and under the same webhook-id",
       {"kycctl webhooks resend whk_0123456789abcdef0123 "
        "msg_0123456789abcdef0123456789abcdef"},
       {json, address},
       {"ID", "DELIVERY"},
       Resend},
      {"webhooks test",
       "sends a webhook.test event",
       {"kycctl webhooks test whk_0123456789abcdef0123"},
       {json, address},
       {"ID"},
       Test},
  };
}

}  // namespace kyc::kycctl
