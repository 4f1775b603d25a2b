// The use cases over a real redis-server; the provider is a port, played
// here by a table of applicants. The SumSub client has tests of its own.
#include "services/kyc/server/verification_engine.h"

#include <gtest/gtest.h>

#include <future>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/async/redis_for_test.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"
#include "services/kyc/server/provider_for_test.h"

namespace kyc::server {
namespace {

using async::CallContext;
using async::Task;
using domain::State;

EngineConfig TestConfig(domain::Mode mode) {
  EngineConfig config;
  config.levels = {.websdk = "full",
                   .hybrid = "docs",
                   .document_only = "docs-only",
                   .liveness = "live"};
  config.default_mode = mode;
  config.steps =
      *domain::OnboardingSteps::Parse("created,kyc_verification,card,complete");
  return config;
}

// One loop with a redis, a store and an engine on it.
class EngineTest : public ::testing::Test {
 protected:
  explicit EngineTest(domain::Mode mode = domain::Mode::kWebsdk)
      : mode_(mode),
        config_(TestConfig(mode)),
        redis_(runtime_.loop(0), server_.options()),
        store_(redis_, base::SystemClock()),
        engine_(store_, provider_, base::SystemClock(), config_) {
    runtime_.Start();
  }
  ~EngineTest() override { runtime_.Stop(); }

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

  // Its mode is the configured default unless set.
  Caller Someone() {
    return {tenant_, [this] { return JustMode(mode_); }};
  }
  static Task<absl::StatusOr<domain::Mode>> JustMode(
      absl::StatusOr<domain::Mode> mode) {
    co_return mode;
  }

  absl::StatusOr<domain::Record> Get(const std::string& user) {
    return Run([&] { return engine_.Get(user); });
  }
  absl::StatusOr<VerificationEngine::EventEffect> Send(
      const std::string& type, const std::string& time,
      const std::string& extra = {}, const std::string& user = "usr_1") {
    const std::string body =
        "{\"applicantId\":\"app_" + user + "\",\"externalUserId\":\"" + user +
        "\",\"type\":\"" + type + "\"" +
        (time.empty() ? "" : ",\"createdAtMs\":\"" + time + "\"") + extra + "}";
    return Run(
        [&] { return engine_.ApplySumsubEvent(CallContext{}, body, "1-0"); });
  }
  static std::string Reviewed(const std::string& answer,
                              const std::string& level = "full") {
    return ",\"levelName\":\"" + level +
           "\",\"reviewStatus\":\"completed\",\"reviewResult\":{" + answer +
           "}";
  }

  async::RedisForTest server_;
  async::Runtime runtime_{1};
  domain::Tenant tenant_;
  absl::StatusOr<domain::Mode> mode_;
  EngineConfig config_;
  FakeProvider provider_;
  async::Redis redis_;
  store::RecordStore store_;
  VerificationEngine engine_;
};

class HybridEngineTest : public EngineTest {
 protected:
  HybridEngineTest() : EngineTest(domain::Mode::kHybrid) {}
};

constexpr char kGreen[] = "\"reviewAnswer\":\"GREEN\"";
constexpr char kRedFinal[] =
    "\"reviewAnswer\":\"RED\",\"reviewRejectType\":\"FINAL\","
    "\"moderationComment\":\"No.\"";

TEST_F(EngineTest, AUserNeverSeenIsPending) {
  const auto record = Get("nobody");
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->state, State::kPending);
  EXPECT_EQ(record->version, 0u);
}

Task<absl::StatusOr<std::vector<VerificationEngine::ApplicantResult>>> Race(
    VerificationEngine& engine, Caller caller, async::Loop& loop, int callers) {
  using Result = VerificationEngine::ApplicantResult;
  auto results = std::make_shared<std::vector<absl::StatusOr<Result>>>();
  struct Racer {
    static Task<void> Run(
        VerificationEngine& engine, Caller caller,
        std::shared_ptr<std::vector<absl::StatusOr<Result>>> results) {
      auto result =
          co_await engine.CreateApplicant(CallContext{}, "usr_1", caller);
      results->push_back(std::move(result));
    }
  };
  for (int i = 0; i < callers; ++i)
    loop.Spawn(Racer::Run(engine, caller, results));
  while (static_cast<int>(results->size()) < callers) {
    co_await async::Sleep(std::chrono::milliseconds(1));
  }
  std::vector<Result> values;
  for (auto& result : *results) {
    CO_RETURN_IF_ERROR(result.status());
    values.push_back(*result);
  }
  co_return values;
}

TEST_F(EngineTest, AHundredRacingCreationsMakeOneApplicant) {
  provider_.delay = std::chrono::milliseconds(50);
  const auto results =
      Run([&] { return Race(engine_, Someone(), runtime_.loop(0), 100); });
  ASSERT_TRUE(results.ok()) << results.status();
  int created = 0;
  for (const auto& result : *results) {
    EXPECT_EQ(result.applicant_id, "app_usr_1");
    created += result.already_existed ? 0 : 1;
  }
  EXPECT_EQ(created, 1);
  EXPECT_EQ(provider_.creations, 1);
}

TEST_F(EngineTest, AnApplicantThatWasNeverStoredIsFound) {
  provider_.applicants["usr_1"].applicant_id = "app_lost";
  const auto result = Run([&] {
    return engine_.CreateApplicant(CallContext{}, "usr_1", Someone());
  });
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->applicant_id, "app_lost");
  EXPECT_TRUE(result->already_existed);
}

