// Features and API keys over a real redis-server.
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/async/redis_for_test.h"
#include "services/base/clock.h"
#include "services/base/error.h"
#include "services/kyc/store/api_key_store.h"
#include "services/kyc/store/feature_store.h"

namespace kyc::store {
namespace {

using async::RedisReply;
using async::Task;
using domain::ApiKey;
using domain::Feature;
using domain::Mode;

constexpr int64_t kNow = 1'767'225'600'000;

class AdminStoreTest : public ::testing::Test {
 protected:
  AdminStoreTest()
      : redis_(runtime_.loop(0), server_.options()),
        features_(redis_, clock_),
        keys_(redis_, clock_) {
    runtime_.Start();
  }
  ~AdminStoreTest() override { runtime_.Stop(); }

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

  RedisReply Command(std::vector<std::string> words) {
    return Run([&] { return redis_.Command(words); }).value();
  }
  std::optional<Feature> Get(const domain::Tenant& tenant) {
    return Run([&] { return features_.Get(tenant); }).value();
  }
  Feature Put(const domain::Tenant& tenant, domain::FeatureSetting setting) {
    return Run([&] { return features_.Put(tenant, setting); }).value();
  }
  ApiKeyStore::Created Create(const std::string& name,
                              domain::Tenant tenant = {"o", "e"}) {
    ApiKey key;
    key.name = name;
    key.tenant = std::move(tenant);
    key.scopes = {"get_kyc", "manage_keys"};
    key.audience = key.tenant.org_id + ".example";
    return Run([&] { return keys_.Create(key); }).value();
  }
  absl::StatusOr<ApiKey> Verify(const base::Secret& text) {
    return Run([&] { return keys_.Verify(text); });
  }
  std::vector<std::string> NamesOf(std::optional<domain::Tenant> tenant) {
    std::vector<std::string> names;
    const auto keys = Run([&] { return keys_.List(tenant); });
    for (const ApiKey& key : keys.value()) {
      names.push_back(key.name);
    }
    return names;
  }

