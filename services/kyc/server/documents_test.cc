// Documents, submission, details and names over a real redis-server; the
// provider is a table.
#include "services/kyc/server/documents.h"

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/async/redis_for_test.h"
#include "services/base/error.h"
#include "services/kyc/server/details.h"
#include "services/kyc/server/names.h"
#include "services/kyc/server/provider_for_test.h"
#include "services/kyc/server/verification_engine.h"

namespace kyc::server {
namespace {

using async::CallContext;
using async::Task;
using domain::State;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr char kGreen[] = R"("reviewAnswer":"GREEN")";
constexpr char kRedFinal[] =
    R"("reviewAnswer":"RED","reviewRejectType":"FINAL")";

class DocumentsTest : public ::testing::Test {
 protected:
  explicit DocumentsTest(domain::Levels levels = {.websdk = "full"}) {
    config_.levels = std::move(levels);
    config_.steps = *domain::OnboardingSteps::Parse(
        "created,kyc_verification,card,complete");
    config_.upload_timeout = seconds(30);
    engine_.emplace(store_, provider_, base::SystemClock(), config_);
    runtime_.Start();
  }
  ~DocumentsTest() override { runtime_.Stop(); }

  template <typename Make>
  auto Run(Make make) {
    using T = typename decltype(make())::value_type;
    auto promise = std::make_shared<std::promise<T>>();
    runtime_.loop(0).Post([this, make = std::move(make), promise] {
      runtime_.loop(0).Spawn(Drive<Make, T>(make, promise));
    });
    return promise->get_future().get();
  }
  template <typename Make, typename T>
  static Task<void> Drive(Make make, std::shared_ptr<std::promise<T>> promise) {
    promise->set_value(co_await make());
  }

  void CreateApplicant(domain::Mode mode = domain::Mode::kWebsdk) {
    ASSERT_TRUE(Run([this, mode] {
                  return engine_->CreateApplicant(
                      {}, "u", {.mode = [mode] { return Just(mode); }});
                }).ok());
  }
  static Task<absl::StatusOr<domain::Mode>> Just(domain::Mode mode) {
    co_return mode;
  }

  absl::StatusOr<provider::UploadedDocument> Upload() {
    return Run([this] {
      provider::DocumentBody file;
      file.Append("bytes");
      return engine_->documents().Upload({}, "u", {"PASSPORT", "GBR", ""},
                                         domain::FileType::kPng,
                                         std::move(file));
    });
  }
  absl::StatusOr<std::vector<provider::RequiredStep>> Required() {
    return Run([this] { return engine_->documents().GetRequired({}, "u"); });
  }
  absl::StatusOr<std::string> Submit() {
    return Run([this] { return engine_->documents().Submit({}, "u"); });
  }
  absl::StatusOr<Details::Result> GetDetails(bool refresh = false) {
    return Run(
        [this, refresh] { return engine_->details().Get({}, "u", refresh); });
  }
  absl::StatusOr<domain::Record> Get() {
    return Run([this] { return engine_->Get("u"); });
  }
  // What is stored, without the engine taking an interest.
  domain::Record Stored() {
    return *Run([this] { return store_.Load("u"); });
  }
  void Send(const std::string& type, const std::string& time,
            const std::string& answer = {}, const std::string& user = "u") {
    const std::string body =
        R"({"applicantId":"app_)" + user + R"(","externalUserId":")" + user +
        R"(","levelName":"full",)"
        R"("reviewStatus":"completed","type":")" +
        type + R"(","createdAtMs":")" + time + R"(","reviewResult":{)" +
        answer + "}}";
    ASSERT_TRUE(Run([this, body] {
                  return engine_->ApplySumsubEvent({}, body, "1-0");
                }).ok());
  }
  void Approve(const std::string& time = "2026-01-01 00:00:05.000") {
    Send("applicantReviewed", time, kGreen);
  }
  static void WaitFor(const std::function<bool()>& done) {
    const auto end = steady_clock::now() + seconds(10);
    while (!done() && steady_clock::now() < end) {
      std::this_thread::sleep_for(milliseconds(5));
    }
    EXPECT_TRUE(done());
  }

  async::RedisForTest server_;
  async::Runtime runtime_{1};
  EngineConfig config_;
  FakeProvider provider_;
  async::Redis redis_{runtime_.loop(0), server_.options()};
  store::RecordStore store_{redis_, base::SystemClock()};
  std::optional<VerificationEngine> engine_;
};

