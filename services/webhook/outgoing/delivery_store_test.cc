#include "services/webhook/outgoing/delivery_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/async/loop.h"
#include "services/async/redis_for_test.h"
#include "services/webhook/outgoing/event.h"

namespace kyc::outgoing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using State = Delivery::State;

constexpr int64_t kNow = 1'784'000'000'000;
constexpr int64_t kDay = 24LL * 3600 * 1000;
constexpr int kPart = 3;

template <typename T>
async::Task<void> Into(std::function<async::Task<absl::StatusOr<T>>()> work,
                       std::promise<absl::StatusOr<T>>& done) {
  done.set_value(co_await work());
}

class DeliveryStoreTest : public ::testing::Test {
 protected:
  DeliveryStoreTest() { runtime_.Start(); }
  ~DeliveryStoreTest() override { runtime_.Stop(); }

  template <typename T>
  T Run(std::function<async::Task<absl::StatusOr<T>>()> work) {
    std::promise<absl::StatusOr<T>> done;
    runtime_.loop(0).Post(
        [&] { runtime_.loop(0).Spawn(Into<T>(work, done)); });
    return done.get_future().get().value();
  }

  static Delivery New(int number, const std::string& subscription = "whk_1") {
    Delivery delivery;
    delivery.id = DeliveryId(kPart, std::to_string(number), "t", subscription);
    delivery.subscription = subscription;
    delivery.type = "t";
    delivery.body = "{}";
    return delivery;
  }
  int64_t Add(std::vector<Delivery> deliveries, int64_t now_ms = kNow) {
    return Run<int64_t>([&] { return store_.Add(kPart, deliveries, now_ms); });
  }
  std::vector<DueQueue> Queues(int64_t now_ms) {
    return Run<std::vector<DueQueue>>([&] {
      return store_.DueQueues({0, kPart, 15}, now_ms);
    });
  }
  std::vector<std::string> Due(const std::string& subscription, int64_t now_ms,
                               int limit = 100) {
    return Run<std::vector<std::vector<std::string>>>([&] {
             std::vector<DueQueue> queues = {{kPart, subscription}};
             return store_.Due(queues, now_ms, limit);
           })
        .at(0);
  }
  std::optional<Delivery> Load(const std::string& id) {
    return Run<std::vector<std::optional<Delivery>>>([&] {
             std::vector<std::string> ids = {id};
             return store_.Load(ids);
           })
        .at(0);
  }
  bool Record(Delivery delivery, int seen) {
    return Run<bool>([&] { return store_.Record(delivery, seen); });
  }
  std::vector<Delivery> Log(int limit = 1000) {
    return Run<std::vector<Delivery>>([&] {
      return store_.Log("whk_1", limit);
    });
  }
  async::RedisReply Do(std::vector<std::string> command) {
    return Run<async::RedisReply>([&] { return redis_.Command(command); });
  }
  std::string Key(const std::string& id) { return "kyc:{out:3}:dlv:" + id; }

  async::RedisForTest server_;
  async::Runtime runtime_{1};
  async::Redis redis_{runtime_.loop(0), server_.options()};
  DeliveryStore store_{redis_};
};

TEST_F(DeliveryStoreTest, WhatIsAddedIsDueAtOnceAndOnce) {
  EXPECT_EQ(Add({New(1), New(2), New(1)}), 2);
  EXPECT_EQ(Add({New(1), New(3, "whk_2")}, kNow + 1), 1);
  const std::vector<DueQueue> queues = Queues(kNow + 1);
  ASSERT_THAT(queues, SizeIs(2));
  EXPECT_EQ(queues[0].subscription, "whk_1");
  EXPECT_EQ(queues[1].subscription, "whk_2");
  EXPECT_THAT(Queues(kNow), SizeIs(1));
  EXPECT_THAT(Queues(kNow - 1), IsEmpty());
  EXPECT_THAT(Due("whk_1", kNow), SizeIs(2));
  EXPECT_THAT(Due("whk_1", kNow, 1), SizeIs(1));
  const Delivery stored = Load(New(1).id).value();
  EXPECT_EQ(stored.state, State::kPending);
  EXPECT_EQ(stored.created_ms, kNow);
  EXPECT_EQ(stored.next_attempt_ms, kNow);
  EXPECT_EQ(stored.body, "{}");
  EXPECT_FALSE(Load(New(9).id).has_value());
}

TEST_F(DeliveryStoreTest, ManyDueQueuesHideNone) {
  std::vector<Delivery> many;
  for (int i = 0; i < 2000; ++i)
    many.push_back(New(1, "d" + std::to_string(i)));
  Add(many, kNow);
  Add({New(1)}, kNow + 1);
  const std::vector<DueQueue> queues = Queues(kNow + 1);
  ASSERT_THAT(queues, SizeIs(2001));
  EXPECT_EQ(queues.back().subscription, "whk_1");
}

