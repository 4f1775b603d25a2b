#include "services/kyc/domain/feature.h"

#include <gtest/gtest.h>

#include <string>

#include "services/base/error.h"
#include "services/kyc/domain/tenant.h"

namespace kyc::domain {
namespace {

TEST(FeatureTest, TakesEveryDocumentedBody) {
  const struct {
    const char* body;
    FeatureSetting setting;
  } cases[] = {
      {R"({"enabled":true})", {true, {}}},
      {R"({"enabled":false})", {false, {}}},
      {R"({"enabled":true,"config":{}})", {true, {}}},
      {R"( { "config" : { } , "enabled" : false } )", {false, {}}},
      {R"({"enabled":true,"config":{"mode":"websdk"}})", {true, Mode::kWebsdk}},
      {R"({"enabled":true,"config":{"mode":"hybrid"}})", {true, Mode::kHybrid}},
      {R"({"config":{"mode":"document_only"},"enabled":false})",
       {false, Mode::kDocumentOnly}},
      {R"({"enabled":true,"config":{"mode":"\u0068ybrid"}})",
       {true, Mode::kHybrid}},
  };
  for (const auto& each : cases) {
    const auto setting = ParseFeatureSetting(each.body);
    ASSERT_TRUE(setting.ok()) << each.body << setting.status();
    EXPECT_EQ(*setting, each.setting) << each.body;
  }
}

TEST(FeatureTest, RefusesEverythingElseByName) {
  for (const char* body : {
           R"({})",
           R"([])",
           R"("enabled")",
           R"(null)",
           R"(true)",
           R"({"config":{"mode":"websdk"}})",
           R"({"enabled":"true"})",
           R"({"enabled":1})",
           R"({"enabled":null})",
           R"({"Enabled":true})",
           R"({"enabled":true,"mode":"websdk"})",
           R"({"enabled":true,"feature":"kyc"})",
           R"({"enabled":true,"Config":{}})",
           R"({"enabled":true,"config":null})",
           R"({"enabled":true,"config":[]})",
           R"({"enabled":true,"config":"websdk"})",
           R"({"enabled":true,"config":{"kyc_mode":"websdk"}})",
           R"({"enabled":true,"config":{"Mode":"websdk"}})",
           R"({"enabled":true,"config":{"mode":"websdk","level":"x"}})",
           R"({"enabled":true,"config":{"mode":"WebSDK"}})",
           R"({"enabled":true,"config":{"mode":"WEBSDK"}})",
           R"({"enabled":true,"config":{"mode":"document-only"}})",
           R"({"enabled":true,"config":{"mode":" websdk"}})",
           R"({"enabled":true,"config":{"mode":""}})",
           R"({"enabled":true,"config":{"mode":null}})",
           R"({"enabled":true,"config":{"mode":["websdk"]}})",
           R"({"enabled":true,"config":{"mode":1}})",
       }) {
    const absl::Status status = ParseFeatureSetting(body).status();
    EXPECT_EQ(base::ReasonOf(status), v1::ERROR_REASON_FEATURE_CONFIG_INVALID)
        << body;
    EXPECT_NE(std::string(status.message())
                  .find("one of: websdk, hybrid, document_only"),
              std::string::npos)
        << status;
  }
}

TEST(FeatureTest, TellsBrokenJsonFromWrongValues) {
  for (const char* body :
       {"", " ", "{", "{\"enabled\":true", "enabled=true", "{'enabled':true}",
        "{\"enabled\":true}}", "{\"enabled\":true,}",
        "{\"enabled\":true,\"enabled\":false}", "{\"enabled\":tru}"}) {
    EXPECT_EQ(base::ReasonOf(ParseFeatureSetting(body).status()),
              v1::ERROR_REASON_REQUEST_VALIDATION_FAILED)
        << body;
  }
}

TEST(FeatureTest, ADisabledFeatureLeavesTheDefaultMode) {
  EXPECT_EQ(ModeOf({true, Mode::kHybrid}), Mode::kHybrid);
  EXPECT_EQ(ModeOf({false, Mode::kHybrid}), std::nullopt);
  EXPECT_EQ(ModeOf({true, {}}), std::nullopt);
}

TEST(FeatureTest, ThereIsOneFeature) {
  EXPECT_TRUE(CheckFeatureName("kyc").ok());
  for (const char* name : {"", "KYC", "kyc ", "ai_agent"}) {
    EXPECT_EQ(base::ReasonOf(CheckFeatureName(name)),
              v1::ERROR_REASON_FEATURE_NOT_FOUND);
  }
}

TEST(TenantTest, IdsAreShortAndPlain) {
  const std::string longest(64, 'a');
  EXPECT_TRUE(CheckTenant({"org_1", "env-A"}).ok());
  EXPECT_TRUE(CheckTenant({longest, longest}).ok());
  for (const std::string& id :
       {std::string(), longest + "a", std::string("a b"), std::string("a:b"),
        std::string("{a}"), std::string("a/b"), std::string("\xc3\xa4"),
        std::string("a\0", 2)}) {
    EXPECT_FALSE(IsTenantId(id)) << id;
    EXPECT_EQ(base::ReasonOf(CheckTenant({id, "e"})),
              v1::ERROR_REASON_REQUEST_VALIDATION_FAILED);
    EXPECT_FALSE(CheckTenant({"o", id}).ok());
  }
}

}  // namespace
}  // namespace kyc::domain
