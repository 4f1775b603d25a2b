// Idempotency-Key over real HTTP, in front of a scripted IdempotencyService.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "gateway/api/dispatcher_for_test.h"
#include "services/base/error.h"

namespace kyc::gateway {
namespace {

using ::testing::HasSubstr;

constexpr char kApplicant[] = "/v0/kyc/applicant";
constexpr char kSteps[] = "/v0/user/me/onboarding/steps";
const Headers kKey = {{"Idempotency-Key", "k 1"}};

class IdempotencyTest : public DispatcherTest {
 protected:
  IdempotencyTest() {
    backend_.begun->set_claim("c1");
    backend_.applicant->set_applicant_id("a1");
  }

  std::string FingerprintOf(const std::string& method,
                            const std::string& target, Headers headers,
                            const std::string& body = "") {
    headers.emplace_back("Idempotency-Key", "k");
    backend_.begin_request.Clear();
    Call(method, target, std::move(headers), body);
    return backend_.begin_request.fingerprint();
  }
};

TEST_F(IdempotencyTest, TheFirstAnswerIsKept) {
  const async::ClientResponse response = Call("POST", kApplicant, kKey);
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.Header("idempotency-replayed"), "");
  EXPECT_EQ(backend_.begin_request.user_id(), "usr_1");
  EXPECT_EQ(backend_.begin_request.key(), "k 1");
  EXPECT_EQ(backend_.begin_request.fingerprint().size(), 32u);
  ASSERT_TRUE(backend_.end_request);
  EXPECT_EQ(backend_.end_request->user_id(), "usr_1");
  EXPECT_EQ(backend_.end_request->key(), "k 1");
  EXPECT_EQ(backend_.end_request->claim(), "c1");
  const v1::StoredResponse& kept = backend_.end_request->response();
  EXPECT_EQ(kept.status(), 201);
  EXPECT_EQ(kept.content_type(), "application/json");
  EXPECT_EQ(kept.body(), response.body);
}

TEST_F(IdempotencyTest, AKeptAnswerIsGivenAgainAndNothingDone) {
  v1::StoredResponse& stored = *backend_.begun->mutable_stored();
  stored.set_status(201);
  stored.set_content_type("application/json");
  stored.set_body("{\"kept\":1}");
  async::ClientResponse response = Call("POST", kApplicant, kKey);
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.Header("content-type"), "application/json");
  EXPECT_EQ(response.Header("idempotency-replayed"), "true");
  EXPECT_EQ(response.body, "{\"kept\":1}");
  EXPECT_EQ(backend_.applicant_request.user_id(), "");
  EXPECT_FALSE(backend_.end_request);

  stored.set_status(409);
  stored.set_content_type("application/problem+json");
  response = Call("POST", kApplicant, kKey);
  EXPECT_EQ(response.status, 409);
  EXPECT_EQ(response.Header("content-type"), "application/problem+json");
}

TEST_F(IdempotencyTest, RefusalsAreAnswersButFailuresAreNot) {
  backend_.submitted = base::Error(v1::ERROR_REASON_NOT_READY_FOR_SUBMISSION);
  const async::ClientResponse response = Call("POST", "/v0/kyc/submit", kKey);
  ExpectProblem(response, 409, "KYC-409-001", "/v0/kyc/submit");
  const v1::StoredResponse& kept = backend_.end_request->response();
  EXPECT_EQ(kept.status(), 409);
  EXPECT_EQ(kept.content_type(), "application/problem+json");
  EXPECT_EQ(kept.body(), response.body);

  const struct {
    v1::ErrorReason reason;
    int status;
  } cases[] = {{v1::ERROR_REASON_SUBMISSION_FAILED, 500},
               {v1::ERROR_REASON_UNAVAILABLE, 503},
               {v1::ERROR_REASON_DEADLINE_EXCEEDED, 504},
               {v1::ERROR_REASON_RATE_LIMITED, 429}};
  for (const auto& one : cases) {
    backend_.submitted = base::Error(one.reason);
    backend_.end_request.reset();
    EXPECT_EQ(Call("POST", "/v0/kyc/submit", kKey).status, one.status);
    ASSERT_TRUE(backend_.end_request);
    EXPECT_EQ(backend_.end_request->claim(), "c1");
    EXPECT_FALSE(backend_.end_request->has_response()) << one.status;
  }
}

TEST_F(IdempotencyTest, LongAnswersAreNotKept) {
  backend_.applicant->set_applicant_id(std::string(16384, 'a'));
  EXPECT_EQ(Call("POST", kApplicant, kKey).status, 201);
  EXPECT_FALSE(backend_.end_request->has_response());
}