TEST_F(EngineTest, ProviderFaultsBecomeTheirReasons) {
  const struct {
    absl::Status fault;
    v1::ErrorReason create, token, refresh;
  } cases[] = {
      {absl::UnavailableError("x"), v1::ERROR_REASON_PROVIDER_UNAVAILABLE,
       v1::ERROR_REASON_TOKEN_GENERATION_FAILED,
       v1::ERROR_REASON_PROVIDER_UNAVAILABLE},
      {absl::DeadlineExceededError("x"), v1::ERROR_REASON_PROVIDER_UNAVAILABLE,
       v1::ERROR_REASON_TOKEN_GENERATION_FAILED,
       v1::ERROR_REASON_PROVIDER_UNAVAILABLE},
      {absl::ResourceExhaustedError("x"), v1::ERROR_REASON_PROVIDER_UNAVAILABLE,
       v1::ERROR_REASON_TOKEN_GENERATION_FAILED,
       v1::ERROR_REASON_PROVIDER_UNAVAILABLE},
      {absl::PermissionDeniedError("x"), v1::ERROR_REASON_INTERNAL,
       v1::ERROR_REASON_INTERNAL, v1::ERROR_REASON_INTERNAL},
  };
  for (const auto& each : cases) {
    provider_.fault = each.fault;
    EXPECT_EQ(base::ReasonOf(Run([&] {
                               return engine_.CreateApplicant(
                                   CallContext{}, "usr_1", Someone());
                             }).status()),
              each.create);
    EXPECT_EQ(base::ReasonOf(Run([&] {
                               return engine_.CreateAccessToken(
                                   CallContext{}, "usr_1", false, Someone());
                             }).status()),
              each.token);
    EXPECT_EQ(base::ReasonOf(Run([&] {
                               return engine_.Refresh(CallContext{}, "usr_1");
                             }).status()),
              each.refresh);
  }
  EXPECT_EQ(Get("usr_1")->applicant_id, "");
}

TEST_F(EngineTest, RefreshWithoutAnApplicantIsNotFound) {
  const auto record =
      Run([&] { return engine_.Refresh(CallContext{}, "usr_1"); });
  EXPECT_EQ(base::ReasonOf(record.status()),
            v1::ERROR_REASON_APPLICANT_NOT_FOUND);
}

TEST_F(EngineTest, RefreshFindsAnApplicantThatTheSdkCreated) {
  domain::Poll& poll = provider_.applicants["usr_1"];
  poll.applicant_id = "app_usr_1";
  poll.level = "full";
  poll.review = domain::Poll::Review::kCompleted;
  poll.answer = domain::EventKind::kApproved;
  poll.review_time_ms = 1767225600000;
  const auto record =
      Run([&] { return engine_.Refresh(CallContext{}, "usr_1"); });
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->state, State::kApproved);
  EXPECT_EQ(record->applicant_id, "app_usr_1");
  EXPECT_EQ(record->onboarding_step, "card");
  // A second one within 3 s shares the first one's answer.
  const int reads = provider_.reads;
  EXPECT_TRUE(
      Run([&] { return engine_.Refresh(CallContext{}, "usr_1"); }).ok());
  EXPECT_EQ(provider_.reads, reads);
}

