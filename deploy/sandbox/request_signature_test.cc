#include "deploy/sandbox/request_signature.h"

#include <string>

#include "deploy/sandbox/crypto.h"
#include "gtest/gtest.h"

namespace kyc::sandbox {
namespace {

constexpr int64_t kNowMs = 1'767'225'600'000;
constexpr char kTs[] = "1767225600";
constexpr char kOwnSecret[] = "k7Vq2LrZ9bXtW4mNc0JdSyHf3GpAeUoB";

struct Vector {
  const char* secret;
  const char* ts;
  const char* method;
  const char* target;
  const char* body;
  const char* signature;
};

// The first three are published by clients of SumSub (thrownew/go-sumsub,
// alexeevdv/sumsub-client); the others were computed with the openssl command
// from the documented algorithm.
constexpr Vector kVectors[] = {
    {"api_secret", "1712760187", "POST", "/resources/accessTokens",
     R"({"userId":"1000","levelName":"default","ttl":60})",
     "260c8893fb0317e8a714ce3bce9c16821649f1e27a49bd7d926fcf23942628c0"},
    {"Hej2ch71kG2kTd1iIUDZFNsO5C1lh5Gq", "1599219016", "POST",
     "/resources/accessTokens", R"({"userId": "123"})",
     "600e8a7e7d46253d468afed77a578e0e89daef2dfd580161d86d7b949b7cb4c1"},
    {"Hej2ch71kG2kTd1iIUDZFNsO5C1lh5Gq", "1599219016", "POST",
     "/resources/accessTokens?name=value", R"({"userId": "123"})",
     "3f559b485473b32b8e4d0a422fa6201fdb4839e4d23a66d2fb24c97b7baf6a12"},
    {kOwnSecret, kTs, "GET",
     "/resources/applicants/-;externalUserId=usr_abc123/one", "",
     "c505bae80032f366d36bbd30b656de9cddae63481984f8b7bbb0e45f1de82c50"},
    {kOwnSecret, kTs, "POST",
     "/resources/accessTokens?userId=usr_abc123&levelName=basic-kyc-level&"
     "ttlInSecs=600",
     "", "6e560d7fe8c17db7ff9b0c295d753a6100516c436151fb11a45d392ec980ed43"},
    {kOwnSecret, kTs, "POST", "/resources/applicants?levelName=basic-kyc-level",
     R"({"externalUserId":"usr_abc123","type":"individual"})",
     "ae6b117e20229adc4d9d4b87264721b96bc2e60fcd04769a05d56dfb60273110"},
    {kOwnSecret, kTs, "POST",
     "/resources/applicants?levelName=id%20and%20selfie",
     "{\"externalUserId\":\"usr_abc123\",\"fixedInfo\":{\"firstName\":"
     "\"Zo\xc3\xab\"}}",
     "f8f1f6ef30bd5b782539c969ba9b1b95df436c79d6c04033fc95f47bfe01693f"},
    {kOwnSecret, kTs, "POST", "/resources/accessTokens/sdk",
     R"({"userId":"usr_abc123","levelName":"basic-kyc-level","ttlInSecs":600})",
     "3fb983b83e35208db85c76c82763b5ca51cab539fe3a8a0fad458fb1b51bed8c"},
    {kOwnSecret, kTs, "POST",
     "/resources/applicants/66f1a0b2c3d4e5f60718293a/status/pending", "",
     "f89dea09090c7a6599aebb1f2f41cbe3e5cc7c91f01512b6833635c97bb1faa7"},
    {kOwnSecret, kTs, "GET",
     "/resources/inspections/66f1a0b2c3d4e5f60718293a/resources/1880042117", "",
     "c9733b6080434ef36c822d16db9def4cd37061fcb6a8907adbcfdbbb6c61beb0"},
};

TEST(RequestSignature, MatchesTheVectors) {
  for (const Vector& v : kVectors) {
    EXPECT_EQ(RequestSignature(base::Secret(v.secret), v.ts, v.method, v.target,
                               v.body),
              v.signature)
        << v.target;
  }
}

TEST(RequestSignature, CoversEveryByteOfAMultipartBody) {
  const std::string disposition = "Content-Disposition: form-data;";
  std::string body = "------kycBoundary0001\r\n" + disposition +
                     " name=\"metadata\"\r\nContent-Type: application/json"
                     "\r\n\r\n{\"idDocType\":\"ID_CARD\",\"idDocSubType\":"
                     "\"FRONT_SIDE\",\"country\":\"GBR\"}"
                     "\r\n------kycBoundary0001\r\n" +
                     disposition +
                     " name=\"content\"; filename=\"front.jpg\"\r\n"
                     "Content-Type: image/jpeg\r\n\r\n";
  body += std::string(
      "\xff\xd8\xff\xe0\x00\x10JFIF\x00\x0d\x0a\x2d\x2d\xff\xd9", 17);
  body += "\r\n------kycBoundary0001--\r\n";
  ASSERT_EQ(body.size(), 340u);
  EXPECT_EQ(
      RequestSignature(
          base::Secret(kOwnSecret), kTs, "POST",
          "/resources/applicants/66f1a0b2c3d4e5f60718293a/info/idDoc", body),
      "48885cc3b1211dd95980957ae1b624375e80d9b2ee83ae2b2d84c314ebcff0a1");
}

class CheckRequestTest : public ::testing::Test {
 protected:
  CheckRequestTest()
      : credentials_{base::Secret("sbx:public.private"),
                     base::Secret(kOwnSecret)} {
    Sign();
  }