TEST_F(IdempotencyTest, NothingIsDoneWithoutTheClaim) {
  const struct {
    absl::Status why;
    int status;
    const char* code;
    const char* retry_after;
  } cases[] = {
      {base::Error(v1::ERROR_REASON_IDEMPOTENCY_KEY_REUSED), 422, "GEN-422-001",
       ""},
      {base::Error(v1::ERROR_REASON_IDEMPOTENCY_KEY_IN_FLIGHT, {},
                   {.retry_after = std::chrono::seconds(1)}),
       409, "GEN-409-001", "1"},
      {absl::UnavailableError("x"), 503, "GEN-503-001", "1"},
      {absl::DeadlineExceededError("x"), 503, "GEN-503-001", "1"},
      {absl::InternalError("x"), 503, "GEN-503-001", "1"},
      {base::Error(v1::ERROR_REASON_INTERNAL), 503, "GEN-503-001", "1"},
  };
  for (const auto& one : cases) {
    backend_.begun = one.why;
    const async::ClientResponse response = Call("POST", kApplicant, kKey);
    ExpectProblem(response, one.status, one.code, kApplicant);
    EXPECT_EQ(response.Header("retry-after"), one.retry_after);
  }
  EXPECT_EQ(backend_.applicant_request.user_id(), "");
  EXPECT_FALSE(backend_.end_request);
}

TEST_F(IdempotencyTest, AnAnswerThatCannotBeKeptIsGivenAllTheSame) {
  backend_.ended = absl::UnavailableError("x");
  EXPECT_EQ(Call("POST", kApplicant, kKey).status, 201);
}

TEST_F(IdempotencyTest, RefusesWhatIsNoKey) {
  for (const Headers& headers :
       {Headers{{"Idempotency-Key", ""}},
        Headers{{"Idempotency-Key", std::string(256, 'k')}},
        Headers{{"Idempotency-Key", "a\tb"}},
        Headers{{"Idempotency-Key", "\xC3\xA9"}},
        Headers{{"Idempotency-Key", "a"}, {"idempotency-key", "a"}}}) {
    const async::ClientResponse response = Call("POST", kApplicant, headers);
    ExpectProblem(response, 422, "KYC-422-002", kApplicant);
    EXPECT_THAT(response.body, HasSubstr(R"({"parameter":"Idempotency-Key",)"));
  }
  EXPECT_EQ(backend_.applicant_request.user_id(), "");
  EXPECT_EQ(
      Call("POST", kApplicant, {{"Idempotency-Key", std::string(255, 'k')}})
          .status,
      201);
}

TEST_F(IdempotencyTest, TheKeyStandsForTheWholeRequest) {
  const Headers json = {{"Content-Type", "application/json"}};
  const std::string body = R"({"step":"created"})";
  const std::string first = FingerprintOf("POST", kSteps, json, body);
  // What may differ from one attempt to the next.
  EXPECT_EQ(FingerprintOf("POST", kSteps,
                          {{"Content-Type", "application/json; charset=utf-8"},
                           {"traceparent", "00-" + std::string(32, 'a') +
                                               "-b7ad6b7169203331-01"},
                           {"User-Agent", "retry/2"}},
                          body),
            first);
  Headers tenant = json;
  tenant.emplace_back("x-juno-orgid", "o:e");
  const std::set<std::string> all = {
      first,
      FingerprintOf("POST", kSteps, json, R"({"step":"creates"})"),
      FingerprintOf("POST", std::string(kSteps) + "?a=1", json, body),
      FingerprintOf("POST", kSteps, tenant, body),
      FingerprintOf("POST", kApplicant, {}),
      FingerprintOf("POST", kApplicant, {}, "{}"),
      FingerprintOf("POST", "/v0/kyc/submit", {})};
  EXPECT_EQ(all.size(), 7u);
  EXPECT_EQ(all.count(""), 0u);
  ExpectProblem(Call("POST", kApplicant, kKey, std::string(16385, 'x')), 413,
                "GEN-413-001", kApplicant);
}

TEST_F(IdempotencyTest, OtherRoutesDoNotHeedIt) {
  const Headers no_key = {{"Idempotency-Key", ""}};
  EXPECT_EQ(Call("POST", "/v0/kyc/access-token", no_key).status, 200);
  EXPECT_EQ(Call("GET", "/v0/kyc/status", no_key).status, 200);
  EXPECT_EQ(Send("POST", "/v0/webhooks/kyc/sumsub/events", no_key, "x").status,
            200);
  // Nor is a key worth anything to a caller without a name.
  EXPECT_EQ(Send("POST", kApplicant, no_key).status, 401);
  EXPECT_EQ(backend_.begin_request.key(), "");
  EXPECT_FALSE(backend_.end_request);
}

}  // namespace
}  // namespace kyc::gateway
