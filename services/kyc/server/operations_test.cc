// Erasure and legal holds over a real redis-server: what goes, what stays,
// and what must not come back.
#include "services/kyc/server/operations.h"

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
#include "services/base/error.h"
#include "services/kyc/server/provider_for_test.h"
#include "services/kyc/server/verification_engine.h"
#include "services/kyc/store/audit_trail.h"
#include "services/kyc/store/idempotency_store.h"

namespace kyc::server {
namespace {

using async::CallContext;
using async::RedisReply;
using async::Task;
using domain::State;

constexpr char kGreen[] = "{\"reviewAnswer\":\"GREEN\"}";
constexpr char kRed[] =
    "{\"reviewAnswer\":\"RED\",\"reviewRejectType\":\"FINAL\","
    "\"moderationComment\":\"Dear JANE.\"}";

class OperationsTest : public ::testing::Test {
 protected:
  OperationsTest()
      : redis_(runtime_.loop(0), server_.options()),
        store_(redis_, base::SystemClock()),
        trail_(redis_, store_),
        idempotency_(redis_),
        engine_(store_, provider_, base::SystemClock(), config_),
        operations_(store_, redis_, base::SystemClock()) {
    config_.levels.websdk = "full";
    config_.steps =
        *domain::OnboardingSteps::Parse("created,kyc_verification,complete");
    provider_.person = FakeProvider::Person("JANE", "SMITH");
    runtime_.Start();
  }
  ~OperationsTest() override { runtime_.Stop(); }

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

  static Task<absl::StatusOr<domain::Mode>> Websdk() {
    co_return domain::Mode::kWebsdk;
  }
  absl::StatusOr<VerificationEngine::ApplicantResult> Create() {
    return Run([&] {
      return engine_.CreateApplicant(CallContext{}, "usr_1",
                                     {.mode = [] { return Websdk(); }});
    });
  }
  absl::StatusOr<VerificationEngine::EventEffect> Review(
      const std::string& time, const std::string& result) {
    const std::string body =
        "{\"applicantId\":\"app_usr_1\",\"externalUserId\":\"usr_1\","
        "\"type\":\"applicantReviewed\",\"createdAtMs\":\"2026-01-01 " +
        time + "\",\"levelName\":\"full\",\"reviewStatus\":\"completed\","
        "\"reviewResult\":" + result + "}";
    return Run(
        [&] { return engine_.ApplySumsubEvent(CallContext{}, body, "1-0"); });
  }
  domain::Record Record() {
    return *Run([&] { return engine_.Get("usr_1"); });
  }
  // An approved user whose name is stored.
  void Approve() {
    ASSERT_TRUE(Create().ok());
    ASSERT_TRUE(Review("00:00:05.000", kGreen).ok());
    ASSERT_EQ(Record().first_name, "JANE");  // Get waits for it.
  }
  absl::StatusOr<Operations::Erasure> Erase(const std::string& user = "usr_1") {
    return Run([&] {
      return operations_.Erase(CallContext{}, user, {"ops_1", "case 7"});
    });
  }
  absl::StatusOr<domain::Record> Hold(bool hold) {
    return Run([&] {
      return operations_.SetLegalHold(CallContext{}, "usr_1",
                                      {"ops_1", "case 8"}, hold);
    });
  }
  std::string Field(const store::AuditTrail::Entry& entry,
                    const std::string& name) {
    for (const auto& [key, value] : entry.fields) {
      if (key == name) return value;
    }
    return "no such field";
  }
  std::vector<store::AuditTrail::Entry> Trail() {
    return *Run([&] { return trail_.List("usr_1", "", 1000); });
  }
  void ExpectGoodTrail() {
    const auto finding = Run([&] { return trail_.Verify("usr_1"); });
    ASSERT_TRUE(finding.ok());
    EXPECT_FALSE(finding->problem) << finding->problem->what;
  }
  RedisReply Command(std::vector<std::string> args) {
    auto reply = Run([&] { return redis_.Command(args); });
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? *std::move(reply) : RedisReply();
  }

