#include "services/base/hmac.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

#include "absl/strings/escaping.h"

namespace kyc::base {
namespace {

std::string Hex(HmacHash hash, const std::string& key,
                const std::vector<std::string_view>& pieces) {
  return absl::BytesToHexString(Hmac(hash, Secret(key), pieces));
}

// RFC 2202 and RFC 4231, test case 2.
TEST(HmacTest, IsThatOfTheRfcs) {
  constexpr std::string_view kText = "what do ya want for nothing?";
  EXPECT_EQ(Hex(HmacHash::kSha1, "Jefe", {kText}),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
  EXPECT_EQ(Hex(HmacHash::kSha256, "Jefe", {kText}),
            "5bdcc146bf60754e6a042426089575c7"
            "5a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(Hex(HmacHash::kSha512, "Jefe", {kText}),
            "164b7a7bfcf819e2e395fbe73b56e0a3"
            "87bd64222e831fd610270cd7ea250554"
            "9758bf75c05a994a6d034f65f8f0e6fd"
            "caeab1a34d4a6b4b636e070a38bce737");
}

// RFC 4231, test case 6: a key longer than the hash's block.
TEST(HmacTest, TakesALongKey) {
  EXPECT_EQ(Hex(HmacHash::kSha256, std::string(131, '\xaa'),
                {"Test Using Larger Than Block-Size Key - Hash Key First"}),
            "60e431591ee0b67f0d8a26aacbf5b77f"
            "8e0bc6213728c5140546040f0ee37f54");
}

TEST(HmacTest, PiecesAreOneText) {
  EXPECT_EQ(Hmac(HmacHash::kSha256, Secret("k"), {"a", "", "bc"}),
            Hmac(HmacHash::kSha256, Secret("k"), {"abc"}));
  EXPECT_EQ(Hmac(HmacHash::kSha256, Secret("k"), {}),
            Hmac(HmacHash::kSha256, Secret("k"), {""}));
}

TEST(HmacTest, NothingOfOneKeyIsInTheNext) {
  const std::string before = Hmac(HmacHash::kSha256, Secret("one"), {"text"});
  EXPECT_NE(Hmac(HmacHash::kSha256, Secret("other"), {"text"}), before);
  EXPECT_NE(Hmac(HmacHash::kSha256, Secret(), {"text"}), before);
  EXPECT_EQ(Hmac(HmacHash::kSha256, Secret("one"), {"text"}), before);
  // An empty key is one: that of RFC 2104 with zeros in its place.
  EXPECT_EQ(Hmac(HmacHash::kSha256, Secret(), {"text"}),
            Hmac(HmacHash::kSha256, Secret(std::string(64, '\0')), {"text"}));
}

TEST(HmacTest, ThreadsDoNotMeet) {
  const std::string expected = Hmac(HmacHash::kSha512, Secret("k"), {"text"});
  std::string other;
  std::thread thread([&] {
    other = Hmac(HmacHash::kSha512, Secret("k"), {"te", "xt"});
  });
  thread.join();
  EXPECT_EQ(other, expected);
}

}  // namespace
}  // namespace kyc::base
