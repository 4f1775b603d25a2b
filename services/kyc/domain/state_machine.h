// The verification state machine: what each event makes of a record.
//
// Pure functions. Order of arrival does not matter: an event carries the
// provider's time, the record keeps the newest decision and the newest sign
// of progress, and the state follows from those alone. An event that is not
// newer than what it would replace changes nothing, so a repetition has no
// effect however late it comes.
#ifndef KYC_SERVICES_KYC_DOMAIN_STATE_MACHINE_H_
#define KYC_SERVICES_KYC_DOMAIN_STATE_MACHINE_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/kyc/domain/record.h"

namespace kyc::domain {

// Everything that can happen to a verification.
enum class EventKind {
  kApplicantKnown,    // An applicant exists (created, read, or named).
  kActivity,          // The user acted here: an accepted upload or submit.
  kNewAttempt,        // A poll shows a higher attempt than the last one did.
  kProgress,          // Pending, prechecked, queued, on hold.
  kAwaitingUser,      // The review waits for the user.
  kPartialApproval,   // GREEN at a configured level other than the required.
  kApproved,          // GREEN at the required level.
  kRetryRequested,    // RED that the user may correct.
  kRejected,          // RED for good.
  kReset,             // The verification starts over.
  kUnknownLevel,      // A decision at a level that is not configured.
  kApplicantRemoved,  // Deleted or deactivated at the provider.
};
inline constexpr int kEventKindCount = 12;

std::string_view EventKindName(EventKind kind);

// The one table of states and events: the state after an event that is newer
// than everything the record holds. docs/states.md is checked against it.
State Next(State state, EventKind kind);

// The levels the operator configured, by what they are for.
struct Levels {
  std::string websdk;
  std::string hybrid;  // Documents of the hybrid mode.
  std::string document_only;
  std::string liveness;  // Required in hybrid mode.

  // What a user of that mode must pass.
  const std::string& Required(Mode mode) const;
  // Where a new applicant of that mode starts.
  const std::string& Initial(Mode mode) const;
  // The same for a user who must pass `required`: in hybrid mode, which is
  // where a liveness level of its own is required, the documents' level.
  const std::string& InitialFor(const std::string& required) const;
  bool IsConfigured(std::string_view level) const;
};

// One event, as the provider or this service says it.
struct Event {
  EventKind kind = EventKind::kApplicantKnown;
  // The provider's time; absent only for kinds without one (kActivity,
  // kNewAttempt, kApplicantKnown by our own call, a reset seen by a poll).
  std::optional<int64_t> time_ms;
  // What to show as the time of a decision, where that is not `time_ms`.
  std::optional<int64_t> shown_ms;
  std::string level;         // Where the event names one.
  std::string applicant_id;  // Where the event names one.
  bool asked = false;  // The provider said so just now, in answer to a call.
  std::string reason;        // For the user; with retry and rejected.
  std::optional<int64_t> attempt;
  // For the audit trail: "SUMSUB_WEBHOOK", "POLL", "API".
  std::string source;
  std::string event_id;
  std::string provider_type;  // The provider's own name, e.g.
                              // "applicantReviewed".
  // What the provider decided, an Outcome's name; also where it has no effect
  // here, such as at another level.
  std::string decision;
};

// What an event did.
enum class Effect { kApplied, kStale };

struct Transition {
  Effect effect;
  Record record;  // As it was, when stale.
};

// Applies one event. `record.required_level` must be set for a decision to
// count (see Pin). Does not touch version or audit_head. Of an erased user
// decisions and their times are kept up, and nothing that is personal.
Transition Apply(const Record& record, const Event& event);

// Which of kApproved, kPartialApproval and kUnknownLevel an approval at
// `level` is for this record.
EventKind ClassifyApproval(const Record& record, const Levels& levels,
                           std::string_view level);
// The same for retry and rejection (`refusal`): they count at every
// configured level, else they are kUnknownLevel.
EventKind ClassifyRefusal(const Record& record, const Levels& levels,
                          EventKind refusal, std::string_view level);

// The newest provider time a record knows of; 0: none.
int64_t NewestProviderTime(const Record& record);

// Pins the level a record's user must pass, if none is pinned yet.
// Returns whether it changed.
bool Pin(Record& record, std::string_view required_level);
// The same for the caller's tenant; one that cannot be a tenant pins nothing.
bool PinTenant(Record& record, const Tenant& tenant);

// What a poll of the provider shows.
struct Poll {
  enum class Review { kInit, kInProgress, kAwaitingUser, kCompleted };
  std::string applicant_id;
  std::string level;
  Review review = Review::kInit;
  // Of the answer, where there is one; also lingers after a reset.
  std::optional<EventKind> answer;  // kApproved, kRetryRequested, kRejected
  std::optional<int64_t> review_time_ms;
  std::optional<int64_t> attempt;
  std::string reason;
};

struct PollTransition {
  Event event;  // What the poll amounts to, for the audit trail.
  Transition transition;
};

// Applies what a poll shows. The caller makes sure that the record is still
// the one that was read before the provider was asked. A poll that shows no
// decision never replaces one, unless it shows a reset or a higher attempt
// than the last poll did. Seconds-only review dates of a decision already
// held are recognised as that decision. A completed review without a date
// takes its place just behind all that the record knows of, so that an event
// that is still to come counts; `now_ms` is only what is shown as its time.
PollTransition ApplyPoll(const Record& record, const Levels& levels,
                         const Poll& poll, int64_t now_ms);

}  // namespace kyc::domain

#endif  // KYC_SERVICES_KYC_DOMAIN_STATE_MACHINE_H_
