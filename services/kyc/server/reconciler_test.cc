// Reconciliation over a real redis-server and with a clock that is told the
// time; the provider is a port, played by a table of applicants.
#include "services/kyc/server/reconciler.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/async/redis_for_test.h"
#include "services/kyc/server/provider_for_test.h"
#include "services/kyc/store/record_store.h"

namespace kyc::server {
namespace {

using async::CallContext;
using async::Task;
using domain::State;

constexpr int64_t kNow = 1'767'225'600'000;
constexpr int64_t kMinute = 60'000;

// What one process has, on the one loop.
struct Process {
  Process(async::Loop& loop, const async::RedisOptions& options,
          provider::Provider& provider, const base::Clock& clock,
          const EngineConfig& config)
      : redis(loop, options),
        store(redis, clock),
        engine(store, provider, clock, config),
        waiting(redis),
        reconciler(engine, waiting, clock, {.per_second = 1000}) {}
  async::Redis redis;
  store::RecordStore store;
  VerificationEngine engine;
  store::WaitingStore waiting;
  Reconciler reconciler;
};

class ReconcilerTest : public ::testing::Test {
 protected:
  ReconcilerTest() {
    config_.levels.websdk = "full";
    config_.steps =
        *domain::OnboardingSteps::Parse("created,kyc_verification,complete");
    runtime_.Start();
    StartProcess();
  }
  ~ReconcilerTest() override { runtime_.Stop(); }

  Process& StartProcess() {
    std::promise<void> made;
    runtime_.loop(0).Post([&] {
      processes_.push_back(std::make_unique<Process>(
          runtime_.loop(0), server_.options(), provider_, clock_, config_));
      made.set_value();
    });
    made.get_future().wait();
    return *processes_.back();
  }

  template <typename Make>
  auto Run(Make make) {
    using T = typename decltype(make())::value_type;
    auto promise = std::make_shared<std::promise<T>>();
    auto future = promise->get_future();
    runtime_.loop(0).Spawn(Drive<Make, T>(std::move(make), promise));
    EXPECT_EQ(future.wait_for(std::chrono::seconds(60)),
              std::future_status::ready);
    return future.get();
  }
  template <typename Make, typename T>
  static Task<void> Drive(Make make, std::shared_ptr<std::promise<T>> promise) {
    promise->set_value(co_await make());
  }

  // A user whose review is under way, here and at the provider.
  void Begin(const std::string& user) {
    const std::string body = "{\"applicantId\":\"app_" + user +
                             "\",\"externalUserId\":\"" + user +
                             "\",\"type\":\"applicantPending\","
                             "\"createdAtMs\":\"2026-01-01 00:00:00.000\"}";
    ASSERT_TRUE(Run([&] {
                  return processes_[0]->engine.ApplySumsubEvent(CallContext{},
                                                                body, "1-0");
                }).ok());
    domain::Poll& poll = provider_.applicants[user];
    poll.applicant_id = "app_" + user;
    poll.level = "full";
    poll.review = domain::Poll::Review::kInProgress;
  }
  void Decide(const std::string& user) {
    domain::Poll& poll = provider_.applicants[user];
    poll.review = domain::Poll::Review::kCompleted;
    poll.answer = domain::EventKind::kApproved;
    poll.review_time_ms = kNow + 1000;
  }
  absl::StatusOr<std::optional<int64_t>> Sweep(Process& process) {
    return Run([&] { return process.reconciler.Sweep(); });
  }
  absl::StatusOr<std::optional<int64_t>> Sweep() {
    return Sweep(*processes_[0]);
  }
  State StateOf(const std::string& user) {
    return Run([&] { return processes_[0]->store.Load(user); })->state;
  }