class HybridDocumentsTest : public DocumentsTest {
 protected:
  HybridDocumentsTest()
      : DocumentsTest(
            {.websdk = "full", .hybrid = "docs", .liveness = "live"}) {}
};

void ExpectReason(const absl::Status& status, v1::ErrorReason reason) {
  EXPECT_EQ(base::ReasonOf(status), reason) << status;
}

TEST_F(DocumentsTest, NothingWithoutAnApplicant) {
  const auto reason = v1::ERROR_REASON_APPLICANT_NOT_FOUND;
  ExpectReason(Upload().status(), reason);
  ExpectReason(Required().status(), reason);
  ExpectReason(Submit().status(), reason);
  ExpectReason(GetDetails().status(), reason);
  EXPECT_TRUE(provider_.uploads.empty());
  // One that the provider has forgotten meanwhile.
  CreateApplicant();
  provider_.fault = absl::NotFoundError("404");
  ExpectReason(Upload().status(), reason);
  ExpectReason(Required().status(), reason);
  ExpectReason(Submit().status(), reason);
}

TEST_F(DocumentsTest, AnUploadGoesToTheApplicantAndStartsTheVerification) {
  CreateApplicant();
  const auto before = steady_clock::now();
  const auto uploaded = Upload();
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  EXPECT_EQ(uploaded->image_id, "img_1");
  ASSERT_EQ(provider_.uploads.size(), 1u);
  const FakeProvider::Upload& upload = provider_.uploads[0];
  EXPECT_EQ(upload.applicant_id, "app_u");
  EXPECT_EQ(upload.metadata, (domain::DocumentMetadata{"PASSPORT", "GBR", ""}));
  EXPECT_EQ(upload.type, domain::FileType::kPng);
  EXPECT_EQ(upload.file, "bytes");
  EXPECT_GT(upload.deadline, before + seconds(29));
  EXPECT_LT(upload.deadline, before + seconds(35));
  EXPECT_EQ(Stored().state, State::kInProgress);
  // A decision is not undone by another upload.
  Approve();
  EXPECT_TRUE(Upload().ok());
  EXPECT_EQ(Stored().state, State::kApproved);
}

TEST_F(DocumentsTest, UploadsThatFail) {
  CreateApplicant();
  for (const absl::Status& fault :
       {absl::UnavailableError("x"), absl::DeadlineExceededError("x"),
        absl::ResourceExhaustedError("x"), absl::InvalidArgumentError("x"),
        absl::FailedPreconditionError("x")}) {
    provider_.fault = fault;
    ExpectReason(Upload().status(), v1::ERROR_REASON_UPLOAD_FAILED);
  }
  provider_.fault = absl::PermissionDeniedError("x");
  ExpectReason(Upload().status(), v1::ERROR_REASON_INTERNAL);
  EXPECT_EQ(Stored().state, State::kPending);
}

TEST_F(DocumentsTest, RequiredSteps) {
  CreateApplicant();
  EXPECT_TRUE(Required()->empty());
  EXPECT_FALSE(AllUploaded({}));
  provider_.steps = {{.type = "IDENTITY", .has_documents = true},
                     {.type = "SELFIE"}};
  EXPECT_EQ(Required()->size(), 2u);
  EXPECT_FALSE(AllUploaded(*Required()));
  provider_.steps[1].has_documents = true;
  EXPECT_TRUE(AllUploaded(*Required()));
  provider_.fault = absl::UnavailableError("x");
  ExpectReason(Required().status(), v1::ERROR_REASON_PROVIDER_UNAVAILABLE);
  provider_.fault = absl::PermissionDeniedError("x");
  ExpectReason(Required().status(), v1::ERROR_REASON_INTERNAL);
}

