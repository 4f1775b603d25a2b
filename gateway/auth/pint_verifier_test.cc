#include "gateway/auth/pint_verifier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "gateway/auth/jwt_for_test.h"
#include "services/base/error.h"

namespace kyc::gateway {
namespace {

constexpr int64_t kNow = 1'800'000'000;  // Seconds.
constexpr char kScope[] = "sr:us:pint:identity:kyc_read";

const TestKey& Signer() {
  static const TestKey& key = *new TestKey(TestKey::Type::kP256, "sis-1");
  return key;
}
const TestKey& Rsa() {
  static const TestKey& key = *new TestKey(TestKey::Type::kRsa2048, "rsa-1");
  return key;
}

const KeySet& Keys() {
  static const KeySet& keys =
      *new KeySet(KeySet::Parse(JwksOf({Signer().Jwk(), Rsa().Jwk()})).value());
  return keys;
}

// The members of a good token; `name` has the value `json` instead, or is left
// out for "".
std::string Claims(std::string_view name = "", std::string_view json = "") {
  const std::pair<std::string_view, std::string> members[] = {
      {"iss", R"("https://sis.example")"},
      {"sub",
       R"("sr:us:person:safe:0x5FbDB2315678afecb367f032d93F642f64180aa3")"},
      {"aud", R"("partner.example")"},
      {"jti", R"("tok_1")"},
      {"iat", std::to_string(kNow)},
      {"exp", std::to_string(kNow + 600)},
      {"wallet", R"("0x5FbDB2315678afecb367f032d93F642f64180aa3")"},
      {"scopes", R"(["sr:us:pint:identity:kyc_read?a=1"])"},
      {"pint_uri", R"("sr:us:pint:9f31")"},
      {"kyc_status", R"("verified")"}};
  std::string claims = "{";
  for (const auto& [key, value] : members) {
    const std::string_view text = key == name ? json : value;
    if (text.empty()) continue;
    if (claims.size() > 1) claims += ",";
    claims += "\"" + std::string(key) + "\":" + std::string(text);
  }
  return claims + "}";
}

absl::StatusOr<v1::PintGrant> Verify(
    std::string_view token, std::string_view audience = "partner.example",
    int64_t now_ms = kNow * 1000) {
  static const PintVerifier& verifier =
      *new PintVerifier("https://sis.example");
  return verifier.Verify(token, Keys(), audience, now_ms);
}

TEST(PintVerifierTest, ReadsWhatTheTokenGrants) {
  const absl::StatusOr<v1::PintGrant> grant = Verify(Signer().Token(Claims()));
  ASSERT_TRUE(grant.ok()) << grant.status();
  EXPECT_EQ(grant->pint_id(), "sr:us:pint:9f31");
  EXPECT_EQ(grant->jti(), "tok_1");
  EXPECT_EQ(grant->subject(),
            "sr:us:person:safe:0x5FbDB2315678afecb367f032d93F642f64180aa3");
  EXPECT_EQ(grant->wallet(), "0x5FbDB2315678afecb367f032d93F642f64180aa3");
  EXPECT_THAT(grant->scopes(),
              ::testing::ElementsAre("sr:us:pint:identity:kyc_read?a=1"));
  EXPECT_EQ(grant->audience(), "partner.example");
  EXPECT_EQ(grant->expires_at_ms(), (kNow + 600) * 1000);
}

TEST(PintVerifierTest, TakesEs256Alone) {
  // A good signature of a key in the set, and yet not how these are signed.
  EXPECT_FALSE(Verify(Rsa().Token(Claims())).ok());
  for (const char* algorithm : {"none", "HS256", "RS256", "ES384", "es256"}) {
    EXPECT_FALSE(
        Verify(Signer().TokenWith("{\"alg\":\"" + std::string(algorithm) +
                                      "\",\"kid\":\"sis-1\"}",
                                  Claims()))
            .ok())
        << algorithm;
  }
  const TestKey stranger(TestKey::Type::kP256, "sis-1");
  EXPECT_FALSE(Verify(stranger.Token(Claims())).ok());
  const TestKey unknown(TestKey::Type::kP256, "sis-2");
  EXPECT_TRUE(absl::IsNotFound(Verify(unknown.Token(Claims())).status()));
}

TEST(PintVerifierTest, EndsToTheSecond) {
  const std::string token = Signer().Token(Claims());
  EXPECT_TRUE(Verify(token, "partner.example", (kNow + 600) * 1000 - 1).ok());
  EXPECT_FALSE(Verify(token, "partner.example", (kNow + 600) * 1000).ok());
  for (const char* exp : {"", "null", "0", "-1", "\"1900000000\"", "1e400",
                          "99999999999999999999", "9223372036854775807"}) {
    EXPECT_FALSE(Verify(Signer().Token(Claims("exp", exp))).ok()) << exp;
  }
  // The clocks of two machines.
  EXPECT_TRUE(
      Verify(Signer().Token(Claims("iat", std::to_string(kNow + 60)))).ok());
  EXPECT_FALSE(
      Verify(Signer().Token(Claims("iat", std::to_string(kNow + 61)))).ok());
}

TEST(PintVerifierTest, IsForItsCallerAlone) {
  const std::string token = Signer().Token(Claims());
  for (const char* audience : {"", "other.example", "partner.example ",
                               "Partner.example", "partner.exampl"}) {
    EXPECT_FALSE(Verify(token, audience).ok()) << audience;
  }
  for (const char* aud : {"", "null", "\"\"", R"(["partner.example"])",
                          R"("other.example")", "7"}) {
    EXPECT_FALSE(Verify(Signer().Token(Claims("aud", aud))).ok()) << aud;
  }
  // A caller without an audience is nobody's, also not an empty one's.
  EXPECT_FALSE(Verify(Signer().Token(Claims("aud", "\"\"")), "").ok());
}

TEST(PintVerifierTest, EveryClaimIsThereAndOfItsType) {
  for (const char* name :
       {"iss", "sub", "aud", "jti", "wallet", "scopes", "pint_uri", "exp"}) {
    for (const char* json : {"", "null", "7", "{}", "\"\"", "\"a\\u0000b\""}) {
      EXPECT_FALSE(Verify(Signer().Token(Claims(name, json))).ok())
          << name << "=" << json;
    }
  }
  for (const char* scopes : {R"("sr:us:pint:identity:kyc_read")", "[7]",
                             "[null]", R"([["a"]])", R"([""])"}) {
    EXPECT_FALSE(Verify(Signer().Token(Claims("scopes", scopes))).ok())
        << scopes;
  }
  EXPECT_TRUE(Verify(Signer().Token(Claims("scopes", "[]"))).ok());
  std::string many = "[\"s\"";
  for (int i = 0; i < 64; ++i) many += ",\"s\"";
  EXPECT_FALSE(Verify(Signer().Token(Claims("scopes", many + "]"))).ok());
}

TEST(CheckPintScopeTest, ParametersDoNotMatter) {
  const auto has = [](std::string scope) {
    v1::PintGrant grant;
    grant.add_scopes("sr:us:pint:identity:proof_of_personhood");
    grant.add_scopes(std::move(scope));
    return CheckPintScope(grant, kScope).ok();
  };
  EXPECT_TRUE(has("sr:us:pint:identity:kyc_read"));
  EXPECT_TRUE(has("sr:us:pint:identity:kyc_read?"));
  EXPECT_TRUE(has("sr:us:pint:identity:kyc_read?max=1&asset=x%20y"));
  for (const char* scope :
       {"", "?", "sr:us:pint:identity:kyc_rea", "sr:us:pint:identity:kyc_read2",
        "sr:us:pint:identity:kyc_status", "sr:eu:pint:identity:kyc_read",
        "SR:us:pint:identity:kyc_read", "x?sr:us:pint:identity:kyc_read",
        "sr:us:pint:identity:kyc_read#a"}) {
    EXPECT_FALSE(has(scope)) << scope;
  }
  const absl::Status missing = CheckPintScope({}, kScope);
  EXPECT_EQ(base::ReasonOf(missing), v1::ERROR_REASON_PINT_SCOPE_MISSING);
  EXPECT_EQ(missing.message(),
            "PINT token missing sr:us:pint:identity:kyc_read scope");
}

}  // namespace
}  // namespace kyc::gateway
