// The onboarding steps, of which verification is one.
#ifndef KYC_SERVICES_KYC_DOMAIN_ONBOARDING_H_
#define KYC_SERVICES_KYC_DOMAIN_ONBOARDING_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/kyc/domain/record.h"

namespace kyc::domain {

inline constexpr std::string_view kVerificationStep = "kyc_verification";

// The configured order of steps. Immutable; thread-safe.
class OnboardingSteps {
 public:
  // A comma-separated list from `created` to `complete`, without repetition.
  // INVALID_ARGUMENT otherwise.
  static absl::StatusOr<OnboardingSteps> Parse(std::string_view list);

  // All names between the sentinels `created` and `complete`.
  const std::vector<std::string>& steps() const { return steps_; }

  // The step a record stands on; "complete" at the end. A step that is no
  // longer configured counts as the first.
  std::string_view Current(const Record& record) const;
  // Whether `step` comes before the current one.
  bool IsCompleted(const Record& record, std::string_view step) const;
  // Whether `step` is a configured name (sentinels included).
  bool Knows(std::string_view step) const;

  // Moves to the step after the current one, and past kyc_verification when
  // the record is approved already. Returns whether it moved.
  bool Advance(Record& record) const;
  // Moves on if the record is approved and stands on kyc_verification.
  bool AdvanceOnApproval(Record& record) const;

 private:
  std::vector<std::string> steps_;
};

}  // namespace kyc::domain

#endif  // KYC_SERVICES_KYC_DOMAIN_ONBOARDING_H_