  async::RedisForTest server_;
  async::Runtime runtime_{1};
  EngineConfig config_;
  FakeProvider provider_;
  async::Redis redis_;
  store::RecordStore store_;
  store::AuditTrail trail_;
  store::IdempotencyStore idempotency_;
  VerificationEngine engine_;
  Operations operations_;
};

TEST_F(OperationsTest, ErasureTakesThePersonAndLeavesTheDecision) {
  Approve();
  const domain::Record before = Record();
  const auto erased = Erase();
  ASSERT_TRUE(erased.ok()) << erased.status();
  const domain::Record after = Record();
  EXPECT_EQ(after.erased_ms, erased->erased_ms);
  EXPECT_FALSE(erased->was_unknown);
  EXPECT_EQ(after.first_name + after.last_names + after.reject_reason +
                after.applicant_id,
            "");
  EXPECT_EQ(after.state, State::kApproved);
  EXPECT_EQ(after.decision, before.decision);
  EXPECT_EQ(after.verified_at_ms, before.verified_at_ms);
  EXPECT_NE(after.erased_ms, 0);
  const auto trail = Trail();
  EXPECT_EQ(Field(trail.back(), "action"), "erased");
  EXPECT_EQ(Field(trail.back(), "actor"), "OPERATOR");
  EXPECT_EQ(Field(trail.back(), "actor_id"), "ops_1");
  EXPECT_EQ(Field(trail.back(), "reference"), "case 7");
  ExpectGoodTrail();
  // Again: nothing more to do.
  EXPECT_EQ(Erase()->erased_ms, after.erased_ms);
  EXPECT_EQ(Record(), after);
  EXPECT_EQ(Trail().size(), trail.size());
}

TEST_F(OperationsTest, NothingBringsTheNameBack) {
  Approve();
  ASSERT_TRUE(Erase().ok());
  const int reads = provider_.reads + provider_.person_reads;
  // A repetition, the same answer anew, a refusal with words in it.
  ASSERT_TRUE(Review("00:00:05.000", kGreen).ok());
  ASSERT_TRUE(Review("00:00:06.000", kGreen).ok());
  EXPECT_EQ(Record().first_name, "");
  EXPECT_EQ(base::ReasonOf(Run([&] {
                             return engine_.Refresh(CallContext{}, "usr_1");
                           }).status()),
            v1::ERROR_REASON_APPLICANT_NOT_FOUND);
  ASSERT_TRUE(Review("00:00:07.000", kRed).ok());
  const domain::Record record = Record();
  EXPECT_EQ(record.state, State::kRejected);  // What is decided counts.
  EXPECT_EQ(record.reject_reason + record.applicant_id, "");
  EXPECT_EQ(*Run([&] {
    return engine_.ApplySumsubEvent(
        CallContext{},
        "{\"externalUserId\":\"usr_1\",\"type\":\"applicantReviewed\","
        "\"applicantId\":\"app_usr_1\",\"levelName\":\"full\","
        "\"reviewStatus\":\"completed\","
        "\"reviewResult\":{\"reviewAnswer\":\"GREEN\"}}",
        "1-0");
  }),
            VerificationEngine::EventEffect::kIgnored);
  EXPECT_EQ(provider_.reads + provider_.person_reads, reads);
  ExpectGoodTrail();
}

TEST_F(OperationsTest, TheUserMayBeginAnew) {
  Approve();
  ASSERT_TRUE(Erase().ok());
  const auto created = Create();
  ASSERT_TRUE(created.ok()) << created.status();
  EXPECT_EQ(created->applicant_id, "app_usr_1");
  EXPECT_EQ(Record().erased_ms, 0);
  EXPECT_EQ(Record().state, State::kApproved);
  EXPECT_EQ(Record().first_name, "JANE");
  // And be erased again.
  ASSERT_TRUE(Erase().ok());
  EXPECT_EQ(Record().first_name, "");
  std::vector<std::string> actions;
  for (const auto& entry : Trail()) actions.push_back(Field(entry, "action"));
  EXPECT_EQ(std::count(actions.begin(), actions.end(), "erased"), 2);
  EXPECT_EQ(std::count(actions.begin(), actions.end(), "begun_anew"), 1);
}

TEST_F(OperationsTest, ALegalHoldForbidsErasure) {
  Approve();
  ASSERT_TRUE(Hold(true).ok());
  const int64_t since = Record().legal_hold_ms;
  EXPECT_NE(since, 0);
  EXPECT_EQ(Hold(true)->legal_hold_ms, since);
  EXPECT_EQ(base::ReasonOf(Erase().status()), v1::ERROR_REASON_LEGAL_HOLD);
  EXPECT_EQ(Record().first_name, "JANE");
  EXPECT_EQ(Field(Trail().back(), "action"), "erasure_refused");
  ASSERT_TRUE(Hold(false).ok());
  EXPECT_TRUE(Erase().ok());
  EXPECT_EQ(Record().first_name, "");
  ExpectGoodTrail();
}

TEST_F(OperationsTest, AnswersUnderIdempotencyKeysGo) {
  const auto begin = [&](const std::string& user, const std::string& key) {
    return Run([&] { return idempotency_.Begin(user, key, "f"); });
  };
  struct End {
    static Task<absl::StatusOr<bool>> Of(store::IdempotencyStore& store,
                                         std::string user, std::string key,
                                         std::string claim) {
      store::IdempotencyStore::Answer answer{201, "application/json", "{}"};
      co_return (co_await store.End(user, key, claim, answer)).ok();
    }
  };
  for (const char* user : {"usr_1", "usr_2"}) {
    for (const char* key : {"a", "b"}) {
      const auto begun = begin(user, key);
      ASSERT_TRUE(begun.ok());
      ASSERT_TRUE(
          *Run([&] { return End::Of(idempotency_, user, key, begun->claim); }));
    }
  }
  EXPECT_TRUE(begin("usr_1", "a")->answer);
  // Also of a user of whom nothing else is stored.
  const auto erased = Erase();
  ASSERT_TRUE(erased.ok()) << erased.status();
  EXPECT_TRUE(erased->was_unknown);
  for (const char* key : {"a", "b"}) {
    EXPECT_EQ(
        Command({"EXISTS", store::IdempotencyRecordKey("usr_1", key)}).integer,
        0);
  }
  EXPECT_EQ(Command({"EXISTS", store::IdempotencyIndexKey("usr_1")}).integer,
            0);
  EXPECT_TRUE(begin("usr_2", "a")->answer);
}

TEST_F(OperationsTest, OfAnUnknownUserNothingIsKeptThatComesLater) {
  const auto erased = Erase();
  ASSERT_TRUE(erased.ok()) << erased.status();
  EXPECT_TRUE(erased->was_unknown);
  EXPECT_NE(erased->erased_ms, 0);
  ASSERT_TRUE(Review("00:00:05.000", kGreen).ok());
  ASSERT_TRUE(Review("00:00:06.000", kRed).ok());
  const domain::Record record = Record();
  EXPECT_EQ(record.state, State::kRejected);
  EXPECT_EQ(record.first_name + record.last_names + record.reject_reason +
                record.applicant_id,
            "");
  ExpectGoodTrail();
  const auto again = Erase();
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->was_unknown);
  EXPECT_EQ(again->erased_ms, erased->erased_ms);
  // Who comes after all begins anew.
  ASSERT_TRUE(Create().ok());
  EXPECT_EQ(Record().erased_ms, 0);
}

TEST_F(OperationsTest, AnErasedUserIsNotAskedAbout) {
  ASSERT_TRUE(Create().ok());
  const std::string body =
      "{\"applicantId\":\"app_usr_1\",\"externalUserId\":\"usr_1\","
      "\"type\":\"applicantPending\","
      "\"createdAtMs\":\"2026-01-01 00:00:00.000\"}";
  ASSERT_TRUE(Run([&] {
                return engine_.ApplySumsubEvent(CallContext{}, body, "1-0");
              }).ok());
  const std::string waiting = store::WaitingKey(store::BucketOf("usr_1"));
  EXPECT_EQ(Command({"ZCARD", waiting}).integer, 1);
  ASSERT_TRUE(Erase().ok());
  EXPECT_EQ(Command({"ZCARD", waiting}).integer, 0);
}

}  // namespace
}  // namespace kyc::server
