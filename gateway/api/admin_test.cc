// Features and API keys over real HTTP, in front of a scripted AdminService.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "gateway/api/dispatcher_for_test.h"

namespace kyc::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kFeature[] = "/v0/organisation/o/environments/e/features/kyc";
constexpr char kFeatures[] = "/v0/organisation/o/environments/e/features";
constexpr char kKeys[] = "/v0/organisation/o/keys";

class AdminTest : public DispatcherTest {
 protected:
  AdminTest() {
    v1::ApiKey key;
    key.set_id("key_caller");
    key.mutable_tenant()->set_org_id("o");
    key.mutable_tenant()->set_env_id("e");
    key.add_scopes("manage_features");
    key.add_scopes("manage_keys");
    admin().caller = key;
    v1::Feature feature;
    feature.set_feature("kyc");
    feature.set_enabled(true);
    feature.set_mode(v1::KYC_MODE_HYBRID);
    feature.set_created_at_ms(1);
    feature.set_updated_at_ms(2);
    admin().feature = feature;
    key.set_id("key_1");
    key.set_name("backend");
    key.set_audience("partner.example");
    key.set_created_at_ms(3);
    admin().api_key = key;
  }
  FakeAdminBackend& admin() { return backend_.admin_backend; }

  // As the bearer of a good key.
  async::ClientResponse AsAdmin(const std::string& method,
                                const std::string& target,
                                const std::string& body = "") {
    Headers headers = {{"Authorization", "Bearer secret"}};
    if (!body.empty()) headers.emplace_back("Content-Type", "application/json");
    return Send(method, target, std::move(headers), body);
  }
};

TEST_F(AdminTest, SetsAFeature) {
  const std::string body = R"({"enabled":true,"config":{"mode":"hybrid"}})";
  const async::ClientResponse response = AsAdmin("PUT", kFeature, body);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body,
            R"({"_links":{"self":{"href":)"
            R"("/v0/organisation/o/environments/e/features/kyc"},)"
            R"("environment":{"href":"/v0/organisation/o/environments/e"}},)"
            R"("feature":{"feature":"kyc","enabled":true,)"
            R"("config":{"mode":"hybrid"},"created_at":1,"updated_at":2}})");
  EXPECT_EQ(admin().put_request.tenant().org_id(), "o");
  EXPECT_EQ(admin().put_request.tenant().env_id(), "e");
  EXPECT_EQ(admin().put_request.feature(), "kyc");
  EXPECT_EQ(admin().put_request.body_json(), body);
}

TEST_F(AdminTest, ReadsListsAndDeletesFeatures) {
  admin().feature->clear_mode();
  async::ClientResponse response = AsAdmin("GET", kFeature);
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr(R"("enabled":true,"config":{},)"));
  EXPECT_EQ(admin().get_request.feature(), "kyc");

  admin().features->add_features()->set_feature("kyc");
  response = AsAdmin("GET", kFeatures);
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body,
              HasSubstr(R"("features":[{"feature":"kyc","enabled":false,)"
                        R"("config":{},"created_at":null,)"
                        R"("updated_at":null}]})"));
  EXPECT_FALSE(admin().list_request.available());
  AsAdmin("GET", std::string(kFeatures) + "?scope=available");
  EXPECT_TRUE(admin().list_request.available());
  ExpectProblem(AsAdmin("GET", std::string(kFeatures) + "?scope=all"), 422,
                "KYC-422-002", kFeatures);

  response = AsAdmin("DELETE", kFeature);
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(admin().delete_request.feature(), "kyc");
}

TEST_F(AdminTest, PassesOnWhatTheEngineFindsWrong) {
  admin().feature = base::Error(v1::ERROR_REASON_FEATURE_CONFIG_INVALID);
  const async::ClientResponse response =
      AsAdmin("PUT", kFeature, R"({"enabled":true,"config":{"mode":"x"}})");
  ExpectProblem(response, 422, "KYC-422-001", kFeature);
  EXPECT_THAT(response.body, HasSubstr("websdk, hybrid, document_only"));
  ExpectProblem(AsAdmin("PUT", kFeature, "\"\xff\""), 422, "KYC-422-002",
                kFeature);
}

