// The gate over real HTTP, in front of a scripted KycService.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "gateway/api/dispatcher_for_test.h"
#include "services/base/error.h"

namespace kyc::gateway {
namespace {

constexpr char kGate[] = "/v0/kyc/gate";

class GateTest : public DispatcherTest {
 protected:
  void Hold(v1::VerificationState state) { backend_.status->set_state(state); }
};

TEST_F(GateTest, LetsApprovedUsersThroughWhateverTheyDo) {
  Hold(v1::VERIFICATION_STATE_APPROVED);
  for (const char* method :
       {"GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"}) {
    for (const char* target : {"/v0/kyc/gate", "/v0/kyc/gate/v0/cards?x=1"}) {
      const async::ClientResponse response = Call(method, target);
      EXPECT_EQ(response.status, 200) << method;
      EXPECT_EQ(response.body, "");
      EXPECT_EQ(response.Header("x-kyc-user-id"), "usr_1");
      EXPECT_EQ(response.Header("x-kyc-status"), "approved");
      EXPECT_EQ(response.Header("cache-control"), "no-store");
    }
  }
  EXPECT_EQ(backend_.status_user, "usr_1");
}

TEST_F(GateTest, TwoUsersNeverLookTheSame) {
  Hold(v1::VERIFICATION_STATE_APPROVED);
  const struct {
    const char* user;
    const char* shown;
  } cases[] = {{"auth0|a,b;c", "auth0|a,b;c"},
               {"zo\xC3\xAB", "zo%C3%AB"},
               {"zo%C3%AB", "zo%25C3%25AB"},
               {"a b", "a%20b"}};
  for (const auto& one : cases) {
    const async::ClientResponse response =
        Send("GET", kGate, {{"x-juno-jwt", TokenOf(one.user)}});
    EXPECT_EQ(response.Header("x-kyc-user-id"), one.shown);
  }
}

TEST_F(GateTest, RefusesEverybodyElse) {
  for (const v1::VerificationState state :
       {v1::VERIFICATION_STATE_UNSPECIFIED, v1::VERIFICATION_STATE_PENDING,
        v1::VERIFICATION_STATE_IN_PROGRESS, v1::VERIFICATION_STATE_REJECTED,
        v1::VERIFICATION_STATE_RETRY}) {
    Hold(state);
    const async::ClientResponse response = Call("POST", kGate);
    ExpectProblem(response, 403, "KYC-403-001", kGate);
    EXPECT_EQ(response.Header("x-kyc-user-id"), "");
  }
  ExpectProblem(Send("GET", kGate, {}), 401, "USR-401-001", kGate);
  backend_.status = absl::UnavailableError("x");
  ExpectProblem(Call("GET", kGate), 503, "GEN-503-001", kGate);
}

TEST_F(GateTest, TheProblemIsAboutWhatWasAskedFor) {
  const std::string longest = "/" + std::string(2047, 'a');
  const struct {
    Headers headers;
    std::string target;
    std::string instance;
  } cases[] = {
      {{{"X-Original-URI", "/v0/cards?token=1#x"}}, kGate, "/v0/cards"},
      {{{"X-Forwarded-Uri", "/v0/cards"}}, kGate, "/v0/cards"},
      {{{"X-Original-URI", "/a"}, {"X-Forwarded-Uri", "/b"}}, kGate, "/a"},
      {{{"X-Original-URI", "https://evil.example/"}}, kGate, kGate},
      {{{"X-Original-URI", "//evil.example/"}}, kGate, kGate},
      {{{"X-Original-URI", "/a b"}}, kGate, kGate},
      {{{"X-Original-URI", "/\xC3\xA9"}}, kGate, kGate},
      {{{"X-Original-URI", "?a"}, {"X-Forwarded-Uri", "/b"}}, kGate, "/b"},
      {{{"X-Original-URI", "/a"}, {"X-Original-URI", "/b"}}, kGate, kGate},
      {{{"X-Original-URI", longest}}, kGate, longest},
      {{{"X-Original-URI", longest + "a"}}, kGate, kGate},
      {{}, "/v0/kyc/gate/v0/cards/1%2F2?x=1", "/v0/cards/1%2F2"},
      {{{"X-Original-URI", "/a"}}, "/v0/kyc/gate/v0/cards", "/a"},
  };
  for (const auto& one : cases) {
    ExpectProblem(Call("GET", one.target, one.headers), 403, "KYC-403-001",
                  one.instance);
  }
}

TEST_F(GateTest, IsNotLimited) {
  Hold(v1::VERIFICATION_STATE_APPROVED);
  const Headers client = {{"X-Forwarded-For", "198.51.100.1"}};
  for (int i = 0; i < 120; ++i) {
    const async::ClientResponse response = Call("GET", kGate, client);
    ASSERT_EQ(response.status, 200);
    EXPECT_EQ(response.Header("ratelimit"), "");
  }
  EXPECT_EQ(Call("GET", "/v0/kyc/status").Header("ratelimit"),
            "\"user\";r=99;t=1");
}

}  // namespace
}  // namespace kyc::gateway
