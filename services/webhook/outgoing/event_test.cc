#include "services/webhook/outgoing/event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>

#include "services/webhook/outgoing/delivery_store.h"

namespace kyc::outgoing {
namespace {

using ::testing::ElementsAre;

constexpr int64_t kNow = 1'784'000'000'123;

std::vector<std::string> Fields() {
  return {"id",   "evt_1",       "type",    "kyc.status.changed",
          "user_id", "usr|1",    "from",    "in_progress",
          "to",   "approved",    "version", "7",
          "time_ms", "1784000000123", "org", "acme",
          "env",  "live",        "later",   "x"};
}

Change Approved() {
  return {"evt_1", "usr|1", "in_progress", "approved", 7, kNow,
          {"acme", "live"}};
}

TEST(EventTest, ReadsAnOutboxEntry) {
  EXPECT_EQ(ParseChange(Fields()).value(), Approved());
  // Written before users had tenants.
  std::vector<std::string> old = Fields();
  old.resize(14);
  Change change = Approved();
  change.tenant = {};
  EXPECT_EQ(ParseChange(old).value(), change);
}

TEST(EventTest, RefusesWhatCannotBeRead) {
  for (const char* missing :
       {"id", "user_id", "from", "to", "version", "time_ms"}) {
    std::vector<std::string> fields = Fields();
    const auto name = std::find(fields.begin(), fields.end(), missing);
    ASSERT_NE(name, fields.end()) << missing;
    fields.erase(name, name + 2);
    EXPECT_TRUE(absl::IsDataLoss(ParseChange(fields).status())) << missing;
  }
  for (const size_t number : {11, 13}) {
    std::vector<std::string> fields = Fields();
    fields[number] = "x";
    EXPECT_TRUE(absl::IsDataLoss(ParseChange(fields).status())) << number;
  }
  EXPECT_FALSE(ParseChange({}).ok());
}

TEST(EventTest, EveryStateHasItsTypes) {
  Change change = Approved();
  EXPECT_THAT(EventTypesOf(change),
              ElementsAre(kStatusChanged, "kyc.approved"));
  change.to = "rejected";
  EXPECT_THAT(EventTypesOf(change),
              ElementsAre(kStatusChanged, "kyc.rejected"));
  change.to = "retry";
  EXPECT_THAT(EventTypesOf(change),
              ElementsAre(kStatusChanged, "kyc.retry_requested"));
  for (const char* state : {"pending", "in_progress"}) {
    change.to = state;
    EXPECT_THAT(EventTypesOf(change), ElementsAre(kStatusChanged));
  }
}

TEST(EventTest, ThePayloadIsThin) {
  EXPECT_EQ(Payload("kyc.approved", Approved()),
            R"({"type":"kyc.approved","timestamp":"2026-07-14T03:33:20.123Z",)"
            R"("data":{"user_id":"usr|1","from":"in_progress",)"
            R"("to":"approved","version":7}})");
  EXPECT_EQ(TestPayload(kNow),
            R"({"type":"webhook.test",)"
            R"("timestamp":"2026-07-14T03:33:20.123Z","data":{}})");
  Change longest = Approved();
  longest.user_id = std::string(256, '\x01');
  EXPECT_LT(Payload(kStatusChanged, longest).size(), 20'000u);
}

TEST(EventTest, DeliveryIdsAreStableAndDiffer) {
  const std::string id = DeliveryId(10, "evt_1", kStatusChanged, "whk_1");
  EXPECT_EQ(DeliveryId(10, "evt_1", kStatusChanged, "whk_1"), id);
  const std::set<std::string> ids = {
      id, DeliveryId(10, "evt_2", kStatusChanged, "whk_1"),
      DeliveryId(10, "evt_1", "kyc.approved", "whk_1"),
      DeliveryId(10, "evt_1", kStatusChanged, "whk_2")};
  EXPECT_EQ(ids.size(), 4u);
  for (int part = 0; part < kParts; ++part) {
    EXPECT_EQ(PartOf(DeliveryId(part, "evt_1", "t", "s")), part);
  }
  for (const char* text :
       {"", "msg_", "msg_0123", "dlv_00000000000000000000000000000000",
        "msg_g0000000000000000000000000000000",
        "msg_000000000000000000000000000000000"}) {
    EXPECT_FALSE(PartOf(text).has_value()) << text;
  }
}

TEST(EventTest, BucketsHaveKeysAndChannels) {
  EXPECT_EQ(OutboxKey(7), "kyc:{b007}:outbox");
  for (const int bucket : {0, 7, 42, 255}) {
    EXPECT_EQ(BucketOfChannel(ChangesChannel(bucket)), bucket);
  }
  for (const char* text : {"", "kyc:{b256}:changes", "kyc:{b-1}:changes",
                           "kyc:{b007}:outbox", "kyc:{bxyz}:changes"}) {
    EXPECT_FALSE(BucketOfChannel(text).has_value()) << text;
  }
}

}  // namespace
}  // namespace kyc::outgoing
