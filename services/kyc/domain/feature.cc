#include "services/kyc/domain/feature.h"

#include <string>

#include "services/base/error.h"
#include "services/base/json.h"

namespace kyc::domain {
namespace {

absl::Status Invalid(std::string_view what) {
  return base::Error(v1::ERROR_REASON_FEATURE_CONFIG_INVALID,
                     std::string(what) +
                         "; config must be absent or empty, or hold only a "
                         "mode that is one of: websdk, hybrid, document_only");
}

absl::Status NotJson() {
  return base::Error(
      v1::ERROR_REASON_REQUEST_VALIDATION_FAILED, {},
      {.violations = {{base::Violation::Where::kPointer, "",
                       "must be a JSON object that repeats no key"}}});
}

absl::StatusOr<std::optional<Mode>> ParseConfig(base::JsonValue config) {
  if (!config.IsObject()) return Invalid("config is not an object");
  std::optional<Mode> mode;
  for (const auto& [key, value] : config.Members()) {
    if (key != "mode") return Invalid("config has an unknown key");
    const std::optional<std::string_view> name = value.AsString();
    if (name) mode = ParseMode(*name);
    if (!mode) return Invalid("config.mode has an unknown value");
  }
  return mode;
}

}  // namespace

absl::Status CheckFeatureName(std::string_view name) {
  if (name == kKycFeature) return absl::OkStatus();
  return base::Error(v1::ERROR_REASON_FEATURE_NOT_FOUND);
}

absl::StatusOr<FeatureSetting> ParseFeatureSetting(std::string_view json) {
  const absl::StatusOr<base::JsonDocument> document =
      base::JsonDocument::Parse(json);
  if (!document.ok()) return NotJson();
  const base::JsonValue root = document->root();
  if (!root.IsObject()) return Invalid("the body is not an object");
  FeatureSetting setting;
  bool has_enabled = false;
  for (const auto& [key, value] : root.Members()) {
    if (key == "enabled") {
      const std::optional<bool> enabled = value.AsBool();
      if (!enabled) return Invalid("enabled is neither true nor false");
      setting.enabled = *enabled;
      has_enabled = true;
    } else if (key == "config") {
      const absl::StatusOr<std::optional<Mode>> mode = ParseConfig(value);
      if (!mode.ok()) return mode.status();
      setting.mode = *mode;
    } else {
      return Invalid("the body has a key other than enabled and config");
    }
  }
  if (!has_enabled) return Invalid("enabled is missing");
  return setting;
}

std::optional<Mode> ModeOf(const FeatureSetting& setting) {
  return setting.enabled ? setting.mode : std::nullopt;
}

}  // namespace kyc::domain