TEST_F(AdminTest, AnotherTenantsFeaturesDoNotExist) {
  for (const char* path : {"/v0/organisation/p/environments/e/features/kyc",
                           "/v0/organisation/o/environments/f/features/kyc",
                           "/v0/organisation/O/environments/e/features/kyc"}) {
    for (const char* method : {"GET", "DELETE"}) {
      ExpectProblem(AsAdmin(method, path), 404, "KYC-404-003", path);
    }
    ExpectProblem(AsAdmin("PUT", path, "{}"), 404, "KYC-404-003", path);
  }
  const char* list = "/v0/organisation/p/environments/e/features";
  ExpectProblem(AsAdmin("GET", list), 404, "KYC-404-003", list);
  EXPECT_EQ(admin().get_request.feature(), "");
  EXPECT_EQ(admin().put_request.feature(), "");
}

TEST_F(AdminTest, AKeyIsAskedForAndItsScope) {
  async::ClientResponse response = Send("GET", kFeature, {});
  ExpectProblem(response, 401, "SIS-401-001", kFeature);
  EXPECT_EQ(response.Header("www-authenticate"), "Bearer");
  // A user's token is no key.
  ExpectProblem(Call("GET", kFeature), 401, "SIS-401-001", kFeature);
  EXPECT_EQ(admin().verifications, 0);

  admin().caller->clear_scopes();
  admin().caller->add_scopes("get_kyc");
  response = AsAdmin("GET", kFeature);
  ExpectProblem(response, 403, "SIS-403-001", kFeature);
  EXPECT_THAT(response.body, HasSubstr("manage_features"));
  response = AsAdmin("GET", kKeys);
  ExpectProblem(response, 403, "SIS-403-001", kKeys);
  EXPECT_THAT(response.body, HasSubstr("manage_keys"));
  // Verified once, remembered since.
  EXPECT_EQ(admin().verifications, 1);

  admin().caller = base::Error(v1::ERROR_REASON_API_KEY_INVALID);
  ExpectProblem(Send("GET", kKeys, {{"Authorization", "Bearer other"}}), 401,
                "SIS-401-001", kKeys);
  admin().caller = base::Error(v1::ERROR_REASON_UNAVAILABLE);
  ExpectProblem(Send("GET", kKeys, {{"Authorization", "Bearer third"}}), 503,
                "GEN-503-001", kKeys);
}

TEST_F(AdminTest, CreatesKeysAndShowsTheirTextOnce) {
  *admin().created->mutable_api_key() = *admin().api_key;
  admin().created->set_key("kyc_live_text");
  const async::ClientResponse response = AsAdmin(
      "POST", kKeys,
      R"({"name":"backend","env_id":"e","scopes":["sis.get_kyc","lookup"],)"
      R"("audience":"partner.example"})");
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.body,
            R"({"id":"key_1","name":"backend","key":"kyc_live_text","meta":{)"
            R"("env_id":"e","audience":"partner.example","created_at":3},)"
            R"("scopes":["manage_features","manage_keys"],"_links":{)"
            R"("self":{"href":"/v0/organisation/o/keys/key_1"},)"
            R"("revoke":{"href":"/v0/organisation/o/keys/key_1",)"
            R"("method":"DELETE"}}})");
  EXPECT_EQ(response.Header("cache-control"), "no-store");
  const v1::CreateApiKeyRequest& request = admin().create_request;
  EXPECT_EQ(request.tenant().org_id(), "o");
  EXPECT_EQ(request.tenant().env_id(), "e");
  EXPECT_EQ(request.name(), "backend");
  EXPECT_EQ(request.audience(), "partner.example");
  EXPECT_THAT(request.scopes(),
              ::testing::ElementsAre("sis.get_kyc", "lookup"));

  AsAdmin("POST", kKeys, R"({"name":"backend","env_id":"e"})");
  EXPECT_TRUE(admin().create_request.default_scopes());
  EXPECT_EQ(admin().create_request.scopes_size(), 0);
  AsAdmin("POST", kKeys, R"({"name":"backend","env_id":"e","scopes":[]})");
  EXPECT_EQ(admin().create_request.scopes_size(), 0);
  EXPECT_FALSE(admin().create_request.default_scopes());
}

