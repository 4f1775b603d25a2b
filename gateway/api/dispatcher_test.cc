// The gateway over real HTTP, in front of a scripted backend.
#include "gateway/api/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "gateway/api/dispatcher_for_test.h"
#include "services/base/error.h"

namespace kyc::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST_F(DispatcherTest, CreatesApplicants) {
  backend_.applicant->set_applicant_id("65abc123def456");
  async::ClientResponse response = Call("POST", "/v0/kyc/applicant");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.Header("content-type"), "application/json");
  EXPECT_EQ(response.body,
            R"({"applicant_id":"65abc123def456","user_id":"usr_1",)"
            R"("already_existed":false,"_links":{)"
            R"("self":{"href":"/v0/kyc/applicant","method":"POST"},)"
            R"("documents":{"href":"/v0/kyc/documents","method":"POST"},)"
            R"("required-docs":{"href":"/v0/kyc/documents/required"},)"
            R"("status":{"href":"/v0/kyc/status"}}})");
  EXPECT_EQ(backend_.applicant_request.user_id(), "usr_1");
  EXPECT_FALSE(backend_.applicant_request.has_tenant());

  backend_.applicant->set_already_existed(true);
  response = Call("POST", "/v0/kyc/applicant", {{"x-juno-orgid", "o-1:e-1"}});
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr(R"("already_existed":true)"));
  EXPECT_EQ(backend_.applicant_request.tenant().org_id(), "o-1");
  EXPECT_EQ(backend_.applicant_request.tenant().env_id(), "e-1");
}

TEST_F(DispatcherTest, CreatesAccessTokens) {
  backend_.token->set_access_token("_act-sbx-1");
  backend_.token->set_expires_in_s(600);
  async::ClientResponse response = Call("POST", "/v0/kyc/access-token");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body,
            R"({"access_token":"_act-sbx-1","expires_in":600,)"
            R"("user_id":"usr_1","_links":{)"
            R"("self":{"href":"/v0/kyc/access-token","method":"POST"},)"
            R"("status":{"href":"/v0/kyc/status"}}})");
  EXPECT_EQ(backend_.token_request.scope(),
            v1::CreateAccessTokenRequest::SCOPE_UNSPECIFIED);
  EXPECT_EQ(Call("POST", "/v0/kyc/access-token?level=liveness&x=1").status,
            200);
  EXPECT_EQ(backend_.token_request.scope(),
            v1::CreateAccessTokenRequest::SCOPE_LIVENESS);
  for (const char* query :
       {"level=", "level=Liveness", "level=basic", "level=liveness&level="}) {
    response = Call("POST", "/v0/kyc/access-token?" + std::string(query));
    ExpectProblem(response, 422, "KYC-422-002", "/v0/kyc/access-token");
    EXPECT_THAT(response.body, HasSubstr(R"({"parameter":"level",)"));
  }
}

