#include "gateway/auth/pint_authenticator.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "gateway/auth/jwt_for_test.h"
#include "services/async/loop.h"
#include "services/base/error.h"
#include "services/base/mutex.h"

namespace kyc::gateway {
namespace {

using std::chrono::steady_clock;
using Result = absl::StatusOr<v1::PintGrant>;

constexpr int64_t kNowMs = 1'800'000'000'000;
constexpr char kClaims[] =
    R"({"sub":"sr:us:person:eoa:0x1","exp":1800000600,"aud":"p.example",)"
    R"("jti":"t1","pint_uri":"sr:us:pint:1","wallet":"0x1","scopes":["s"]})";

const TestKey& Old() {
  static const TestKey& key = *new TestKey(TestKey::Type::kP256, "old");
  return key;
}
const TestKey& New() {
  static const TestKey& key = *new TestKey(TestKey::Type::kP256, "new");
  return key;
}

// A KycService that answers with what the test put here.
class Service {
 public:
  void Publish(absl::StatusOr<std::string> jwks) {
    base::MutexLock lock(&mutex_);
    jwks_ = std::move(jwks);
  }
  KeySource::Fetch AsFetch() {
    return [this] { return Fetch(); };
  }
  int calls() const { return calls_; }

 private:
  async::Task<absl::StatusOr<std::string>> Fetch() {
    ++calls_;
    base::MutexLock lock(&mutex_);
    co_return jwks_;
  }

  std::atomic<int> calls_ = 0;
  base::Mutex mutex_;
  absl::StatusOr<std::string> jwks_ ABSL_GUARDED_BY(mutex_) =
      absl::UnavailableError("away");
};

class PintAuthenticatorTest : public ::testing::Test {
 protected:
  ~PintAuthenticatorTest() override {
    background_.Stop();
    runtime_.Stop();
  }

  void Start() {
    background_.Start();
    runtime_.Start();
    keys_->Start(background_.loop(0));
  }
  void WaitForKeys(uint64_t generation) {
    const auto limit = steady_clock::now() + std::chrono::seconds(20);
    while (keys_->generation() < generation && steady_clock::now() < limit) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    ASSERT_GE(keys_->generation(), generation);
  }

  static async::Task<void> VerifyInto(PintAuthenticator& authenticator,
                                      std::vector<std::string_view> fields,
                                      std::promise<Result>& promise) {
    promise.set_value(
        co_await authenticator.Verify(std::move(fields), "p.example"));
  }
  Result Verify(std::vector<std::string_view> fields) {
    std::promise<Result> promise;
    runtime_.loop(0).Post([&] {
      runtime_.loop(0).Spawn(
          VerifyInto(authenticator_, std::move(fields), promise));
    });
    return promise.get_future().get();
  }
  v1::ErrorReason Refusal(std::vector<std::string_view> fields) {
    return base::ReasonOf(Verify(std::move(fields)).status());
  }

  Service service_;
  base::FakeClock clock_{kNowMs};
  PintVerifier verifier_{""};
  std::unique_ptr<KeySource> keys_ =
      KeySource::From("partner", "KycService", service_.AsFetch());
  async::Runtime background_{1};
  async::Runtime runtime_{1};
  PintAuthenticator authenticator_{*keys_, verifier_, clock_};
};

TEST_F(PintAuthenticatorTest, TellsAMissingTokenFromABadOne) {
  service_.Publish(JwksOf({Old().Jwk()}));
  Start();
  WaitForKeys(1);
  const std::string token = Old().Token(kClaims);
  const Result grant = Verify({token});
  ASSERT_TRUE(grant.ok()) << grant.status();
  EXPECT_EQ(grant->pint_id(), "sr:us:pint:1");

  EXPECT_EQ(Refusal({}), v1::ERROR_REASON_PINT_TOKEN_MISSING);
  EXPECT_EQ(Refusal({""}), v1::ERROR_REASON_PINT_TOKEN_MISSING);
  const std::string with_scheme = "Bearer " + token;
  const std::string expired = Old().Token(R"({"exp":1})");
  for (const std::vector<std::string_view>& fields :
       {std::vector<std::string_view>{token, token},
        {"", ""},
        {"x"},
        {with_scheme},
        {expired}}) {
    EXPECT_EQ(Refusal(fields), v1::ERROR_REASON_PINT_TOKEN_INVALID);
  }
  clock_.Advance(600'000);
  EXPECT_EQ(Refusal({token}), v1::ERROR_REASON_PINT_TOKEN_INVALID);
}

TEST_F(PintAuthenticatorTest, ANewKeyIsAskedForOnceInAWhile) {
  service_.Publish(JwksOf({Old().Jwk()}));
  Start();
  WaitForKeys(1);
  service_.Publish(JwksOf({New().Jwk(), Old().Jwk()}));
  const std::string token = New().Token(kClaims);
  EXPECT_TRUE(Verify({token}).ok());
  const int calls = service_.calls();
  const TestKey stranger(TestKey::Type::kP256, "stranger");
  const std::string strange = stranger.Token(kClaims);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(Refusal({strange}), v1::ERROR_REASON_PINT_TOKEN_INVALID);
  }
  EXPECT_LE(service_.calls(), calls + 1);
}

TEST_F(PintAuthenticatorTest, KeysOutliveTheirService) {
  service_.Publish(JwksOf({Old().Jwk()}));
  Start();
  WaitForKeys(1);
  service_.Publish(absl::UnavailableError("away"));
  keys_->Reload();
  const std::string strange = New().Token(kClaims);
  EXPECT_EQ(Refusal({strange}), v1::ERROR_REASON_PINT_TOKEN_INVALID);
  const std::string token = Old().Token(kClaims);
  EXPECT_TRUE(Verify({token}).ok());
}

TEST_F(PintAuthenticatorTest, WithoutKeysNobodyIsRefused) {
  Start();
  const std::string token = Old().Token(kClaims);
  EXPECT_EQ(Refusal({token}), v1::ERROR_REASON_UNAVAILABLE);
  // What is no token needs no key.
  EXPECT_EQ(Refusal({}), v1::ERROR_REASON_PINT_TOKEN_MISSING);
  // It tries again by itself.
  service_.Publish(JwksOf({Old().Jwk()}));
  WaitForKeys(1);
  EXPECT_TRUE(Verify({token}).ok());
}

}  // namespace
}  // namespace kyc::gateway
