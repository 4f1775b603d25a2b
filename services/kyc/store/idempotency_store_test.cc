// Idempotency keys over a real redis-server.
#include "services/kyc/store/idempotency_store.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/async/loop.h"
#include "services/async/redis_for_test.h"
#include "services/base/error.h"
#include "services/kyc/store/record_store.h"

namespace kyc::store {
namespace {

using async::RedisReply;
using async::Task;
using Answer = IdempotencyStore::Answer;
using Begun = IdempotencyStore::Begun;

const Answer& Created() {
  static const auto& answer =
      *new Answer{201, "application/json", std::string("{\"a\":\0}", 7)};
  return answer;
}

class IdempotencyStoreTest : public ::testing::Test {
 protected:
  IdempotencyStoreTest()
      : redis_(runtime_.loop(0), server_.options()), store_(redis_) {
    runtime_.Start();
  }
  ~IdempotencyStoreTest() override { runtime_.Stop(); }

  // Runs a coroutine on the loop and waits for its result.
  template <typename Make>
  auto Run(Make make) {
    using T = typename decltype(make())::value_type;
    auto promise = std::make_shared<std::promise<T>>();
    auto future = promise->get_future();
    runtime_.loop(0).Spawn(Drive<Make, T>(std::move(make), promise));
    EXPECT_EQ(future.wait_for(std::chrono::seconds(20)),
              std::future_status::ready);
    return future.get();
  }
  template <typename Make, typename T>
  static Task<void> Drive(Make make, std::shared_ptr<std::promise<T>> promise) {
    promise->set_value(co_await make());
  }

  absl::StatusOr<Begun> Begin(const std::string& user, const std::string& key,
                              const std::string& fingerprint = "f") {
    return Run([&] { return store_.Begin(user, key, fingerprint); });
  }
  absl::Status End(const std::string& user, const std::string& key,
                   const std::string& claim, std::optional<Answer> answer) {
    return Run([&] { return store_.End(user, key, claim, answer); });
  }
  v1::ErrorReason WhyNot(const std::string& user, const std::string& key,
                         const std::string& fingerprint = "f") {
    return base::ReasonOf(Begin(user, key, fingerprint).status());
  }
  RedisReply Command(std::vector<std::string> words) {
    return Run([&] { return redis_.Command(words); }).value();
  }
  int64_t MillisecondsLeft(const std::string& user, const std::string& key) {
    return Command({"PTTL", IdempotencyRecordKey(user, key)}).integer;
  }

  async::RedisForTest server_;
  async::Runtime runtime_{1};
  async::Redis redis_;
  IdempotencyStore store_;
};

TEST_F(IdempotencyStoreTest, TheSecondRequestGetsTheAnswerOfTheFirst) {
  const absl::StatusOr<Begun> first = Begin("u", "k");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(first->answer);
  EXPECT_EQ(first->claim.size(), 32u);
  EXPECT_GT(MillisecondsLeft("u", "k"), 50'000);
  EXPECT_LE(MillisecondsLeft("u", "k"), 60'000);

  const absl::Status in_flight = Begin("u", "k").status();
  EXPECT_EQ(base::ReasonOf(in_flight),
            v1::ERROR_REASON_IDEMPOTENCY_KEY_IN_FLIGHT);
  EXPECT_EQ(base::ExtrasOf(in_flight).retry_after, std::chrono::seconds(1));

  ASSERT_TRUE(End("u", "k", first->claim, Created()).ok());
  for (int i = 0; i < 2; ++i) {
    const absl::StatusOr<Begun> again = Begin("u", "k");
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->answer, Created());
    EXPECT_EQ(again->claim, "");
  }
  EXPECT_GT(MillisecondsLeft("u", "k"), 86'000'000);
  EXPECT_LE(MillisecondsLeft("u", "k"), 86'400'000);
}

TEST_F(IdempotencyStoreTest, AKeyStandsForOneRequestOfOneUser) {
  const std::string claim = Begin("u", "k")->claim;
  EXPECT_EQ(WhyNot("u", "k", "g"), v1::ERROR_REASON_IDEMPOTENCY_KEY_REUSED);
  ASSERT_TRUE(End("u", "k", claim, Created()).ok());
  EXPECT_EQ(WhyNot("u", "k", "g"), v1::ERROR_REASON_IDEMPOTENCY_KEY_REUSED);
  EXPECT_TRUE(Begin("v", "k", "g").ok());
  EXPECT_TRUE(Begin("u", "l", "g").ok());
}

TEST_F(IdempotencyStoreTest, AClaimGivenUpLeavesNothing) {
  const std::string claim = Begin("u", "k")->claim;
  ASSERT_TRUE(End("u", "k", claim, std::nullopt).ok());
  EXPECT_EQ(Command({"DBSIZE"}).integer, 0);
  EXPECT_FALSE(Begin("u", "k", "g")->claim.empty());
}

TEST_F(IdempotencyStoreTest, OnlyTheClaimsHolderEndsIt) {
  ASSERT_TRUE(Begin("u", "k").ok());
  ASSERT_TRUE(End("u", "k", "another", Created()).ok());
  ASSERT_TRUE(End("u", "k", "another", std::nullopt).ok());
  EXPECT_EQ(WhyNot("u", "k"), v1::ERROR_REASON_IDEMPOTENCY_KEY_IN_FLIGHT);
  // Nor does a late one bring back what has lapsed, or change an answer.
  ASSERT_TRUE(End("u", "never", "another", Created()).ok());
  EXPECT_EQ(
      Command({"EXISTS", IdempotencyRecordKey("u", "never")}).integer, 0);
  Command({"DEL", IdempotencyRecordKey("u", "k")});
  const std::string claim = Begin("u", "k")->claim;
  ASSERT_TRUE(End("u", "k", claim, Created()).ok());
  ASSERT_TRUE(End("u", "k", claim, Answer{200, "x", "y"}).ok());
  EXPECT_EQ(Begin("u", "k")->answer, Created());
}

TEST_F(IdempotencyStoreTest, KeysAreNotStoredAsTheyAre) {
  const std::string name = IdempotencyRecordKey("usr_1", "secret");
  // The user's other keys are in the same bucket. printf secret | sha256sum
  EXPECT_EQ(name,
            "kyc:{b227}:idem:usr_1:2bb80d537b1da3e38bd30361aa855686"
            "bde0eacd7162fef6a25fe97bf527a25b");
  EXPECT_EQ(RecordKey("usr_1"), "kyc:{b227}:user:usr_1");
}

TEST_F(IdempotencyStoreTest, WhatRedisCannotSayIsAnError) {
  Command({"SET", IdempotencyRecordKey("u", "k"), "text"});
  EXPECT_FALSE(Begin("u", "k").ok());
  EXPECT_FALSE(End("u", "k", "c", Created()).ok());
  Command({"DEL", IdempotencyRecordKey("u", "k")});
  Command({"HSET", IdempotencyRecordKey("u", "k"), "fingerprint", "f", "status",
           "many"});
  EXPECT_TRUE(absl::IsDataLoss(Begin("u", "k").status()));
  server_.Kill();
  EXPECT_FALSE(Begin("u", "k").ok());
}

}  // namespace
}  // namespace kyc::store
