#include "gateway/http/problem.h"

#include <gtest/gtest.h>

#include "services/base/error.h"

namespace kyc::gateway {
namespace {

constexpr char kTrace[] = "0af7651916cd43dd8448eb211c80319c";

async::ServerResponse Write(const absl::Status& status,
                            std::string_view instance = "/v0/x") {
  const ProblemWriter writer("https://api.sumvin.com/errors/");
  async::ServerResponse response;
  response.body = "{\"half\":";
  writer.Write(status, instance, kTrace, &response);
  return response;
}

std::string RetryAfter(const async::ServerResponse& response) {
  for (const auto& [name, value] : response.headers) {
    if (name == "Retry-After") return value;
  }
  return "";
}

TEST(ProblemTest, HasTheGuidesShape) {
  const async::ServerResponse response =
      Write(base::Error(v1::ERROR_REASON_TOKEN_GENERATION_FAILED),
            "/v0/kyc/access-token");
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(response.body,
            R"({"type":"https://api.sumvin.com/errors/kyc-500-002",)"
            R"("title":"KYC Token Generation Failed","status":500,)"
            R"("detail":"Failed to generate KYC access token",)"
            R"("instance":"/v0/kyc/access-token","error_code":"KYC-500-002",)"
            R"("trace_id":"0af7651916cd43dd8448eb211c80319c"})");
  EXPECT_EQ(RetryAfter(response), "");
}

TEST(ProblemTest, EveryRowOfTheCatalogueKeepsItsStatus) {
  for (const base::ErrorEntry& entry : base::ErrorCatalogue()) {
    const async::ServerResponse response = Write(base::Error(entry.reason));
    EXPECT_EQ(response.status, entry.http_status) << entry.code;
    EXPECT_NE(response.body.find("\"error_code\":\"" + std::string(entry.code) +
                                 "\""),
              std::string::npos);
  }
}

TEST(ProblemTest, ListsViolations) {
  base::ErrorExtras extras;
  extras.violations = {
      {base::Violation::Where::kPointer, "/step", "must be text"},
      {base::Violation::Where::kParameter, "refresh", "true or false"}};
  const async::ServerResponse response = Write(base::Error(
      v1::ERROR_REASON_REQUEST_VALIDATION_FAILED, {}, std::move(extras)));
  EXPECT_EQ(response.status, 422);
  EXPECT_NE(response.body.find(
                R"(,"errors":[{"pointer":"/step","detail":"must be text"},)"
                R"({"parameter":"refresh","detail":"true or false"}]})"),
            std::string::npos)
      << response.body;
}

TEST(ProblemTest, ShowsTheCurrentOnboardingStepAndNoOtherMetadata) {
  base::ErrorExtras extras;
  extras.metadata = {{"internal", "x"}, {"current_step", "card_setup"}};
  const async::ServerResponse response = Write(base::Error(
      v1::ERROR_REASON_WRONG_ONBOARDING_STEP, {}, std::move(extras)));
  EXPECT_EQ(response.status, 409);
  EXPECT_NE(response.body.find(R"(,"current_step":"card_setup"})"),
            std::string::npos);
  EXPECT_EQ(response.body.find("internal"), std::string::npos);
}

TEST(ProblemTest, StatusesWithoutReasonShowNothingOfTheirMessage) {
  const struct {
    absl::Status status;
    int http;
    std::string code;
  } cases[] = {
      {absl::UnavailableError("secret"), 503, "GEN-503-001"},
      {absl::DeadlineExceededError("secret"), 504, "GEN-504-001"},
      {absl::InvalidArgumentError("secret"), 422, "KYC-422-002"},
      {absl::ResourceExhaustedError("secret"), 503, "GEN-503-001"},
      {absl::CancelledError("secret"), 503, "GEN-503-001"},
      {absl::InternalError("secret"), 500, "KYC-500-001"},
      {absl::UnauthenticatedError("secret"), 500, "KYC-500-001"},
  };
  for (const auto& one : cases) {
    const async::ServerResponse response = Write(one.status);
    EXPECT_EQ(response.status, one.http);
    EXPECT_NE(response.body.find(one.code), std::string::npos);
    EXPECT_EQ(response.body.find("secret"), std::string::npos);
  }
}

TEST(ProblemTest, SaysWhenToComeBack) {
  EXPECT_EQ(RetryAfter(Write(absl::UnavailableError("x"))), "1");
  base::ErrorExtras extras;
  extras.retry_after = std::chrono::seconds(7);
  EXPECT_EQ(
      RetryAfter(Write(base::Error(v1::ERROR_REASON_RATE_LIMITED, {}, extras))),
      "7");
}

TEST(ProblemTest, TextIsAlwaysJson) {
  const async::ServerResponse response =
      Write(base::Error(v1::ERROR_REASON_ROUTE_NOT_FOUND), "/a\"b\\\r\n\xFF");
  EXPECT_NE(
      response.body.find("\"instance\":\"/a\\\"b\\\\\\r\\n\xEF\xBF\xBD\""),
      std::string::npos)
      << response.body;
}

}  // namespace
}  // namespace kyc::gateway