TEST_F(EngineTest, AWebhookApprovesAndAdvancesOnce) {
  EXPECT_EQ(
      *Send("applicantReviewed", "2026-01-01 00:00:05.000", Reviewed(kGreen)),
      VerificationEngine::EventEffect::kApplied);
  auto record = Get("usr_1");
  EXPECT_EQ(record->state, State::kApproved);
  EXPECT_EQ(record->onboarding_step, "card");
  const uint64_t version = record->version;
  // Again, and something older.
  EXPECT_EQ(
      *Send("applicantReviewed", "2026-01-01 00:00:05.000", Reviewed(kGreen)),
      VerificationEngine::EventEffect::kStale);
  EXPECT_EQ(*Send("applicantReviewed", "2026-01-01 00:00:04.000",
                  Reviewed(kRedFinal)),
            VerificationEngine::EventEffect::kStale);
  EXPECT_EQ(Get("usr_1")->version, version);
  // A newer refusal counts.
  EXPECT_EQ(*Send("applicantReviewed", "2026-01-01 00:00:06.000",
                  Reviewed(kRedFinal)),
            VerificationEngine::EventEffect::kApplied);
  record = Get("usr_1");
  EXPECT_EQ(record->state, State::kRejected);
  EXPECT_EQ(record->reject_reason, "No.");
  EXPECT_EQ(record->onboarding_step, "card");
}

TEST_F(EngineTest, ADecisionWithoutATimeAsksTheProvider) {
  EXPECT_FALSE(provider_.applicants.count("usr_1"));
  EXPECT_EQ(*Send("applicantReviewed", "", Reviewed(kGreen)),
            VerificationEngine::EventEffect::kIgnored);
  EXPECT_EQ(Get("usr_1")->state, State::kPending);
  domain::Poll& poll = provider_.applicants["usr_1"];
  poll.applicant_id = "app_usr_1";
  poll.level = "full";
  poll.review = domain::Poll::Review::kCompleted;
  poll.answer = domain::EventKind::kRejected;
  poll.review_time_ms = 1767225600000;
  EXPECT_EQ(*Send("applicantReviewed", "", Reviewed(kGreen)),
            VerificationEngine::EventEffect::kApplied);
  EXPECT_EQ(Get("usr_1")->state, State::kRejected);
}

TEST_F(EngineTest, AnEventThatCannotBeSettledNowIsSettledLater) {
  const auto reconcile = [&] {
    return Run([&] { return engine_.Reconcile(CallContext{}, "usr_1"); });
  };
  int deferred = 0;
  engine_.OnDeferred([&] { ++deferred; });
  // No matter whether it is the provider or our credentials.
  provider_.fault = absl::PermissionDeniedError("401");
  EXPECT_EQ(*Send("applicantReviewed", "", Reviewed(kGreen)),
            VerificationEngine::EventEffect::kDeferred);
  provider_.fault = absl::UnavailableError("down");
  EXPECT_EQ(*Send("applicantReviewed", "", Reviewed(kGreen)),
            VerificationEngine::EventEffect::kDeferred);
  EXPECT_EQ(deferred, 1);
  auto record = Get("usr_1");
  // Also the second one is a change: what the provider was asked before it
  // settles nothing.
  EXPECT_EQ(record->version, 2u);
  EXPECT_EQ(record->state, State::kPending);
  EXPECT_NE(record->unsettled_ms, 0);
  EXPECT_FALSE(reconcile()->asked.ok());
  EXPECT_EQ(Get("usr_1")->version, 2u);

  provider_.fault = absl::OkStatus();
  domain::Poll& poll = provider_.applicants["usr_1"];
  poll.applicant_id = "app_usr_1";
  poll.level = "full";
  poll.review = domain::Poll::Review::kCompleted;
  poll.answer = domain::EventKind::kApproved;
  poll.review_time_ms = 1767225600000;
  record = reconcile()->record;
  EXPECT_EQ(record->state, State::kApproved);
  EXPECT_EQ(record->unsettled_ms, 0);
  // Nothing is left to ask.
  const int reads = provider_.reads;
  EXPECT_EQ(reconcile()->record, *Get("usr_1"));
  EXPECT_EQ(provider_.reads, reads);
}

