#include "services/kyc/domain/api_key.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <string>

#include "services/base/error.h"

namespace kyc::domain {
namespace {

KeyEntropy AnyEntropy() {
  KeyEntropy entropy;
  for (unsigned char& byte : entropy) {
    byte = *rc::gen::arbitrary<unsigned char>();
  }
  return entropy;
}

TEST(ApiKeyTest, ATextIsPrefixEntropyAndChecksum) {
  // The checksum is zlib's crc32 of the rest, in base 32.
  EXPECT_EQ(MakeKeyText(KeyEntropy{}).Reveal(),
            "kyc_live_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaahbijmua");
  KeyEntropy ones;
  ones.fill(0xFF);
  EXPECT_EQ(MakeKeyText(ones).Reveal().substr(0, 49),
            "kyc_live_7777777777777777777777777777777777777777");
  EXPECT_EQ(MakeKeyId({}), "key_aaaaaaaaaaaaaaaa");
}

RC_GTEST_PROP(ApiKeyTest, EveryTextMadeIsOne, ()) {
  RC_ASSERT(IsKeyText(MakeKeyText(AnyEntropy()).Reveal()));
}

RC_GTEST_PROP(ApiKeyTest, NoTextWithOneWrongCharacterIsOne, ()) {
  std::string text(MakeKeyText(AnyEntropy()).Reveal());
  const size_t at = *rc::gen::inRange<size_t>(0, text.size());
  const char wrong = *rc::gen::arbitrary<char>();
  RC_PRE(text[at] != wrong);
  text[at] = wrong;
  RC_ASSERT(!IsKeyText(text));
}

RC_GTEST_PROP(ApiKeyTest, AnyOtherTextIsNone, ()) {
  RC_ASSERT(!IsKeyText(*rc::gen::arbitrary<std::string>()));
  const std::string text(MakeKeyText(AnyEntropy()).Reveal());
  RC_ASSERT(!IsKeyText(text + "a"));
  RC_ASSERT(!IsKeyText(text.substr(1)));
  RC_ASSERT(!IsKeyText(text.substr(0, text.size() - 1)));
}

TEST(ApiKeyTest, ScopesAreStoredWithoutPrefixOnceAndInOrder) {
  const auto scopes = ParseScopes(
      {"manage_keys", "sis.get_kyc", "get_kyc", "sis.manage_features"});
  ASSERT_TRUE(scopes.ok());
  EXPECT_EQ(*scopes, (std::vector<std::string>{"get_kyc", "manage_features",
                                               "manage_keys"}));
  EXPECT_EQ(*ParseScopes(ApiScopes()), ApiScopes());
  EXPECT_EQ(*ParseScopes(PartnerScopes()), PartnerScopes());
}

TEST(ApiKeyTest, RefusesUnknownScopesAndNone) {
  EXPECT_EQ(base::ReasonOf(ParseScopes({}).status()),
            v1::ERROR_REASON_API_KEY_NO_SCOPES);
  for (const char* name : {"", "sis.", "GET_KYC", "sis.sis.get_kyc",
                           "rpc.get_kyc", "get_kyc ", "*", "admin"}) {
    const absl::Status status = ParseScopes({"lookup", name}).status();
    EXPECT_EQ(base::ReasonOf(status), v1::ERROR_REASON_API_KEY_SCOPE_UNKNOWN)
        << name;
    ASSERT_EQ(base::ExtrasOf(status).violations.size(), 1u);
    EXPECT_EQ(base::ExtrasOf(status).violations[0].name, "/scopes/1");
  }
}

TEST(ApiKeyTest, ChecksNameAudienceAndTenant) {
  ApiKey key;
  key.name = "backend";
  key.tenant = {"org", "env"};
  EXPECT_TRUE(CheckNewApiKey(key).ok());
  key.audience = std::string(255, 'a');
  key.name = std::string(100, 'n');
  EXPECT_TRUE(CheckNewApiKey(key).ok());
  const auto refused = [](ApiKey wrong) {
    return base::ReasonOf(CheckNewApiKey(wrong)) ==
           v1::ERROR_REASON_REQUEST_VALIDATION_FAILED;
  };
  for (const std::string& text :
       {std::string(256, 'x'), std::string("a\nb"), std::string("\xff"),
        std::string("a\0b", 3)}) {
    ApiKey wrong = key;
    wrong.name = text;
    EXPECT_TRUE(refused(wrong));
    wrong = key;
    wrong.audience = text;
    EXPECT_TRUE(refused(wrong));
  }
  ApiKey wrong = key;
  wrong.name.clear();
  EXPECT_TRUE(refused(wrong));
  wrong = key;
  wrong.tenant.env_id = "a:b";
  EXPECT_TRUE(refused(wrong));
}

}  // namespace
}  // namespace kyc::domain
