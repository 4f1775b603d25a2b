// What the service knows of one user: a plain value.
#ifndef KYC_SERVICES_KYC_DOMAIN_RECORD_H_
#define KYC_SERVICES_KYC_DOMAIN_RECORD_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "services/kyc/domain/tenant.h"

namespace kyc::domain {

// The public states. docs/states.md shows the transitions.
enum class State { kPending, kInProgress, kApproved, kRejected, kRetry };
inline constexpr int kStateCount = 5;

// The contract's names: "pending", "in_progress", …
std::string_view StateName(State state);
std::optional<State> ParseState(std::string_view name);

// How documents and liveness reach the provider.
enum class Mode { kWebsdk, kHybrid, kDocumentOnly };

// "websdk", "hybrid", "document_only".
std::string_view ModeName(Mode mode);
std::optional<Mode> ParseMode(std::string_view name);

// What the provider last decided. The order of the enumerators is their rank:
// of two at the same time the later one counts.
enum class Outcome { kReset, kRetry, kApproved, kRejected };

std::string_view OutcomeName(Outcome outcome);
std::optional<Outcome> ParseOutcome(std::string_view name);

struct Decision {
  Outcome outcome = Outcome::kReset;
  int64_t time_ms = 0;  // The provider's clock, epoch milliseconds.
  std::string level;    // The level it was made at.

  bool operator==(const Decision&) const = default;
};

// Something that began without a provider time: the user's upload or submit
// here, or a higher attempt seen by a poll.
struct Activity {
  int64_t attempt = 0;   // The attempt a poll showed; 0: the user acted here.
  int64_t after_ms = 0;  // The newest provider time known when it began: its
                         // place among the provider's events.

  bool operator==(const Activity&) const = default;
};

// One user's record. Stored as a Redis hash; every change raises `version`
// by one. Times are epoch milliseconds.
struct Record {
  std::string user_id;
  uint64_t version = 0;  // 0: never stored.
  int64_t updated_ms = 0;  // When this version was written, by our clock.

  // What callers see; always DeriveState() of the fields below.
  State state = State::kPending;

  std::string applicant_id;    // Empty: no applicant known.
  // The newest provider event that linked or unlinked an applicant.
  int64_t link_ms = 0;
  std::string required_level;  // Pinned with the applicant; empty before.
  // On whose behalf the user was verified: pinned with the level, or by the
  // first caller after that who names one. Empty: nobody did.
  Tenant tenant;

  // The newest decision applied. Its time is the watermark below which
  // nothing else applies.
  std::optional<Decision> decision;
  // The newest sign of a review under way, by the provider's clock, and
  // whether that sign said that the user must act.
  int64_t progress_ms = 0;
  bool awaiting_user = false;
  // The newest approval at a configured level that is not the required one.
  int64_t partial_approval_ms = 0;
  // The newest decision at a level that is not configured: audited, no more.
  int64_t unknown_level_ms = 0;
  // Something began that has no provider time; absent: nothing.
  std::optional<Activity> activity;
  // The attempt the last poll showed.
  std::optional<int64_t> polled_attempt;

  // Of the decision; what callers see of them depends on the state (see
  // Visible…).
  std::optional<int64_t> verified_at_ms;
  std::optional<int64_t> rejected_at_ms;
  std::string reject_reason;
  // Kept only while approved.
  std::string first_name;
  std::string last_names;

  // Name of the current onboarding step; empty: the first.
  std::string onboarding_step;

  // Since when something is known to have happened that only the provider can
  // settle, and that it could not be asked about; 0: nothing.
  int64_t unsettled_ms = 0;
  // When the user was erased; 0: not, or they have begun anew since.
  int64_t erased_ms = 0;
  // Since when a legal hold forbids to erase the user; 0: none does.
  int64_t legal_hold_ms = 0;

  // Head of the audit chain: SHA-256 in hex of the last entry; empty before.
  std::string audit_head;

  bool operator==(const Record&) const = default;
};

// Takes out what is personal, or leads to it: name, reject reason, applicant.
void RemovePersonalData(Record& record);

// What callers may see: a time or a reason only in the state it belongs to.
std::optional<int64_t> VisibleVerifiedAt(const Record& record);
std::optional<int64_t> VisibleRejectedAt(const Record& record);
std::string_view VisibleReason(const Record& record);  // Empty: none.

}  // namespace kyc::domain

#endif  // KYC_SERVICES_KYC_DOMAIN_RECORD_H_
