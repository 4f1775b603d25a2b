#include "services/webhook/outgoing/attempt.h"

#include <gtest/gtest.h>

#include <string>

#include "services/webhook/outgoing/circuit.h"
#include "services/webhook/outgoing/delivery_store.h"
#include "services/webhook/outgoing/schedule.h"
#include "services/webhook/outgoing/signature.h"

namespace kyc::outgoing {
namespace {

using Kind = Outcome::Kind;

constexpr int64_t kNow = 1'784'000'000'999;

async::ClientResponse Answer(int status, const std::string& retry_after = "") {
  async::ClientResponse response;
  response.status = status;
  if (!retry_after.empty()) {
    response.headers.emplace_back("retry-after", retry_after);
  }
  return response;
}

TEST(AttemptTest, EveryStatusHasItsMeaning) {
  for (int status = 200; status < 600; ++status) {
    const Outcome outcome = Judge(Answer(status, "60"), kNow);
    EXPECT_EQ(outcome.status, status);
    EXPECT_EQ(outcome.kind, status < 300    ? Kind::kDelivered
                            : status == 410 ? Kind::kGone
                                            : Kind::kRefused)
        << status;
    EXPECT_EQ(outcome.retry_after.has_value(), status == 429 || status >= 500)
        << status;
  }
  EXPECT_FALSE(Judge(Answer(503), kNow).retry_after.has_value());
  EXPECT_FALSE(Judge(Answer(503, "soon"), kNow).retry_after.has_value());
}

TEST(AttemptTest, EveryErrorHasItsMeaning) {
  const std::pair<absl::Status, Kind> cases[] = {
      {absl::UnavailableError(""), Kind::kConnection},
      {absl::DeadlineExceededError(""), Kind::kTimeout},
      {absl::PermissionDeniedError(""), Kind::kAddress},
      {absl::InvalidArgumentError(""), Kind::kAddress},
      {absl::InternalError(""), Kind::kProtocol},
      {absl::ResourceExhaustedError(""), Kind::kProtocol},
      {absl::UnknownError(""), Kind::kConnection},
  };
  for (const auto& [status, kind] : cases) {
    const Outcome outcome = Judge(status, kNow);
    EXPECT_EQ(outcome.kind, kind) << status;
    EXPECT_EQ(outcome.status, 0);
    EXPECT_FALSE(outcome.retry_after.has_value());
  }
}

TEST(AttemptTest, TheRequestIsSignedForNow) {
  const base::Secret current = NewSecret().value();
  const base::Secret old = NewSecret().value();
  Subscription subscription;
  subscription.url = "https://hooks.example.com/x";
  subscription.secrets = {{.text = current},
                          {.text = old, .until_ms = kNow + 1},
                          {.text = NewSecret().value(), .until_ms = kNow}};
  Delivery delivery;
  delivery.id = "msg_1";
  delivery.body = "{}";
  const async::ClientRequest request =
      MakeRequest(subscription, delivery, kNow, std::chrono::seconds(15));
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.url, subscription.url);
  EXPECT_EQ(request.body, "{}");
  EXPECT_EQ(request.timeout, std::chrono::seconds(15));
  EXPECT_EQ(request.max_response_bytes, 64u * 1024);
  EXPECT_TRUE(request.discard_body);
  std::string id, timestamp, signature;
  for (const auto& [name, value] : request.headers) {
    if (name == "webhook-id") id = value;
    if (name == "webhook-timestamp") timestamp = value;
    if (name == "webhook-signature") signature = value;
  }
  EXPECT_EQ(id, "msg_1");
  EXPECT_EQ(timestamp, "1784000000");
  EXPECT_EQ(signature, Sign({current, old}, "msg_1", 1784000000, "{}"));
}

// A pending delivery that is due, and its endpoint.
class SettleTest : public ::testing::Test {
 protected:
  SettleTest() { delivery.next_attempt_ms = kNow - 5; }
  void Settle(const Outcome& outcome) {
    kyc::outgoing::Settle(outcome, kNow, /*random=*/0, circuit, delivery);
  }
  int Allowance(int64_t now_ms) const {
    return circuit.Allowance(now_ms, /*in_flight=*/0, /*most=*/8);
  }

  Circuit circuit;
  Delivery delivery;
};

TEST_F(SettleTest, ASuccessEndsTheDeliveryAndClosesTheCircuit) {
  for (int i = 0; i < 5; ++i) circuit.Failed(kNow);
  delivery.last_error = "timeout";
  Settle({.kind = Kind::kDelivered, .status = 204});
  EXPECT_EQ(delivery.state, Delivery::State::kDelivered);
  EXPECT_EQ(delivery.attempts, 1);
  EXPECT_EQ(delivery.last_attempt_ms, kNow);
  EXPECT_EQ(delivery.next_attempt_ms, 0);
  EXPECT_EQ(delivery.last_status, 204);
  EXPECT_EQ(delivery.last_error, "");
  EXPECT_FALSE(circuit.open());
}

TEST_F(SettleTest, AFailureIsFollowedByTheNextAttempt) {
  delivery.attempts = 1;
  Settle({.kind = Kind::kTimeout});
  EXPECT_EQ(delivery.state, Delivery::State::kPending);
  EXPECT_EQ(delivery.attempts, 2);
  EXPECT_EQ(delivery.last_attempt_ms, kNow);
  EXPECT_EQ(delivery.next_attempt_ms, kNow + milliseconds(kPauses[1]).count());
  EXPECT_EQ(delivery.last_status, 0);
  EXPECT_EQ(delivery.last_error, "timeout");
  // Of the circuit it is one of five.
  EXPECT_FALSE(circuit.forgettable(kNow));
  EXPECT_EQ(Allowance(kNow), 8);
}

TEST_F(SettleTest, TheLastAttemptAndA410EndTheDelivery) {
  delivery.attempts = kMaxAttempts - 1;
  Settle({.kind = Kind::kRefused, .status = 500});
  EXPECT_EQ(delivery.state, Delivery::State::kFailed);
  EXPECT_EQ(delivery.next_attempt_ms, 0);
  delivery = Delivery();
  Settle({.kind = Kind::kGone, .status = 410});
  EXPECT_EQ(delivery.state, Delivery::State::kFailed);
  EXPECT_EQ(delivery.next_attempt_ms, 0);
  // Sent again by hand it has all its attempts before it.
  delivery = Delivery();
  delivery.attempts = delivery.attempts_before = kMaxAttempts;
  Settle({.kind = Kind::kRefused, .status = 500});
  EXPECT_EQ(delivery.state, Delivery::State::kPending);
  EXPECT_EQ(delivery.next_attempt_ms, kNow + milliseconds(kPauses[0]).count());
}

TEST_F(SettleTest, ARetryAfterStopsTheEndpointForAnHourAtMost) {
  Settle({.kind = Kind::kRefused,
          .status = 429,
          .retry_after = std::chrono::minutes(2)});
  EXPECT_EQ(delivery.next_attempt_ms, kNow + 120'000);
  EXPECT_EQ(Allowance(kNow + 119'999), 0);
  EXPECT_EQ(Allowance(kNow + 120'000), 8);
  Settle({.kind = Kind::kRefused,
          .status = 429,
          .retry_after = std::chrono::hours(24)});
  EXPECT_EQ(delivery.next_attempt_ms, kNow + 24 * 3'600'000);
  EXPECT_EQ(Allowance(kNow + 3'599'999), 0);
  EXPECT_EQ(Allowance(kNow + 3'600'000), 8);
}

}  // namespace
}  // namespace kyc::outgoing