TEST_F(DispatcherTest, ShowsTheStatus) {
  const std::string links =
      R"("_links":{"self":{"href":"/v0/kyc/status"},)"
      R"("user":{"href":"/v0/user/me"},)"
      R"("refresh":{"href":"/v0/kyc/status?refresh=true"})";
  const std::string start =
      R"(,"start-verification":{"href":"/v0/kyc/access-token",)"
      R"("method":"POST"})";
  EXPECT_EQ(Call("GET", "/v0/kyc/status").body,
            R"({"status":"pending","applicant_id":null,"verified_at":null,)"
            R"("rejected_at":null,"reject_reason":null,)" +
                links + start + "}}");
  EXPECT_EQ(backend_.status_user, "usr_1");

  v1::Verification& held = *backend_.status;
  held.set_applicant_id("a1");
  held.set_state(v1::VERIFICATION_STATE_APPROVED);
  held.set_verified_at_ms(1704067200000);
  EXPECT_EQ(Call("GET", "/v0/kyc/status?refresh=false").body,
            R"({"status":"approved","applicant_id":"a1",)"
            R"("verified_at":1704067200000,"rejected_at":null,)"
            R"("reject_reason":null,)" +
                links + "}}");
  EXPECT_THAT(
      Call("GET", "/v0/kyc/status", {{"X-Timestamp-Format", "ISO8601"}}).body,
      HasSubstr(R"("verified_at":"2024-01-01T00:00:00Z","rejected_at":null)"));
  EXPECT_THAT(
      Call("GET", "/v0/kyc/status", {{"X-Timestamp-Format", "other"}}).body,
      HasSubstr(R"("verified_at":1704067200000)"));

  const struct {
    v1::VerificationState state;
    const char* name;
    bool may_start;
  } cases[] = {{v1::VERIFICATION_STATE_PENDING, "pending", true},
               {v1::VERIFICATION_STATE_IN_PROGRESS, "in_progress", false},
               {v1::VERIFICATION_STATE_REJECTED, "rejected", false},
               {v1::VERIFICATION_STATE_RETRY, "retry", true}};
  held.set_reject_reason("Blurry \"image\"");
  for (const auto& one : cases) {
    held.set_state(one.state);
    const std::string body = Call("GET", "/v0/kyc/status").body;
    EXPECT_THAT(body, HasSubstr("\"status\":\"" + std::string(one.name)));
    EXPECT_THAT(body, HasSubstr(R"("reject_reason":"Blurry \"image\"")"));
    EXPECT_EQ(body.find("start-verification") != body.npos, one.may_start);
  }
  EXPECT_EQ(backend_.refreshed_user, "");
}

TEST_F(DispatcherTest, RefreshesTheStatus) {
  backend_.refreshed->set_state(v1::VERIFICATION_STATE_RETRY);
  EXPECT_THAT(Call("GET", "/v0/kyc/status?refresh=true").body,
              HasSubstr(R"("status":"retry")"));
  EXPECT_EQ(backend_.refreshed_user, "usr_1");
  backend_.refreshed = base::Error(v1::ERROR_REASON_APPLICANT_NOT_FOUND);
  ExpectProblem(Call("GET", "/v0/kyc/status?refresh=true"), 404, "KYC-404-001",
                "/v0/kyc/status");
  backend_.refreshed = base::Error(v1::ERROR_REASON_PROVIDER_UNAVAILABLE);
  ExpectProblem(Call("GET", "/v0/kyc/status?refresh=true"), 502, "KYC-502-001",
                "/v0/kyc/status");
  for (const char* query :
       {"refresh", "refresh=1", "refresh=True", "refresh=true&refresh=false"}) {
    const async::ClientResponse response =
        Call("GET", "/v0/kyc/status?" + std::string(query));
    ExpectProblem(response, 422, "KYC-422-002", "/v0/kyc/status");
    EXPECT_THAT(response.body,
                HasSubstr(R"("errors":[{"parameter":"refresh")"));
  }
}

TEST_F(DispatcherTest, ShowsTheUser) {
  EXPECT_EQ(Call("GET", "/v0/user/me/").body,
            R"({"_links":{"self":{"href":"/v0/user/me"},)"
            R"("kyc-status":{"href":"/v0/kyc/status"},)"
            R"("onboarding":{"href":"/v0/user/me/onboarding/steps"}},)"
            R"("user":{"id":"usr_1","first_name":null,"last_names":null,)"
            R"("kyc_verified_at":null,"kyc_rejected_at":null},)"
            R"("wallets":null})");
  backend_.user->set_first_name("Jane");
  backend_.user->set_last_names("Smith");
  backend_.user->set_kyc_verified_at_ms(1704067200000);
  EXPECT_THAT(Call("GET", "/v0/user/me").body,
              HasSubstr(R"("first_name":"Jane","last_names":"Smith",)"
                        R"("kyc_verified_at":1704067200000)"));
}

TEST_F(DispatcherTest, ShowsAndMovesOnboarding) {
  v1::Onboarding& onboarding = *backend_.onboarding;
  onboarding.set_current_step("kyc_verification");
  v1::OnboardingStep* step = onboarding.add_steps();
  step->set_step("phone_verification");
  step->set_status(v1::OnboardingStep::STATUS_COMPLETED);
  step = onboarding.add_steps();
  step->set_step("kyc_verification");
  step->set_status(v1::OnboardingStep::STATUS_CURRENT);
  step->set_kyc_mode(v1::KYC_MODE_HYBRID);
  step = onboarding.add_steps();
  step->set_step("open_banking");
  step->set_status(v1::OnboardingStep::STATUS_PENDING);
  const std::string expected =
      R"({"_links":{"self":{"href":"/v0/user/me/onboarding/steps",)"
      R"("method":"GET"},"kyc-status":{"href":"/v0/kyc/status"},)"
      R"("kyc-token":{"href":"/v0/kyc/access-token","method":"POST"}},)"
      R"("onboarding":{"current_step":"kyc_verification",)"
      R"("is_complete":false,"steps":[)"
      R"({"step":"phone_verification","status":"completed","gated":true,)"
      R"("meta":null},)"
      R"({"step":"kyc_verification","status":"current","gated":false,)"
      R"("meta":{"kyc_mode":"hybrid"}},)"
      R"({"step":"open_banking","status":"pending","gated":true,)"
      R"("meta":null}],)"
      R"("safe_creation_status":null,"primary_smart_wallet_address":null,)"
      R"("did_mint_status":null,"did_token_id":null}})";
  const std::string path = "/v0/user/me/onboarding/steps";
  EXPECT_EQ(Call("GET", path).body, expected);
  const Headers json = {{"content-type", "application/json; charset=utf-8"}};
  EXPECT_EQ(Call("POST", path, json, R"({"step":"kyc_verification"})").body,
            expected);
  EXPECT_EQ(backend_.step_request.step(), "kyc_verification");
  EXPECT_EQ(backend_.step_request.user_id(), "usr_1");
  // A mode that could not be read is shown as websdk.
  onboarding.mutable_steps(1)->clear_kyc_mode();
  EXPECT_THAT(Call("GET", path).body, HasSubstr(R"({"kyc_mode":"websdk"})"));

  backend_.onboarding =
      base::Error(v1::ERROR_REASON_WRONG_ONBOARDING_STEP, {},
                  {.metadata = {{"current_step", "card_setup"}}});
  const async::ClientResponse wrong =
      Call("POST", path, json, R"({"step":"complete"})");
  ExpectProblem(wrong, 409, "ONB-409-001", path);
  EXPECT_THAT(wrong.body, HasSubstr(R"("current_step":"card_setup")"));
}

TEST_F(DispatcherTest, ChecksJsonBodies) {
  const std::string path = "/v0/user/me/onboarding/steps";
  const Headers json = {{"content-type", "application/json"}};
  const std::pair<std::string, std::string> bodies[] = {
      {"", ""},
      {"{", ""},
      {"[]", ""},
      {"null", ""},
      {"{}", "/step"},
      {R"({"step":1})", "/step"},
      {R"({"step":""})", "/step"},
      {R"({"step":"a","step":"b"})", ""}};
  for (const auto& [body, pointer] : bodies) {
    const async::ClientResponse response = Call("POST", path, json, body);
    ExpectProblem(response, 422, "KYC-422-002", path);
    EXPECT_THAT(response.body,
                HasSubstr("\"errors\":[{\"pointer\":\"" + pointer + "\""));
  }
  ExpectProblem(Call("POST", path, {{"content-type", "text/plain"}}, "{}"), 415,
                "GEN-415-001", path);
  ExpectProblem(Call("POST", path, json, std::string(4097, ' ')), 413,
                "GEN-413-001", path);
  EXPECT_EQ(backend_.step_request.step(), "");
}

TEST_F(DispatcherTest, AsksForOneGoodToken) {
  const std::string path = "/v0/kyc/status";
  const std::string good = TokenOf("usr_1");
  for (const Headers& headers :
       {Headers{}, Headers{{"x-juno-jwt", "x"}},
        Headers{{"Authorization", "Bearer " + good}},
        Headers{{"x-juno-jwt", good}, {"x-juno-jwt", good}},
        Headers{{"x-juno-jwt", Key().Token(R"({"sub":"u","exp":1})")}}}) {
    const async::ClientResponse response = Send("GET", path, headers);
    ExpectProblem(response, 401, "USR-401-001", path);
    EXPECT_THAT(response.body,
                HasSubstr("Missing or invalid authentication credentials"));
    EXPECT_EQ(response.Header("www-authenticate"), "");
  }
  EXPECT_EQ(backend_.status_user, "");
  EXPECT_EQ(Send("GET", path, {{"X-JUNO-JWT", TokenOf("a|b c/é")}}).status,
            200);
  EXPECT_EQ(backend_.status_user, "a|b c/é");
}

TEST_F(DispatcherTest, ChecksTheOrganisationAfterTheToken) {
  const std::string path = "/v0/kyc/status";
  for (const char* value :
       {"o", "o:", ":e", ":", "o:e:x", "o e:e", "o:\xC3\xA9"}) {
    ExpectProblem(Call("GET", path, {{"x-juno-orgid", value}}), 401,
                  "USR-401-002", path);
  }
  ExpectProblem(
      Call("GET", path, {{"x-juno-orgid", "a:b"}, {"x-juno-orgid", "a:b"}}),
      401, "USR-401-002", path);
  ExpectProblem(Send("GET", path, {{"x-juno-orgid", "broken"}}), 401,
                "USR-401-001", path);
}

TEST_F(DispatcherTest, TakesWebhooksAsTheyAre) {
  const std::string path = "/v0/webhooks/kyc/sumsub/events";
  const std::string body("\0{not json\xFF", 11);
  const async::ClientResponse response =
      Send("POST", path,
           {{"X-Payload-Digest", "aa"},
            {"x-payload-digest", "bb"},
            {"X-Payload-Digest-Alg", "HMAC_SHA512_HEX"}},
           body);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"status":"ok"})");
  EXPECT_EQ(backend_.event_request.body(), body);
  EXPECT_THAT(backend_.event_request.digests(),
              ::testing::ElementsAre("aa", "bb"));
  EXPECT_THAT(backend_.event_request.digest_algorithms(),
              ::testing::ElementsAre("HMAC_SHA512_HEX"));
  // No digest can hold such bytes, and no protobuf string either.
  Send("POST", path, {{"X-Payload-Digest", "\xFF"}}, "x");
  EXPECT_THAT(backend_.event_request.digests(), ::testing::ElementsAre("?"));

  EXPECT_EQ(Send("POST", path, {}, std::string(1 << 20, 'x')).status, 200);
  ExpectProblem(Send("POST", path, {}, std::string((1 << 20) + 1, 'x')), 413,
                "GEN-413-001", path);
  backend_.event = base::Error(v1::ERROR_REASON_WEBHOOK_SIGNATURE_INVALID);
  ExpectProblem(Send("POST", path, {}, "x"), 401, "KYC-401-001", path);
  for (const absl::Status& failure :
       {absl::UnavailableError("x"), absl::DeadlineExceededError("x"),
        absl::InternalError("x"), base::Error(v1::ERROR_REASON_INTERNAL)}) {
    backend_.event = failure;
    const async::ClientResponse failed = Send("POST", path, {}, "x");
    ExpectProblem(failed, 503, "GEN-503-001", path);
    EXPECT_EQ(failed.Header("retry-after"), "1");
  }
}