  async::RedisForTest server_;
  async::Runtime runtime_{1};
  base::FakeClock clock_{kNow};
  EngineConfig config_;
  FakeProvider provider_;
  std::vector<std::unique_ptr<Process>> processes_;
};

TEST_F(ReconcilerTest, AWebhookThatNeverComesIsMadeUpFor) {
  Begin("u");
  Decide("u");
  EXPECT_EQ(**Sweep(), kNow + 10 * kMinute);
  EXPECT_EQ(provider_.reads, 0);
  EXPECT_EQ(StateOf("u"), State::kInProgress);
  clock_.Advance(10 * kMinute);
  EXPECT_EQ(*Sweep(), std::nullopt);
  EXPECT_EQ(StateOf("u"), State::kApproved);
  EXPECT_EQ(provider_.reads, 1);
  clock_.Advance(1000 * kMinute);
  EXPECT_EQ(*Sweep(), std::nullopt);
  EXPECT_EQ(provider_.reads, 1);
}

TEST_F(ReconcilerTest, AReviewOfDaysIsAskedAboutEverMoreRarely) {
  Begin("u");
  int64_t last = 0;
  for (int i = 0; i < 12; ++i) {
    const auto next = Sweep();
    ASSERT_TRUE(next.ok() && *next);
    const int64_t pause = **next - clock_.NowMs();
    EXPECT_GT(pause, 0);
    EXPECT_LE(pause, 2 * 360 * kMinute);
    last = pause;
    clock_.Set(**next);
  }
  EXPECT_GE(last, 360 * kMinute);
  EXPECT_LE(provider_.reads, 12);
}

TEST_F(ReconcilerTest, SeveralProcessesAskAboutEachUserOnce) {
  constexpr int kUsers = 60;
  for (int i = 0; i < kUsers; ++i) {
    Begin("u" + std::to_string(i));
    Decide("u" + std::to_string(i));
  }
  Process& other = StartProcess();
  clock_.Advance(10 * kMinute);
  auto first = std::async(std::launch::async, [&] { return Sweep(); });
  EXPECT_TRUE(Sweep(other).ok());
  EXPECT_TRUE(first.get().ok());
  EXPECT_EQ(provider_.reads, kUsers);
  for (int i = 0; i < kUsers; ++i) {
    EXPECT_EQ(StateOf("u" + std::to_string(i)), State::kApproved);
  }
}

TEST_F(ReconcilerTest, WhatAProcessTookAndDiedWithIsTakenAgain) {
  Begin("u");
  Decide("u");
  clock_.Advance(10 * kMinute);
  // Taken, and never given back.
  const int bucket = store::BucketOf("u");
  const auto take = [&] {
    return *Run([&] {
      return processes_[0]->waiting.Take(bucket, clock_.NowMs(),
                                         clock_.NowMs() + kMinute, 10);
    });
  };
  EXPECT_EQ(take(), std::vector<std::string>{"u"});
  EXPECT_EQ(take(), std::vector<std::string>{});
  Process& next = StartProcess();
  EXPECT_TRUE(Sweep(next).ok());
  EXPECT_EQ(StateOf("u"), State::kInProgress);
  clock_.Advance(kMinute);
  EXPECT_TRUE(Sweep(next).ok());
  EXPECT_EQ(StateOf("u"), State::kApproved);
}

TEST_F(ReconcilerTest, AProviderThatFailsIsLeftAloneAndAskedAgain) {
  constexpr int kUsers = 40;
  for (int i = 0; i < kUsers; ++i) {
    Begin("u" + std::to_string(i));
    Decide("u" + std::to_string(i));
  }
  clock_.Advance(10 * kMinute);
  provider_.fault = absl::UnavailableError("down");
  ASSERT_TRUE(Sweep().ok());
  EXPECT_LT(provider_.reads, kUsers / 2);
  provider_.fault = absl::OkStatus();
  // Twice as long as it took to notice, jitter included, is enough.
  clock_.Advance(30 * kMinute);
  EXPECT_EQ(*Sweep(), std::nullopt);
  for (int i = 0; i < kUsers; ++i) {
    EXPECT_EQ(StateOf("u" + std::to_string(i)), State::kApproved);
  }
}

TEST_F(ReconcilerTest, GivingBackDoesNotUndoWhatARecordsChangeSet) {
  Begin("u");
  clock_.Advance(10 * kMinute);
  const int bucket = store::BucketOf("u");
  const int64_t until = clock_.NowMs() + kMinute;
  ASSERT_EQ(Run([&] {
              return processes_[0]->waiting.Take(bucket, clock_.NowMs(), until,
                                                 10);
            })->size(),
            1u);
  // Meanwhile the user acts, which restarts the wait.
  ASSERT_TRUE(Run([&] {
                return processes_[0]->store.Update(
                    "u", [](const domain::Record& record) {
                      store::RecordStore::Change change{record, {}};
                      change.record.polled_attempt = 1;
                      return std::make_optional(change);
                    });
              }).ok());
  struct Give {
    static Task<absl::StatusOr<bool>> Back(store::WaitingStore& waiting,
                                           int64_t until) {
      co_return (co_await waiting.GiveBack("u", until, std::nullopt)).ok();
    }
  };
  EXPECT_TRUE(*Run([&] { return Give::Back(processes_[0]->waiting, until); }));
  EXPECT_EQ(**Sweep(), clock_.NowMs() + 10 * kMinute);
}

}  // namespace
}  // namespace kyc::server
