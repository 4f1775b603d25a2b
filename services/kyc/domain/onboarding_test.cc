#include "services/kyc/domain/onboarding.h"

#include <gtest/gtest.h>

namespace kyc::domain {
namespace {

OnboardingSteps Steps() {
  auto steps = OnboardingSteps::Parse(
      "created,phone_verification,kyc_verification,card_setup,complete");
  EXPECT_TRUE(steps.ok()) << steps.status();
  return *std::move(steps);
}

TEST(Onboarding, RefusesListsThatAreNotOne) {
  for (const char* list :
       {"", "created,complete", "a,b,c", "created,a,a,complete",
        "created,A,complete", "created,,complete", "created, ,complete",
        "complete,a,created"}) {
    EXPECT_FALSE(OnboardingSteps::Parse(list).ok()) << list;
  }
}

TEST(Onboarding, WalksFromTheFirstStepToComplete) {
  const OnboardingSteps steps = Steps();
  Record record;
  EXPECT_EQ(steps.Current(record), "phone_verification");
  EXPECT_TRUE(steps.IsCompleted(record, "created"));
  EXPECT_FALSE(steps.IsCompleted(record, "phone_verification"));
  for (const char* next : {"kyc_verification", "card_setup", "complete"}) {
    EXPECT_TRUE(steps.Advance(record));
    EXPECT_EQ(steps.Current(record), next);
  }
  EXPECT_FALSE(steps.Advance(record));
  EXPECT_TRUE(steps.IsCompleted(record, "card_setup"));
  EXPECT_FALSE(steps.IsCompleted(record, "no_such_step"));
}

TEST(Onboarding, ApprovalAdvancesOnceAndOnlyFromItsStep) {
  const OnboardingSteps steps = Steps();
  Record record;
  record.state = State::kApproved;
  EXPECT_FALSE(steps.AdvanceOnApproval(record));
  EXPECT_EQ(steps.Current(record), "phone_verification");
  // Arriving at the verification step with the approval there already.
  EXPECT_TRUE(steps.Advance(record));
  EXPECT_EQ(steps.Current(record), "card_setup");
  EXPECT_FALSE(steps.AdvanceOnApproval(record));
  EXPECT_EQ(steps.Current(record), "card_setup");
}

TEST(Onboarding, AStepNoLongerConfiguredIsTheFirst) {
  Record record;
  record.onboarding_step = "safe_deploy";
  EXPECT_EQ(Steps().Current(record), "phone_verification");
}

}  // namespace
}  // namespace kyc::domain