  void Sign() {
    parts_.signature = {RequestSignature(credentials_.secret_key,
                                         parts_.timestamp[0], parts_.method,
                                         parts_.target, parts_.body)};
  }

  // 0 for a request that is let in.
  int ErrorCodeAt(int64_t now_ms) {
    const Refusal refusal = CheckRequest(credentials_, parts_, now_ms);
    if (!refusal) return 0;
    EXPECT_EQ(refusal->http_status, 401);
    return refusal->error_code;
  }

  Credentials credentials_;
  SignedParts parts_{
      "POST", "/resources/x?a=1", "body", {"sbx:public.private"}, {kTs}, {}};
};

TEST_F(CheckRequestTest, LetsARightRequestInWithinAMinute) {
  EXPECT_EQ(ErrorCodeAt(kNowMs), 0);
  EXPECT_EQ(ErrorCodeAt(kNowMs + 60'000), 0);
  EXPECT_EQ(ErrorCodeAt(kNowMs - 60'000), 0);
  EXPECT_EQ(ErrorCodeAt(kNowMs + 61'000), 4004);
  EXPECT_EQ(ErrorCodeAt(kNowMs - 61'000), 4004);
}

TEST_F(CheckRequestTest, RefusesMillisecondsAndWhatIsNoNumber) {
  parts_.timestamp = {"1767225600000"};
  Sign();
  EXPECT_EQ(ErrorCodeAt(kNowMs), 4004);
  for (const char* text : {"now", "", "-5", "1767225600.5", " 1767225600",
                           "99999999999999999999"}) {
    parts_.timestamp = {text};
    Sign();
    EXPECT_EQ(ErrorCodeAt(kNowMs), 4005) << text;
  }
}

TEST_F(CheckRequestTest, RefusesAnyOtherByte) {
  const SignedParts right = parts_;
  parts_.method = "PATCH";
  EXPECT_EQ(ErrorCodeAt(kNowMs), 4003);
  parts_ = right;
  parts_.target = "/resources/x?a=2";
  EXPECT_EQ(ErrorCodeAt(kNowMs), 4003);
  parts_ = right;
  parts_.body = "body ";
  EXPECT_EQ(ErrorCodeAt(kNowMs), 4003);
  parts_ = right;
  parts_.timestamp = {"1767225601"};
  EXPECT_EQ(ErrorCodeAt(kNowMs), 4003);
}

TEST_F(CheckRequestTest, RefusesSignaturesOfAnotherForm) {
  const std::string right = parts_.signature[0];
  for (const std::string& wrong :
       {std::string(), right.substr(1), right + "0", std::string(64, 'A'),
        std::string(64, 'g')}) {
    parts_.signature = {wrong};
    EXPECT_EQ(ErrorCodeAt(kNowMs), 4007) << wrong;
  }
}

TEST_F(CheckRequestTest, TellsTokensApart) {
  parts_.token = {"sbx:public.other"};
  EXPECT_EQ(ErrorCodeAt(kNowMs), 4002);
  parts_.token = {"sbx:other.private"};
  EXPECT_EQ(ErrorCodeAt(kNowMs), 4001);
  parts_.token = {"sbx:with blank"};
  EXPECT_EQ(ErrorCodeAt(kNowMs), 4000);
}

TEST_F(CheckRequestTest, WantsEachHeaderOnce) {
  const SignedParts right = parts_;
  parts_.token.clear();
  EXPECT_EQ(ErrorCodeAt(kNowMs), 4006);
  parts_ = right;
  parts_.signature.clear();
  EXPECT_EQ(ErrorCodeAt(kNowMs), 4006);
  parts_ = right;
  parts_.timestamp.push_back(kTs);
  EXPECT_EQ(ErrorCodeAt(kNowMs), 4007);
}

TEST(Crypto, KnowsTheWebhookVectors) {
  EXPECT_EQ(HmacHex(DigestAlgorithm::kSha1, "SoMe_SeCrEt_KeY", "someText"),
            "f6e92ffe371718694d46e28436f76589312df8db");
  EXPECT_EQ(HmacHex(DigestAlgorithm::kSha256, "SoMe_SeCrEt_KeY", "someText"),
            "7f3beedce7529616a9d6bba59dc1b054a7247cef67f6acff2600864399f47fe0");
  EXPECT_EQ(HmacHex(DigestAlgorithm::kSha512, "SoMe_SeCrEt_KeY", "someText"),
            "3aae08986027051ca0656d87c4c95f1f15d3ecaf23cf239e5a43fd03a8af28223a"
            "06be1f97624caefd55475c84673773dc10e895a1ab885a3548c58bd7af9ebf");
}

TEST(Crypto, RandomTextHasTheLengthAskedFor) {
  EXPECT_EQ(RandomHex(5).size(), 5u);
  EXPECT_NE(RandomHex(32), RandomHex(32));
  for (int i = 0; i < 1000; ++i) EXPECT_LT(RandomBelow(3), 3u);
}

}  // namespace
}  // namespace kyc::sandbox
