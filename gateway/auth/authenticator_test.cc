#include "gateway/auth/authenticator.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <future>
#include <optional>
#include <string>
#include <thread>

#include "gateway/auth/jwt_for_test.h"
#include "services/async/http_stub_for_test.h"
#include "services/async/loop.h"
#include "services/base/error.h"

namespace kyc::gateway {
namespace {

using std::chrono::steady_clock;
using Result = absl::StatusOr<std::string>;

constexpr int64_t kNowMs = 1'800'000'000'000;
constexpr char kClaims[] = R"({"sub":"usr_1","exp":1800000600})";

const TestKey& Old() {
  static const TestKey& key = *new TestKey(TestKey::Type::kP256, "old");
  return key;
}
const TestKey& New() {
  static const TestKey& key = *new TestKey(TestKey::Type::kEd25519, "new");
  return key;
}

async::Task<void> VerifyInto(Authenticator& authenticator, std::string token,
                             std::promise<Result>& promise) {
  promise.set_value(co_await authenticator.Verify(std::move(token)));
}

class AuthenticatorTest : public ::testing::Test {
 protected:
  ~AuthenticatorTest() override {
    if (background_) background_->Stop();
    if (runtime_) runtime_->Stop();
    authenticator_.reset();
    keys_.reset();
    std::remove(path_.c_str());
  }

  void Open(const std::string& location) {
    keys_ = KeySource::Open(location).value();
    authenticator_.emplace(*keys_, verifier_, clock_);
    background_.emplace(1);
    runtime_.emplace(1);
    background_->Start();
    runtime_->Start();
    keys_->Start(background_->loop(0));
  }

  void WriteFile(const std::string& text) {
    std::ofstream(path_ + ".new") << text;
    ASSERT_EQ(std::rename((path_ + ".new").c_str(), path_.c_str()), 0);
  }

  Result Verify(const std::string& token) {
    std::promise<Result> promise;
    runtime_->loop(0).Post([&] {
      runtime_->loop(0).Spawn(VerifyInto(*authenticator_, token, promise));
    });
    return promise.get_future().get();
  }

  std::optional<std::string> Recall(const std::string& token) {
    std::promise<std::optional<std::string>> promise;
    runtime_->loop(0).Post([&] {
      const std::string* subject = authenticator_->Recall(token);
      promise.set_value(subject != nullptr ? std::optional(*subject)
                                           : std::nullopt);
    });
    return promise.get_future().get();
  }

