#include "deploy/sandbox/applicants.h"

#include <string>
#include <vector>

#include "deploy/sandbox/applicant_json.h"
#include "gtest/gtest.h"
#include "services/base/json.h"

namespace kyc::sandbox {
namespace {

constexpr int64_t kNow = 1'740'911'091'000;

class ApplicantsTest : public ::testing::Test {
 protected:
  ApplicantsTest()
      : levels_(*Levels::Parse("full=IDENTITY+SELFIE;docs=IDENTITY;"
                               "liveness=SELFIE;"
                               "address=IDENTITY+PROOF_OF_RESIDENCE")),
        clock_(kNow),
        applicants_(&levels_, &clock_, Applicants::Options(),
                    [this](Event event) { events_.push_back(event); }) {}

  Applicant& Make(const std::string& user, const std::string& level) {
    Applicants::NewApplicant fields;
    fields.external_user_id = user;
    fields.level = level;
    Applicant* created = nullptr;
    EXPECT_FALSE(applicants_.Create(fields, &created).has_value());
    return *created;
  }

  Refusal Add(Applicant& applicant, const std::string& type,
              const std::string& side = "", bool accepted = true) {
    const Image* image = nullptr;
    return applicants_.AddDocument(
        applicant, {type, side, "GBR", "image/jpeg", "bytes", accepted},
        &image);
  }

  // An applicant that was submitted by API and waits for its review.
  Applicant& Submitted(const std::string& user) {
    Applicant& applicant = Make(user, "docs");
    EXPECT_FALSE(Add(applicant, "PASSPORT").has_value());
    EXPECT_FALSE(applicants_.Submit(applicant).has_value());
    return applicant;
  }

  void PassTime(int64_t ms) {
    clock_.Advance(ms);
    applicants_.RunDue();
  }

  std::vector<std::string> TakeTypes() {
    std::vector<std::string> types;
    for (const Event& event : events_) types.push_back(event.type);
    events_.clear();
    return types;
  }

  static int CodeOf(const Refusal& refusal) {
    if (!refusal) return 0;
    return refusal->error_code != 0 ? refusal->error_code
                                    : refusal->http_status;
  }

