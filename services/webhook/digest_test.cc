#include "services/webhook/digest.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

namespace kyc::webhook {
namespace {

constexpr char kSha1[] = "HMAC_SHA1_HEX";
constexpr char kSha256[] = "HMAC_SHA256_HEX";
constexpr char kSha512[] = "HMAC_SHA512_HEX";

// SumSub's documentation publishes this key, body and SHA-1; the others were
// made with openssl.
constexpr char kKey[] = "SoMe_SeCrEt_KeY";
constexpr char kBody[] = "someText";
constexpr char kBodySha1[] = "f6e92ffe371718694d46e28436f76589312df8db";
constexpr char kBodySha256[] =
    "7f3beedce7529616a9d6bba59dc1b054a7247cef67f6acff2600864399f47fe0";
constexpr char kBodySha512[] =
    "3aae08986027051ca0656d87c4c95f1f15d3ecaf23cf239e5a43fd03a8af28223a06be1f"
    "97624caefd55475c84673773dc10e895a1ab885a3548c58bd7af9ebf";

using Headers = std::vector<std::string_view>;

const std::vector<DigestAlgorithm>& AllAlgorithms() {
  static const auto* const all = new std::vector<DigestAlgorithm>(
      *ParseDigestAlgorithms({kSha1, kSha256, kSha512}));
  return *all;
}

const std::vector<DigestAlgorithm>& DefaultAlgorithms() {
  static const auto* const some = new std::vector<DigestAlgorithm>(
      *ParseDigestAlgorithms({kSha256, kSha512}));
  return *some;
}

std::vector<base::Secret> Secrets(const std::vector<std::string>& keys) {
  std::vector<base::Secret> secrets;
  for (const std::string& key : keys) secrets.emplace_back(key);
  return secrets;
}

bool Verify(std::string_view body, const Headers& digests,
            const Headers& algorithms) {
  return VerifyDigest(body, digests, algorithms, Secrets({kKey}),
                      DefaultAlgorithms());
}

std::string ReadTestFile(const std::string& name) {
  std::ifstream file("services/webhook/testdata/" + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(DigestTest, AcceptsThePublishedVectors) {
  const auto secrets = Secrets({kKey});
  EXPECT_TRUE(
      VerifyDigest(kBody, {kBodySha1}, {kSha1}, secrets, AllAlgorithms()));
  EXPECT_TRUE(
      VerifyDigest(kBody, {kBodySha256}, {kSha256}, secrets, AllAlgorithms()));
  EXPECT_TRUE(
      VerifyDigest(kBody, {kBodySha512}, {kSha512}, secrets, AllAlgorithms()));
}

// Payloads in the provider's own layout, whose bytes a parser would not keep;
// their digests were made with `openssl dgst -hmac`.
TEST(DigestTest, AcceptsTheProvidersPayloadsAndNothingButTheirBytes) {
  const auto secrets = Secrets({"webhook-test-key-0f1e2d3c"});
  std::istringstream table(ReadTestFile("DIGESTS.tsv"));
  std::string line;
  std::getline(table, line);
  ASSERT_EQ(line, "file\tHMAC_SHA1_HEX\tHMAC_SHA256_HEX\tHMAC_SHA512_HEX");
  int files = 0;
  while (std::getline(table, line)) {
    std::istringstream row(line);
    std::string name, sha1, sha256, sha512;
    row >> name >> sha1 >> sha256 >> sha512;
    SCOPED_TRACE(name);
    const std::string body = ReadTestFile(name);
    EXPECT_TRUE(VerifyDigest(body, {sha1}, {kSha1}, secrets, AllAlgorithms()));
    EXPECT_TRUE(
        VerifyDigest(body, {sha256}, {kSha256}, secrets, AllAlgorithms()));
    EXPECT_TRUE(VerifyDigest(body, {sha256}, {}, secrets, AllAlgorithms()));
    EXPECT_TRUE(
        VerifyDigest(body, {sha512}, {kSha512}, secrets, AllAlgorithms()));
    EXPECT_FALSE(
        VerifyDigest(body + "\n", {sha256}, {}, secrets, AllAlgorithms()));
    EXPECT_FALSE(
        VerifyDigest(body, {sha256}, {kSha512}, secrets, AllAlgorithms()));
    ++files;
  }
  EXPECT_EQ(files, 5);
}

TEST(DigestTest, TakesTheBodyAsBytes) {
  const std::string body("a\0b\xff\r\n", 6);
  const auto secrets = Secrets({"k"});
  // printf 'a\0b\377\r\n' | openssl dgst -sha256 -hmac k
  EXPECT_TRUE(VerifyDigest(
      body,
      {"fc21d6c218a7fb73011f9118f4dc5b3482db2d626f23c14b681e81c7e3c7433b"}, {},
      secrets, DefaultAlgorithms()));
  // printf '' | openssl dgst -sha256 -hmac k
  EXPECT_TRUE(VerifyDigest(
      "", {"8bb990c40a7d61cb97597a942125025be50ac8beb74436e3735b98893a7f6620"},
      {}, secrets, DefaultAlgorithms()));
}

TEST(DigestTest, AnAbsentAlgorithmIsSha256) {
  EXPECT_TRUE(Verify(kBody, {kBodySha256}, {}));
  EXPECT_FALSE(Verify(kBody, {kBodySha512}, {}));
}

TEST(DigestTest, RefusesTamperedRequests) {
  ASSERT_TRUE(Verify(kBody, {kBodySha256}, {kSha256}));
  const std::string good = kBodySha256;
  std::string wrong = good;
  wrong[0] = wrong[0] == '0' ? '1' : '0';
  std::string not_hex = good;
  not_hex[10] = 'g';
  std::string upper = good;
  for (char& c : upper) c = static_cast<char>(toupper(c));

  EXPECT_FALSE(Verify(kBody, {}, {kSha256})) << "missing";
  EXPECT_FALSE(Verify(kBody, {""}, {kSha256})) << "empty";
  EXPECT_FALSE(Verify(kBody, {wrong}, {kSha256})) << "wrong";
  EXPECT_FALSE(Verify(kBody, {good.substr(0, 62)}, {kSha256})) << "truncated";
  EXPECT_FALSE(Verify(kBody, {upper}, {kSha256})) << "upper case";
  EXPECT_FALSE(Verify(kBody, {good.substr(0, 63)}, {kSha256})) << "odd length";
  EXPECT_FALSE(Verify(kBody, {not_hex}, {kSha256})) << "not hex";
  EXPECT_FALSE(Verify(kBody, {good}, {"HMAC_MD5_HEX"})) << "unknown algorithm";
  EXPECT_FALSE(Verify(kBody, {kBodySha1}, {kSha1})) << "downgrade";
  EXPECT_FALSE(Verify(kBody, {good, good}, {kSha256})) << "two headers";
  EXPECT_FALSE(Verify("someText\n", {good}, {kSha256})) << "one byte more";
  EXPECT_FALSE(Verify("\"someText\"", {good}, {kSha256})) << "written anew";

  EXPECT_FALSE(Verify(kBody, {good}, {kSha256, kSha256})) << "two algorithms";
  EXPECT_FALSE(Verify(kBody, {good}, {""})) << "empty algorithm";
  EXPECT_FALSE(Verify(kBody, {good}, {"hmac_sha256_hex"})) << "letter case";
  EXPECT_FALSE(Verify(kBody, {good + "00"}, {kSha256})) << "too long";
  EXPECT_FALSE(Verify(kBody, {" " + good}, {kSha256})) << "blank";
}

TEST(DigestTest, AcceptsEverySecretOfTheRotationAndNoOther) {
  const Headers digest = {kBodySha256};
  const auto verify = [&](const std::vector<std::string>& keys) {
    return VerifyDigest(kBody, digest, {}, Secrets(keys), DefaultAlgorithms());
  };
  EXPECT_TRUE(verify({kKey, "new"}));
  EXPECT_TRUE(verify({"new", kKey}));
  EXPECT_TRUE(verify({"newer", kKey, "new"}));
  EXPECT_FALSE(verify({"new"}));
  EXPECT_FALSE(verify({}));
}

TEST(DigestTest, AlgorithmNamesAreChecked) {
  EXPECT_TRUE(ParseDigestAlgorithms({kSha512}).ok());
  EXPECT_FALSE(ParseDigestAlgorithms({}).ok());
  const auto unknown = ParseDigestAlgorithms({kSha256, "HMAC_MD5_HEX"});
  ASSERT_FALSE(unknown.ok());
  EXPECT_NE(unknown.status().message().find("HMAC_MD5_HEX"),
            absl::string_view::npos);
}

}  // namespace
}  // namespace kyc::webhook
