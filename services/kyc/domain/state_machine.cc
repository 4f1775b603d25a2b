#include "services/kyc/domain/state_machine.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace kyc::domain {
namespace {

constexpr State P = State::kPending;
constexpr State I = State::kInProgress;
constexpr State A = State::kApproved;
constexpr State X = State::kRejected;
constexpr State T = State::kRetry;

struct Row {
  EventKind kind;
  std::string_view name;
  // The next state from pending, in_progress, approved, rejected, retry.
  std::array<State, kStateCount> next;
};

// Decisions lead anywhere from anywhere, since they come in any order. Signs
// of progress move only what is open: a decision stands until another one.
constexpr std::array<Row, kEventKindCount> kTable = {{
    // clang-format off
    {EventKind::kApplicantKnown,   "applicant_known",   {P, I, A, X, T}},
    {EventKind::kActivity,         "activity",          {I, I, A, X, I}},
    {EventKind::kNewAttempt,       "new_attempt",       {I, I, I, I, I}},
    {EventKind::kProgress,         "progress",          {I, I, A, X, I}},
    {EventKind::kAwaitingUser,     "awaiting_user",     {T, T, A, X, T}},
    {EventKind::kPartialApproval,  "partial_approval",  {I, I, A, I, I}},
    {EventKind::kApproved,         "approved",          {A, A, A, A, A}},
    {EventKind::kRetryRequested,   "retry_requested",   {T, T, T, T, T}},
    {EventKind::kRejected,         "rejected",          {X, X, X, X, X}},
    {EventKind::kReset,            "reset",             {P, P, P, P, P}},
    {EventKind::kUnknownLevel,     "unknown_level",     {P, I, A, X, T}},
    {EventKind::kApplicantRemoved, "applicant_removed", {P, I, A, X, T}},
    // clang-format on
}};

constexpr bool TableIsInOrder() {
  for (int i = 0; i < kEventKindCount; ++i) {
    if (static_cast<int>(kTable[i].kind) != i) return false;
  }
  return true;
}
static_assert(TableIsInOrder(), "rows stand in the order of EventKind");

std::optional<Outcome> OutcomeOf(EventKind kind) {
  switch (kind) {
    case EventKind::kApproved:
      return Outcome::kApproved;
    case EventKind::kRetryRequested:
      return Outcome::kRetry;
    case EventKind::kRejected:
      return Outcome::kRejected;
    case EventKind::kReset:
      return Outcome::kReset;
    default:
      return std::nullopt;
  }
}

EventKind KindOf(Outcome outcome) {
  switch (outcome) {
    case Outcome::kApproved:
      return EventKind::kApproved;
    case Outcome::kRetry:
      return EventKind::kRetryRequested;
    case Outcome::kRejected:
      return EventKind::kRejected;
    case Outcome::kReset:
      return EventKind::kReset;
  }
  return EventKind::kReset;
}

// The state that follows from what a record holds: its decision, then
// whatever is known to have come after it, each through the table.
State DeriveState(const Record& record) {
  State state = State::kPending;
  int64_t after = 0;
  if (record.decision) {
    state = Next(state, KindOf(record.decision->outcome));
    after = record.decision->time_ms;
  }
  struct Later {
    int64_t time_ms;
    EventKind kind;
  };
  // Of those at one time the last counts: the one that asks the user to act.
  std::array<Later, 3> later = {{
      {record.partial_approval_ms, EventKind::kPartialApproval},
      {record.progress_ms,
       record.awaiting_user ? EventKind::kAwaitingUser : EventKind::kProgress},
      // Just behind what was known when it began.
      {-1, EventKind::kActivity},
  }};
  if (record.activity && record.activity->after_ms >= after) {
    later[2] = {record.activity->after_ms, record.activity->attempt == 0
                                               ? EventKind::kActivity
                                               : EventKind::kNewAttempt};
  }
  std::stable_sort(
      later.begin(), later.end(),
      [](const Later& a, const Later& b) { return a.time_ms < b.time_ms; });
  for (const Later& each : later) {
    const bool is_activity = each.kind == EventKind::kActivity ||
                             each.kind == EventKind::kNewAttempt;
    if (each.time_ms > after || (is_activity && each.time_ms >= after)) {
      state = Next(state, each.kind);
    }
  }
  return state;
}

void ApplyDecision(Record& record, const Event& event, Outcome outcome) {
  const Decision decision{outcome, *event.time_ms, event.level};
  const std::optional<Decision> held = std::move(record.decision);
  record.decision = decision;
  if (record.activity && record.activity->after_ms < decision.time_ms) {
    record.activity.reset();
  }
  // Polls before a final decision say nothing about what comes after it.
  if (outcome == Outcome::kApproved || outcome == Outcome::kRejected) {
    record.polled_attempt.reset();
  }
  const bool same_answer = held && held->outcome == decision.outcome &&
                           held->level == decision.level;
  if (same_answer) {
    // The times of an answer are those of its first arrival.
    if (!event.reason.empty()) record.reject_reason = event.reason;
    return;
  }
  record.verified_at_ms.reset();
  record.rejected_at_ms.reset();
  record.reject_reason.clear();
  const int64_t shown_ms = event.shown_ms.value_or(decision.time_ms);
  if (outcome == Outcome::kApproved) {
    record.verified_at_ms = shown_ms;
    return;
  }
  if (outcome == Outcome::kRejected) record.rejected_at_ms = shown_ms;
  if (outcome != Outcome::kReset) record.reject_reason = event.reason;
}

// Whether (time, rank) of the event is beyond what the record holds.
bool IsNewer(const Record& record, int64_t time_ms, Outcome outcome) {
  return !record.decision ||
         std::tuple(time_ms, outcome) >
             std::tuple(record.decision->time_ms, record.decision->outcome);
}

// A decision that comes late and lies before the one held, but behind the one
// that brought the answer: the answer did not stand all the time, and its time
// is that of the decision held.
void ApplyDecisionBetween(Record& record, const Event& event, Outcome outcome) {
  const Decision& held = *record.decision;
  if (held.outcome == outcome && held.level == event.level) return;
  const std::tuple place(*event.time_ms, outcome);
  for (std::optional<int64_t>* answered_at :
       {&record.verified_at_ms, &record.rejected_at_ms}) {
    if (*answered_at && place > std::tuple(**answered_at, held.outcome)) {
      *answered_at = held.time_ms;
    }
  }
}

// An event names the applicant it is about; the newest one counts. What the
// provider answers when asked is the present. An event without a time may be
// old: it replaces no link. An erased user gets none.
void LinkApplicant(const Event& event, Record& record) {
  if (event.applicant_id.empty() || record.erased_ms != 0) return;
  if (event.asked) {
    record.applicant_id = event.applicant_id;
  } else if (event.time_ms && *event.time_ms > record.link_ms) {
    record.applicant_id = event.applicant_id;
    record.link_ms = *event.time_ms;
  } else if (!event.time_ms && record.applicant_id.empty()) {
    record.applicant_id = event.applicant_id;
  }
}

void UnlinkApplicant(const Event& event, Record& record) {
  const bool another = !record.applicant_id.empty() &&
                       !event.applicant_id.empty() &&
                       record.applicant_id != event.applicant_id;
  if (another || record.erased_ms != 0 ||
      event.time_ms.value_or(0) <= record.link_ms) {
    return;
  }
  record.applicant_id.clear();
  record.link_ms = *event.time_ms;
}

}  // namespace