  const Levels levels_;
  base::FakeClock clock_;
  std::vector<Event> events_;
  Applicants applicants_;
};

using Types = std::vector<std::string>;

TEST_F(ApplicantsTest, CreatesOncePerExternalId) {
  Applicant& first = Make("u", "docs");
  EXPECT_EQ(first.id.size(), 24u);
  EXPECT_EQ(TakeTypes(), Types{"applicantCreated"});
  Applicants::NewApplicant again;
  again.external_user_id = "u";
  again.level = "full";
  Applicant* created = nullptr;
  const Refusal refusal = applicants_.Create(again, &created);
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->http_status, 409);
  EXPECT_EQ(refusal->error_code, 0);
  EXPECT_EQ(refusal->description,
            "Applicant with external user id 'u' already exists: " + first.id);
  EXPECT_EQ(applicants_.size(), 1u);
  EXPECT_TRUE(TakeTypes().empty());
}

TEST_F(ApplicantsTest, RefusesUnknownLevels) {
  Applicants::NewApplicant fields;
  fields.external_user_id = "u";
  fields.level = "nope";
  Applicant* created = nullptr;
  EXPECT_EQ(CodeOf(applicants_.Create(fields, &created)), 400);
  EXPECT_EQ(CodeOf(applicants_.MoveToLevel(Make("v", "docs"), "nope")), 400);
}

TEST_F(ApplicantsTest, WantsBothSidesOfACard) {
  Applicant& applicant = Make("u", "docs");
  const Refusal refusal = applicants_.Submit(applicant);
  ASSERT_TRUE(refusal.has_value());
  EXPECT_EQ(refusal->http_status, 409);
  EXPECT_EQ(refusal->description,
            "Not all required documents or data are submitted. Make sure to "
            "complete [IDENTITY] verification steps beforehand.");
  EXPECT_EQ(CodeOf(Add(applicant, "ID_CARD", "FRONT_SIDE")), 0);
  EXPECT_EQ(CodeOf(applicants_.Submit(applicant)), 409);
  EXPECT_EQ(CodeOf(Add(applicant, "ID_CARD", "BACK_SIDE")), 0);
  EXPECT_EQ(CodeOf(applicants_.Submit(applicant)), 0);
}

TEST_F(ApplicantsTest, NoUploadCompletesALivenessStep) {
  Applicant& applicant = Make("u", "full");
  EXPECT_EQ(CodeOf(Add(applicant, "PASSPORT")), 0);
  EXPECT_EQ(CodeOf(Add(applicant, "SELFIE")), 0);
  EXPECT_EQ(applicants_.MissingSteps(applicant), Types{"SELFIE"});
}

TEST_F(ApplicantsTest, RefusesDocumentsTheLevelDoesNotAskFor) {
  EXPECT_EQ(CodeOf(Add(Make("u", "docs"), "UTILITY_BILL")), 1010);
  EXPECT_EQ(CodeOf(Add(Make("v", "address"), "UTILITY_BILL")), 0);
}

TEST_F(ApplicantsTest, ReviewEndsAsConfiguredAndWhenDue) {
  Applicant& applicant = Submitted("u");
  EXPECT_EQ(TakeTypes(), (Types{"applicantCreated", "applicantPending"}));
  EXPECT_EQ(applicant.attempt_count, 1);
  EXPECT_EQ(applicants_.NextDueMs(), kNow + 1000);
  PassTime(999);
  EXPECT_EQ(applicant.status, ReviewStatus::kPending);
  PassTime(1);
  EXPECT_EQ(applicant.status, ReviewStatus::kCompleted);
  EXPECT_EQ(applicant.result->answer, "GREEN");
  EXPECT_EQ(applicant.info->first_name, "Jane");
  EXPECT_EQ(TakeTypes(), Types{"applicantReviewed"});
  EXPECT_EQ(applicants_.NextDueMs(), std::nullopt);
}

TEST_F(ApplicantsTest, RefusesWhatAReviewForbids) {
  Applicant& applicant = Submitted("u");
  EXPECT_EQ(CodeOf(Add(applicant, "PASSPORT")), 1006);
  EXPECT_EQ(CodeOf(applicants_.Submit(applicant)), 3000);
  EXPECT_EQ(CodeOf(applicants_.Reset(applicant)), 409);
  EXPECT_EQ(CodeOf(applicants_.MoveToLevel(applicant, "liveness")), 409);
  applicants_.Hold(applicant);
  EXPECT_EQ(CodeOf(applicants_.Submit(applicant)), 3000);
  EXPECT_EQ(CodeOf(applicants_.MoveToLevel(applicant, "liveness")), 409);
  PassTime(10'000);  // Held: the plan is void.
  EXPECT_EQ(applicant.status, ReviewStatus::kOnHold);
}

TEST_F(ApplicantsTest, AFinalRejectionEndsIt) {
  applicants_.SetOutcome(Outcome::kReject, 0);
  Applicant& applicant = Submitted("u");
  PassTime(0);
  EXPECT_EQ(applicant.result->reject_type, "FINAL");
  EXPECT_EQ(CodeOf(Add(applicant, "PASSPORT")), 1009);
  EXPECT_EQ(CodeOf(applicants_.Submit(applicant)), 1009);
}

TEST_F(ApplicantsTest, ARetryWantsTheDocumentAgain) {
  applicants_.SetOutcome(Outcome::kRetry, 0);
  Applicant& applicant = Submitted("u");
  PassTime(0);
  EXPECT_EQ(applicant.result->reject_type, "RETRY");
  EXPECT_EQ(CodeOf(applicants_.Submit(applicant)), 409);
  EXPECT_EQ(CodeOf(Add(applicant, "PASSPORT")), 0);
  EXPECT_EQ(applicants_.ActiveImages(applicant, "IDENTITY").size(), 1u);
  EXPECT_EQ(CodeOf(applicants_.Submit(applicant)), 0);
  EXPECT_EQ(applicant.attempt_count, 2);
  // The old answer lingers while the new review runs.
  EXPECT_EQ(applicant.result->answer, "RED");
  EXPECT_EQ(applicant.status, ReviewStatus::kPending);
}

TEST_F(ApplicantsTest, ResetMakesImagesInactiveAndKeepsTheStaleAnswer) {
  Applicant& applicant = Submitted("u");
  PassTime(1000);
  TakeTypes();
  EXPECT_EQ(CodeOf(applicants_.Reset(applicant)), 0);
  ASSERT_EQ(events_.size(), 1u);
  EXPECT_EQ(events_[0].type, "applicantReset");
  EXPECT_TRUE(events_[0].null_result);
  EXPECT_EQ(applicant.status, ReviewStatus::kInit);
  EXPECT_TRUE(applicants_.ActiveImages(applicant, "IDENTITY").empty());
  EXPECT_TRUE(applicant.result.has_value());
  EXPECT_EQ(CodeOf(applicants_.Submit(applicant)), 409);
}

TEST_F(ApplicantsTest, APlanOfAnEarlierReviewDecidesNothing) {
  Applicant& applicant = Submitted("u");
  applicants_.Decide(applicant, ResultOf(Outcome::kRetry));
  PassTime(5000);
  EXPECT_EQ(applicant.result->answer, "RED");
}

TEST_F(ApplicantsTest, EventTimesRiseEvenWhenTheClockStands) {
  Applicant& applicant = Submitted("u");
  applicants_.Decide(applicant, ResultOf(Outcome::kApprove));
  clock_.Set(kNow - 5000);
  applicants_.Decide(applicant, ResultOf(Outcome::kReject));
  for (size_t i = 1; i < events_.size(); ++i) {
    EXPECT_GT(events_[i].created_ms, events_[i - 1].created_ms);
    EXPECT_NE(events_[i].correlation_id, events_[i - 1].correlation_id);
  }
  EXPECT_EQ(events_.size(), 4u);
}

TEST_F(ApplicantsTest, TheSdkCreatesCompletesAndSubmits) {
  applicants_.RememberToken("u", "full");
  Applicant* applicant = nullptr;
  ASSERT_FALSE(
      applicants_.PlayInSdk("u", "", {kNow + 5, Outcome::kApprove}, &applicant)
          .has_value());
  EXPECT_EQ(applicant->level, "full");
  EXPECT_EQ(applicant->platform, "Web");
  EXPECT_EQ(TakeTypes(), (Types{"applicantCreated", "applicantPending"}));
  EXPECT_EQ(applicants_.ActiveImages(*applicant, "IDENTITY").size(), 1u);
  EXPECT_EQ(applicants_.ActiveImages(*applicant, "SELFIE").size(), 1u);
  Applicant* again = nullptr;
  EXPECT_EQ(
      CodeOf(applicants_.PlayInSdk("u", "", {kNow, Outcome::kApprove}, &again)),
      409);
  PassTime(5);
  EXPECT_EQ(TakeTypes(), Types{"applicantReviewed"});
  EXPECT_EQ(
      CodeOf(applicants_.PlayInSdk("u", "", {kNow, Outcome::kApprove}, &again)),
      409);
}

TEST_F(ApplicantsTest, TheSdkMovesAnApplicantToTheTokensLevel) {
  Applicant& applicant = Submitted("u");
  PassTime(1000);
  TakeTypes();
  applicants_.RememberToken("u", "liveness");
  Applicant* played = nullptr;
  ASSERT_FALSE(
      applicants_
          .PlayInSdk("u", "", {clock_.NowMs(), Outcome::kApprove}, &played)
          .has_value());
  EXPECT_EQ(played, &applicant);
  EXPECT_EQ(events_[0].type, "applicantLevelChanged");
  EXPECT_EQ(events_[0].previous_level, "docs");
  EXPECT_EQ(applicant.level, "liveness");
  PassTime(0);
  EXPECT_EQ(events_.back().type, "applicantReviewed");
  EXPECT_EQ(events_.back().level, "liveness");
}

TEST_F(ApplicantsTest, AnOnHoldEventCarriesAnAnswerThatIsNoDecision) {
  Applicant& applicant = Submitted("u");
  applicants_.Hold(applicant);
  EXPECT_EQ(events_.back().type, "applicantOnHold");
  EXPECT_EQ(events_.back().result->answer, "GREEN");
  EXPECT_FALSE(applicant.result.has_value());
}

TEST_F(ApplicantsTest, DeactivationAndDeletion) {
  Applicant& applicant = Make("u", "docs");
  applicants_.SetDeactivated(applicant, true);
  applicants_.SetDeactivated(applicant, true);
  EXPECT_EQ(TakeTypes(), (Types{"applicantCreated", "applicantDeactivated"}));
  EXPECT_EQ(CodeOf(Add(applicant, "PASSPORT")), 1008);
  applicants_.SetDeactivated(applicant, false);
  EXPECT_EQ(CodeOf(Add(applicant, "PASSPORT")), 0);
  const std::string old_id = applicant.id;
  applicants_.Delete(applicant);
  EXPECT_EQ(TakeTypes(), (Types{"applicantActivated", "applicantDeleted"}));
  EXPECT_EQ(applicants_.Find(old_id), nullptr);
  EXPECT_NE(Make("u", "docs").id, old_id);
}

TEST_F(ApplicantsTest, AnUploadWithErrorsIsInactiveWithItsOtherSide) {
  Applicant& applicant = Make("u", "docs");
  EXPECT_EQ(CodeOf(Add(applicant, "ID_CARD", "FRONT_SIDE")), 0);
  EXPECT_EQ(CodeOf(Add(applicant, "ID_CARD", "BACK_SIDE", false)), 0);
  EXPECT_EQ(applicant.images.size(), 2u);
  EXPECT_TRUE(applicants_.ActiveImages(applicant, "IDENTITY").empty());
}

TEST(ApplicantsLimits, OldImageBytesMakeRoomForNewOnes) {
  const Levels levels = *Levels::Parse("docs=IDENTITY");
  const base::FakeClock clock(kNow);
  Applicants::Options options;
  options.max_image_bytes = 10;
  options.max_images_per_applicant = 3;
  Applicants applicants(&levels, &clock, options, [](Event) {});
  Applicant* applicant = nullptr;
  Applicants::NewApplicant fields;
  fields.external_user_id = "u";
  fields.level = "docs";
  ASSERT_FALSE(applicants.Create(fields, &applicant).has_value());
  const Image* image = nullptr;
  for (int i = 0; i < 3; ++i) {
    ASSERT_FALSE(
        applicants
            .AddDocument(*applicant,
                         {"PASSPORT", "", "GBR", "image/png", "12345", true},
                         &image)
            .has_value());
  }
  EXPECT_EQ(applicant->images[0].bytes, nullptr);
  EXPECT_NE(applicant->images[1].bytes, nullptr);
  EXPECT_EQ(*applicant->images[2].bytes, "12345");
  EXPECT_EQ(
      applicants
          .AddDocument(*applicant,
                       {"PASSPORT", "", "GBR", "image/png", "1", true}, &image)
          ->error_code,
      1001);
}

TEST_F(ApplicantsTest, RendersStepsAsNullableObjects) {
  Applicant& applicant = Make("u", "full");
  EXPECT_EQ(RenderRequiredDocuments(applicants_, applicant),
            R"({"IDENTITY":null,"SELFIE":null})");
  EXPECT_EQ(CodeOf(Add(applicant, "ID_CARD", "FRONT_SIDE")), 0);
  const std::string id = std::to_string(applicant.images[0].id);
  EXPECT_EQ(RenderRequiredDocuments(applicants_, applicant),
            R"({"IDENTITY":{"reviewResult":{},"country":"GBR",)"
            R"("idDocType":"ID_CARD","imageIds":[)" +
                id + R"(],"imageReviewResults":{")" + id +
                R"(":{}},"forbidden":false,"doubleSided":true,)"
                R"("stepStatuses":null},"SELFIE":null})");
}

