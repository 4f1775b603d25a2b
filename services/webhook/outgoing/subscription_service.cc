#include "services/webhook/outgoing/subscription_service.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "kyc/v1/subscription_service.grpc.pb.h"
#include "services/async/call_context.h"
#include "services/async/grpc_server.h"
#include "services/base/error.h"
#include "services/base/log.h"
#include "services/base/status_macros.h"
#include "services/webhook/outgoing/delivery_store.h"
#include "services/webhook/outgoing/endpoint.h"
#include "services/webhook/outgoing/event.h"
#include "services/webhook/outgoing/signature.h"
#include "services/webhook/outgoing/subscription_store.h"

namespace kyc::outgoing {
namespace {

using async::CallContext;
using async::Task;
using Reactor = grpc::ServerUnaryReactor;
using Rpc = grpc::CallbackServerContext;

constexpr int64_t kOldSecretMs = 24LL * 3600 * 1000;
// The current one and those before it that still sign.
constexpr size_t kMaxSecrets = 5;
constexpr int kDefaultLimit = 100;
constexpr int kMaxLimit = 1000;

absl::Status Invalid(std::string_view pointer, std::string_view detail) {
  return base::Error(
      v1::ERROR_REASON_REQUEST_VALIDATION_FAILED, {},
      {.violations = {{base::Violation::Where::kPointer, std::string(pointer),
                       std::string(detail)}}});
}

// Each type once, in the catalogue's order; none means kyc.status.changed.
template <typename Names>
absl::StatusOr<std::vector<std::string>> ParseTypes(const Names& names) {
  std::vector<std::string> types;
  int index = 0;
  for (const std::string& name : names) {
    const auto known = EventTypes();
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      return Invalid(absl::StrCat("/event_types/", index),
                     absl::StrCat("must be one of ",
                                  absl::StrJoin(known, ", ",
                                                [](std::string* out,
                                                   std::string_view type) {
                                                  out->append(type);
                                                })));
    }
    ++index;
  }
  for (const std::string_view type : EventTypes()) {
    if (std::find(names.begin(), names.end(), type) != names.end()) {
      types.emplace_back(type);
    }
  }
  if (types.empty()) types.emplace_back(kStatusChanged);
  return types;
}

absl::Status CheckDescription(const std::string& text) {
  if (text.size() <= kMaxDescriptionBytes) return absl::OkStatus();
  return Invalid("/description", "must have at most 256 bytes");
}

// The caller's secret, or a new one where it gave none.
absl::StatusOr<base::Secret> SecretFor(const std::string& given) {
  if (given.empty()) return NewSecret();
  base::Secret secret(given);
  if (const absl::Status checked = CheckSecret(secret); !checked.ok()) {
    return Invalid("/secret", std::string(checked.message()));
  }
  return secret;
}

template <typename Request>
std::optional<Tenant> TenantOf(const Request& request) {
  if (!request.has_tenant() || request.tenant().org_id().empty()) {
    return std::nullopt;
  }
  return Tenant{request.tenant().org_id(), request.tenant().env_id()};
}

// The subscription that a request is about.
template <typename Request>
const std::string& IdOf(const Request& request) {
  if constexpr (requires { request.subscription_id(); }) {
    return request.subscription_id();
  } else {
    return request.id();
  }
}

// What belongs to others does not exist.
absl::Status CheckOwner(const std::optional<Tenant>& tenant,
                        const Subscription& subscription) {
  if (!tenant || *tenant == subscription.tenant) return absl::OkStatus();
  return base::Error(v1::ERROR_REASON_SUBSCRIPTION_NOT_FOUND);
}

void Fill(const Subscription& subscription, int64_t now_ms,
          v1::Subscription* out) {
  out->set_id(subscription.id);
  if (!subscription.tenant.org_id.empty()) {
    out->mutable_tenant()->set_org_id(subscription.tenant.org_id);
    out->mutable_tenant()->set_env_id(subscription.tenant.env_id);
  }
  out->set_url(subscription.url);
  for (const std::string& type : subscription.event_types) {
    out->add_event_types(type);
  }
  out->set_description(subscription.description);
  out->set_enabled(subscription.enabled);
  out->set_gone(subscription.gone);
  out->set_created_at_ms(subscription.created_at_ms);
  out->set_updated_at_ms(subscription.updated_at_ms);
  int64_t until_ms = 0;
  for (const SigningSecret& secret : subscription.secrets) {
    if (secret.until_ms > now_ms) {
      until_ms = std::max(until_ms, secret.until_ms);
    }
  }
  out->set_old_secret_until_ms(until_ms);
}

v1::DeliveryState ToProto(Delivery::State state) {
  switch (state) {
    case Delivery::State::kPending:
      return v1::DELIVERY_STATE_PENDING;
    case Delivery::State::kDelivered:
      return v1::DELIVERY_STATE_DELIVERED;
    case Delivery::State::kFailed:
      return v1::DELIVERY_STATE_FAILED;
    case Delivery::State::kDropped:
      return v1::DELIVERY_STATE_DROPPED;
  }
  return v1::DELIVERY_STATE_UNSPECIFIED;
}

void Fill(const Delivery& delivery, v1::Delivery* out) {
  out->set_id(delivery.id);
  out->set_event_type(delivery.type);
  out->set_state(ToProto(delivery.state));
  out->set_attempts(static_cast<uint32_t>(delivery.attempts));
  out->set_created_at_ms(delivery.created_ms);
  out->set_last_attempt_at_ms(delivery.last_attempt_ms);
  out->set_next_attempt_at_ms(delivery.next_attempt_ms);
  out->set_last_status(delivery.last_status);
  out->set_last_error(delivery.last_error);
}

// What administrators do is logged.
void LogChange(std::string_view message, const Subscription& subscription,
               const CallContext& context) {
  base::LogInfo(message,
                {{"subscription", subscription.id},
                 {"org_id", subscription.tenant.org_id},
                 {"env_id", subscription.tenant.env_id}},
                &context.trace);
}

class SubscriptionService final
    : public v1::SubscriptionService::CallbackService {
 public:
  explicit SubscriptionService(SubscriptionServiceParts parts)
      : parts_(std::move(parts)) {}

  Reactor* CreateSubscription(Rpc* rpc,
                              const v1::CreateSubscriptionRequest* request,
                              v1::SubscriptionWithSecret* response) override {
    return Run(rpc, "SubscriptionService/CreateSubscription",
               &SubscriptionService::Create, request, response);
  }
  Reactor* GetSubscription(Rpc* rpc, const v1::GetSubscriptionRequest* request,
                           v1::Subscription* response) override {
    return Run(rpc, "SubscriptionService/GetSubscription",
               &SubscriptionService::Get, request, response);
  }
  Reactor* ListSubscriptions(Rpc* rpc,
                             const v1::ListSubscriptionsRequest* request,
                             v1::ListSubscriptionsResponse* response) override {
    return Run(rpc, "SubscriptionService/ListSubscriptions",
               &SubscriptionService::List, request, response);
  }
  Reactor* UpdateSubscription(Rpc* rpc,
                              const v1::UpdateSubscriptionRequest* request,
                              v1::Subscription* response) override {
    return Run(rpc, "SubscriptionService/UpdateSubscription",
               &SubscriptionService::Update, request, response);
  }
  Reactor* DeleteSubscription(
      Rpc* rpc, const v1::DeleteSubscriptionRequest* request,
      v1::DeleteSubscriptionResponse* response) override {
    return Run(rpc, "SubscriptionService/DeleteSubscription",
               &SubscriptionService::Delete, request, response);
  }
  Reactor* RotateSubscriptionSecret(
      Rpc* rpc, const v1::RotateSubscriptionSecretRequest* request,
      v1::SubscriptionWithSecret* response) override {
    return Run(rpc, "SubscriptionService/RotateSubscriptionSecret",
               &SubscriptionService::Rotate, request, response);
  }
  Reactor* ListDeliveries(Rpc* rpc, const v1::ListDeliveriesRequest* request,
                          v1::ListDeliveriesResponse* response) override {
    return Run(rpc, "SubscriptionService/ListDeliveries",
               &SubscriptionService::Deliveries, request, response);
  }
  Reactor* ResendDelivery(Rpc* rpc, const v1::ResendDeliveryRequest* request,
                          v1::Delivery* response) override {
    return Run(rpc, "SubscriptionService/ResendDelivery",
               &SubscriptionService::Resend, request, response);
  }
  Reactor* SendTestEvent(Rpc* rpc, const v1::SendTestEventRequest* request,
                         v1::Delivery* response) override {
    return Run(rpc, "SubscriptionService/SendTestEvent",
               &SubscriptionService::Test, request, response);
  }

 private:
  // What a handler has of its RPC: the stores as the RPC's loop reaches them.
  struct Call {
    CallContext context;
    SubscriptionStore subscriptions;
    DeliveryStore deliveries;
  };

  // No call has a home: the loops take turns.
  template <typename Request, typename Response>
  Reactor* Run(Rpc* rpc, std::string_view method,
               Task<absl::Status> (SubscriptionService::*handler)(
                   Call, const Request&, Response*),
               const Request* request, Response* response) {
    const int index = static_cast<int>(
        turn_.fetch_add(1, std::memory_order_relaxed) % parts_.redis.size());
    return async::RunUnary(
        rpc, parts_.runtime->loop(index), method,
        [=, this](CallContext context) {
          async::Redis& redis = *parts_.redis[index];
          return (this->*handler)(
              {std::move(context), SubscriptionStore(redis, *parts_.clock),
               DeliveryStore(redis)},
              *request, response);
        });
  }

  // The subscription that the request is about, if it is the caller's.
  template <typename Request>
  Task<absl::StatusOr<Subscription>> Find(Call& call, const Request& request) {
    CO_ASSIGN_OR_RETURN(Subscription subscription,
                        co_await call.subscriptions.Get(IdOf(request)));
    CO_RETURN_IF_ERROR(CheckOwner(TenantOf(request), subscription));
    co_return subscription;
  }

  // The same, changed. Each try of the store checks the owner anew: another
  // writer may have come first.
  template <typename Request>
  Task<absl::StatusOr<Subscription>> Change(
      Call& call, const Request& request,
      std::function<void(Subscription& stored)> change) {
    co_return co_await call.subscriptions.Update(
        IdOf(request), [&](Subscription& stored) -> absl::Status {
          RETURN_IF_ERROR(CheckOwner(TenantOf(request), stored));
          change(stored);
          return absl::OkStatus();
        });
  }

  Task<absl::Status> Create(Call call,
                            const v1::CreateSubscriptionRequest& request,
                            v1::SubscriptionWithSecret* response) {
    CO_RETURN_IF_ERROR(CheckEndpoint(request.url(), parts_.allow_loopback));
    CO_RETURN_IF_ERROR(CheckDescription(request.description()));
    Subscription wanted;
    wanted.tenant = TenantOf(request).value_or(Tenant());
    wanted.url = request.url();
    wanted.description = request.description();
    wanted.enabled = !request.disabled();
    CO_ASSIGN_OR_RETURN(wanted.event_types, ParseTypes(request.event_types()));
    CO_ASSIGN_OR_RETURN(base::Secret secret, SecretFor(request.secret()));
    response->set_secret(std::string(secret.Reveal()));
    wanted.secrets.push_back({.text = std::move(secret)});
    absl::StatusOr<Subscription> created =
        co_await call.subscriptions.Create(std::move(wanted));
    if (!created.ok()) {
      response->clear_secret();
      co_return created.status();
    }
    LogChange("webhook subscription created", *created, call.context);
    Fill(*created, parts_.clock->NowMs(), response->mutable_subscription());
    co_return absl::OkStatus();
  }

  Task<absl::Status> Get(Call call, const v1::GetSubscriptionRequest& request,
                         v1::Subscription* response) {
    CO_ASSIGN_OR_RETURN(const Subscription subscription,
                        co_await Find(call, request));
    Fill(subscription, parts_.clock->NowMs(), response);
    co_return absl::OkStatus();
  }

  Task<absl::Status> List(Call call,
                          const v1::ListSubscriptionsRequest& request,
                          v1::ListSubscriptionsResponse* response) {
    CO_ASSIGN_OR_RETURN(const std::vector<Subscription> subscriptions,
                        co_await call.subscriptions.List(TenantOf(request)));
    for (const Subscription& each : subscriptions) {
      Fill(each, parts_.clock->NowMs(), response->add_subscriptions());
    }
    co_return absl::OkStatus();
  }

  Task<absl::Status> Update(Call call,
                            const v1::UpdateSubscriptionRequest& request,
                            v1::Subscription* response) {
    if (request.has_url()) {
      CO_RETURN_IF_ERROR(CheckEndpoint(request.url(), parts_.allow_loopback));
    }
    CO_RETURN_IF_ERROR(CheckDescription(request.description()));
    CO_ASSIGN_OR_RETURN(const std::vector<std::string> types,
                        ParseTypes(request.event_types().types()));
    CO_ASSIGN_OR_RETURN(
        const Subscription updated,
        co_await Change(call, request, [&](Subscription& stored) {
          if (request.has_url()) stored.url = request.url();
          if (request.has_event_types()) stored.event_types = types;
          if (request.has_description()) {
            stored.description = request.description();
          }
          if (request.has_enabled()) {
            stored.enabled = request.enabled();
            stored.gone = stored.gone && !stored.enabled;
          }
        }));
    LogChange("webhook subscription changed", updated, call.context);
    Fill(updated, parts_.clock->NowMs(), response);
    co_return absl::OkStatus();
  }

  Task<absl::Status> Delete(Call call,
                            const v1::DeleteSubscriptionRequest& request,
                            v1::DeleteSubscriptionResponse*) {
    CO_ASSIGN_OR_RETURN(const Subscription subscription,
                        co_await Find(call, request));
    CO_RETURN_IF_ERROR(co_await call.subscriptions.Delete(subscription.id));
    LogChange("webhook subscription deleted", subscription, call.context);
    co_return absl::OkStatus();
  }

  Task<absl::Status> Rotate(Call call,
                            const v1::RotateSubscriptionSecretRequest& request,
                            v1::SubscriptionWithSecret* response) {
    CO_ASSIGN_OR_RETURN(const base::Secret secret,
                        SecretFor(request.secret()));
    const int64_t now_ms = parts_.clock->NowMs();
    CO_ASSIGN_OR_RETURN(
        const Subscription updated,
        co_await Change(call, request, [&](Subscription& stored) {
          std::vector<SigningSecret>& secrets = stored.secrets;
          std::erase_if(secrets, [&](const SigningSecret& each) {
            return each.until_ms != 0 && each.until_ms <= now_ms;
          });
          for (SigningSecret& each : secrets) {
            if (each.until_ms == 0) each.until_ms = now_ms + kOldSecretMs;
          }
          secrets.insert(secrets.begin(), {.text = secret});
          if (secrets.size() > kMaxSecrets) secrets.resize(kMaxSecrets);
        }));
    LogChange("webhook secret rotated", updated, call.context);
    response->set_secret(std::string(secret.Reveal()));
    Fill(updated, now_ms, response->mutable_subscription());
    co_return absl::OkStatus();
  }

  Task<absl::Status> Deliveries(Call call,
                                const v1::ListDeliveriesRequest& request,
                                v1::ListDeliveriesResponse* response) {
    CO_ASSIGN_OR_RETURN(const Subscription subscription,
                        co_await Find(call, request));
    const int limit =
        request.limit() == 0
            ? kDefaultLimit
            : static_cast<int>(std::min<uint32_t>(request.limit(), kMaxLimit));
    CO_ASSIGN_OR_RETURN(const std::vector<Delivery> log,
                        co_await call.deliveries.Log(subscription.id, limit));
    for (const Delivery& each : log) Fill(each, response->add_deliveries());
    co_return absl::OkStatus();
  }

  Task<absl::Status> Resend(Call call, const v1::ResendDeliveryRequest& request,
                            v1::Delivery* response) {
    CO_ASSIGN_OR_RETURN(const Subscription subscription,
                        co_await Find(call, request));
    CO_ASSIGN_OR_RETURN(
        const std::optional<Delivery> delivery,
        co_await call.deliveries.Resend(request.delivery_id(), subscription.id,
                                        parts_.clock->NowMs()));
    if (!delivery) co_return base::Error(v1::ERROR_REASON_DELIVERY_NOT_FOUND);
    Fill(*delivery, response);
    co_return absl::OkStatus();
  }

  Task<absl::Status> Test(Call call, const v1::SendTestEventRequest& request,
                          v1::Delivery* response) {
    CO_ASSIGN_OR_RETURN(const Subscription subscription,
                        co_await Find(call, request));
    std::array<char, 16> entropy;
    if (RAND_bytes(reinterpret_cast<unsigned char*>(entropy.data()),
                   entropy.size()) != 1) {
      co_return absl::InternalError("no randomness");
    }
    const int part = static_cast<unsigned char>(entropy[0]) % kParts;
    const int64_t now_ms = parts_.clock->NowMs();
    Delivery delivery;
    delivery.id = DeliveryId(
        part, absl::BytesToHexString({entropy.data(), entropy.size()}),
        kTestEvent, subscription.id);
    delivery.subscription = subscription.id;
    delivery.type = std::string(kTestEvent);
    delivery.body = TestPayload(now_ms);
    delivery.created_ms = delivery.next_attempt_ms = now_ms;
    Fill(delivery, response);
    std::vector<Delivery> deliveries = {std::move(delivery)};
    const auto added =
        co_await call.deliveries.Add(part, std::move(deliveries), now_ms);
    co_return added.status();
  }

  const SubscriptionServiceParts parts_;
  std::atomic<uint64_t> turn_{0};
};

}  // namespace

std::unique_ptr<grpc::Service> MakeSubscriptionService(
    SubscriptionServiceParts parts) {
  return std::make_unique<SubscriptionService>(std::move(parts));
}

}  // namespace kyc::outgoing
