#include "services/webhook/outgoing/sender.h"

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/address_policy.h"
#include "services/base/log.h"
#include "services/webhook/backoff.h"
#include "services/webhook/outgoing/endpoint.h"
#include "services/webhook/outgoing/schedule.h"

namespace kyc::outgoing {
namespace {

using async::Task;
using webhook::Backoff;

std::string_view View(absl::string_view text) {
  return {text.data(), text.size()};
}

base::Counter* Attempts(Outcome::Kind kind) {
  return base::GetCounter("kyc_outgoing_attempts_total",
                          "Attempts to deliver a webhook, by their outcome.",
                          {{"result", std::string(KindName(kind))}});
}

double Random() {
  thread_local std::minstd_rand random{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(random);
}

}  // namespace

Sender::Metrics::Metrics()
    : failed(
          base::GetCounter("kyc_outgoing_failed_total",
                           "Deliveries given up: all their attempts failed.")),
      dropped(base::GetCounter(
          "kyc_outgoing_dropped_total",
          "Deliveries whose subscription was disabled or deleted before.")),
      disabled(base::GetCounter(
          "kyc_outgoing_disabled_total",
          "Subscriptions that their receiver ended with an answer 410.")) {
  using Kind = Outcome::Kind;
  for (const Kind kind :
       {Kind::kDelivered, Kind::kGone, Kind::kRefused, Kind::kTimeout,
        Kind::kConnection, Kind::kAddress, Kind::kProtocol}) {
    attempts[kind] = Attempts(kind);
  }
}

Sender::Sender(async::Loop& loop, async::Redis& redis,
               DeliveryStore& deliveries, const base::Clock& clock,
               Options options)
    : options_(options),
      clock_(clock),
      http_(loop,
            {.max_connections_per_host = options_.max_connections_per_host,
             .connect_timeout = std::chrono::seconds(5),
             .addresses = options_.allow_loopback
                              ? async::AddressPolicy::kPublicOrLoopback
                              : async::AddressPolicy::kPublic}),
      deliveries_(deliveries),
      subscriptions_(redis, clock) {}

Task<void> Sender::Attempt(Delivery delivery,
                           std::shared_ptr<const Subscription> subscription,
                           Circuit& circuit) {
  const int attempts_seen = delivery.attempts;
  delivery.next_attempt_ms = 0;
  if (subscription == nullptr || !subscription->enabled) {
    delivery.state = Delivery::State::kDropped;
    metrics_.dropped->Add();
  } else if (clock_.NowMs() - delivery.since_ms >
             std::chrono::milliseconds(kMaxAge).count()) {
    delivery.state = Delivery::State::kFailed;
    GivenUp(delivery);
  } else {
    const Outcome outcome = co_await Send(subscription, delivery);
    Settle(outcome, clock_.NowMs(), Random(), circuit, delivery);
    Report(outcome, delivery);
    if (outcome.kind == Outcome::Kind::kGone) co_await Disable(subscription);
  }
  co_await Record(std::move(delivery), attempts_seen);
}

Task<Outcome> Sender::Send(std::shared_ptr<const Subscription> subscription,
                           const Delivery& delivery) {
  // Once more: the rules may have changed since it was stored.
  if (!CheckEndpoint(subscription->url, options_.allow_loopback).ok()) {
    co_return Outcome{.kind = Outcome::Kind::kAddress};
  }
  async::ClientRequest request = MakeRequest(
      *subscription, delivery, clock_.NowMs(), options_.attempt_timeout);
  const auto response = co_await http_.Send(std::move(request));
  co_return Judge(response, clock_.NowMs());
}

// What every attempt leaves behind: metrics and log lines.
void Sender::Report(const Outcome& outcome, const Delivery& delivery) {
  metrics_.attempts.at(outcome.kind)->Add();
  base::LogInfo("webhook attempted", {{"delivery", delivery.id},
                                      {"subscription", delivery.subscription},
                                      {"result", KindName(outcome.kind)},
                                      {"status", outcome.status},
                                      {"attempt", delivery.attempts}});
  if (delivery.state == Delivery::State::kFailed) GivenUp(delivery);
}

void Sender::GivenUp(const Delivery& delivery) {
  metrics_.failed->Add();
  base::LogWarning("webhook given up", {{"delivery", delivery.id},
                                        {"subscription", delivery.subscription},
                                        {"attempts", delivery.attempts}});
}

Task<void> Sender::Disable(std::shared_ptr<const Subscription> subscription) {
  metrics_.disabled->Add();
  base::LogWarning("subscription ended by its receiver",
                   {{"subscription", subscription->id}});
  const auto updated = co_await subscriptions_.Update(
      subscription->id, [&](Subscription& stored) {
        // Another url meanwhile is another receiver.
        if (stored.url == subscription->url) {
          stored.enabled = false;
          stored.gone = true;
        }
        return absl::OkStatus();
      });
  if (!updated.ok() && !absl::IsNotFound(updated.status())) {
    // The next event's 410 will do.
    base::LogWarning("subscription not disabled",
                     {{"subscription", subscription->id},
                      {"error", View(updated.status().message())}});
  }
}

// Repeats until Redis has it: a delivery whose outcome is unknown would be
// made again at once. When stopping, once is enough.
Task<void> Sender::Record(Delivery delivery, int attempts_seen) {
  Backoff backoff(milliseconds(100), milliseconds(5000));
  while (true) {
    const absl::StatusOr<bool> recorded =
        co_await deliveries_.Record(delivery, attempts_seen);
    if (recorded.ok() || stopping_) co_return;
    base::LogWarning("outcome of a webhook not stored",
                     {{"error", View(recorded.status().message())}});
    co_await async::Sleep(backoff.Next());
  }
}

}  // namespace kyc::outgoing
