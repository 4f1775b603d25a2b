#include "services/kyc/provider/sumsub/signer.h"

#include <gtest/gtest.h>
#include <openssl/sha.h>

namespace kyc::provider::sumsub {
namespace {

struct Vector {
  const char* name;
  const char* secret;
  int64_t time_s;
  const char* method;
  const char* path;
  const char* body;
  const char* signature;
};

constexpr char kOther[] = "Hej2ch71kG2kTd1iIUDZFNsO5C1lh5Gq";
constexpr char kOwn[] = "k7Vq2LrZ9bXtW4mNc0JdSyHf3GpAeUoB";
constexpr int64_t kTime = 1767225600;

// The first three are published by SumSub's clients (go-sumsub,
// sumsub-client); V1 to V8 were computed with the openssl command.
constexpr Vector kVectors[] = {
    {"go-sumsub", "api_secret", 1712760187, "POST", "/resources/accessTokens",
     R"({"userId":"1000","levelName":"default","ttl":60})",
     "260c8893fb0317e8a714ce3bce9c16821649f1e27a49bd7d926fcf23942628c0"},
    {"sumsub-client", kOther, 1599219016, "POST", "/resources/accessTokens",
     R"({"userId": "123"})",
     "600e8a7e7d46253d468afed77a578e0e89daef2dfd580161d86d7b949b7cb4c1"},
    {"sumsub-client with query", kOther, 1599219016, "POST",
     "/resources/accessTokens?name=value", R"({"userId": "123"})",
     "3f559b485473b32b8e4d0a422fa6201fdb4839e4d23a66d2fb24c97b7baf6a12"},
    {"V1", kOwn, kTime, "GET",
     "/resources/applicants/-;externalUserId=usr_abc123/one", "",
     "c505bae80032f366d36bbd30b656de9cddae63481984f8b7bbb0e45f1de82c50"},
    {"V2", kOwn, kTime, "POST",
     "/resources/accessTokens?userId=usr_abc123&levelName=basic-kyc-level"
     "&ttlInSecs=600",
     "", "6e560d7fe8c17db7ff9b0c295d753a6100516c436151fb11a45d392ec980ed43"},
    {"V3", kOwn, kTime, "POST",
     "/resources/applicants?levelName=basic-kyc-level",
     R"({"externalUserId":"usr_abc123","type":"individual"})",
     "ae6b117e20229adc4d9d4b87264721b96bc2e60fcd04769a05d56dfb60273110"},
    {"V4", kOwn, kTime, "POST",
     "/resources/applicants?levelName=id%20and%20selfie",
     "{\"externalUserId\":\"usr_abc123\",\"fixedInfo\":"
     "{\"firstName\":\"Zo\xc3\xab\"}}",
     "f8f1f6ef30bd5b782539c969ba9b1b95df436c79d6c04033fc95f47bfe01693f"},
    {"V5", kOwn, kTime, "POST", "/resources/accessTokens/sdk",
     R"({"userId":"usr_abc123","levelName":"basic-kyc-level","ttlInSecs":600})",
     "3fb983b83e35208db85c76c82763b5ca51cab539fe3a8a0fad458fb1b51bed8c"},
    {"V7", kOwn, kTime, "POST",
     "/resources/applicants/66f1a0b2c3d4e5f60718293a/status/pending", "",
     "f89dea09090c7a6599aebb1f2f41cbe3e5cc7c91f01512b6833635c97bb1faa7"},
    {"V8", kOwn, kTime, "GET",
     "/resources/inspections/66f1a0b2c3d4e5f60718293a/resources/1880042117", "",
     "c9733b6080434ef36c822d16db9def4cd37061fcb6a8907adbcfdbbb6c61beb0"},
};

TEST(SignerTest, Vectors) {
  for (const Vector& v : kVectors) {
    EXPECT_EQ(
        Sign(base::Secret(v.secret), v.time_s, v.method, v.path, {v.body}),
        v.signature)
        << v.name;
  }
}

// V6: a multipart body with NUL bytes and "\r\n--" inside the file.
TEST(SignerTest, BinaryBody) {
  const std::string dashes = "------kycBoundary0001";
  const std::string disposition = "\r\nContent-Disposition: form-data; name=";
  std::string body =
      dashes + disposition + "\"metadata\"\r\n" +
      "Content-Type: application/json\r\n\r\n" +
      R"({"idDocType":"ID_CARD","idDocSubType":"FRONT_SIDE",)" +
      R"("country":"GBR"})" + "\r\n" + dashes + disposition +
      "\"content\"; filename=\"front.jpg\"\r\n" +
      "Content-Type: image/jpeg\r\n\r\n" +
      std::string("\xff\xd8\xff\xe0\x00\x10JFIF\x00\r\n--\xff\xd9", 17) +
      "\r\n" + dashes + "--\r\n";
  ASSERT_EQ(body.size(), 340u);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(body.data()), body.size(),
         digest);
  std::string hex;
  for (unsigned char byte : digest) {
    char two[3];
    std::snprintf(two, sizeof(two), "%02x", byte);
    hex += two;
  }
  ASSERT_EQ(hex,
            "e6dd43e65fdb72511e04f33e502da618fa6387178a48bd98d27d61353394ea63");
  EXPECT_EQ(
      Sign(base::Secret(kOwn), kTime, "POST",
           "/resources/applicants/66f1a0b2c3d4e5f60718293a/info/idDoc", {body}),
      "48885cc3b1211dd95980957ae1b624375e80d9b2ee83ae2b2d84c314ebcff0a1");
}

TEST(SignerTest, PiecesOfABodyAreOneBody) {
  const base::Secret key{std::string(kOwn)};
  EXPECT_EQ(Sign(key, kTime, "POST", "/a", {"one", "", "two"}),
            Sign(key, kTime, "POST", "/a", {"onetwo"}));
}

TEST(SignerTest, EverythingCounts) {
  const base::Secret key{std::string(kOwn)};
  const std::string base = Sign(key, kTime, "GET", "/a?b=1", {"x"});
  EXPECT_EQ(base.size(), 64u);
  EXPECT_NE(base, Sign(key, kTime + 1, "GET", "/a?b=1", {"x"}));
  EXPECT_NE(base, Sign(key, kTime, "PUT", "/a?b=1", {"x"}));
  EXPECT_NE(base, Sign(key, kTime, "GET", "/a?b=2", {"x"}));
  EXPECT_NE(base, Sign(key, kTime, "GET", "/a?b=1", {"y"}));
  EXPECT_NE(base, Sign(base::Secret("other"), kTime, "GET", "/a?b=1", {"x"}));
}

TEST(PercentEncodeTest, KeepsTheUnreservedOnly) {
  const std::string unreserved = "azAZ09-._~";
  EXPECT_EQ(PercentEncode(unreserved), unreserved);
  EXPECT_EQ(PercentEncode("auth0|a b/c;d?e#f%g+h"),
            "auth0%7Ca%20b%2Fc%3Bd%3Fe%23f%25g%2Bh");
  EXPECT_EQ(PercentEncode("Zo\xc3\xab"), "Zo%C3%AB");
  EXPECT_EQ(PercentEncode(std::string_view("\0\n\x7f", 3)), "%00%0A%7F");
  EXPECT_EQ(PercentEncode(""), "");
}

}  // namespace
}  // namespace kyc::provider::sumsub
