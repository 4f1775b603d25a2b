// Subscriptions over real HTTP, in front of a scripted SubscriptionService.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "gateway/api/dispatcher_for_test.h"

namespace kyc::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kAll[] = "/v0/organisation/o/environments/e/webhooks";
constexpr char kOne[] = "/v0/organisation/o/environments/e/webhooks/whk_1";

class WebhookSubscriptionsTest : public DispatcherTest {
 protected:
  WebhookSubscriptionsTest() {
    v1::ApiKey key;
    key.set_id("key_caller");
    key.mutable_tenant()->set_org_id("o");
    key.mutable_tenant()->set_env_id("e");
    key.add_scopes("manage_webhooks");
    backend_.admin_backend.caller = key;
    v1::Subscription subscription;
    subscription.set_id("whk_1");
    *subscription.mutable_tenant() = key.tenant();
    subscription.set_url("https://hooks.example.com/");
    subscription.add_event_types("kyc.approved");
    subscription.set_enabled(true);
    subscription.set_created_at_ms(1);
    subscription.set_updated_at_ms(2);
    fake().subscription = subscription;
    fake().created->set_secret("whsec_x");
    *fake().created->mutable_subscription() = subscription;
    *fake().list->add_subscriptions() = subscription;
    fake().delivery->set_id("msg_1");
    fake().delivery->set_event_type("kyc.approved");
    fake().delivery->set_created_at_ms(3);
    *fake().deliveries->add_deliveries() = *fake().delivery;
  }
  FakeSubscriptionBackend& fake() { return backend_.subscription_backend; }

  async::ClientResponse AsAdmin(const std::string& method,
                                const std::string& target,
                                const std::string& body = "") {
    Headers headers = {{"Authorization", "Bearer secret"}};
    if (!body.empty()) headers.emplace_back("Content-Type", "application/json");
    return Send(method, target, std::move(headers), body);
  }
};

TEST_F(WebhookSubscriptionsTest, CreatesOne) {
  const async::ClientResponse response = AsAdmin(
      "POST", kAll,
      R"({"url":"https://hooks.example.com/","event_types":["kyc.approved"],)"
      R"("description":"d","enabled":false,"secret":"whsec_y"})");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(
      response.body,
      R"({"id":"whk_1","url":"https://hooks.example.com/",)"
      R"("event_types":["kyc.approved"],"description":null,"enabled":true,)"
      R"("disabled_reason":null,"created_at":1,"updated_at":2,)"
      R"("old_secret_until":null,"secret":"whsec_x","_links":{)"
      R"("self":{"href":"/v0/organisation/o/environments/e/webhooks/whk_1"},)"
      R"("deliveries":{"href":"/v0/organisation/o/environments/e/webhooks/)"
      R"(whk_1/deliveries"},"rotate_secret":{"href":"/v0/organisation/o/)"
      R"(environments/e/webhooks/whk_1/rotate-secret","method":"POST"},)"
      R"("test":{"href":"/v0/organisation/o/environments/e/webhooks/whk_1/)"
      R"(test","method":"POST"}}})");
  const v1::CreateSubscriptionRequest& request = fake().create_request;
  EXPECT_EQ(request.tenant().org_id(), "o");
  EXPECT_EQ(request.tenant().env_id(), "e");
  EXPECT_EQ(request.url(), "https://hooks.example.com/");
  EXPECT_THAT(request.event_types(), ElementsAre("kyc.approved"));
  EXPECT_EQ(request.description(), "d");
  EXPECT_EQ(request.secret(), "whsec_y");
  EXPECT_TRUE(request.disabled());
  EXPECT_EQ(AsAdmin("POST", kAll, R"({"url":"u"})").status, 201);
  EXPECT_FALSE(fake().create_request.disabled());
}

TEST_F(WebhookSubscriptionsTest, BodiesAreChecked) {
  for (const char* body :
       {"x", "[]", "{}", R"({"url":1})", R"({"url":null})",
        R"({"url":"u","events":[]})", R"({"url":"u","event_types":[]})",
        R"({"url":"u","event_types":"kyc.approved"})",
        R"({"url":"u","event_types":[1]})", R"({"url":"u","enabled":1})",
        R"({"url":"u","secret":""})", R"({"url":"u","secret":1})",
        R"({"url":"u","description":1})", "{\"url\":\"\xff\"}"}) {
    ExpectProblem(AsAdmin("POST", kAll, body), 422, "KYC-422-002", kAll);
  }
  for (const char* body : {"x", R"({"secret":"whsec_x"})", R"({"id":"x"})",
                           R"({"enabled":null})", R"({"event_types":null})"}) {
    ExpectProblem(AsAdmin("PATCH", kOne, body), 422, "KYC-422-002", kOne);
  }
  const std::string rotate = std::string(kOne) + "/rotate-secret";
  ExpectProblem(AsAdmin("POST", rotate, R"({"url":"x"})"), 422, "KYC-422-002",
                rotate);
  const std::string deliveries = std::string(kOne) + "/deliveries";
  for (const char* limit : {"0", "1001", "x", "-1", ""}) {
    ExpectProblem(AsAdmin("GET", deliveries + "?limit=" + limit), 422,
                  "KYC-422-002", deliveries);
  }
  EXPECT_EQ(fake().create_request.url(), "");
}

