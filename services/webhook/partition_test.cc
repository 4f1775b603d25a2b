#include "services/webhook/partition.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace kyc::webhook {
namespace {

TEST(PartitionTest, AnApplicantIsFoundWhateverElseTheBodySays) {
  const uint64_t key = ApplicantKey(R"({"externalUserId":"abc"})");
  EXPECT_EQ(
      ApplicantKey(R"({"type":"x","externalUserId": "a\u0062c",)"
                   R"("applicantId":"1","n":{"externalUserId":"other"}})"),
      key);
  // The inner one is another object's.
  EXPECT_NE(ApplicantKey(R"({"n":{"externalUserId":"abc"}})"), key);
  // Without a user the provider's id stands for the applicant.
  const uint64_t id = ApplicantKey(R"({"applicantId":"1"})");
  EXPECT_EQ(ApplicantKey(R"({"externalUserId":"","applicantId":"1","a":1})"),
            id);
  EXPECT_EQ(ApplicantKey(R"({"externalUserId":7,"applicantId":"1","b":2})"),
            id);
}

TEST(PartitionTest, AnyBytesHaveAPlace) {
  for (const std::string& body :
       {std::string(), std::string("null"), std::string("[1]"),
        std::string("\0\xff", 2), std::string(1 << 20, '['),
        std::string("{\"applicantId\":\"abc\"")}) {
    const uint64_t key = ApplicantKey(body);
    EXPECT_EQ(ApplicantKey(body), key);
    const int partition = PartitionOf(key, 7);
    EXPECT_GE(partition, 0);
    EXPECT_LT(partition, 7);
  }
}

// An applicant's place must not move with a new version.
TEST(PartitionTest, PlacesAreTheSameForEver) {
  EXPECT_EQ(ApplicantKey(""), 0xefd01f60ba992926u);
  EXPECT_EQ(ApplicantKey(R"({"applicantId":"a"})"), 0x82a2a958a9bece5bu);
  EXPECT_EQ(PartitionOf(0x82a2a958a9bece5bu, 16), 11);
}

TEST(PartitionTest, ApplicantsSpread) {
  std::map<int, int> counts;
  for (int i = 0; i < 16000; ++i) {
    const std::string body =
        R"({"applicantId":"65abc)" + std::to_string(1000000 + i) + R"("})";
    ++counts[PartitionOf(ApplicantKey(body), 16)];
  }
  EXPECT_EQ(counts.size(), 16u);
  for (const auto& [partition, count] : counts) {
    EXPECT_GT(count, 800) << partition;
    EXPECT_LT(count, 1200) << partition;
  }
}

TEST(PartitionTest, KeysOfAPartitionShareAHashTag) {
  const PartitionKeys keys(3);
  EXPECT_EQ(keys.events, "kyc:{e03}:events");
  EXPECT_EQ(keys.dead, "kyc:{e03}:events:dead");
  EXPECT_EQ(keys.lease, "kyc:{e03}:lease");
  EXPECT_EQ(keys.epoch, "kyc:{e03}:lease:epoch");
  EXPECT_EQ(PartitionKeys(255).events, "kyc:{e255}:events");
}

TEST(PartitionTest, EventIdsGoThereAndBack) {
  EXPECT_EQ(EventId(3, "1767225600000-0"), "e03:1767225600000-0");
  const auto place = ParseEventId("e03:1767225600000-7", 16);
  ASSERT_TRUE(place.has_value());
  EXPECT_EQ(place->partition, 3);
  EXPECT_EQ(place->entry, "1767225600000-7");
  for (const char* bad :
       {"", "e", "e03", "e03:", "e03:1", "e03:-", "e03:1-", "e03:a-1", "03:1-1",
        "e:1-1", "e-1:1-1", "e16:1-1", "e03:1-1 ", "e03:1-1-1", "e03:+-0",
        "e99999999999999999999:1-1"}) {
    EXPECT_FALSE(ParseEventId(bad, 16).has_value()) << bad;
  }
}

}  // namespace
}  // namespace kyc::webhook
