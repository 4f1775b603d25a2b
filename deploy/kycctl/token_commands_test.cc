#include "deploy/kycctl/token_commands.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "deploy/kycctl/jwt.h"
#include "gtest/gtest.h"
#include "services/base/json.h"

// A verifier on OpenSSL's low-level calls, which the product code does not
// use.
#pragma clang diagnostic ignored "-Wdeprecated-declarations"

namespace kyc::kycctl {
namespace {

std::string FromBase64Url(std::string text) {
  for (char& c : text) {
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  const size_t padding = (4 - text.size() % 4) % 4;
  text.append(padding, '=');
  std::string out(text.size(), '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(text.data()),
                      static_cast<int>(text.size()));
  out.resize(size < 0 ? 0 : size - padding);
  return out;
}

BIGNUM* Number(const std::string& bytes) {
  return BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                   static_cast<int>(bytes.size()), nullptr);
}

bool VerifyEs256(const std::string& x, const std::string& y,
                 const std::string& signed_text, const std::string& raw) {
  if (raw.size() != 64) return false;
  EC_KEY* key = EC_KEY_new_by_curve_name(NID_X9_62_prime256v1);
  BIGNUM* bx = Number(x);
  BIGNUM* by = Number(y);
  bool ok = EC_KEY_set_public_key_affine_coordinates(key, bx, by) == 1;
  ECDSA_SIG* pair = ECDSA_SIG_new();
  ECDSA_SIG_set0(pair, Number(raw.substr(0, 32)), Number(raw.substr(32)));
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(signed_text.data()),
         signed_text.size(), digest);
  ok = ok && ECDSA_do_verify(digest, sizeof(digest), pair, key) == 1;
  ECDSA_SIG_free(pair);
  BN_free(bx);
  BN_free(by);
  EC_KEY_free(key);
  return ok;
}

class TokenCommandsTest : public ::testing::Test {
 protected:
  TokenCommandsTest() {
    const char* dir = std::getenv("TEST_TMPDIR");
    const std::string base =
        std::string(dir != nullptr ? dir : "/tmp") + "/" +
        ::testing::UnitTest::GetInstance()->current_test_info()->name();
    key_file_ = base + ".pem";
    jwks_file_ = base + ".json";
    unlink(key_file_.c_str());
    unlink(jwks_file_.c_str());
  }

  int Run(const std::string& command, std::vector<std::string> flags) {
    std::vector<std::string> argv = {"token", command,
                                     "--key_file=" + key_file_};
    argv.insert(argv.end(), flags.begin(), flags.end());
    out_.str("");
    err_.str("");
    return RunCli(TokenCommands(), argv, out_, err_);
  }

  int Keygen() { return Run("keygen", {"--jwks_file=" + jwks_file_}); }

  static std::string Contents(const std::string& path) {
    std::ostringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }

