#include "services/webhook/outgoing/attempt.h"

#include <gtest/gtest.h>

#include <string>

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

}  // namespace
}  // namespace kyc::outgoing
