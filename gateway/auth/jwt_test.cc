#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "gateway/auth/jwks.h"
#include "gateway/auth/jwt_for_test.h"
#include "gateway/auth/jwt_verifier.h"

namespace kyc::gateway {
namespace {

constexpr int64_t kNow = 1'800'000'000;  // Seconds.
constexpr int64_t kNowMs = kNow * 1000;
constexpr char kIssuer[] = "https://login.example";
constexpr char kAudience[] = "app-1";

std::string Claims(int64_t expiry_offset = 600, std::string_view more = "",
                   std::string_view subject = "usr_1") {
  std::string claims = "{\"sub\":\"" + std::string(subject) +
                       "\",\"iss\":\"https://login.example\","
                       "\"aud\":\"app-1\",\"exp\":" +
                       std::to_string(kNow + expiry_offset);
  if (!more.empty()) claims += "," + std::string(more);
  return claims + "}";
}

const TestKey& Rsa() {
  static const TestKey& key = *new TestKey(TestKey::Type::kRsa2048, "rsa-1");
  return key;
}
const TestKey& Ec() {
  static const TestKey& key = *new TestKey(TestKey::Type::kP256, "ec-1");
  return key;
}
const TestKey& Ed() {
  static const TestKey& key = *new TestKey(TestKey::Type::kEd25519, "ed-1");
  return key;
}

const KeySet& Keys() {
  static const KeySet& keys = *new KeySet(
      KeySet::Parse(JwksOf({Rsa().Jwk(R"("use":"sig","alg":"RS256")"),
                            Ec().Jwk(), Ed().Jwk()}))
          .value());
  return keys;
}

absl::StatusOr<VerifiedToken> Verify(std::string_view token,
                                     int64_t now_ms = kNowMs) {
  static const JwtVerifier& verifier = *new JwtVerifier(kIssuer, kAudience);
  return verifier.Verify(token, Keys(), now_ms);
}

std::string Header(std::string_view algorithm, std::string_view id,
                   std::string_view more = "") {
  std::string header = "{\"alg\":\"" + std::string(algorithm) +
                       "\",\"kid\":\"" + std::string(id) + "\"";
  if (!more.empty()) header += "," + std::string(more);
  return header + "}";
}

TEST(JwtTest, TakesEveryAlgorithmOfItsKeyType) {
  for (const TestKey* key : {&Rsa(), &Ec(), &Ed()}) {
    const absl::StatusOr<VerifiedToken> token = Verify(key->Token(Claims()));
    ASSERT_TRUE(token.ok()) << key->algorithm() << token.status();
    EXPECT_EQ(token->subject, "usr_1");
    EXPECT_EQ(token->refused_from_ms, (kNow + 600 + 60) * 1000);
  }
}

TEST(JwtTest, RefusesOtherAlgorithmsThanTheKeys) {
  for (const char* algorithm :
       {"none", "None", "nOnE", "NONE", "", "HS256", "HS512", "RS512", "PS256",
        "ES256", "EdDSA", "rs256", "RS256 "}) {
    const std::string text = EncodeBase64Url(Header(algorithm, "rsa-1")) + "." +
                             EncodeBase64Url(Claims());
    EXPECT_FALSE(Verify(text + ".").ok()) << algorithm;
    EXPECT_FALSE(Verify(text + "." + EncodeBase64Url(Rsa().Sign(text))).ok())
        << algorithm;
  }
  EXPECT_FALSE(Verify(Rsa().TokenWith(R"({"kid":"rsa-1"})", Claims())).ok());
  EXPECT_FALSE(
      Verify(Rsa().TokenWith(R"({"alg":["RS256"],"kid":"rsa-1"})", Claims()))
          .ok());
  EXPECT_FALSE(Verify(Ec().TokenWith(Header("RS256", "ec-1"), Claims())).ok());
  // Signed well, but under the name of a key of another type.
  EXPECT_FALSE(Verify(Ed().TokenWith(Header("EdDSA", "ec-1"), Claims())).ok());
}

TEST(JwtTest, RefusesAnHmacMadeWithThePublicKey) {
  for (const std::string& key : {Rsa().PublicPem(), Rsa().Jwk()}) {
    for (const char* algorithm : {"HS256", "RS256"}) {
      const std::string text = EncodeBase64Url(Header(algorithm, "rsa-1")) +
                               "." + EncodeBase64Url(Claims());
      EXPECT_FALSE(
          Verify(text + "." + EncodeBase64Url(HmacSha256(key, text))).ok());
    }
  }
}

TEST(JwtTest, RefusesEverySignatureButTheKeys) {
  for (const TestKey* key : {&Rsa(), &Ec(), &Ed()}) {
    const std::string token = key->Token(Claims());
    const size_t dot = token.rfind('.');
    const std::string text = token.substr(0, dot);
    const std::string signature = key->Sign(text);
    EXPECT_FALSE(Verify(text + ".").ok());
    EXPECT_FALSE(Verify(text).ok());
    for (size_t size :
         {size_t{1}, signature.size() / 2, signature.size() - 1}) {
      EXPECT_FALSE(
          Verify(text + "." + EncodeBase64Url(signature.substr(0, size))).ok());
    }
    EXPECT_FALSE(Verify(text + "." + EncodeBase64Url(signature + '\0')).ok());
    EXPECT_FALSE(Verify(text + "." + EncodeBase64Url('\0' + signature)).ok());
    EXPECT_FALSE(Verify(text + "." +
                        EncodeBase64Url(std::string(signature.size(), '\0')))
                     .ok());
    for (size_t i = 0; i < signature.size(); i += 7) {
      std::string other = signature;
      other[i] = static_cast<char>(other[i] ^ 1);
      EXPECT_FALSE(Verify(text + "." + EncodeBase64Url(other)).ok());
    }
    // The same signature under other claims or another header.
    EXPECT_FALSE(Verify(EncodeBase64Url(Header(key->algorithm(), key->id())) +
                        "." + EncodeBase64Url(Claims(600, "", "usr_2")) + "." +
                        EncodeBase64Url(signature))
                     .ok());
  }
  const TestKey stranger(TestKey::Type::kRsa2048, "rsa-1");
  EXPECT_FALSE(Verify(stranger.Token(Claims())).ok());
  const TestKey ec_stranger(TestKey::Type::kP256, "ec-1");
  EXPECT_FALSE(Verify(ec_stranger.Token(Claims())).ok());
}

TEST(JwtTest, RefusesDerSignatures) {
  const std::string text = EncodeBase64Url(Header("ES256", "ec-1")) + "." +
                           EncodeBase64Url(Claims());
  EXPECT_FALSE(Verify(text + "." + EncodeBase64Url(Ec().SignDer(text))).ok());
}

TEST(JwtTest, HasOneSpelling) {
  const std::string alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const std::string token = Ec().Token(Claims());
  ASSERT_TRUE(Verify(token).ok());
  for (const char* more : {"=", "==", ".", " ", "\n", "A", "\t"}) {
    EXPECT_FALSE(Verify(token + more).ok()) << more;
    EXPECT_FALSE(Verify(more + token).ok()) << more;
  }
  // 64 bytes are 86 characters, of which the last has four bits to spare.
  for (char last : alphabet) {
    std::string other = token;
    other.back() = last;
    EXPECT_EQ(Verify(other).ok(), other == token) << last;
  }
  std::string padded = token;
  padded.insert(padded.find('.'), "=");
  EXPECT_FALSE(Verify(padded).ok());
  // Another alphabet.
  std::string classic = token;
  for (char& c : classic) {
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  EXPECT_EQ(Verify(classic).ok(), classic == token);
  EXPECT_FALSE(Verify("").ok());
  EXPECT_FALSE(Verify("..").ok());
  EXPECT_FALSE(Verify("....").ok());
  EXPECT_FALSE(Verify("Bearer " + token).ok());
}

TEST(JwtTest, RefusesHugeTokens) {
  const std::string more = "\"x\":\"" + std::string(7000, 'x') + "\"";
  const std::string token = Ec().Token(Claims(600, more));
  ASSERT_GT(token.size(), kMaxTokenBytes);
  EXPECT_FALSE(Verify(token).ok());
  const std::string fits = "\"x\":\"" + std::string(5500, 'x') + "\"";
  EXPECT_TRUE(Verify(Ec().Token(Claims(600, fits))).ok());
}

TEST(JwtTest, AsksForAKnownKid) {
  for (const char* id :
       {"nobody", "../../etc/passwd", "https://evil.example/k.json",
        "x' OR '1'='1", "RSA-1", "rsa-1 "}) {
    const absl::Status status =
        Verify(Rsa().TokenWith(Header("RS256", id), Claims())).status();
    EXPECT_TRUE(absl::IsNotFound(status)) << id;
  }
  for (const char* header :
       {R"({"alg":"RS256"})", R"({"alg":"RS256","kid":null})",
        R"({"alg":"RS256","kid":1})", R"({"alg":"RS256","kid":""})",
        R"({"alg":"RS256","kid":["rsa-1"]})"}) {
    EXPECT_TRUE(absl::IsUnauthenticated(
        Verify(Rsa().TokenWith(header, Claims())).status()))
        << header;
  }
}

TEST(JwtTest, IgnoresKeysThatTheTokenBrings) {
  const TestKey own(TestKey::Type::kRsa2048, "rsa-1");
  for (const std::string& more :
       {"\"jwk\":" + own.Jwk(), std::string("\"jku\":\"http://evil.example\""),
        std::string("\"x5u\":\"http://evil.example\"")}) {
    EXPECT_FALSE(
        Verify(own.TokenWith(Header("RS256", "rsa-1", more), Claims())).ok());
  }
}

TEST(JwtTest, RefusesCriticalExtensionsAndOtherTypes) {
  for (const char* more :
       {R"("crit":["exp"])", R"("crit":[])", R"("crit":null)",
        R"("b64":false,"crit":["b64"])", R"("typ":"logout+jwt")",
        R"("typ":"dpop+jwt")", R"("typ":1)", R"("typ":"")"}) {
    EXPECT_FALSE(
        Verify(Ec().TokenWith(Header("ES256", "ec-1", more), Claims())).ok())
        << more;
  }
  for (const char* more : {R"("typ":"jwt")", R"("typ":"at+jwt")",
                           R"("typ":"application/at+JWT")", R"("cty":"x")"}) {
    EXPECT_TRUE(
        Verify(Ec().TokenWith(Header("ES256", "ec-1", more), Claims())).ok())
        << more;
  }
}

TEST(JwtTest, RefusesRepeatedMembersAndBrokenJson) {
  EXPECT_FALSE(Verify(Ec().Token(Claims(600, R"("sub":"usr_2")"))).ok());
  EXPECT_FALSE(Verify(Ec().Token(Claims(600, R"("exp":1)"))).ok());
  EXPECT_FALSE(
      Verify(Ec().TokenWith(R"({"alg":"ES256","alg":"ES256","kid":"ec-1"})",
                            Claims()))
          .ok());
  for (const char* claims : {"", "{", "[]", "null", "\"x\"", "{}x",
                             "{\"sub\":\"\xFF\",\"exp\":9999999999}"}) {
    EXPECT_FALSE(Verify(Ec().Token(claims)).ok()) << claims;
  }
  const std::string deep = std::string(3000, '[') + std::string(3000, ']');
  EXPECT_FALSE(Verify(Ec().Token(Claims(600, "\"x\":" + deep))).ok());
}

TEST(JwtTest, ChecksTimesWithSkew) {
  EXPECT_TRUE(Verify(Ec().Token(Claims(-59))).ok());
  EXPECT_FALSE(Verify(Ec().Token(Claims(-60))).ok());
  EXPECT_FALSE(Verify(Ec().Token(Claims(-100000))).ok());
  const auto with = [](const char* claim, int64_t offset) {
    return Ec().Token(Claims(600, "\"" + std::string(claim) +
                                      "\":" + std::to_string(kNow + offset)));
  };
  for (const char* claim : {"nbf", "iat"}) {
    EXPECT_TRUE(Verify(with(claim, -1000)).ok());
    EXPECT_TRUE(Verify(with(claim, 60)).ok());
    EXPECT_FALSE(Verify(with(claim, 61)).ok());
  }
  // Verified once, it is refused from the time it says.
  const std::string token = Ec().Token(Claims(10));
  const VerifiedToken verified = Verify(token).value();
  EXPECT_TRUE(Verify(token, verified.refused_from_ms - 1).ok());
  EXPECT_FALSE(Verify(token, verified.refused_from_ms).ok());
}

TEST(JwtTest, RequiresAnExpiryThatIsANumber) {
  const std::string begin =
      R"({"sub":"u","iss":"https://login.example","aud":"app-1")";
  for (const char* rest :
       {"}", R"(,"exp":null})", R"(,"exp":"1900000000"})", R"(,"exp":true})",
        R"(,"exp":-1})", R"(,"exp":1e400})", R"(,"exp":99999999999999999999})",
        R"(,"exp":[1900000000]})", R"(,"exp":1900000000,"nbf":"1"})",
        R"(,"exp":1900000000,"iat":null})"}) {
    EXPECT_FALSE(Verify(Ec().Token(begin + rest)).ok()) << rest;
  }
  EXPECT_TRUE(
      Verify(Ec().Token(begin + R"(,"exp":9223372036854775807})")).ok());
}

// RFC 7519 §2: a NumericDate may have a fraction.
TEST(JwtTest, TakesTimesWithFractions) {
  const std::string begin =
      R"({"sub":"u","iss":"https://login.example","aud":"app-1")";
  for (const char* rest :
       {R"(,"exp":1900000000.25})", R"(,"exp":1.9e9})",
        R"(,"exp":1900000000,"nbf":1799999999.5,"iat":1799999999.999})"}) {
    EXPECT_TRUE(Verify(Ec().Token(begin + rest)).ok()) << rest;
  }
  for (const char* rest :
       {R"(,"exp":1700000000.75})",
        R"(,"exp":1900000000,"nbf":1800000061.5})"}) {
    EXPECT_FALSE(Verify(Ec().Token(begin + rest)).ok()) << rest;
  }
}

TEST(JwtTest, ChecksIssuerAndAudienceWhereConfigured) {
  const auto token = [](std::string_view issuer, std::string_view audience) {
    return Ec().Token("{\"sub\":\"u\",\"exp\":1900000000" +
                      std::string(issuer) + std::string(audience) + "}");
  };
  const std::string good_issuer = R"(,"iss":"https://login.example")";
  const std::string good_audience = R"(,"aud":"app-1")";
  EXPECT_TRUE(Verify(token(good_issuer, good_audience)).ok());
  EXPECT_TRUE(Verify(token(good_issuer, R"(,"aud":["x","app-1"])")).ok());
  for (const char* issuer :
       {"", R"(,"iss":"https://login.example/")", R"(,"iss":null)",
        R"(,"iss":["https://login.example"])"}) {
    EXPECT_FALSE(Verify(token(issuer, good_audience)).ok()) << issuer;
  }
  for (const char* audience : {"", R"(,"aud":"app-2")", R"(,"aud":[])",
                               R"(,"aud":"")", R"(,"aud":[["app-1"]])"}) {
    EXPECT_FALSE(Verify(token(good_issuer, audience)).ok()) << audience;
  }
  const JwtVerifier lax("", "");
  EXPECT_TRUE(lax.Verify(token("", ""), Keys(), kNowMs).ok());
}

TEST(JwtTest, TakesAnyTextAsSubject) {
  const auto subject_of = [](std::string_view subject) {
    const absl::StatusOr<VerifiedToken> token =
        Verify(Ec().Token(Claims(600, "", subject)));
    return token.ok() ? token->subject : "(refused)";
  };
  EXPECT_EQ(subject_of("did:privy:c|x y/z;é"), "did:privy:c|x y/z;é");
  EXPECT_EQ(subject_of(std::string(256, 'x')), std::string(256, 'x'));
  EXPECT_EQ(subject_of("\\u00a0\\ud83d\\ude00"), "\u00a0\U0001F600");
  for (const std::string& bad :
       {std::string(), std::string(257, 'x'), std::string("a\\u0000b"),
        std::string("a\\nb"), std::string("\\u007f"), std::string("\\u0085"),
        std::string("\\ud800")}) {
    EXPECT_EQ(subject_of(bad), "(refused)") << bad;
  }
  EXPECT_FALSE(Verify(Ec().Token(R"({"sub":7,"exp":1900000000,)"
                                 R"("iss":"https://login.example",)"
                                 R"("aud":"app-1"})"))
                   .ok());
}

TEST(JwksTest, SkipsWhatCannotVerify) {
  const TestKey small(TestKey::Type::kRsa1024, "small");
  const TestKey other_curve(TestKey::Type::kP384, "p384");
  const std::string id = "\"kid\":\"x\",";
  const std::string bad[] = {
      small.Jwk(),
      other_curve.Jwk(),
      Rsa().Jwk(R"("use":"enc")"),
      Rsa().Jwk(R"("use":1)"),
      Rsa().Jwk(R"("alg":"RS512")"),
      Ec().Jwk(R"("alg":"RS256")"),
      "{" + id + R"("kty":"oct","k":"c2VjcmV0"})",
      "{" + id + R"("kty":"EC","crv":"P-256"})",
      "{" + id + R"("kty":"OKP","crv":"Ed25519","x":"AAAA"})",
      "{" + id + R"("kty":"OKP","crv":"X25519","x":")" +
          EncodeBase64Url(std::string(32, '\x09')) + "\"}",
      // Not on the curve.
      "{" + id + R"("kty":"EC","crv":"P-256","x":")" +
          EncodeBase64Url(std::string(32, '\x01')) + R"(","y":")" +
          EncodeBase64Url(std::string(32, '\x01')) + "\"}",
      // Even modulus, exponent 1.
      "{" + id + R"("kty":"RSA","e":"AQAB","n":")" +
          EncodeBase64Url(std::string(256, '\xFE')) + "\"}",
      "{" + id + R"("kty":"RSA","e":"AQ","n":")" +
          EncodeBase64Url(std::string(256, '\xFF')) + "\"}",
      "7",
      "null",
  };
  for (const std::string& jwk : bad) {
    EXPECT_FALSE(KeySet::Parse(JwksOf({jwk})).ok()) << jwk;
    const absl::StatusOr<KeySet> set = KeySet::Parse(JwksOf({jwk, Ed().Jwk()}));
    ASSERT_TRUE(set.ok()) << jwk;
    EXPECT_EQ(set->size(), 1u);
    EXPECT_NE(set->Find("ed-1"), nullptr);
  }
}

TEST(JwksTest, RefusesWhatIsNoSet) {
  for (const char* text : {"", "{}", "[]", "{\"keys\":{}}", "{\"keys\":[]}",
                           "{\"keys\":null}", "not json"}) {
    EXPECT_FALSE(KeySet::Parse(text).ok()) << text;
  }
}

TEST(JwksTest, OfOneKidTheFirstCounts) {
  const TestKey second(TestKey::Type::kP256, "ec-1");
  const KeySet set = KeySet::Parse(JwksOf({Ec().Jwk(), second.Jwk()})).value();
  EXPECT_EQ(set.size(), 1u);
  EXPECT_TRUE(set.Find("ec-1")->Verify("x", Ec().Sign("x")));
  EXPECT_FALSE(set.Find("ec-1")->Verify("x", second.Sign("x")));
}

}  // namespace
}  // namespace kyc::gateway