TEST_F(DispatcherTest, KnowsItsPathsAndMethods) {
  ExpectProblem(Call("GET", "/v0/nothing?x=1"), 404, "GEN-404-001",
                "/v0/nothing");
  ExpectProblem(Call("GET", "/metrics"), 404, "GEN-404-001", "/metrics");
  ExpectProblem(Call("GET", "/v0/%zz"), 400, "GEN-400-001", "/v0/%zz");
  const async::ClientResponse wrong = Call("DELETE", "/v0/kyc/status");
  ExpectProblem(wrong, 405, "GEN-405-001", "/v0/kyc/status");
  EXPECT_EQ(wrong.Header("allow"), "GET, HEAD, OPTIONS");
  const async::ClientResponse options =
      Send("OPTIONS", "/v0/user/me/onboarding/steps", {});
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.Header("allow"), "GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(options.Header("access-control-allow-origin"), "");
}

TEST_F(DispatcherTest, LetsAllowedPagesCall) {
  const Headers preflight = {{"Origin", "https://app.example"},
                             {"Access-Control-Request-Method", "POST"},
                             {"Access-Control-Request-Headers", "x-juno-jwt"}};
  async::ClientResponse response =
      Send("OPTIONS", "/v0/kyc/applicant", preflight);
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.Header("access-control-allow-origin"),
            "https://app.example");
  EXPECT_EQ(response.Header("access-control-allow-methods"), "POST, OPTIONS");
  for (const char* name : {"x-juno-jwt", "x-juno-orgid", "x-timestamp-format",
                           "idempotency-key", "content-type", "traceparent"}) {
    EXPECT_THAT(std::string(response.Header("access-control-allow-headers")),
                HasSubstr(name));
  }
  response = Send("GET", "/v0/kyc/status", {{"Origin", "https://app.example"}});
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(response.Header("access-control-allow-origin"),
            "https://app.example");
  EXPECT_EQ(response.Header("vary"), "Origin");
  for (const char* origin : {"https://app.example.evil", "http://app.example",
                             "null", "https://app.example:444"}) {
    response =
        Send("OPTIONS", "/v0/kyc/applicant",
             {{"Origin", origin}, {"Access-Control-Request-Method", "POST"}});
    EXPECT_EQ(response.status, 204);
    EXPECT_EQ(response.Header("access-control-allow-origin"), "") << origin;
    EXPECT_EQ(response.Header("access-control-allow-methods"), "") << origin;
  }
}

