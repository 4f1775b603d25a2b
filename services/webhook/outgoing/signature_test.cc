#include "services/webhook/outgoing/signature.h"

#include <gtest/gtest.h>

#include <string>

#include "absl/strings/escaping.h"

namespace kyc::outgoing {
namespace {

using base::Secret;

// The vector of the reference implementations.
TEST(SignatureTest, StandardWebhooksVector) {
  EXPECT_EQ(Sign({Secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")},
                 "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
                 R"({"test": 2432232314})"),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

TEST(SignatureTest, SeveralSecretsSignSideBySide) {
  const Secret a = NewSecret().value();
  const Secret b = NewSecret().value();
  EXPECT_NE(a.Reveal(), b.Reveal());
  const std::string one = Sign({a}, "msg_1", 1, "{}");
  const std::string other = Sign({b}, "msg_1", 1, "{}");
  EXPECT_NE(one, other);
  EXPECT_EQ(Sign({a, b}, "msg_1", 1, "{}"), one + " " + other);
}

TEST(SignatureTest, EveryPartIsSigned) {
  const std::vector<Secret> secrets = {NewSecret().value()};
  const std::string whole = Sign(secrets, "msg_1", 1, "{}");
  EXPECT_NE(Sign(secrets, "msg_2", 1, "{}"), whole);
  EXPECT_NE(Sign(secrets, "msg_1", 2, "{}"), whole);
  EXPECT_NE(Sign(secrets, "msg_1", 1, "{} "), whole);
  EXPECT_EQ(Sign(secrets, "msg_1", 1, "{}"), whole);
}

std::string SecretOf(size_t bytes) {
  return "whsec_" + absl::Base64Escape(std::string(bytes, '\xfb'));
}

TEST(SignatureTest, SecretsHave24To64Bytes) {
  EXPECT_TRUE(CheckSecret(NewSecret().value()).ok());
  EXPECT_TRUE(CheckSecret(Secret(SecretOf(24))).ok());
  EXPECT_TRUE(CheckSecret(Secret(SecretOf(64))).ok());
  for (const std::string& text :
       {SecretOf(23), SecretOf(65), std::string(), std::string("whsec_"),
        SecretOf(32).substr(6), "whsec-" + SecretOf(32).substr(6),
        SecretOf(32) + " ", SecretOf(32) + "\n", "whsec_ " + SecretOf(32),
        // Padding left out; the other alphabet.
        SecretOf(25).substr(0, SecretOf(25).size() - 2),
        "whsec_" + absl::WebSafeBase64Escape(std::string(33, '\xfb')),
        std::string("whsec_????????????????????????????????")}) {
    EXPECT_FALSE(CheckSecret(Secret(text)).ok()) << text;
  }
}

}  // namespace
}  // namespace kyc::outgoing
