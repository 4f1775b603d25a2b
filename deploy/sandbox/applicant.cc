#include "deploy/sandbox/applicant.h"

#include <cstdio>
#include <ctime>

namespace kyc::sandbox {
namespace {

constexpr std::pair<ReviewStatus, std::string_view> kStatusNames[] = {
    {ReviewStatus::kInit, "init"},
    {ReviewStatus::kPending, "pending"},
    {ReviewStatus::kOnHold, "onHold"},
    {ReviewStatus::kCompleted, "completed"},
};

constexpr std::pair<Outcome, std::string_view> kOutcomeNames[] = {
    {Outcome::kApprove, "approve"},
    {Outcome::kRetry, "retry"},
    {Outcome::kReject, "reject"},
    {Outcome::kHold, "hold"},
};

}  // namespace

std::string_view ReviewStatusName(ReviewStatus status) {
  for (const auto& [value, name] : kStatusNames) {
    if (value == status) return name;
  }
  return "";
}

std::optional<ReviewStatus> ParseReviewStatus(std::string_view text) {
  for (const auto& [value, name] : kStatusNames) {
    if (name == text) return value;
  }
  return std::nullopt;
}

std::string_view OutcomeName(Outcome outcome) {
  for (const auto& [value, name] : kOutcomeNames) {
    if (value == outcome) return name;
  }
  return "";
}

std::optional<Outcome> ParseOutcome(std::string_view text) {
  for (const auto& [value, name] : kOutcomeNames) {
    if (name == text) return value;
  }
  return std::nullopt;
}

ReviewResult ResultOf(Outcome outcome) {
  if (outcome == Outcome::kRetry) {
    return {"RED",
            "RETRY",
            "The photo of the document is blurred. Please take a sharp photo "
            "in good light and upload it again.",
            "Low quality of the document photo.",
            {"UNSATISFACTORY_PHOTOS", "LOW_QUALITY"},
            {"badPhoto", "badPhoto_blurry"}};
  }
  if (outcome == Outcome::kReject) {
    return {"RED",
            "FINAL",
            "We could not verify your profile. Please contact "
            "${clientSupportEmail} if you have questions.",
            "The document shows signs of digital editing.",
            {"GRAPHIC_EDITOR", "FORGERY"},
            {}};
  }
  return {"GREEN", "", "", "", {}, {}};
}

std::string FormatSeconds(int64_t ms) {
  const std::time_t seconds = ms / 1000;
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  char text[32];
  const size_t size = std::strftime(text, sizeof(text), "%F %T", &utc);
  return std::string(text, size);
}

std::string FormatMillis(int64_t ms) {
  char fraction[8];
  std::snprintf(fraction, sizeof(fraction), ".%03d",
                static_cast<int>(ms % 1000));
  return FormatSeconds(ms) + fraction;
}

}  // namespace kyc::sandbox