TEST_F(WebhookSubscriptionsTest, ReadsAndListsThemWithoutSecrets) {
  async::ClientResponse response = AsAdmin("GET", kOne);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(fake().get_request.id(), "whk_1");
  EXPECT_THAT(response.body, Not(HasSubstr("whsec_")));
  response = AsAdmin("GET", kAll);
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr(R"("webhooks":[{"id":"whk_1")"));
  EXPECT_EQ(fake().list_request.tenant().org_id(), "o");
  fake().subscription->set_enabled(false);
  EXPECT_THAT(AsAdmin("GET", kOne).body,
              HasSubstr(R"("enabled":false,"disabled_reason":"user")"));
  fake().subscription->set_gone(true);
  EXPECT_THAT(AsAdmin("GET", kOne).body,
              HasSubstr(R"("disabled_reason":"gone")"));
}

TEST_F(WebhookSubscriptionsTest, ChangesWhatTheBodyNames) {
  EXPECT_EQ(AsAdmin("PATCH", kOne, R"({"enabled":false})").status, 200);
  EXPECT_EQ(fake().update_request.id(), "whk_1");
  EXPECT_TRUE(fake().update_request.has_enabled());
  EXPECT_FALSE(fake().update_request.enabled());
  EXPECT_FALSE(fake().update_request.has_url());
  EXPECT_FALSE(fake().update_request.has_event_types());
  EXPECT_FALSE(fake().update_request.has_description());
  EXPECT_EQ(AsAdmin("PATCH", kOne,
                    R"({"url":"u","event_types":["kyc.rejected"],)"
                    R"("description":null})")
                .status,
            200);
  EXPECT_EQ(fake().update_request.url(), "u");
  EXPECT_THAT(fake().update_request.event_types().types(),
              ElementsAre("kyc.rejected"));
  EXPECT_TRUE(fake().update_request.has_description());
  EXPECT_FALSE(fake().update_request.has_enabled());
}

TEST_F(WebhookSubscriptionsTest, DeletesRotatesTestsAndResends) {
  async::ClientResponse response = AsAdmin("DELETE", kOne);
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(fake().delete_request.id(), "whk_1");
  response = AsAdmin("POST", std::string(kOne) + "/rotate-secret");
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr(R"("secret":"whsec_x")"));
  EXPECT_EQ(fake().rotate_request.secret(), "");
  AsAdmin("POST", std::string(kOne) + "/rotate-secret",
          R"({"secret":"whsec_z"})");
  EXPECT_EQ(fake().rotate_request.secret(), "whsec_z");
  response = AsAdmin("POST", std::string(kOne) + "/test");
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(response.body,
            R"({"id":"msg_1","event_type":"kyc.approved","state":"pending",)"
            R"("attempts":0,"last_status":null,"last_error":null,)"
            R"("created_at":3,"last_attempt_at":null,)"
            R"("next_attempt_at":null})");
  EXPECT_EQ(fake().test_request.subscription_id(), "whk_1");
  response =
      AsAdmin("POST", std::string(kOne) + "/deliveries/msg_1/resend");
  EXPECT_EQ(response.status, 202);
  EXPECT_EQ(fake().resend_request.delivery_id(), "msg_1");
  response = AsAdmin("GET", std::string(kOne) + "/deliveries?limit=7");
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr(R"({"deliveries":[{"id":"msg_1")"));
  EXPECT_EQ(fake().deliveries_request.limit(), 7u);
}

TEST_F(WebhookSubscriptionsTest, AnotherTenantsDoNotExist) {
  for (const std::string base :
       {"/v0/organisation/p/environments/e/webhooks",
        "/v0/organisation/o/environments/f/webhooks"}) {
    const std::string one = base + "/whk_1";
    ExpectProblem(AsAdmin("GET", base), 404, "WHK-404-001", base);
    ExpectProblem(AsAdmin("POST", base, R"({"url":"u"})"), 404, "WHK-404-001",
                  base);
    ExpectProblem(AsAdmin("GET", one), 404, "WHK-404-001", one);
    ExpectProblem(AsAdmin("PATCH", one, "{}"), 404, "WHK-404-001", one);
    ExpectProblem(AsAdmin("DELETE", one), 404, "WHK-404-001", one);
    for (const char* rest : {"/test", "/rotate-secret",
                             "/deliveries/msg_1/resend"}) {
      ExpectProblem(AsAdmin("POST", one + rest), 404, "WHK-404-001",
                    one + rest);
    }
    ExpectProblem(AsAdmin("GET", one + "/deliveries"), 404, "WHK-404-001",
                  one + "/deliveries");
  }
  EXPECT_EQ(fake().get_request.id(), "");
  EXPECT_EQ(fake().delete_request.id(), "");
}

TEST_F(WebhookSubscriptionsTest, TheScopeIsRequired) {
  backend_.admin_backend.caller->clear_scopes();
  backend_.admin_backend.caller->add_scopes("manage_keys");
  ExpectProblem(AsAdmin("GET", kAll), 403, "SIS-403-001", kAll);
  ExpectProblem(Send("GET", kAll, {}), 401, "SIS-401-001", kAll);
}

TEST_F(WebhookSubscriptionsTest, PassesOnWhatTheServiceFindsWrong) {
  fake().created = base::Error(v1::ERROR_REASON_ENDPOINT_NOT_ALLOWED);
  ExpectProblem(AsAdmin("POST", kAll, R"({"url":"u"})"), 422, "WHK-422-001",
                kAll);
  fake().created = base::Error(v1::ERROR_REASON_TOO_MANY_SUBSCRIPTIONS);
  ExpectProblem(AsAdmin("POST", kAll, R"({"url":"u"})"), 409, "WHK-409-001",
                kAll);
  fake().subscription = absl::UnavailableError("down");
  ExpectProblem(AsAdmin("GET", kOne), 503, "GEN-503-001", kOne);
}

}  // namespace
}  // namespace kyc::gateway