TEST_F(DocumentsTest, SubmitNeedsDocumentsForEveryStep) {
  CreateApplicant();
  ExpectReason(Submit().status(), v1::ERROR_REASON_NOT_READY_FOR_SUBMISSION);
  provider_.steps = {{.type = "IDENTITY", .has_documents = true},
                     {.type = "SELFIE"}};
  ExpectReason(Submit().status(), v1::ERROR_REASON_NOT_READY_FOR_SUBMISSION);
  EXPECT_TRUE(provider_.submitted.empty());
  EXPECT_EQ(Stored().state, State::kPending);
  provider_.steps[1].has_documents = true;
  // A side of a document is missing: only the provider knows.
  provider_.submit_fault = FakeProvider::Incomplete();
  ExpectReason(Submit().status(), v1::ERROR_REASON_NOT_READY_FOR_SUBMISSION);
  provider_.submit_fault = absl::OkStatus();
  for (int i = 0; i < 2; ++i) {
    const auto applicant = Submit();
    ASSERT_TRUE(applicant.ok()) << applicant.status();
    EXPECT_EQ(*applicant, "app_u");
  }
  EXPECT_EQ(Stored().state, State::kInProgress);
}

TEST_F(DocumentsTest, WhatIsSubmittedAlreadyNeedsNoDocuments) {
  CreateApplicant();
  domain::Poll& review = provider_.applicants["u"];
  review.review = domain::Poll::Review::kCompleted;
  review.answer = domain::EventKind::kRetryRequested;
  ExpectReason(Submit().status(), v1::ERROR_REASON_NOT_READY_FOR_SUBMISSION);
  review.answer = domain::EventKind::kApproved;
  EXPECT_TRUE(Submit().ok());
  review.review = domain::Poll::Review::kInProgress;
  EXPECT_TRUE(Submit().ok());
  EXPECT_TRUE(provider_.submitted.empty());
  // Decided, and the provider begins no other review: nothing is under way.
  provider_.steps = {{.type = "IDENTITY", .has_documents = true}};
  provider_.submit_fault = absl::AlreadyExistsError("x");
  EXPECT_TRUE(Submit().ok());
  EXPECT_EQ(Stored().state, State::kPending);
}

TEST_F(HybridDocumentsTest, AnUploadFindsTheDocumentsLevelUnlessItIsDecided) {
  using Review = domain::Poll::Review;
  CreateApplicant(domain::Mode::kHybrid);
  domain::Poll& review = provider_.applicants["u"];
  EXPECT_EQ(review.level, "docs");
  EXPECT_TRUE(Upload().ok());
  EXPECT_TRUE(provider_.moves.empty());
  const struct {
    Review review;
    std::optional<domain::EventKind> answer;
    bool moves;
  } cases[] = {
      {Review::kInit, std::nullopt, true},
      {Review::kAwaitingUser, std::nullopt, true},
      {Review::kCompleted, domain::EventKind::kRetryRequested, true},
      {Review::kCompleted, domain::EventKind::kApproved, false},
      {Review::kCompleted, domain::EventKind::kRejected, false},
      {Review::kInProgress, std::nullopt, false},
  };
  for (const auto& each : cases) {
    review.level = "live";
    review.review = each.review;
    review.answer = each.answer;
    EXPECT_TRUE(Upload().ok());
    EXPECT_EQ(review.level, each.moves ? "docs" : "live");
  }
}

