#include "services/webhook/outgoing/attempt.h"

#include <algorithm>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/base/version.h"
#include "services/webhook/outgoing/schedule.h"
#include "services/webhook/outgoing/signature.h"

namespace kyc::outgoing {
namespace {

// What of an answer's body is read at all, none of which is kept.
constexpr size_t kMaxResponseBytes = 64 * 1024;
// The longest that a Retry-After stops everything to an endpoint; the delivery
// it was said of waits as long as it says.
constexpr milliseconds kLongestPause = std::chrono::hours(1);

}  // namespace

async::ClientRequest MakeRequest(const Subscription& subscription,
                                 const Delivery& delivery, int64_t now_ms,
                                 std::chrono::milliseconds timeout) {
  std::vector<base::Secret> secrets;
  for (const SigningSecret& secret : subscription.secrets) {
    if (secret.until_ms == 0 || now_ms < secret.until_ms) {
      secrets.push_back(secret.text);
    }
  }
  const int64_t now_s = now_ms / 1000;
  async::ClientRequest request;
  request.method = "POST";
  request.url = subscription.url;
  request.headers = {
      {"Content-Type", "application/json"},
      {"User-Agent", std::string("kyc-webhooks/").append(base::kVersion)},
      {"webhook-id", delivery.id},
      {"webhook-timestamp", absl::StrCat(now_s)},
      {"webhook-signature", Sign(secrets, delivery.id, now_s, delivery.body)}};
  request.body = delivery.body;
  request.timeout = timeout;
  request.max_response_bytes = kMaxResponseBytes;
  request.discard_body = true;
  return request;
}

Outcome Judge(const absl::StatusOr<async::ClientResponse>& response,
              int64_t now_ms) {
  using Kind = Outcome::Kind;
  if (!response.ok()) {
    switch (response.status().code()) {
      case absl::StatusCode::kDeadlineExceeded:
        return {.kind = Kind::kTimeout};
      case absl::StatusCode::kPermissionDenied:
      case absl::StatusCode::kInvalidArgument:
        return {.kind = Kind::kAddress};
      case absl::StatusCode::kInternal:
      case absl::StatusCode::kResourceExhausted:
        return {.kind = Kind::kProtocol};
      default:
        return {.kind = Kind::kConnection};
    }
  }
  Outcome outcome{.kind = Kind::kRefused, .status = response->status};
  if (outcome.status >= 200 && outcome.status < 300) {
    outcome.kind = Kind::kDelivered;
  } else if (outcome.status == 410) {
    outcome.kind = Kind::kGone;
  } else if (outcome.status == 429 || outcome.status >= 500) {
    outcome.retry_after =
        ParseRetryAfter(response->Header("retry-after"), now_ms);
  }
  return outcome;
}

void Settle(const Outcome& outcome, int64_t now_ms, double random,
            Circuit& circuit, Delivery& delivery) {
  using Kind = Outcome::Kind;
  ++delivery.attempts;
  delivery.last_attempt_ms = now_ms;
  delivery.next_attempt_ms = 0;
  delivery.last_status = outcome.status;
  delivery.last_error =
      outcome.status == 0 ? std::string(KindName(outcome.kind)) : std::string();
  if (outcome.kind == Kind::kDelivered) {
    circuit.Succeeded();
    delivery.state = Delivery::State::kDelivered;
    return;
  }
  circuit.Failed(now_ms);
  if (outcome.retry_after) {
    circuit.Pause(now_ms +
                  std::min(*outcome.retry_after, kLongestPause).count());
  }
  const std::optional<milliseconds> pause =
      outcome.kind == Kind::kGone
          ? std::nullopt
          : PauseAfter(delivery.attempts - delivery.attempts_before, random,
                       outcome.retry_after);
  if (pause) {
    delivery.next_attempt_ms = now_ms + pause->count();
  } else {
    delivery.state = Delivery::State::kFailed;
  }
}

std::string_view KindName(Outcome::Kind kind) {
  switch (kind) {
    case Outcome::Kind::kDelivered:
      return "delivered";
    case Outcome::Kind::kGone:
      return "gone";
    case Outcome::Kind::kRefused:
      return "refused";
    case Outcome::Kind::kTimeout:
      return "timeout";
    case Outcome::Kind::kConnection:
      return "connection";
    case Outcome::Kind::kAddress:
      return "address";
    case Outcome::Kind::kProtocol:
      return "protocol";
  }
  return "";
}

}  // namespace kyc::outgoing