  async::RedisForTest server_;
  async::Runtime runtime_{1};
  base::FakeClock clock_{kNow};
  async::Redis redis_;
  FeatureStore features_;
  ApiKeyStore keys_;
};

TEST_F(AdminStoreTest, AFeatureIsSetChangedAndDeleted) {
  EXPECT_EQ(Get({"o", "e"}), std::nullopt);
  const Feature first = Put({"o", "e"}, {true, Mode::kHybrid});
  EXPECT_EQ(first, (Feature{{true, Mode::kHybrid}, kNow, kNow}));
  EXPECT_EQ(Get({"o", "e"}), first);
  clock_.Advance(5);
  Put({"o", "e"}, {false, {}});
  EXPECT_EQ(Get({"o", "e"}), (Feature{{false, {}}, kNow, kNow + 5}));
  EXPECT_TRUE(Run([&] { return features_.Delete({"o", "e"}); }).ok());
  EXPECT_EQ(Get({"o", "e"}), std::nullopt);
  EXPECT_TRUE(Run([&] { return features_.Delete({"o", "e"}); }).ok());
}

TEST_F(AdminStoreTest, EnvironmentsHaveFeaturesOfTheirOwn) {
  Put({"o", "e"}, {true, Mode::kHybrid});
  Put({"o", "f"}, {true, Mode::kDocumentOnly});
  EXPECT_EQ(Get({"o", "e"})->setting.mode, Mode::kHybrid);
  EXPECT_EQ(Get({"o", "f"})->setting.mode, Mode::kDocumentOnly);
  EXPECT_EQ(Get({"p", "e"}), std::nullopt);
}

TEST_F(AdminStoreTest, WhatCannotBeReadIsAnErrorAndNotAbsent) {
  const domain::Tenant tenant{"o", "e"};
  Command({"SET", FeaturesKey(tenant), "text"});
  EXPECT_FALSE(Run([&] { return features_.Get(tenant); }).ok());
  EXPECT_FALSE(Run([&] { return features_.Put(tenant, {true, {}}); }).ok());
  EXPECT_EQ(Command({"GET", FeaturesKey(tenant)}).text, "text");
  Command({"DEL", FeaturesKey(tenant)});
  Put(tenant, {true, Mode::kHybrid});
  Command({"HSET", FeaturesKey(tenant), "kyc.mode", "telepathy"});
  EXPECT_TRUE(
      absl::IsDataLoss(Run([&] { return features_.Get(tenant); }).status()));
  server_.Kill();
  EXPECT_FALSE(Run([&] { return features_.Get(tenant); }).ok());
}

TEST_F(AdminStoreTest, AKeyVerifiesUntilItIsRevoked) {
  const ApiKeyStore::Created created = Create("backend");
  EXPECT_EQ(created.key.created_at_ms, kNow);
  auto verified = Verify(created.text);
  ASSERT_TRUE(verified.ok()) << verified.status();
  ApiKey expected = created.key;
  expected.last_used_at_ms = kNow;
  EXPECT_EQ(*verified, expected);
  EXPECT_EQ(*Run([&] { return keys_.Get(created.key.id); }), expected);

  clock_.Advance(7);
  const auto revoked = Run([&] { return keys_.Revoke(created.key.id); });
  ASSERT_TRUE(revoked.ok()) << revoked.status();
  EXPECT_EQ(revoked->revoked_at_ms, kNow + 7);
  EXPECT_EQ(base::ReasonOf(Verify(created.text).status()),
            v1::ERROR_REASON_API_KEY_INVALID);
  clock_.Advance(7);
  EXPECT_EQ(Run([&] { return keys_.Revoke(created.key.id); })->revoked_at_ms,
            kNow + 7);
}

TEST_F(AdminStoreTest, AnAudienceIsOfOneOrganisation) {
  Create("first", {"o", "e"});
  Create("second", {"o", "f"});
  ApiKey key;
  key.name = "thief";
  key.tenant = {"p", "e"};
  key.scopes = {"get_kyc"};
  key.audience = "o.example";
  const auto stolen = Run([&] { return keys_.Create(key); });
  EXPECT_EQ(base::ReasonOf(stolen.status()),
            v1::ERROR_REASON_REQUEST_VALIDATION_FAILED);
  EXPECT_TRUE(NamesOf(domain::Tenant{"p", "e"}).empty());
}

TEST_F(AdminStoreTest, OtherTextsAreRefused) {
  const ApiKeyStore::Created created = Create("backend");
  domain::KeyEntropy entropy{};
  for (const base::Secret& text :
       {base::Secret(), base::Secret("kyc_live_"), domain::MakeKeyText(entropy),
        base::Secret(created.key.id),
        base::Secret(std::string(created.text.Reveal()) + "a")}) {
    EXPECT_EQ(base::ReasonOf(Verify(text).status()),
              v1::ERROR_REASON_API_KEY_INVALID);
  }
}

TEST_F(AdminStoreTest, UnknownIdsAreNotFound) {
  for (const char* id : {"", "key_none", "a:b", "{}"}) {
    EXPECT_EQ(base::ReasonOf(Run([&] { return keys_.Get(id); }).status()),
              v1::ERROR_REASON_API_KEY_NOT_FOUND);
    EXPECT_EQ(base::ReasonOf(Run([&] { return keys_.Revoke(id); }).status()),
              v1::ERROR_REASON_API_KEY_NOT_FOUND);
  }
  EXPECT_EQ(Command({"DBSIZE"}).integer, 0);
}

TEST_F(AdminStoreTest, RedisHoldsNoTextOfAKey) {
  const ApiKeyStore::Created created = Create("backend");
  ASSERT_TRUE(Verify(created.text).ok());
  const std::string text(created.text.Reveal());
  // Not even the part that is random.
  const std::string random = text.substr(9, 40);
  const RedisReply names = Command({"KEYS", "*"});
  ASSERT_EQ(names.elements.size(), 6u);
  for (const RedisReply& name : names.elements) {
    EXPECT_EQ(name.text.find(random), std::string::npos);
    EXPECT_NE(name.text.find("{keys}"), std::string::npos);
    EXPECT_EQ(Command({"DUMP", name.text}).text.find(random),
              std::string::npos);
  }
}

TEST_F(AdminStoreTest, UseIsNotedOnceAMinute) {
  const ApiKeyStore::Created created = Create("backend");
  const auto noted = [&] {
    return Run([&] { return keys_.Get(created.key.id); })->last_used_at_ms;
  };
  EXPECT_EQ(noted(), 0);
  ASSERT_TRUE(Verify(created.text).ok());
  EXPECT_EQ(noted(), kNow);
  clock_.Advance(59'999);
  ASSERT_TRUE(Verify(created.text).ok());
  EXPECT_EQ(noted(), kNow);
  clock_.Advance(1);
  ASSERT_TRUE(Verify(created.text).ok());
  EXPECT_EQ(noted(), kNow + 60'000);
}

TEST_F(AdminStoreTest, ListsAreOfAnEnvironmentAnOrganisationOrAll) {
  EXPECT_EQ(NamesOf(std::nullopt), std::vector<std::string>());
  Create("a");
  clock_.Advance(1);
  Create("b", {"o", "f"});
  clock_.Advance(1);
  const ApiKeyStore::Created last = Create("c");
  Run([&] { return keys_.Revoke(last.key.id); }).value();
  EXPECT_EQ(NamesOf(domain::Tenant{"o", "e"}),
            (std::vector<std::string>{"c", "a"}));
  EXPECT_EQ(NamesOf(domain::Tenant{"o", "f"}), std::vector<std::string>{"b"});
  EXPECT_EQ(NamesOf(domain::Tenant{"p", "e"}), std::vector<std::string>());
  EXPECT_EQ(NamesOf(domain::Tenant{"o", ""}),
            (std::vector<std::string>{"c", "b", "a"}));
  EXPECT_EQ(NamesOf(domain::Tenant{"p", ""}), std::vector<std::string>());
  EXPECT_EQ(NamesOf(std::nullopt), (std::vector<std::string>{"c", "b", "a"}));
}

TEST_F(AdminStoreTest, NothingIsHalfCreated) {
  Command({"SET", "kyc:{keys}:env:o:e", "text"});
  ApiKey key;
  key.name = "backend";
  key.tenant = {"o", "e"};
  EXPECT_FALSE(Run([&] { return keys_.Create(key); }).ok());
  EXPECT_EQ(Command({"DBSIZE"}).integer, 1);
}

}  // namespace
}  // namespace kyc::store