int64_t NewestProviderTime(const Record& record) {
  return std::max({record.decision ? record.decision->time_ms : 0,
                   record.progress_ms, record.partial_approval_ms});
}

std::string_view EventKindName(EventKind kind) {
  return kTable[static_cast<int>(kind)].name;
}

State Next(State state, EventKind kind) {
  return kTable[static_cast<int>(kind)].next[static_cast<int>(state)];
}

const std::string& Levels::Required(Mode mode) const {
  switch (mode) {
    case Mode::kHybrid:
      return liveness;
    case Mode::kDocumentOnly:
      return document_only;
    case Mode::kWebsdk:
      break;
  }
  return websdk;
}

const std::string& Levels::Initial(Mode mode) const {
  return mode == Mode::kHybrid ? hybrid : Required(mode);
}

const std::string& Levels::InitialFor(const std::string& required) const {
  const bool is_hybrid = !hybrid.empty() && required == liveness &&
                         liveness != websdk && liveness != document_only;
  return is_hybrid ? hybrid : required;
}

bool Levels::IsConfigured(std::string_view level) const {
  return !level.empty() && (level == websdk || level == hybrid ||
                            level == document_only || level == liveness);
}

Transition Apply(const Record& record, const Event& event) {
  Record next = record;
  const std::optional<Outcome> outcome = OutcomeOf(event.kind);
  const int64_t time_ms = event.time_ms.value_or(0);
  if (outcome) {
    if (event.time_ms && IsNewer(record, time_ms, *outcome)) {
      ApplyDecision(next, event, *outcome);
    } else if (event.time_ms) {
      ApplyDecisionBetween(next, event, *outcome);
    }
  } else {
    switch (event.kind) {
      case EventKind::kActivity:
      case EventKind::kNewAttempt:
        if (Next(record.state, event.kind) != record.state) {
          next.activity =
              Activity{event.kind == EventKind::kActivity
                           ? 0
                           : std::max<int64_t>(event.attempt.value_or(1), 1),
                       NewestProviderTime(record)};
        }
        break;
      case EventKind::kProgress:
      case EventKind::kAwaitingUser: {
        // Of two signs at one time the one that asks the user to act counts.
        const bool awaits = event.kind == EventKind::kAwaitingUser;
        if (std::tuple(time_ms, awaits) >
            std::tuple(record.progress_ms, record.awaiting_user)) {
          next.progress_ms = time_ms;
          next.awaiting_user = awaits;
        }
        break;
      }
      case EventKind::kPartialApproval:
        next.partial_approval_ms =
            std::max(record.partial_approval_ms, time_ms);
        break;
      case EventKind::kUnknownLevel:
        next.unknown_level_ms = std::max(record.unknown_level_ms, time_ms);
        break;
      case EventKind::kApplicantRemoved:
        UnlinkApplicant(event, next);
        break;
      default:
        break;
    }
  }
  if (event.kind != EventKind::kApplicantRemoved) {
    LinkApplicant(event, next);
  }
  next.state = DeriveState(next);
  if (next.state != State::kApproved) {
    next.first_name.clear();
    next.last_names.clear();
  }
  if (next.erased_ms != 0) RemovePersonalData(next);
  if (next == record) return {Effect::kStale, record};
  return {Effect::kApplied, std::move(next)};
}

EventKind ClassifyApproval(const Record& record, const Levels& levels,
                           std::string_view level) {
  if (!level.empty() && level == record.required_level) {
    return EventKind::kApproved;
  }
  return levels.IsConfigured(level) ? EventKind::kPartialApproval
                                    : EventKind::kUnknownLevel;
}

EventKind ClassifyRefusal(const Record& record, const Levels& levels,
                          EventKind refusal, std::string_view level) {
  const bool counts = levels.IsConfigured(level) ||
                      (!level.empty() && level == record.required_level);
  return counts ? refusal : EventKind::kUnknownLevel;
}

bool Pin(Record& record, std::string_view required_level) {
  if (!record.required_level.empty() || required_level.empty()) return false;
  record.required_level = required_level;
  return true;
}

bool PinTenant(Record& record, const Tenant& tenant) {
  if (record.tenant != Tenant() || !CheckTenant(tenant).ok()) return false;
  record.tenant = tenant;
  return true;
}

}  // namespace kyc::domain