TEST_F(DeliveryStoreTest, AnOutcomeMovesADelivery) {
  Add({New(1)});
  Delivery delivery = Load(New(1).id).value();
  delivery.attempts = 1;
  delivery.last_status = 503;
  delivery.last_attempt_ms = kNow + 10;
  delivery.next_attempt_ms = kNow + 5000;
  EXPECT_TRUE(Record(delivery, 0));
  EXPECT_EQ(Load(delivery.id), delivery);
  EXPECT_THAT(Queues(kNow + 4999), IsEmpty());
  EXPECT_THAT(Due("whk_1", kNow + 5000), ElementsAre(delivery.id));
  // Somebody else was quicker.
  Delivery late = delivery;
  late.state = State::kFailed;
  EXPECT_FALSE(Record(late, 0));
  EXPECT_EQ(Load(delivery.id), delivery);
  delivery.attempts = 2;
  delivery.state = State::kDelivered;
  delivery.next_attempt_ms = 0;
  EXPECT_TRUE(Record(delivery, 1));
  EXPECT_THAT(Queues(kNow + kDay), IsEmpty());
  EXPECT_EQ(Load(delivery.id)->state, State::kDelivered);
  // Nothing comes of an outcome of what there is not.
  EXPECT_FALSE(Record(New(7), 0));
  EXPECT_FALSE(Load(New(7).id).has_value());
}

TEST_F(DeliveryStoreTest, FinishedOnesAreForgottenAfterAWeek) {
  Add({New(1), New(2)});
  EXPECT_EQ(Do({"PTTL", Key(New(1).id)}).integer, -1);
  Delivery delivery = Load(New(1).id).value();
  delivery.attempts = 1;
  delivery.state = State::kDelivered;
  delivery.next_attempt_ms = 0;
  Record(delivery, 0);
  const int64_t ttl = Do({"PTTL", Key(New(1).id)}).integer;
  EXPECT_GT(ttl, 7 * kDay - 60'000);
  EXPECT_LE(ttl, 7 * kDay);
  // The log, too, lets go of what is older.
  Add({New(3)}, kNow + 8 * kDay);
  EXPECT_THAT(Log(), SizeIs(1));
  // What is pending is not forgotten.
  EXPECT_TRUE(Load(New(2).id).has_value());
  EXPECT_THAT(Due("whk_1", kNow + 8 * kDay), SizeIs(2));
}

TEST_F(DeliveryStoreTest, TheLogHasTheNewestThousand) {
  std::vector<Delivery> many;
  for (int i = 0; i < 500; ++i) many.push_back(New(i));
  Add(many, kNow);
  Delivery done = Load(New(0).id).value();
  done.attempts = 1;
  done.state = State::kDelivered;
  done.next_attempt_ms = 0;
  Record(done, 0);
  many.clear();
  for (int i = 500; i < 1500; ++i) many.push_back(New(i));
  Add(many, kNow + 1);
  EXPECT_THAT(Log(), SizeIs(1000));
  EXPECT_THAT(Log(7), SizeIs(7));
  EXPECT_EQ(Log(1)[0].created_ms, kNow + 1);
  EXPECT_EQ(Log(1000).back().created_ms, kNow + 1);
  EXPECT_FALSE(Load(New(0).id).has_value());
  EXPECT_TRUE(Load(New(1).id).has_value());
  EXPECT_EQ(Do({"ZCARD", "kyc:{out:3}:due:whk_1"}).integer, 1499);
}

TEST_F(DeliveryStoreTest, SendingAgainStartsAnew) {
  Add({New(1)});
  Delivery delivery = Load(New(1).id).value();
  delivery.attempts = 10;
  delivery.state = State::kFailed;
  delivery.next_attempt_ms = 0;
  Record(delivery, 0);
  const auto resend = [&](const std::string& id, const std::string& of) {
    return Run<std::optional<Delivery>>([&, id, of] {
      return store_.Resend(id, of, kNow + kDay);
    });
  };
  EXPECT_FALSE(resend(delivery.id, "whk_2").has_value());
  EXPECT_FALSE(resend("x", "whk_1").has_value());
  Delivery under_way = Load(delivery.id).value();
  const Delivery again = resend(delivery.id, "whk_1").value();
  EXPECT_EQ(again.state, State::kPending);
  EXPECT_EQ(again.attempts, 10);
  EXPECT_EQ(again.attempts_before, 10);
  EXPECT_EQ(again.since_ms, kNow + kDay);
  EXPECT_EQ(Do({"PTTL", Key(delivery.id)}).integer, -1);
  EXPECT_THAT(Due("whk_1", kNow + kDay), ElementsAre(delivery.id));
  // An attempt that began before does not end what begins anew.
  under_way.attempts = 11;
  under_way.state = State::kFailed;
  EXPECT_FALSE(Record(under_way, 10));
  EXPECT_EQ(Load(delivery.id), again);
}

TEST_F(DeliveryStoreTest, MeasuresWhatWaits) {
  const auto measure = [&](int64_t now_ms) {
    return Run<Backlog>([&, now_ms] {
      return store_.Measure({0, kPart}, now_ms);
    });
  };
  EXPECT_EQ(measure(kNow).pending, 0);
  Add({New(1), New(2)}, kNow);
  Add({New(3, "whk_2")}, kNow + 1000);
  EXPECT_EQ(measure(kNow).pending, 3);
  EXPECT_EQ(measure(kNow).due, 2);
  EXPECT_EQ(measure(kNow + 1000).due, 3);
  EXPECT_EQ(measure(kNow + 1000).oldest_due_ms, kNow);
  EXPECT_EQ(measure(kNow - 1).oldest_due_ms, 0);
}

}  // namespace
}  // namespace kyc::outgoing