  bool WaitForGeneration(uint64_t generation) {
    const auto limit = steady_clock::now() + std::chrono::seconds(10);
    while (keys_->generation() < generation) {
      if (steady_clock::now() > limit) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return true;
  }

  const std::string path_ =
      ::testing::TempDir() + "/jwks_" + std::to_string(getpid()) + ".json";
  base::FakeClock clock_{kNowMs};
  JwtVerifier verifier_{"", ""};
  std::optional<async::Runtime> background_;
  std::optional<async::Runtime> runtime_;
  std::unique_ptr<KeySource> keys_;
  std::optional<Authenticator> authenticator_;
};

TEST_F(AuthenticatorTest, VerifiesOnceAndRecalls) {
  WriteFile(JwksOf({Old().Jwk()}));
  Open(path_);
  const std::string token = Old().Token(kClaims);
  EXPECT_EQ(Recall(token), std::nullopt);
  EXPECT_EQ(Verify(token).value(), "usr_1");
  EXPECT_EQ(Recall(token), "usr_1");
  clock_.Advance(660'000);
  EXPECT_EQ(Recall(token), std::nullopt);
  EXPECT_FALSE(Verify(token).ok());
}

TEST_F(AuthenticatorTest, AnyFailureIsTheSameError) {
  WriteFile(JwksOf({Old().Jwk()}));
  Open(path_);
  for (const std::string& token :
       {std::string(), std::string("x"), Old().Token("{}"),
        Old().Token(R"({"sub":"u","exp":1})"), New().Token(kClaims),
        Old().Token(kClaims) + "x"}) {
    const absl::Status status = Verify(token).status();
    EXPECT_EQ(status, base::Error(v1::ERROR_REASON_UNAUTHENTICATED));
    EXPECT_EQ(Recall(token), std::nullopt);
  }
}

TEST_F(AuthenticatorTest, AReplacedFileIsReadWhenATokenNeedsIt) {
  WriteFile(JwksOf({Old().Jwk()}));
  Open(path_);
  const std::string token = Old().Token(kClaims);
  ASSERT_TRUE(Verify(token).ok());
  WriteFile(JwksOf({New().Jwk()}));
  EXPECT_EQ(Verify(New().Token(kClaims)).value(), "usr_1");
  // Nothing verified with the old set is remembered.
  EXPECT_EQ(Recall(token), std::nullopt);
  EXPECT_FALSE(Verify(token).ok());
}

TEST_F(AuthenticatorTest, AChangedFileIsNoticed) {
  WriteFile(JwksOf({Old().Jwk()}));
  Open(path_);
  WriteFile(JwksOf({Old().Jwk(), New().Jwk()}));
  EXPECT_TRUE(WaitForGeneration(2));
  EXPECT_EQ(keys_->current().set->size(), 2u);
}

TEST_F(AuthenticatorTest, ABrokenFileKeepsTheSet) {
  WriteFile(JwksOf({Old().Jwk()}));
  Open(path_);
  WriteFile("{");
  keys_->Reload();
  WriteFile(JwksOf({Old().Jwk(), New().Jwk()}));
  keys_->Reload();
  EXPECT_TRUE(WaitForGeneration(2));
  EXPECT_EQ(keys_->generation(), 2u);
}

TEST_F(AuthenticatorTest, OpenNamesTheFileAtFault) {
  for (const char* text : {"", "{", "{\"keys\":[]}"}) {
    WriteFile(text);
    const absl::Status status = KeySource::Open(path_).status();
    EXPECT_NE(status.ToString().find(path_), std::string::npos) << status;
  }
  const absl::Status status = KeySource::Open("/nowhere/jwks").status();
  EXPECT_NE(status.ToString().find("/nowhere/jwks"), std::string::npos);
  EXPECT_FALSE(KeySource::Open("/tmp").ok());
  EXPECT_FALSE(KeySource::Open("").ok());
  EXPECT_FALSE(KeySource::Open("https://").ok());
}

TEST_F(AuthenticatorTest, FetchesAUrlAndAgainForANewKey) {
  async::HttpStub stub;
  stub.Push({.body = JwksOf({Old().Jwk()})});
  Open(stub.url() + "/jwks.json");
  ASSERT_TRUE(WaitForGeneration(1));
  EXPECT_TRUE(Verify(Old().Token(kClaims)).ok());
  EXPECT_EQ(stub.requests().size(), 1u);
  stub.SetHandler([](const async::StubRequest&) {
    return async::StubAnswer{.body = JwksOf({Old().Jwk(), New().Jwk()})};
  });
  EXPECT_TRUE(Verify(New().Token(kClaims)).ok());
  EXPECT_EQ(stub.requests().size(), 2u);
  // Not once per token that names nobody's key.
  const TestKey stranger(TestKey::Type::kEd25519, "stranger");
  for (int i = 0; i < 20; ++i) {
    EXPECT_FALSE(Verify(stranger.Token(kClaims)).ok());
  }
  EXPECT_EQ(stub.requests().size(), 2u);
}

TEST_F(AuthenticatorTest, WithoutKeysNobodyIsRefusedForGood) {
  async::HttpStub stub;
  stub.Push({.status = 500});
  stub.Push({.body = "<html>"});
  stub.SetHandler([](const async::StubRequest&) {
    return async::StubAnswer{.body = JwksOf({Old().Jwk()})};
  });
  Open(stub.url() + "/jwks.json");
  EXPECT_EQ(base::ReasonOf(Verify(Old().Token(kClaims)).status()),
            v1::ERROR_REASON_UNAVAILABLE);
  // SIGHUP does not wait for the next attempt.
  while (stub.requests().size() < 2) {
    keys_->Reload();
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  keys_->Reload();
  ASSERT_TRUE(WaitForGeneration(1));
  EXPECT_TRUE(Verify(Old().Token(kClaims)).ok());
}

TEST_F(AuthenticatorTest, AFailedFetchKeepsTheSet) {
  async::HttpStub stub;
  stub.Push({.body = JwksOf({Old().Jwk()})});
  Open(stub.url() + "/jwks.json");
  ASSERT_TRUE(WaitForGeneration(1));
  stub.SetHandler([](const async::StubRequest&) {
    return async::StubAnswer{.status = 503};
  });
  EXPECT_FALSE(Verify(New().Token(kClaims)).ok());
  EXPECT_TRUE(Verify(Old().Token(kClaims)).ok());
  EXPECT_EQ(keys_->generation(), 1u);
}

}  // namespace
}  // namespace kyc::gateway