TEST_F(DocumentsTest, SubmitGoesOnWithoutTheLookup) {
  CreateApplicant();
  provider_.steps_fault = absl::UnavailableError("x");
  EXPECT_TRUE(Submit().ok());
  EXPECT_EQ(Stored().state, State::kInProgress);
  // The lookup has a part of the time only.
  EXPECT_GT(provider_.submit_deadline - provider_.lookup_deadline, seconds(2));
  EXPECT_LT(provider_.submit_deadline, steady_clock::now() + seconds(5));
  for (const absl::Status& fault :
       {FakeProvider::Incomplete(), absl::FailedPreconditionError("x"),
        absl::UnavailableError("x"), absl::DeadlineExceededError("x")}) {
    provider_.submit_fault = fault;
    ExpectReason(Submit().status(), v1::ERROR_REASON_SUBMISSION_FAILED);
  }
  provider_.submit_fault = absl::PermissionDeniedError("x");
  ExpectReason(Submit().status(), v1::ERROR_REASON_INTERNAL);
}

TEST_F(DocumentsTest, ARetryThatSubmitsIsUnderWayAgain) {
  CreateApplicant();
  Send("applicantReviewed", "2026-01-01 00:00:05.000",
       R"("reviewAnswer":"RED","reviewRejectType":"RETRY")");
  EXPECT_EQ(Stored().state, State::kRetry);
  provider_.steps = {{.type = "IDENTITY", .has_documents = true}};
  EXPECT_TRUE(Submit().ok());
  EXPECT_EQ(Stored().state, State::kInProgress);
}

TEST_F(DocumentsTest, DetailsAreKeptUntilSomethingChanges) {
  CreateApplicant();
  provider_.details.started_at_ms = 1;
  provider_.person = FakeProvider::Person("Jane", "Smith");
  EXPECT_EQ(GetDetails()->known->personal_info->first_name.Reveal(), "Jane");
  EXPECT_EQ(GetDetails()->known->started_at_ms, 1);
  EXPECT_EQ(provider_.details_reads, 1);
  // Asked for anew.
  EXPECT_TRUE(GetDetails(true).ok());
  EXPECT_EQ(provider_.details_reads, 2);
  EXPECT_TRUE(GetDetails().ok());
  EXPECT_EQ(provider_.details_reads, 2);
  // An event that changes nothing of the record.
  Send("applicantPersonalInfoChanged", "2026-01-01 00:00:01.000");
  EXPECT_TRUE(GetDetails().ok());
  EXPECT_EQ(provider_.details_reads, 3);
  // A change of the record, also by another process.
  ASSERT_TRUE(Upload().ok());
  const auto changed = GetDetails();
  EXPECT_EQ(changed->record.state, State::kInProgress);
  EXPECT_EQ(provider_.details_reads, 4);
  runtime_.loop(0).Post([this] { engine_->details().Forget("u"); });
  EXPECT_TRUE(GetDetails().ok());
  EXPECT_EQ(provider_.details_reads, 5);
}

TEST_F(DocumentsTest, WhatChangesWhileTheProviderIsAskedIsNotKept) {
  CreateApplicant();
  provider_.delay = milliseconds(200);
  auto first = std::async(std::launch::async, [this] { return GetDetails(); });
  WaitFor([this] { return provider_.details_reads == 1; });
  Send("applicantPersonalInfoChanged", "2026-01-01 00:00:01.000");
  EXPECT_TRUE(first.get().ok());
  provider_.delay = milliseconds(1);
  EXPECT_TRUE(GetDetails().ok());
  EXPECT_EQ(provider_.details_reads, 2);
}

TEST_F(DocumentsTest, ManyWhoAskAtOnceShareOneQuestion) {
  CreateApplicant();
  provider_.delay = milliseconds(200);
  std::vector<std::future<absl::StatusOr<Details::Result>>> all;
  for (int i = 0; i < 10; ++i) {
    all.push_back(
        std::async(std::launch::async, [this] { return GetDetails(true); }));
  }
  for (auto& each : all) EXPECT_TRUE(each.get().ok());
  EXPECT_EQ(provider_.details_reads, 1);
}

