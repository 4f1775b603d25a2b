#include "deploy/kycctl/webhook_commands.h"

#include <grpcpp/channel.h>

#include <ostream>
#include <string>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "deploy/kycctl/output.h"
#include "deploy/kycctl/rpc.h"
#include "kyc/v1/subscription_service.grpc.pb.h"
#include "services/base/json.h"
#include "services/base/status_macros.h"

namespace kyc::kycctl {
namespace {

using Stub = v1::SubscriptionService::Stub;

Client<v1::SubscriptionService> Connect(const Args& args) {
  return {kWebhookProcess, args};
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

// A subscription; with its secret, where that is known, after the id.
void WriteWithSecret(const v1::Subscription& subscription,
                     std::string_view secret, base::JsonWriter* json) {
  json->BeginObject().Key("id").String(subscription.id());
  if (!secret.empty()) json->Key("secret").String(secret);
  WriteOrNull("org_id", subscription.tenant().org_id(), json);
  WriteOrNull("env_id", subscription.tenant().env_id(), json);
  json->Key("url").String(subscription.url()).Key("event_types").BeginArray();
  for (const std::string& type : subscription.event_types()) json->String(type);
  json->EndArray();
  WriteOrNull("description", subscription.description(), json);
  json->Key("enabled")
      .Bool(subscription.enabled())
      .Key("gone")
      .Bool(subscription.gone());
  WriteOrNull("created_at", subscription.created_at_ms(), json);
  WriteOrNull("updated_at", subscription.updated_at_ms(), json);
  WriteOrNull("old_secret_until", subscription.old_secret_until_ms(), json);
  json->EndObject();
}

std::string_view Condition(const v1::Subscription& subscription) {
  if (subscription.enabled()) return "enabled ";
  return subscription.gone() ? "gone    " : "disabled";
}

void WriteSubscription(const v1::Subscription& subscription,
                       base::JsonWriter* json) {
  WriteWithSecret(subscription, {}, json);
}

void ShowSubscription(const v1::Subscription& subscription, std::ostream& out) {
  const v1::Tenant& tenant = subscription.tenant();
  PrintRow(
      {subscription.id(), Condition(subscription),
       tenant.org_id().empty() ? "-" : tenant.org_id() + ":" + tenant.env_id(),
       absl::StrJoin(subscription.event_types(), ","), subscription.url()},
      out);
}

constexpr Format<v1::Subscription> kSubscription{WriteSubscription,
                                                 ShowSubscription};

void WriteMade(const v1::SubscriptionWithSecret& made, base::JsonWriter* json) {
  WriteWithSecret(made.subscription(), made.secret(), json);
}

void ShowMade(const v1::SubscriptionWithSecret& made, std::ostream& out) {
  PrintFacts(8, {{"id", made.subscription().id()}, {"secret", made.secret()}},
             out);
  out << "Keep the secret now: it is not shown again.\n";
}

// A subscription with the secret that is shown once.
constexpr Format<v1::SubscriptionWithSecret> kMade{WriteMade, ShowMade};

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
  WriteOrNull("last_status", delivery.last_status(), json);
  WriteOrNull("last_error", delivery.last_error(), json);
  WriteOrNull("created_at", delivery.created_at_ms(), json);
  WriteOrNull("last_attempt_at", delivery.last_attempt_at_ms(), json);
  WriteOrNull("next_attempt_at", delivery.next_attempt_at_ms(), json);
  json->EndObject();
}

void ShowDelivery(const v1::Delivery& delivery, std::ostream& out) {
  const std::string last = delivery.last_status() != 0
                               ? absl::StrCat(delivery.last_status())
                               : OrDash(delivery.last_error());
  PrintRow({delivery.id(), StateName(delivery.state()), delivery.event_type(),
            absl::StrCat("attempts ", delivery.attempts()), "last " + last,
            "created " + ShowTime(delivery.created_at_ms()),
            "next " + ShowTime(delivery.next_attempt_at_ms())},
           out);
}

constexpr Format<v1::Delivery> kDelivery{WriteDelivery, ShowDelivery};

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
  return Print(args, out, kMade,
               Connect(args).Call(&Stub::CreateSubscription, request));
}

absl::Status List(const Args& args, std::ostream& out) {
  v1::ListSubscriptionsRequest request;
  RETURN_IF_ERROR(SetTenant(args, &request));
  ASSIGN_OR_RETURN(const auto response,
                   Connect(args).Call(&Stub::ListSubscriptions, request));
  ListPrinter list(args, out, kSubscription);
  list.Add(response.subscriptions());
  return list.End();
}

absl::Status Show(const Args& args, std::ostream& out) {
  v1::GetSubscriptionRequest request;
  request.set_id(args.positional()[0]);
  return Print(args, out, kSubscription,
               Connect(args).Call(&Stub::GetSubscription, request));
}

absl::Status Delete(const Args& args, std::ostream& out) {
  v1::DeleteSubscriptionRequest request;
  request.set_id(args.positional()[0]);
  RETURN_IF_ERROR(
      Connect(args).Call(&Stub::DeleteSubscription, request).status());
  out << "deleted " << request.id() << "\n";
  return absl::OkStatus();
}

absl::Status Rotate(const Args& args, std::ostream& out) {
  v1::RotateSubscriptionSecretRequest request;
  request.set_id(args.positional()[0]);
  return Print(args, out, kMade,
               Connect(args).Call(&Stub::RotateSubscriptionSecret, request));
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
  ASSIGN_OR_RETURN(const auto response,
                   Connect(args).Call(&Stub::ListDeliveries, request));
  ListPrinter list(args, out, kDelivery);
  list.Add(response.deliveries());
  return list.End();
}

absl::Status Resend(const Args& args, std::ostream& out) {
  v1::ResendDeliveryRequest request;
  request.set_subscription_id(args.positional()[0]);
  request.set_delivery_id(args.positional()[1]);
  return Print(args, out, kDelivery,
               Connect(args).Call(&Stub::ResendDelivery, request));
}

absl::Status Test(const Args& args, std::ostream& out) {
  v1::SendTestEventRequest request;
  request.set_subscription_id(args.positional()[0]);
  return Print(args, out, kDelivery,
               Connect(args).Call(&Stub::SendTestEvent, request));
}

}  // namespace

std::vector<Command> WebhookCommands() {
  const Flag address = AddressFlag(kWebhookProcess);
  const Flag json = JsonFlag();
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