TEST_F(AdminTest, RefusesWrongBodiesOfKeys) {
  const struct {
    const char* body;
    const char* pointer;
  } cases[] = {
      {"[]", ""},
      {"{", ""},
      {R"({"env_id":"e"})", "/name"},
      {R"({"name":1,"env_id":"e"})", "/name"},
      {R"({"name":"n"})", "/env_id"},
      {R"({"name":"n","env_id":"e","scopes":"get_kyc"})", "/scopes"},
      {R"({"name":"n","env_id":"e","scopes":null})", "/scopes"},
      {R"({"name":"n","env_id":"e","scopes":["get_kyc",1]})", "/scopes/1"},
      {R"({"name":"n","env_id":"e","audience":[]})", "/audience"},
      {R"({"name":"n","env_id":"e","scope":["get_kyc"]})", ""},
  };
  for (const auto& each : cases) {
    const async::ClientResponse response = AsAdmin("POST", kKeys, each.body);
    ExpectProblem(response, 422, "KYC-422-002", kKeys);
    EXPECT_THAT(response.body, HasSubstr("{\"pointer\":\"" +
                                         std::string(each.pointer) + "\","));
  }
  EXPECT_EQ(admin().create_request.name(), "");
  ExpectProblem(AsAdmin("POST", kKeys, R"({"name":"n","env_id":"f"})"), 404,
                "SIS-404-001", kKeys);
}

TEST_F(AdminTest, ListsReadsAndRevokesKeysOfItsOwnEnvironment) {
  *admin().api_keys->add_api_keys() = *admin().api_key;
  async::ClientResponse response = AsAdmin("GET", kKeys);
  EXPECT_EQ(response.status, 200);
  const std::string shown =
      R"({"id":"key_1","name":"backend","enabled":true,)"
      R"("scopes":["manage_features","manage_keys"],"env_id":"e",)"
      R"("audience":"partner.example","created_at":3,"revoked_at":null,)"
      R"("last_used_at":null})";
  EXPECT_EQ(response.body, R"({"_links":{"self":{"href":)"
                           R"("/v0/organisation/o/keys"}},"api_keys":[)" +
                               shown + "]}");
  EXPECT_EQ(admin().list_keys_request.tenant().env_id(), "e");

  const std::string path = std::string(kKeys) + "/key_1";
  response = AsAdmin("GET", path);
  EXPECT_EQ(response.status, 200);
  EXPECT_THAT(response.body, HasSubstr("\"api_key\":" + shown));
  EXPECT_EQ(admin().get_key_request.id(), "key_1");
  response = AsAdmin("DELETE", path);
  EXPECT_EQ(response.status, 204);
  EXPECT_EQ(admin().revoked_id, "key_1");

  admin().revoked_id.clear();
  admin().api_key->mutable_tenant()->set_env_id("f");
  ExpectProblem(AsAdmin("GET", path), 404, "SIS-404-001", path);
  ExpectProblem(AsAdmin("DELETE", path), 404, "SIS-404-001", path);
  const std::string elsewhere = "/v0/organisation/p/keys";
  ExpectProblem(AsAdmin("GET", elsewhere), 404, "SIS-404-001", elsewhere);
  ExpectProblem(AsAdmin("DELETE", elsewhere + "/key_1"), 404, "SIS-404-001",
                elsewhere + "/key_1");
  EXPECT_EQ(admin().revoked_id, "");
}

}  // namespace
}  // namespace kyc::gateway
