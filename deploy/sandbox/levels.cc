#include "deploy/sandbox/levels.h"

#include <algorithm>
#include <iterator>

namespace kyc::sandbox {
namespace {

// https://docs.sumsub.com/reference/add-id-documents
constexpr std::string_view kDocumentTypes[] = {
    "ID_CARD",
    "PASSPORT",
    "DRIVERS",
    "RESIDENCE_PERMIT",
    "UTILITY_BILL",
    "UTILITY_BILL2",
    "SELFIE",
    "VIDEO_SELFIE",
    "PROFILE_IMAGE",
    "ID_DOC_PHOTO",
    "AGREEMENT",
    "CONTRACT",
    "DRIVERS_TRANSLATION",
    "INVESTOR_DOC",
    "VEHICLE_REGISTRATION_CERTIFICATE",
    "INCOME_SOURCE",
    "PAYMENT_METHOD",
    "PAYMENT_SOURCE",
    "BANK_CARD",
    "COVID_VACCINATION_FORM",
    "ARBITRARY_DOC",
    "FILE_ATTACHMENT",
    "IDENTITY_VIDEO",
    "EXTERNAL_DB_DOC",
    "VISA",
    "SIGNED_CONTRACT",
    "OTHER",
};

bool IsStepName(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

std::string_view WithoutNumber(std::string_view step) {
  while (!step.empty() && step.back() >= '0' && step.back() <= '9') {
    step.remove_suffix(1);
  }
  return step;
}

// Cuts `text` at the first `separator`; returns the head and leaves the tail.
std::string_view Cut(std::string_view* text, char separator) {
  const size_t end = std::min(text->find(separator), text->size());
  const std::string_view head = text->substr(0, end);
  text->remove_prefix(std::min(end + 1, text->size()));
  return head;
}

}  // namespace

absl::StatusOr<Levels> Levels::Parse(std::string_view text) {
  Levels levels;
  while (!text.empty()) {
    std::string_view entry = Cut(&text, ';');
    if (entry.empty()) continue;
    const std::string name(Cut(&entry, '='));
    std::vector<std::string> steps;
    while (!entry.empty()) {
      const std::string_view step = Cut(&entry, '+');
      if (!IsStepName(step)) {
        return absl::InvalidArgumentError("level '" + name +
                                          "' has a bad step name");
      }
      steps.emplace_back(step);
    }
    if (name.empty() || steps.empty()) {
      return absl::InvalidArgumentError(
          "want name=STEP+STEP;name=STEP, a level lacks its name or steps");
    }
    if (levels.first_.empty()) levels.first_ = name;
    if (!levels.levels_.emplace(name, std::move(steps)).second) {
      return absl::InvalidArgumentError("level '" + name + "' stands twice");
    }
  }
  if (levels.levels_.empty()) {
    return absl::InvalidArgumentError("no level is given");
  }
  return levels;
}

const std::vector<std::string>* Levels::Steps(std::string_view level) const {
  const auto found = levels_.find(level);
  return found == levels_.end() ? nullptr : &found->second;
}

std::vector<std::string_view> DocumentTypes(std::string_view step) {
  const std::string_view kind = WithoutNumber(step);
  if (kind == "IDENTITY") {
    return {"PASSPORT", "ID_CARD", "DRIVERS", "RESIDENCE_PERMIT"};
  }
  if (kind == "SELFIE") return {"SELFIE"};
  if (kind == "PROOF_OF_RESIDENCE") return {"UTILITY_BILL"};
  return {};
}

bool IsDoubleSided(std::string_view document_type) {
  return document_type == "ID_CARD" || document_type == "DRIVERS" ||
         document_type == "RESIDENCE_PERMIT";
}

bool NeedsLiveness(std::string_view step) {
  return WithoutNumber(step) == "SELFIE";
}

bool IsDocumentType(std::string_view text) {
  return std::find(std::begin(kDocumentTypes), std::end(kDocumentTypes),
                   text) != std::end(kDocumentTypes);
}

std::optional<std::string> StepFor(const std::vector<std::string>& steps,
                                   std::string_view document_type) {
  for (const std::string& step : steps) {
    const auto types = DocumentTypes(step);
    if (std::find(types.begin(), types.end(), document_type) != types.end()) {
      return step;
    }
  }
  return std::nullopt;
}

}  // namespace kyc::sandbox
