#include "gateway/auth/api_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>
#include <utility>

#include "services/async/loop.h"
#include "services/base/error.h"

namespace kyc::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using Key = ApiKeyAuthenticator::Key;

class ApiKeyTest : public ::testing::Test {
 protected:
  ApiKeyTest() { runtime_.Start(); }
  ~ApiKeyTest() override { runtime_.Stop(); }

  async::Task<absl::StatusOr<v1::ApiKey>> Look(
      v1::VerifyApiKeyRequest request) {
    asked_.push_back(request.key());
    v1::ApiKey key;
    key.set_id("id of " + request.key());
    if (!fault_.ok()) co_return fault_;
    co_return key;
  }

  static async::Task<void> Drive(ApiKeyAuthenticator& keys,
                                 std::vector<std::string_view> fields,
                                 steady_clock::time_point now,
                                 std::promise<absl::StatusOr<Key>>& done) {
    done.set_value(co_await keys.Verify({}, std::move(fields), now));
  }

  absl::StatusOr<Key> Verify(std::vector<std::string_view> fields) {
    std::promise<absl::StatusOr<Key>> done;
    runtime_.loop(0).Spawn(Drive(keys_, std::move(fields), now_, done));
    return done.get_future().get();
  }
  bool IsRefused(std::vector<std::string_view> fields) {
    return base::ReasonOf(Verify(std::move(fields)).status()) ==
           v1::ERROR_REASON_API_KEY_INVALID;
  }

  std::vector<std::string> asked_;
  absl::Status fault_;
  steady_clock::time_point now_ = steady_clock::now();
  async::Runtime runtime_{1};
  ApiKeyAuthenticator keys_{
      [this](async::CallContext, v1::VerifyApiKeyRequest request) {
        return Look(std::move(request));
      },
      /*capacity=*/4};
};

TEST_F(ApiKeyTest, ReadsTheBearerTokenAlone) {
  for (const char* field : {"Bearer k", "bearer k", "BEARER   k"}) {
    const auto key = Verify({field});
    ASSERT_TRUE(key.ok()) << field;
    EXPECT_EQ((*key)->id(), "id of k");
  }
  EXPECT_EQ(asked_.size(), 1u);
  const std::string longest = "Bearer " + std::string(256, 'k');
  EXPECT_TRUE(Verify({longest}).ok());
  const std::string too_long = longest + "k";
  for (const std::string& field :
       {std::string(), std::string("Bearer"), std::string("Bearer "),
        std::string("k"), std::string("Basic k"), std::string("Bearerk"),
        std::string("Bearer k k"), std::string("Bearer \xc3\xa4"), too_long}) {
    EXPECT_TRUE(IsRefused({field})) << field;
  }
  EXPECT_TRUE(IsRefused({}));
  EXPECT_TRUE(IsRefused({"Bearer k", "Bearer k"}));
  EXPECT_EQ(asked_.size(), 2u);
}

TEST_F(ApiKeyTest, ARevokedKeyIsRefusedWithinFiveSeconds) {
  EXPECT_TRUE(Verify({"Bearer k"}).ok());
  fault_ = base::Error(v1::ERROR_REASON_API_KEY_INVALID);
  now_ += kApiKeyCacheTime - milliseconds(1);
  EXPECT_TRUE(Verify({"Bearer k"}).ok());
  now_ += milliseconds(1);
  EXPECT_LT(kApiKeyCacheTime, seconds(5));
  EXPECT_TRUE(IsRefused({"Bearer k"}));
  EXPECT_EQ(asked_.size(), 2u);
}

TEST_F(ApiKeyTest, RefusalsAreRememberedAsLongAndFailuresNot) {
  fault_ = base::Error(v1::ERROR_REASON_API_KEY_INVALID);
  EXPECT_TRUE(IsRefused({"Bearer k"}));
  EXPECT_TRUE(IsRefused({"Bearer k"}));
  EXPECT_EQ(asked_.size(), 1u);
  now_ += kApiKeyCacheTime;
  fault_ = base::Error(v1::ERROR_REASON_UNAVAILABLE);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(base::ReasonOf(Verify({"Bearer k"}).status()),
              v1::ERROR_REASON_UNAVAILABLE);
  }
  EXPECT_EQ(asked_.size(), 3u);
  fault_ = absl::OkStatus();
  EXPECT_TRUE(Verify({"Bearer k"}).ok());
}

TEST_F(ApiKeyTest, AFloodOfBadKeysPushesNoGoodOneOut) {
  EXPECT_TRUE(Verify({"Bearer good"}).ok());
  fault_ = base::Error(v1::ERROR_REASON_API_KEY_INVALID);
  for (int i = 0; i < 100; ++i) {
    EXPECT_TRUE(IsRefused({"Bearer bad" + std::to_string(i)}));
  }
  EXPECT_TRUE(Verify({"Bearer good"}).ok());
  EXPECT_EQ(asked_.size(), 101u);
}

TEST_F(ApiKeyTest, AFullMemoryForgetsAndAsksAgain) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_TRUE(Verify({"Bearer k" + std::to_string(i)}).ok());
  }
  EXPECT_TRUE(Verify({"Bearer k4"}).ok());
  EXPECT_EQ(asked_.size(), 5u);
  EXPECT_TRUE(Verify({"Bearer k0"}).ok());
  EXPECT_EQ(asked_.size(), 6u);
}

TEST(CheckScopeTest, NamesTheScopesThatAreMissing) {
  const auto check = [](std::string_view one, std::string_view other = {}) {
    v1::ApiKey key;
    key.add_scopes("get_kyc");
    const std::string_view scopes[] = {one, other};
    return CheckScope(key, scopes);
  };
  EXPECT_TRUE(check("get_kyc").ok());
  EXPECT_TRUE(check("lookup", "get_kyc").ok());
  EXPECT_TRUE(check(kAnyScope).ok());
  const absl::Status status = check("lookup", "manage_keys");
  EXPECT_EQ(base::ReasonOf(status), v1::ERROR_REASON_API_KEY_SCOPE_MISSING);
  EXPECT_EQ(status.message(),
            "The API key does not have the scope lookup or manage_keys");
  EXPECT_FALSE(check("").ok());
}

}  // namespace
}  // namespace kyc::gateway