  std::string key_file_;
  std::string jwks_file_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(TokenCommandsTest, MintsATokenThatTheJwksVerifies) {
  ASSERT_EQ(Keygen(), 0) << err_.str();
  ASSERT_EQ(Run("mint", {"--sub=auth0|Zo\xc3\xab", "--iss=https://id",
                         "--aud=kyc", "--ttl=90s"}),
            0)
      << err_.str();
  std::string token = out_.str();
  ASSERT_EQ(token.back(), '\n');
  token.pop_back();
  const size_t first = token.find('.');
  const size_t second = token.find('.', first + 1);
  ASSERT_NE(second, std::string::npos);
  EXPECT_EQ(token.find('='), std::string::npos);

  const auto jwks = *base::JsonDocument::Parse(Contents(jwks_file_));
  const base::JsonValue key = jwks.root()["keys"].Elements()[0];
  EXPECT_EQ(key["kty"].AsString(), "EC");
  EXPECT_EQ(key["crv"].AsString(), "P-256");
  EXPECT_FALSE(key["d"].exists());
  EXPECT_TRUE(VerifyEs256(FromBase64Url(key["x"].StringOr("")),
                          FromBase64Url(key["y"].StringOr("")),
                          token.substr(0, second),
                          FromBase64Url(token.substr(second + 1))));

  const auto header =
      *base::JsonDocument::Parse(FromBase64Url(token.substr(0, first)));
  EXPECT_EQ(header.root()["alg"].AsString(), "ES256");
  EXPECT_EQ(header.root()["kid"].AsString(), key["kid"].AsString());
  const auto claims = *base::JsonDocument::Parse(
      FromBase64Url(token.substr(first + 1, second - first - 1)));
  EXPECT_EQ(claims.root()["sub"].AsString(), "auth0|Zo\xc3\xab");
  EXPECT_EQ(claims.root()["iss"].AsString(), "https://id");
  EXPECT_EQ(claims.root()["aud"].AsString(), "kyc");
  const int64_t issued = claims.root()["iat"].AsInt().value_or(0);
  EXPECT_NEAR(static_cast<double>(issued),
              static_cast<double>(std::time(nullptr)), 5);
  EXPECT_EQ(claims.root()["exp"].AsInt(), issued + 90);
}

TEST_F(TokenCommandsTest, SignaturesKeepTheirLength) {
  const SigningKey key = *SigningKey::Generate();
  // r or s begin with a zero byte once in 128 times: DER drops it, JWS must
  // not.
  for (int i = 0; i < 600; ++i) {
    const std::string token = *key.Sign("k", std::to_string(i));
    ASSERT_EQ(FromBase64Url(token.substr(token.rfind('.') + 1)).size(), 64u);
  }
}

TEST_F(TokenCommandsTest, KeygenKeepsWhatIsThere) {
  ASSERT_EQ(Keygen(), 0);
  const std::string pem = Contents(key_file_);
  const std::string jwks = Contents(jwks_file_);
  struct stat info {};
  ASSERT_EQ(stat(key_file_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(Keygen(), 0);
  EXPECT_EQ(Contents(key_file_), pem);
  EXPECT_EQ(Contents(jwks_file_), jwks);
  unlink(jwks_file_.c_str());
  ASSERT_EQ(Keygen(), 0);
  EXPECT_EQ(Contents(jwks_file_), jwks);
}

TEST_F(TokenCommandsTest, SaysWhatIsWrongWithoutShowingTheKey) {
  EXPECT_EQ(Run("mint", {"--sub=u"}), 1);
  EXPECT_NE(err_.str().find(key_file_), std::string::npos);
  std::ofstream(key_file_) << "-----BEGIN secret-----";
  EXPECT_EQ(Run("mint", {"--sub=u"}), 1);
  EXPECT_EQ(err_.str().find("secret"), std::string::npos);
  EXPECT_EQ(Run("mint", {}), 2);
  for (const char* ttl :
       {"--ttl=soon", "--ttl=0s", "--ttl=-1h", "--ttl=9000h"}) {
    EXPECT_EQ(Run("mint", {"--sub=u", ttl}), 2) << ttl;
  }
}

TEST_F(TokenCommandsTest, TakesAKeyIdAndPrintsJson) {
  ASSERT_EQ(Run("keygen", {"--jwks_file=" + jwks_file_, "--kid=mine"}), 0);
  EXPECT_NE(Contents(jwks_file_).find(R"("kid":"mine")"), std::string::npos);
  ASSERT_EQ(Run("mint", {"--sub=u", "--kid=mine", "--json"}), 0);
  const auto printed = *base::JsonDocument::Parse(out_.str());
  EXPECT_EQ(printed.root()["sub"].AsString(), "u");
  const std::string token = printed.root()["token"].StringOr("");
  EXPECT_NE(
      FromBase64Url(token.substr(0, token.find('.'))).find(R"("kid":"mine")"),
      std::string::npos);
}

// RFC 7638, section 3: the digest of the required members in lexical order.
TEST(SigningKeyTest, HasTheThumbprintOfItsJwk) {
  const SigningKey key = *SigningKey::Generate();
  const auto jwks = *base::JsonDocument::Parse(key.Jwks("k"));
  const base::JsonValue jwk = jwks.root()["keys"].Elements()[0];
  const std::string canonical = R"({"crv":"P-256","kty":"EC","x":")" +
                                jwk["x"].StringOr("") + R"(","y":")" +
                                jwk["y"].StringOr("") + R"("})";
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(canonical.data()),
         canonical.size(), digest);
  EXPECT_EQ(FromBase64Url(key.Thumbprint()),
            std::string(reinterpret_cast<char*>(digest), sizeof(digest)));
  EXPECT_EQ(SigningKey::FromPem(key.ToPem())->Thumbprint(), key.Thumbprint());
}

TEST(SigningKeyTest, RefusesOtherCurves) {
  EVP_PKEY* other = EVP_EC_gen("P-384");
  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, other, nullptr, nullptr, 0, nullptr, nullptr);
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  EXPECT_FALSE(SigningKey::FromPem({text, static_cast<size_t>(size)}).ok());
  BIO_free(bio);
  EVP_PKEY_free(other);
}

TEST(Base64UrlTest, FollowsRfc4648) {
  EXPECT_EQ(Base64Url(""), "");
  EXPECT_EQ(Base64Url("f"), "Zg");
  EXPECT_EQ(Base64Url("fo"), "Zm8");
  EXPECT_EQ(Base64Url("foo"), "Zm9v");
  EXPECT_EQ(Base64Url("\xfb\xff"), "-_8");
}

}  // namespace
}  // namespace kyc::kycctl