TEST_F(DocumentsTest, TheCacheIsBounded) {
  Names names(store_, provider_, {});
  Details details(store_, provider_, names,
                  {.cache_ttl = milliseconds(100), .cache_entries = 2});
  const auto ask = [&](const std::string& user) {
    return Run([&, user] { return details.Get({}, user, false); }).ok();
  };
  for (const char* user : {"a", "b", "c"}) {
    ASSERT_TRUE(Run([this, user] {
                  return engine_->CreateApplicant(
                      {}, user,
                      {.mode = [] { return Just(domain::Mode::kWebsdk); }});
                }).ok());
    EXPECT_TRUE(ask(user));
  }
  EXPECT_EQ(provider_.details_reads, 3);
  EXPECT_TRUE(ask("a"));  // The first to come was the first to go.
  EXPECT_EQ(provider_.details_reads, 4);
  const auto full = steady_clock::now();
  std::this_thread::sleep_until(full + milliseconds(110));
  EXPECT_TRUE(ask("a"));
  EXPECT_EQ(provider_.details_reads, 5);
}

TEST_F(DocumentsTest, DetailsOfAPurgedApplicantHaveNoPerson) {
  CreateApplicant();
  Approve();
  provider_.details_fault = absl::NotFoundError("404");
  auto details = GetDetails();
  ASSERT_TRUE(details.ok()) << details.status();
  EXPECT_FALSE(details->known->personal_info.has_value());
  EXPECT_EQ(details->record.state, State::kApproved);
  Send("applicantDeleted", "2026-01-01 00:00:09.000");
  details = GetDetails();
  ASSERT_TRUE(details.ok()) << details.status();
  EXPECT_FALSE(details->known->personal_info.has_value());
  EXPECT_EQ(details->record.state, State::kApproved);
}

TEST_F(DocumentsTest, DetailsThatCannotBeRead) {
  CreateApplicant();
  provider_.fault = absl::UnavailableError("x");
  ExpectReason(GetDetails().status(), v1::ERROR_REASON_PROVIDER_UNAVAILABLE);
  provider_.fault = absl::PermissionDeniedError("x");
  ExpectReason(GetDetails().status(), v1::ERROR_REASON_INTERNAL);
  provider_.fault = absl::OkStatus();
  EXPECT_TRUE(GetDetails().ok());
}

TEST_F(DocumentsTest, AnApprovalBringsTheNameAndOnlyAnApprovalKeepsIt) {
  CreateApplicant();
  provider_.person = FakeProvider::Person("Jane", "Smith");
  EXPECT_TRUE(GetDetails().ok());
  EXPECT_EQ(Stored().first_name, "");
  Approve();
  WaitFor([this] { return Stored().first_name == "Jane"; });
  EXPECT_EQ(Stored().last_names, "Smith");
  const uint64_t version = Stored().version;
  EXPECT_EQ(Get()->version, version);
  Send("applicantReviewed", "2026-01-01 00:00:06.000", kRedFinal);
  EXPECT_EQ(Stored().first_name, "");
  EXPECT_EQ(Stored().last_names, "");
}

TEST_F(DocumentsTest, WhoSeesTheApprovalSeesTheName) {
  CreateApplicant();
  provider_.delay = milliseconds(100);
  provider_.person = FakeProvider::Person("Jane", "Smith");
  Approve();
  EXPECT_EQ(Get()->first_name, "Jane");
}

TEST_F(DocumentsTest, APolledApprovalBringsTheNameToo) {
  CreateApplicant();
  provider_.person = FakeProvider::Person("Jane", "Smith");
  domain::Poll& poll = provider_.applicants["u"];
  poll.review = domain::Poll::Review::kCompleted;
  poll.answer = domain::EventKind::kApproved;
  poll.review_time_ms = 1767225600000;
  ASSERT_TRUE(Run([this] { return engine_->Refresh({}, "u"); }).ok());
  WaitFor([this] { return Stored().first_name == "Jane"; });
}

