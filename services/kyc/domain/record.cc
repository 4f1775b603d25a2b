#include "services/kyc/domain/record.h"

#include <array>
#include <utility>

namespace kyc::domain {
namespace {

template <typename T, size_t N>
using Names = std::array<std::pair<T, std::string_view>, N>;

constexpr Names<State, kStateCount> kStates = {{
    {State::kPending, "pending"},
    {State::kInProgress, "in_progress"},
    {State::kApproved, "approved"},
    {State::kRejected, "rejected"},
    {State::kRetry, "retry"},
}};

constexpr Names<Mode, 3> kModes = {{
    {Mode::kWebsdk, "websdk"},
    {Mode::kHybrid, "hybrid"},
    {Mode::kDocumentOnly, "document_only"},
}};

constexpr Names<Outcome, 4> kOutcomes = {{
    {Outcome::kReset, "reset"},
    {Outcome::kRetry, "retry"},
    {Outcome::kApproved, "approved"},
    {Outcome::kRejected, "rejected"},
}};

template <typename T, size_t N>
std::string_view NameOf(const Names<T, N>& names, T value) {
  for (const auto& [key, name] : names) {
    if (key == value) return name;
  }
  return {};
}

template <typename T, size_t N>
std::optional<T> Parse(const Names<T, N>& names, std::string_view text) {
  for (const auto& [key, name] : names) {
    if (name == text) return key;
  }
  return std::nullopt;
}

}  // namespace

std::string_view StateName(State state) { return NameOf(kStates, state); }
std::optional<State> ParseState(std::string_view name) {
  return Parse(kStates, name);
}

std::string_view ModeName(Mode mode) { return NameOf(kModes, mode); }
std::optional<Mode> ParseMode(std::string_view name) {
  return Parse(kModes, name);
}

std::string_view OutcomeName(Outcome outcome) {
  return NameOf(kOutcomes, outcome);
}
std::optional<Outcome> ParseOutcome(std::string_view name) {
  return Parse(kOutcomes, name);
}

void RemovePersonalData(Record& record) {
  record.first_name.clear();
  record.last_names.clear();
  record.reject_reason.clear();
  record.applicant_id.clear();
}

std::optional<int64_t> VisibleVerifiedAt(const Record& record) {
  return record.state == State::kApproved ? record.verified_at_ms
                                          : std::nullopt;
}

std::optional<int64_t> VisibleRejectedAt(const Record& record) {
  return record.state == State::kRejected ? record.rejected_at_ms
                                          : std::nullopt;
}

std::string_view VisibleReason(const Record& record) {
  return record.state == State::kRejected || record.state == State::kRetry
             ? std::string_view(record.reject_reason)
             : std::string_view();
}

}  // namespace kyc::domain