TEST_F(DispatcherTest, EveryAnswerHasTheCommonHeaders) {
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  const Headers traced = {
      {"traceparent", "00-" + trace + "-b7ad6b7169203331-01"}};
  for (const char* target : {"/v0/kyc/status", "/v0/nothing", "/v0/%"}) {
    const async::ClientResponse response = Call("GET", target, traced);
    EXPECT_EQ(response.Header("x-content-type-options"), "nosniff");
    EXPECT_EQ(response.Header("cache-control"), "no-store");
    EXPECT_THAT(std::string(response.Header("traceparent")), HasSubstr(trace));
    if (response.status != 200) EXPECT_THAT(response.body, HasSubstr(trace));
  }
  EXPECT_EQ(backend_.trace, trace);
  const async::ClientResponse fresh =
      Call("GET", "/v0/kyc/status", {{"traceparent", "00-zz-1-1"}});
  EXPECT_EQ(fresh.status, 200);
  EXPECT_THAT(std::string(fresh.Header("traceparent")), Not(HasSubstr("zz")));
}

TEST_F(DispatcherTest, FailuresOfTheServicesAreProblems) {
  const std::string path = "/v0/kyc/status";
  backend_.status = absl::UnavailableError("127.0.0.1:50051 refused");
  async::ClientResponse response = Call("GET", path);
  ExpectProblem(response, 503, "GEN-503-001", path);
  EXPECT_THAT(response.body, Not(HasSubstr("refused")));
  EXPECT_EQ(response.Header("retry-after"), "1");
  backend_.status = absl::DeadlineExceededError("x");
  ExpectProblem(Call("GET", path), 504, "GEN-504-001", path);
  backend_.status = absl::InternalError("x");
  ExpectProblem(Call("GET", path), 500, "KYC-500-001", path);
}

