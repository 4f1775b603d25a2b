// What a poll of the provider makes of a record. A poll has no event time of
// its own, so it is careful: only a decision with a review date, a reset, or
// a higher attempt may replace a decision.
#include <algorithm>
#include <utility>

#include "services/kyc/domain/state_machine.h"

namespace kyc::domain {
namespace {

constexpr int64_t kSecond = 1000;

bool SameSecond(int64_t a, int64_t b) { return a / kSecond == b / kSecond; }

Outcome OutcomeOf(EventKind answer) {
  switch (answer) {
    case EventKind::kApproved:
      return Outcome::kApproved;
    case EventKind::kRejected:
      return Outcome::kRejected;
    default:
      return Outcome::kRetry;
  }
}

Event PollEvent(EventKind kind, const Poll& poll) {
  Event event;
  event.kind = kind;
  event.level = poll.level;
  event.applicant_id = poll.applicant_id;
  event.asked = true;
  event.reason = poll.reason;
  event.attempt = poll.attempt;
  return event;
}

// A completed review: the provider's answer as it stands now.
Event CompletedEvent(const Record& record, const Levels& levels,
                     const Poll& poll, int64_t now_ms) {
  const EventKind answer = *poll.answer;
  const EventKind kind =
      answer == EventKind::kApproved
          ? ClassifyApproval(record, levels, poll.level)
          : ClassifyRefusal(record, levels, answer, poll.level);
  Event event = PollEvent(kind, poll);
  event.decision = OutcomeName(OutcomeOf(answer));
  // Our clock never says where a review stands among the provider's events: it
  // may be ahead of one that is still to come.
  event.time_ms = poll.review_time_ms.value_or(NewestProviderTime(record) + 1);
  if (!poll.review_time_ms) event.shown_ms = now_ms;
  if (kind != answer || !record.decision) return event;
  // Review dates have seconds only. Another answer within the second of the
  // held one is what the provider says now, so it comes just after.
  const Decision& held = *record.decision;
  if (held.outcome != OutcomeOf(answer) &&
      SameSecond(held.time_ms, *event.time_ms)) {
    event.time_ms = std::max(*event.time_ms, held.time_ms + 1);
  }
  return event;
}

bool IsHeldDecision(const Record& record, const Poll& poll) {
  return record.decision && poll.answer &&
         record.decision->outcome == OutcomeOf(*poll.answer) &&
         record.decision->level == poll.level &&
         (!poll.review_time_ms ||
          SameSecond(record.decision->time_ms, *poll.review_time_ms));
}

bool ShowsHigherAttempt(const Record& record, const Poll& poll) {
  return poll.attempt && record.polled_attempt &&
         *poll.attempt > *record.polled_attempt;
}

// Whether a review that has not begun is one that was begun and reset: an
// answer lingers or the attempt grew, at the level of the decision held. (An
// applicant moved to another level shows `init` there without a reset.)
bool ShowsReset(const Record& record, const Poll& poll) {
  if (!record.decision || record.decision->outcome == Outcome::kReset) {
    return false;
  }
  if (poll.level != record.decision->level) return false;
  // After the user acted here the old answer lingers until the new review.
  return (poll.answer.has_value() && !record.activity) ||
         ShowsHigherAttempt(record, poll);
}

bool HoldsDecision(const Record& record) {
  return record.decision && record.decision->outcome != Outcome::kReset;
}

Event EventOf(const Record& record, const Levels& levels, const Poll& poll,
              int64_t now_ms) {
  switch (poll.review) {
    case Poll::Review::kCompleted:
      if (!poll.answer || IsHeldDecision(record, poll)) break;
      return CompletedEvent(record, levels, poll, now_ms);
    case Poll::Review::kInit: {
      if (!ShowsReset(record, poll)) break;
      Event event = PollEvent(EventKind::kReset, poll);
      event.decision = OutcomeName(Outcome::kReset);
      event.time_ms = NewestProviderTime(record) + 1;
      return event;
    }
    case Poll::Review::kInProgress:
      if (HoldsDecision(record)) {
        if (!ShowsHigherAttempt(record, poll)) break;
        return PollEvent(EventKind::kNewAttempt, poll);
      }
      return PollEvent(EventKind::kActivity, poll);
    case Poll::Review::kAwaitingUser: {
      if (HoldsDecision(record) || record.awaiting_user) break;
      Event event = PollEvent(EventKind::kAwaitingUser, poll);
      event.time_ms = NewestProviderTime(record) + 1;
      return event;
    }
  }
  return PollEvent(EventKind::kApplicantKnown, poll);
}

}  // namespace

PollTransition ApplyPoll(const Record& record, const Levels& levels,
                         const Poll& poll, int64_t now_ms) {
  PollTransition result{EventOf(record, levels, poll, now_ms), {}};
  result.transition = Apply(record, result.event);
  Record& next = result.transition.record;
  if (poll.review == Poll::Review::kCompleted && IsHeldDecision(record, poll) &&
      next.activity && next.activity->attempt > 0 &&
      poll.attempt.value_or(0) >= next.activity->attempt) {
    // The attempt that seemed new ended in the decision already held.
    next.activity.reset();
    Event known = PollEvent(EventKind::kApplicantKnown, poll);
    next = Apply(next, known).record;
  }
  if (poll.attempt) next.polled_attempt = poll.attempt;
  result.transition.effect = next == record ? Effect::kStale : Effect::kApplied;
  return result;
}

}  // namespace kyc::domain