TEST_F(DocumentsTest, AProviderThatFailsDelaysTheNameAlone) {
  CreateApplicant();
  provider_.details_fault = absl::UnavailableError("x");
  provider_.person = FakeProvider::Person("Jane", "Smith");
  Approve();
  EXPECT_EQ(Stored().state, State::kApproved);
  WaitFor([this] { return provider_.person_reads == 1; });
  EXPECT_EQ(Stored().first_name, "");
  provider_.details_fault = absl::OkStatus();
  // The next attempt is a second later; details know it now.
  EXPECT_TRUE(GetDetails().ok());
  EXPECT_EQ(Stored().first_name, "Jane");
}

TEST_F(DocumentsTest, NamesAreTriedAgainWithPausesAndNotForEver) {
  CreateApplicant();
  Approve();  // The engine's own attempts are a second apart.
  WaitFor([this] { return provider_.person_reads == 1; });
  Names names(store_, provider_,
              {.first_pause = milliseconds(10),
               .attempts = 3,
               .rest = milliseconds(100)});
  const domain::Record record = Stored();
  const auto want = [&] {
    runtime_.loop(0).Post([&] { names.Want({}, record); });
  };
  want();
  WaitFor([this] { return provider_.person_reads == 4; });
  want();  // At rest.
  std::this_thread::sleep_for(milliseconds(30));
  EXPECT_EQ(provider_.person_reads, 4);
  std::this_thread::sleep_for(milliseconds(150));
  provider_.person = FakeProvider::Person("", "Smith");
  want();
  WaitFor([this] { return Stored().last_names == "Smith"; });
  runtime_.Stop();  // Before `names` goes.
}

TEST_F(DocumentsTest, NamesLeaveRoomForTheQuestionsOfUsers) {
  constexpr int kUsers = 6;
  std::vector<domain::Record> approved;
  for (int i = 0; i < kUsers; ++i) {
    const std::string user = "user_" + std::to_string(i);
    Send("applicantReviewed", "2026-01-01 00:00:05.000", kGreen, user);
    approved.push_back(*Run([&] { return store_.Load(user); }));
  }
  // The engine's own attempts; its next ones are a second later.
  WaitFor([this] { return provider_.person_reads == kUsers; });
  provider_.delay = milliseconds(300);
  provider_.person = FakeProvider::Person("Jane", "Smith");
  Names names(store_, provider_, {.at_once = 2});
  runtime_.loop(0).Post([&] {
    for (const domain::Record& record : approved) names.Want({}, record);
  });
  WaitFor([this] { return provider_.person_reads == kUsers + 2; });
  std::this_thread::sleep_for(milliseconds(100));
  EXPECT_EQ(provider_.person_reads, kUsers + 2);
  for (const domain::Record& record : approved) {
    WaitFor([&] {
      return Run([&] { return store_.Load(record.user_id); })->last_names ==
             "Smith";
    });
  }
  runtime_.Stop();  // Before `names` goes.
}

TEST_F(DocumentsTest, ANameOfWhoIsNoLongerApprovedIsNotStored) {
  CreateApplicant();
  provider_.delay = milliseconds(200);
  provider_.person = FakeProvider::Person("Jane", "Smith");
  Approve();
  WaitFor([this] { return provider_.person_reads == 1; });
  Send("applicantReviewed", "2026-01-01 00:00:06.000", kRedFinal);
  std::this_thread::sleep_for(milliseconds(400));
  EXPECT_EQ(Stored().first_name, "");
  EXPECT_EQ(Stored().state, State::kRejected);
}

}  // namespace
}  // namespace kyc::server