TEST_F(ApplicantsTest, RendersTheReviewAndThePerson) {
  Applicant& applicant = Submitted("u");
  PassTime(1000);
  const auto one =
      *base::JsonDocument::Parse(RenderApplicant(applicants_, applicant));
  EXPECT_EQ(one.root()["info"]["lastName"].AsString(), "Smith");
  EXPECT_EQ(one.root()["info"]["dob"].AsString(), "1990-05-15");
  EXPECT_EQ(one.root()["info"]["nationality"].AsString(), "GBR");
  EXPECT_EQ(one.root()["info"]["idDocs"].Elements()[0]["idDocType"].AsString(),
            "PASSPORT");
  const auto status = *base::JsonDocument::Parse(RenderReview(applicant));
  EXPECT_EQ(status.root()["reviewStatus"].AsString(), "completed");
  EXPECT_EQ(status.root()["reviewResult"]["reviewAnswer"].AsString(), "GREEN");
  EXPECT_EQ(status.root()["reviewDate"].AsString(), "2025-03-02 10:24:52+0000");
  EXPECT_EQ(status.root()["elapsedSincePendingMs"].AsInt(), 1000);
}

TEST(LevelsTest, ParsesAndRefuses) {
  const auto levels = Levels::Parse("a=IDENTITY+SELFIE;b=QUESTIONNAIRE;");
  ASSERT_TRUE(levels.ok());
  EXPECT_EQ(levels->first(), "a");
  EXPECT_EQ(*levels->Steps("a"), (Types{"IDENTITY", "SELFIE"}));
  EXPECT_EQ(levels->Steps("c"), nullptr);
  for (const char* text : {"", ";", "a", "a=", "=IDENTITY", "a=identity",
                           "a=IDENTITY;a=SELFIE", "a=IDENTITY++SELFIE"}) {
    EXPECT_FALSE(Levels::Parse(text).ok()) << text;
  }
}

}  // namespace
}  // namespace kyc::sandbox