TEST_F(EngineTest, WhomTheProviderDoesNotKnowIsSettledToo) {
  ASSERT_TRUE(Send("applicantPending", "2026-01-01 00:00:05.000").ok());
  const auto reconcile = [&] {
    return Run([&] { return engine_.Reconcile(CallContext{}, "usr_1"); });
  };
  // Silence is no removal …
  auto result = reconcile();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->record.applicant_id, "app_usr_1");
  EXPECT_EQ(result->record.state, State::kInProgress);
  // … until an event asks about it.
  provider_.fault = absl::UnavailableError("down");
  EXPECT_EQ(*Send("applicantDeleted", ""),
            VerificationEngine::EventEffect::kDeferred);
  provider_.fault = absl::OkStatus();
  result = reconcile();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->record.applicant_id, "");
  EXPECT_EQ(result->record.unsettled_ms, 0);
}

TEST_F(EngineTest, WhatIsNoVerificationEventIsIgnored) {
  for (const char* body : {"", "null", "[]", "42", "{}", "{\"type\":\"x\"}",
                           "{\"type\":\"applicantActionReviewed\"}"}) {
    const auto effect = Run(
        [&] { return engine_.ApplySumsubEvent(CallContext{}, body, "1-0"); });
    ASSERT_TRUE(effect.ok()) << body;
    EXPECT_EQ(*effect, VerificationEngine::EventEffect::kIgnored) << body;
  }
}

TEST_F(HybridEngineTest, DocumentsAloneApproveNobody) {
  EXPECT_TRUE(Run([&] {
                return engine_.CreateApplicant(CallContext{}, "usr_1",
                                               Someone());
              }).ok());
  EXPECT_EQ(provider_.applicants["usr_1"].level, "docs");
  EXPECT_EQ(Get("usr_1")->required_level, "live");
  ASSERT_TRUE(Send("applicantReviewed", "2026-01-01 00:00:05.000",
                   Reviewed(kGreen, "docs"))
                  .ok());
  EXPECT_EQ(Get("usr_1")->state, State::kInProgress);
  ASSERT_TRUE(Send("applicantReviewed", "2026-01-01 00:00:06.000",
                   Reviewed(kGreen, "elsewhere"))
                  .ok());
  EXPECT_EQ(Get("usr_1")->state, State::kInProgress);
  ASSERT_TRUE(Send("applicantReviewed", "2026-01-01 00:00:07.000",
                   Reviewed(kGreen, "live"))
                  .ok());
  EXPECT_EQ(Get("usr_1")->state, State::kApproved);
}

TEST_F(HybridEngineTest, TokensNameTheLevelAskedFor) {
  for (bool liveness : {false, true}) {
    EXPECT_TRUE(Run([&] {
                  return engine_.CreateAccessToken(CallContext{}, "usr_1",
                                                   liveness, Someone());
                }).ok());
  }
  EXPECT_EQ(provider_.token_levels, (std::vector<std::string>{"docs", "live"}));
  EXPECT_EQ(Get("usr_1")->required_level, "live");
}

TEST_F(EngineTest, TheCallersModeIsPinnedOnceAndBeforeTheProviderIsCalled) {
  provider_.fault = absl::UnavailableError("down");
  mode_ = domain::Mode::kDocumentOnly;
  EXPECT_FALSE(Run([&] {
                 return engine_.CreateApplicant(CallContext{}, "usr_1",
                                                Someone());
               }).ok());
  EXPECT_EQ(Get("usr_1")->required_level, "docs-only");
  provider_.fault = absl::OkStatus();
  mode_ = domain::Mode::kHybrid;
  EXPECT_TRUE(Run([&] {
                return engine_.CreateApplicant(CallContext{}, "usr_1",
                                               Someone());
              }).ok());
  EXPECT_EQ(provider_.applicants["usr_1"].level, "docs-only");
  EXPECT_EQ(Get("usr_1")->required_level, "docs-only");
}

