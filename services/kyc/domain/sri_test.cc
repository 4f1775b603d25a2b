#include "services/kyc/domain/sri.h"

#include <gtest/gtest.h>

#include <string>

#include "services/base/error.h"
#include "services/kyc/domain/keccak.h"

namespace kyc::domain {
namespace {

// Keccak Team's and EIP-55's own examples.
TEST(KeccakTest, IsTheOneBeforeSha3) {
  const Digest empty = Keccak256("");
  EXPECT_EQ(empty[0], 0xc5);
  EXPECT_EQ(empty[1], 0xd2);
  EXPECT_EQ(empty[31], 0x70);
}

TEST(AddressTest, IsShownInTheCaseOfEip55) {
  for (const char* text : {"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
                           "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
                           "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
                           "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
                           "0x52908400098527886E0F7030069857D2E4169EE7",
                           "0xde709f2102306220921060314715629080e2fb77"}) {
    const auto address = ParseAddress(text);
    ASSERT_TRUE(address) << text;
    EXPECT_EQ(ToText(*address), text);
    EXPECT_EQ(ParseAddress(LowerCaseText(*address)), address);
  }
}

TEST(AddressTest, IsHexOfTwentyBytes) {
  const std::string good = "0x52908400098527886E0F7030069857D2E4169EE7";
  EXPECT_TRUE(ParseAddress(good));
  for (const std::string& text :
       {std::string(), std::string("0x"), good.substr(2), good + "0",
        good.substr(0, 41), "0X" + good.substr(2), good.substr(0, 41) + "g",
        good.substr(0, 40) + "  ", "1x" + good.substr(2)}) {
    EXPECT_FALSE(ParseAddress(text)) << text;
  }
}

TEST(SriTest, IsReadInAnyCaseOfTheAddressAndWrittenInOne) {
  const auto sri = ParsePersonSri(
      "sr:us:person:safe:0xde709F2102306220921060314715629080E2FB77");
  ASSERT_TRUE(sri.ok());
  EXPECT_EQ(sri->kind, WalletKind::kSafe);
  EXPECT_EQ(ToText(*sri),
            "sr:us:person:safe:0xde709f2102306220921060314715629080e2fb77");
  EXPECT_EQ(ParsePersonSri(ToText(*sri)).value(), *sri);
  for (const char* region : {"us", "eu", "gb"}) {
    const std::string text =
        std::string("sr:") + region +
        ":person:eoa:0xde709f2102306220921060314715629080e2fb77";
    ASSERT_TRUE(ParsePersonSri(text).ok());
    EXPECT_EQ(ParsePersonSri(text)->kind, WalletKind::kEoa);
    EXPECT_EQ(ToText(*ParsePersonSri(text)), text);
  }
}

TEST(SriTest, AnythingElseIsNone) {
  const std::string address = "0xde709f2102306220921060314715629080e2fb77";
  for (const std::string& text :
       {std::string(), std::string("sr"), std::string(":::::"), address,
        std::string("sr:us:person:safe:"), "sr:us:person:safe:" + address + ":",
        "sr:us:person:safe:" + address + " ", "sr:us:person:" + address,
        "sr:fr:person:safe:" + address, "SR:us:person:safe:" + address,
        "sr:us:pint:safe:" + address, "sr:us:person:vault:" + address,
        "sr::person:safe:" + address, "xsr:us:person:safe:" + address,
        "sr:us:person:safe:x:" + address}) {
    EXPECT_EQ(base::ReasonOf(ParsePersonSri(text).status()),
              v1::ERROR_REASON_SRI_MALFORMED)
        << text;
  }
}

}  // namespace
}  // namespace kyc::domain