TEST_F(DispatcherTest, LimitsUsers) {
  const std::string path = "/v0/kyc/status";
  // A slow machine gives some back meanwhile.
  int taken = 0;
  async::ClientResponse response = Call("GET", path);
  for (; response.status == 200 && taken < 1000; ++taken) {
    response = Call("GET", path);
  }
  EXPECT_GE(taken, 100);
  ExpectProblem(response, 429, "GEN-429-001", path);
  EXPECT_EQ(response.Header("retry-after"), "1");
  EXPECT_EQ(response.Header("ratelimit-policy"), "\"user\";q=100;w=60");
  EXPECT_EQ(Send("GET", path, {{"x-juno-jwt", TokenOf("usr_2")}}).status, 200);
}

TEST_F(DispatcherTest, LimitsAddressesButNotWebhooks) {
  const Headers client = {{"X-Forwarded-For", "1.1.1.1, 198.51.100.1"}};
  const std::string path = "/v0/kyc/status";
  for (int i = 0; i < 5; ++i) ASSERT_EQ(Send("GET", path, client).status, 401);
  ExpectProblem(Send("GET", path, client), 429, "GEN-429-001", path);
  ExpectProblem(Send("GET", "/nowhere", client), 429, "GEN-429-001",
                "/nowhere");
  EXPECT_EQ(Send("POST", "/v0/webhooks/kyc/sumsub/events", client, "x").status,
            200);
  EXPECT_EQ(Send("GET", path, {{"X-Forwarded-For", "198.51.100.2"}}).status,
            401);
  // Another word of the client's changes nothing.
  EXPECT_EQ(
      Send("GET", path, {{"X-Forwarded-For", "2.2.2.2, 198.51.100.1"}}).status,
      429);
}

TEST(CorsPolicyTest, NamesWhatIsNoOrigin) {
  for (const char* bad : {"app.example", "https://", "https://a/b", "://x"}) {
    EXPECT_THAT(std::string(CorsPolicy::Parse(bad).status().message()),
                HasSubstr(bad));
  }
  EXPECT_TRUE(CorsPolicy::Parse("").ok());
  EXPECT_TRUE(CorsPolicy::Parse("*").ok());
  EXPECT_TRUE(CorsPolicy::Parse("https://a.b, http://localhost:3000").ok());
}

}  // namespace
}  // namespace kyc::gateway