TEST_F(EngineTest, TheFirstTenantIsPinnedAlsoAfterTheLevel) {
  const auto create = [&](domain::Tenant tenant) {
    tenant_ = std::move(tenant);
    EXPECT_TRUE(Run([&] {
                  return engine_.CreateApplicant(CallContext{}, "usr_1",
                                                 Someone());
                }).ok());
    return Get("usr_1")->tenant;
  };
  EXPECT_EQ(create({}), domain::Tenant());
  EXPECT_EQ(create({"not a tenant", "live"}), domain::Tenant());
  EXPECT_EQ(create({"acme", "live"}), (domain::Tenant{"acme", "live"}));
  EXPECT_EQ(create({"other", "live"}), (domain::Tenant{"acme", "live"}));
}

TEST_F(EngineTest, WithoutAModeNothingBeginsAndWhatBeganGoesOn) {
  const auto create = [&] {
    return Run([&] {
      return engine_.CreateApplicant(CallContext{}, "usr_1", Someone());
    });
  };
  const auto token = [&] {
    return Run([&] {
      return engine_.CreateAccessToken(CallContext{}, "usr_1", false,
                                       Someone());
    });
  };
  mode_ = base::Error(v1::ERROR_REASON_UNAVAILABLE);
  EXPECT_EQ(base::ReasonOf(create().status()), v1::ERROR_REASON_UNAVAILABLE);
  EXPECT_EQ(base::ReasonOf(token().status()), v1::ERROR_REASON_UNAVAILABLE);
  EXPECT_EQ(provider_.creations, 0);
  EXPECT_EQ(Get("usr_1")->version, 0u);

  mode_ = domain::Mode::kHybrid;
  config_.levels.hybrid.clear();
  EXPECT_EQ(base::ReasonOf(create().status()), v1::ERROR_REASON_UNAVAILABLE);
  EXPECT_EQ(Get("usr_1")->version, 0u);

  mode_ = domain::Mode::kWebsdk;
  EXPECT_TRUE(token().ok());
  mode_ = base::Error(v1::ERROR_REASON_UNAVAILABLE);
  EXPECT_TRUE(token().ok());
  EXPECT_TRUE(create().ok());
  EXPECT_EQ(Get("usr_1")->required_level, "full");
}

TEST_F(EngineTest, OnboardingTakesTheCurrentStepAlone) {
  auto submit = [&](const std::string& step) {
    return Run([&] {
      return engine_.SubmitOnboardingStep(CallContext{}, "usr_1", step);
    });
  };
  const auto wrong = submit("card");
  EXPECT_EQ(base::ReasonOf(wrong.status()),
            v1::ERROR_REASON_WRONG_ONBOARDING_STEP);
  EXPECT_EQ(base::ExtrasOf(wrong.status()).metadata[0].second,
            "kyc_verification");
  EXPECT_EQ(submit("kyc_verification")->onboarding_step, "card");
  EXPECT_EQ(submit("kyc_verification")->onboarding_step, "card");
  EXPECT_EQ(submit("created")->onboarding_step, "card");
  EXPECT_EQ(submit("card")->onboarding_step, "complete");
  EXPECT_FALSE(submit("nonsense").ok());
}

TEST_F(EngineTest, UserIdsAreBoundedText) {
  EXPECT_TRUE(CheckUserId("auth0|a b/c;d\u00e9").ok());
  EXPECT_TRUE(CheckUserId(std::string(256, 'x')).ok());
  for (const std::string& bad :
       {std::string(), std::string(257, 'x'), std::string("a\nb"),
        std::string("a\xff"), std::string("\xc0\x80"),
        std::string("\xed\xa0\x80"), std::string("ab\xe2\x82")}) {
    EXPECT_FALSE(CheckUserId(bad).ok());
  }
}

}  // namespace
}  // namespace kyc::server
