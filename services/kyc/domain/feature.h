// The features of an environment, as its organisation's administrators set
// them. There is one: `kyc`, which pins the environment's mode.
#ifndef KYC_SERVICES_KYC_DOMAIN_FEATURE_H_
#define KYC_SERVICES_KYC_DOMAIN_FEATURE_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/kyc/domain/record.h"

namespace kyc::domain {

inline constexpr std::string_view kKycFeature = "kyc";

// What an administrator chose.
struct FeatureSetting {
  bool enabled = false;
  std::optional<Mode> mode;  // Absent: the default mode applies.

  bool operator==(const FeatureSetting&) const = default;
};

struct Feature {
  FeatureSetting setting;
  int64_t created_at_ms = 0;  // Of the first setting; epoch milliseconds.
  int64_t updated_at_ms = 0;  // Of the present one.

  bool operator==(const Feature&) const = default;
};

// OK for the name of a feature there is, else KYC-404-003.
absl::Status CheckFeatureName(std::string_view name);

// Reads the body that sets the feature `kyc`:
//   {"enabled": true|false, "config": {"mode": "websdk"|…}}
// where config may be absent or {}. KYC-422-002 for what is not JSON;
// KYC-422-001, whose detail names what is allowed, for any other key, type or
// value, so that no typo passes silently.
absl::StatusOr<FeatureSetting> ParseFeatureSetting(std::string_view json);

// The mode a setting asks for; nullopt: the default one.
std::optional<Mode> ModeOf(const FeatureSetting& setting);

}  // namespace kyc::domain

#endif  // KYC_SERVICES_KYC_DOMAIN_FEATURE_H_
