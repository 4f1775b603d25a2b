#include "services/kyc/domain/onboarding.h"

#include <algorithm>

#include "absl/strings/str_split.h"

namespace kyc::domain {
namespace {

constexpr std::string_view kCreated = "created";
constexpr std::string_view kComplete = "complete";

}  // namespace

absl::StatusOr<OnboardingSteps> OnboardingSteps::Parse(std::string_view list) {
  std::vector<std::string> names =
      absl::StrSplit(std::string(list), ',', absl::SkipWhitespace());
  for (std::string& name : names) {
    const auto is_allowed = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
    };
    if (name.empty() || !std::all_of(name.begin(), name.end(), is_allowed)) {
      return absl::InvalidArgumentError(
          "onboarding steps are names of a-z, 0-9 and _, joined by commas");
    }
    if (std::count(names.begin(), names.end(), name) > 1) {
      return absl::InvalidArgumentError("onboarding step " + name +
                                        " stands twice");
    }
  }
  if (names.size() < 3 || names.front() != kCreated ||
      names.back() != kComplete) {
    return absl::InvalidArgumentError(
        "onboarding steps begin with created, end with complete, and have "
        "at least one step between them");
  }
  OnboardingSteps result;
  result.steps_.assign(names.begin() + 1, names.end() - 1);
  return result;
}

std::string_view OnboardingSteps::Current(const Record& record) const {
  if (record.onboarding_step == kComplete) return kComplete;
  for (const std::string& step : steps_) {
    if (step == record.onboarding_step) return step;
  }
  return steps_.front();
}

bool OnboardingSteps::IsCompleted(const Record& record,
                                  std::string_view step) const {
  if (step == kCreated) return true;
  const std::string_view current = Current(record);
  if (current == kComplete) return Knows(step);
  for (const std::string& each : steps_) {
    if (each == current) return false;
    if (each == step) return true;
  }
  return false;
}

bool OnboardingSteps::Knows(std::string_view step) const {
  return step == kCreated || step == kComplete ||
         std::find(steps_.begin(), steps_.end(), step) != steps_.end();
}

bool OnboardingSteps::Advance(Record& record) const {
  const std::string_view current = Current(record);
  if (current == kComplete) return false;
  auto it = std::find(steps_.begin(), steps_.end(), current) + 1;
  record.onboarding_step = it == steps_.end() ? std::string(kComplete) : *it;
  AdvanceOnApproval(record);
  return true;
}

bool OnboardingSteps::AdvanceOnApproval(Record& record) const {
  if (record.state != State::kApproved ||
      Current(record) != kVerificationStep) {
    return false;
  }
  return Advance(record);
}

}  // namespace kyc::domain
