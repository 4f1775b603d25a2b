#include "services/kyc/domain/state_machine.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>
#include <fstream>
#include <numeric>
#include <set>
#include <sstream>

namespace kyc::domain {
namespace {

constexpr State kStates[] = {State::kPending, State::kInProgress,
                             State::kApproved, State::kRejected, State::kRetry};

Levels TestLevels() {
  return {.websdk = "full",
          .hybrid = "docs",
          .document_only = "docs-only",
          .liveness = "live"};
}

Record NewRecord() {
  Record record;
  record.user_id = "usr_1";
  record.required_level = "full";
  return record;
}

Event At(EventKind kind, int64_t time_ms, std::string level = "full") {
  Event event;
  event.kind = kind;
  event.time_ms = time_ms;
  event.level = std::move(level);
  event.applicant_id = "65abc";
  if (kind == EventKind::kRetryRequested || kind == EventKind::kRejected) {
    event.reason = "reason of " + std::to_string(time_ms);
  }
  return event;
}

Record Fold(Record record, const std::vector<Event>& events) {
  for (const Event& event : events) record = Apply(record, event).record;
  return record;
}

// Every way this test knows to bring a record into a state, with events of
// times below 1000.
std::vector<Record> RecordsIn(State state) {
  const Record fresh = NewRecord();
  std::vector<Record> records;
  std::vector<std::vector<Event>> histories = {
      {},
      {At(EventKind::kApplicantKnown, 10)},
      {At(EventKind::kReset, 20)},
      {At(EventKind::kApproved, 20), At(EventKind::kReset, 30)},
      {At(EventKind::kActivity, 0)},
      {At(EventKind::kProgress, 20)},
      {At(EventKind::kPartialApproval, 20, "docs")},
      {At(EventKind::kRetryRequested, 20), At(EventKind::kProgress, 30)},
      {At(EventKind::kRetryRequested, 20), At(EventKind::kActivity, 0)},
      {At(EventKind::kRejected, 20),
       At(EventKind::kPartialApproval, 30, "docs")},
      {At(EventKind::kApproved, 20), At(EventKind::kNewAttempt, 0)},
      {At(EventKind::kRejected, 20), At(EventKind::kNewAttempt, 0)},
      {At(EventKind::kAwaitingUser, 20), At(EventKind::kActivity, 0)},
      {At(EventKind::kApproved, 20)},
      {At(EventKind::kApproved, 20), At(EventKind::kProgress, 30)},
      {At(EventKind::kProgress, 10), At(EventKind::kApproved, 20)},
      {At(EventKind::kRejected, 20)},
      {At(EventKind::kRejected, 20), At(EventKind::kAwaitingUser, 30)},
      {At(EventKind::kRetryRequested, 20)},
      {At(EventKind::kAwaitingUser, 20)},
      {At(EventKind::kProgress, 20), At(EventKind::kAwaitingUser, 30)},
  };
  for (const auto& history : histories) {
    Record record = Fold(fresh, history);
    if (record.state == state) records.push_back(std::move(record));
  }
  return records;
}

TEST(StateMachine, EveryPairOfStateAndNewerEventFollowsTheTable) {
  int pairs = 0;
  for (State state : kStates) {
    const std::vector<Record> records = RecordsIn(state);
    ASSERT_GE(records.size(), 2u) << StateName(state);
    for (int kind = 0; kind < kEventKindCount; ++kind) {
      const EventKind event_kind = static_cast<EventKind>(kind);
      ++pairs;
      for (const Record& record : records) {
        Event event = At(event_kind, 1000);
        event.attempt = 7;
        EXPECT_EQ(Apply(record, event).record.state, Next(state, event_kind))
            << StateName(state) << " x " << EventKindName(event_kind);
      }
    }
  }
  EXPECT_EQ(pairs, kStateCount * kEventKindCount);
}

TEST(StateMachine, OlderDecisionsChangeNothing) {
  for (State state : kStates) {
    for (const Record& record : RecordsIn(state)) {
      if (!record.decision) continue;
      for (EventKind kind : {EventKind::kApproved, EventKind::kRejected,
                             EventKind::kRetryRequested, EventKind::kReset}) {
        const Transition result =
            Apply(record, At(kind, record.decision->time_ms - 1));
        EXPECT_EQ(result.effect, Effect::kStale);
        EXPECT_EQ(result.record, record);
      }
    }
  }
}

TEST(StateMachine, AnEventWithoutATimeDecidesNothing) {
  for (EventKind kind : {EventKind::kApproved, EventKind::kRejected,
                         EventKind::kRetryRequested, EventKind::kReset}) {
    Event event = At(kind, 0);
    event.time_ms.reset();
    event.applicant_id.clear();
    EXPECT_EQ(Apply(NewRecord(), event).effect, Effect::kStale);
  }
}

std::vector<Event> SixEvents() {
  return {At(EventKind::kApplicantKnown, 100), At(EventKind::kProgress, 200),
          At(EventKind::kProgress, 300),  // applicantOnHold
          At(EventKind::kRetryRequested, 400), At(EventKind::kApproved, 500),
          At(EventKind::kRejected, 600)};
}

TEST(StateMachine, All720OrdersOfSixEventsEndAlike) {
  const std::vector<Event> events = SixEvents();
  const Record expected = Fold(NewRecord(), events);
  EXPECT_EQ(expected.state, State::kRejected);
  EXPECT_EQ(expected.rejected_at_ms, 600);
  std::vector<int> order(events.size());
  std::iota(order.begin(), order.end(), 0);
  int orders = 0;
  do {
    std::vector<Event> permuted;
    for (int i : order) permuted.push_back(events[i]);
    EXPECT_EQ(Fold(NewRecord(), permuted), expected);
    ++orders;
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(orders, 720);
}

// Everything a caller can see, but for the time of an answer given several
// times in a row, which is that of the first of them to arrive.
auto Visible(const Record& record) {
  return std::tuple(record.state, record.applicant_id,
                    std::string(VisibleReason(record)), record.decision);
}

// The times of the decisions that are alike at the end of all.
std::set<int64_t> TimesOfTheAnswer(const std::vector<Event>& events) {
  std::vector<Decision> decisions;
  for (const Event& event : events) {
    const Record alone = Apply(NewRecord(), event).record;
    if (alone.decision) decisions.push_back(*alone.decision);
  }
  std::sort(decisions.begin(), decisions.end(),
            [](const Decision& a, const Decision& b) {
              return std::tuple(a.time_ms, a.outcome) <
                     std::tuple(b.time_ms, b.outcome);
            });
  std::set<int64_t> times;
  for (const Decision& decision : decisions) {
    if (decision.outcome != decisions.back().outcome) {
      times.clear();
    } else {
      times.insert(decision.time_ms);
    }
  }
  return times;
}

TEST(StateMachine, NoOrderOrRepetitionChangesTheOutcome) {
  const bool holds = rc::check([] {
    const auto kinds = rc::gen::elementOf(std::vector<EventKind>{
        EventKind::kApplicantKnown, EventKind::kProgress,
        EventKind::kAwaitingUser, EventKind::kPartialApproval,
        EventKind::kApproved, EventKind::kRetryRequested, EventKind::kRejected,
        EventKind::kReset, EventKind::kUnknownLevel});
    const auto specs =
        *rc::gen::container<std::vector<std::pair<EventKind, int>>>(
            rc::gen::pair(kinds, rc::gen::inRange(1, 12)));
    std::vector<Event> events;
    for (const auto& [kind, time] : specs) events.push_back(At(kind, time));
    const Record in_order = Fold(NewRecord(), events);
    std::vector<Event> shuffled = events;
    for (const Event& event : events) {
      if (*rc::gen::arbitrary<bool>()) shuffled.push_back(event);
    }
    for (size_t i = shuffled.size(); i > 1; --i) {
      std::swap(shuffled[i - 1], shuffled[*rc::gen::inRange<size_t>(0, i)]);
    }
    const Record record = Fold(NewRecord(), shuffled);
    RC_ASSERT(Visible(record) == Visible(in_order));
    for (const auto& answered_at : {record.verified_at_ms,
                                    record.rejected_at_ms}) {
      if (answered_at) {
        RC_ASSERT(TimesOfTheAnswer(events).contains(*answered_at));
      }
    }
  });
  EXPECT_TRUE(holds);
}

TEST(StateMachine, ApplyingTwiceIsApplyingOnce) {
  for (State state : kStates) {
    for (const Record& record : RecordsIn(state)) {
      for (int kind = 0; kind < kEventKindCount; ++kind) {
        const Event event = At(static_cast<EventKind>(kind), 1000);
        const Record once = Apply(record, event).record;
        const Transition twice = Apply(once, event);
        EXPECT_EQ(twice.effect, Effect::kStale)
            << StateName(state) << " x " << EventKindName(event.kind);
        EXPECT_EQ(twice.record, once);
      }
    }
  }
}

TEST(StateMachine, OfTwoDecisionsAtOneTimeTheStricterCounts) {
  const Event green = At(EventKind::kApproved, 5);
  const Event red = At(EventKind::kRejected, 5);
  EXPECT_EQ(Fold(NewRecord(), {green, red}).state, State::kRejected);
  EXPECT_EQ(Fold(NewRecord(), {red, green}).state, State::kRejected);
}

TEST(StateMachine, OfTwoSignsAtOneTimeTheOneThatAsksTheUserCounts) {
  const Event awaits = At(EventKind::kAwaitingUser, 5);
  for (const Event& other : {At(EventKind::kProgress, 5),
                             At(EventKind::kPartialApproval, 5, "docs")}) {
    EXPECT_EQ(Fold(NewRecord(), {awaits, other}).state, State::kRetry);
    EXPECT_EQ(Fold(NewRecord(), {other, awaits}).state, State::kRetry);
  }
}

TEST(StateMachine, TheSameAnswerKeepsItsTime) {
  const Record once = Fold(NewRecord(), {At(EventKind::kApproved, 5)});
  const Record again = Fold(once, {At(EventKind::kApproved, 9)});
  EXPECT_EQ(again.verified_at_ms, 5);
  EXPECT_EQ(again.decision->time_ms, 9);
  const Record rejected = Fold(
      NewRecord(), {At(EventKind::kRejected, 5), At(EventKind::kRejected, 9)});
  EXPECT_EQ(rejected.rejected_at_ms, 5);
}

TEST(StateMachine, AnotherAnswerFoundBetweenMovesTheTime) {
  const std::vector<Event> approvals = {At(EventKind::kApproved, 5),
                                        At(EventKind::kApproved, 9)};
  for (EventKind kind : {EventKind::kRejected, EventKind::kRetryRequested,
                         EventKind::kReset}) {
    Record record = Fold(NewRecord(), approvals);
    record = Fold(record, {At(kind, 7)});
    EXPECT_EQ(VisibleVerifiedAt(record), 9);
    EXPECT_EQ(Apply(record, At(kind, 7)).effect, Effect::kStale);
    EXPECT_EQ(Fold(Fold(NewRecord(), approvals), {At(kind, 4)}).verified_at_ms,
              5);
  }
  const Record rejected =
      Fold(NewRecord(), {At(EventKind::kRejected, 5),
                         At(EventKind::kRejected, 9),
                         At(EventKind::kApproved, 7)});
  EXPECT_EQ(VisibleRejectedAt(rejected), 9);
  // At one time the stricter decision comes last.
  EXPECT_EQ(Fold(Fold(NewRecord(), approvals), {At(EventKind::kRejected, 5)})
                .verified_at_ms,
            9);
  EXPECT_EQ(
      Fold(Fold(NewRecord(), approvals), {At(EventKind::kRetryRequested, 5)})
          .verified_at_ms,
      5);
}

TEST(StateMachine, ApprovalClearsTheReasonAndRefusalTheName) {
  Record record = Fold(NewRecord(), {At(EventKind::kRetryRequested, 5)});
  EXPECT_EQ(VisibleReason(record), "reason of 5");
  record = Fold(record, {At(EventKind::kApproved, 6)});
  EXPECT_EQ(VisibleReason(record), "");
  EXPECT_EQ(VisibleVerifiedAt(record), 6);
  record.first_name = "JANE";
  record.last_names = "SMITH";
  record = Fold(record, {At(EventKind::kRejected, 7)});
  EXPECT_EQ(record.first_name, "");
  EXPECT_EQ(record.last_names, "");
  EXPECT_FALSE(VisibleVerifiedAt(record));
  EXPECT_EQ(VisibleRejectedAt(record), 7);
}

TEST(StateMachine, RemovalDropsTheLinkAndKeepsTheDecision) {
  Record record = Fold(NewRecord(), {At(EventKind::kApproved, 5)});
  Event removed = At(EventKind::kApplicantRemoved, 9);
  record = Apply(record, removed).record;
  EXPECT_EQ(record.applicant_id, "");
  EXPECT_EQ(record.state, State::kApproved);
  // An event from before does not bring the link back; a newer one does.
  EXPECT_EQ(Apply(record, At(EventKind::kProgress, 8)).record.applicant_id, "");
  EXPECT_EQ(
      Apply(record, At(EventKind::kApplicantKnown, 10)).record.applicant_id,
      "65abc");
}

TEST(StateMachine, TheNewestEventNamesTheApplicant) {
  const auto names = [](EventKind kind, int64_t time_ms, std::string id) {
    Event event = At(kind, time_ms);
    event.applicant_id = std::move(id);
    return event;
  };
  const Event created_b = names(EventKind::kApplicantKnown, 20, "b");
  const Event removed_a = names(EventKind::kApplicantRemoved, 10, "a");
  const Event late_a = names(EventKind::kProgress, 5, "a");
  for (const auto& order :
       std::vector<std::vector<Event>>{{created_b, removed_a, late_a},
                                       {removed_a, created_b, late_a},
                                       {late_a, removed_a, created_b}}) {
    EXPECT_EQ(Fold(NewRecord(), order).applicant_id, "b");
  }
  // One we were told of just now, then a removal of another.
  Event asked = names(EventKind::kApplicantKnown, 0, "b");
  asked.time_ms.reset();
  asked.asked = true;
  const Record record = Fold(NewRecord(), {removed_a, asked});
  EXPECT_EQ(record.applicant_id, "b");
  EXPECT_EQ(
      Fold(record, {names(EventKind::kApplicantRemoved, 30, "a")}).applicant_id,
      "b");
  // An event without a time replaces no link.
  Event timeless = names(EventKind::kApplicantKnown, 0, "a");
  timeless.time_ms.reset();
  EXPECT_EQ(Fold(record, {timeless}).applicant_id, "b");
  EXPECT_EQ(Fold(NewRecord(), {timeless}).applicant_id, "a");
}

TEST(Levels, OnlyTheRequiredLevelApproves) {
  const Levels levels = TestLevels();
  Record record = NewRecord();
  record.required_level = levels.Required(Mode::kHybrid);
  EXPECT_EQ(record.required_level, "live");
  EXPECT_EQ(levels.Initial(Mode::kHybrid), "docs");
  EXPECT_EQ(ClassifyApproval(record, levels, "live"), EventKind::kApproved);
  EXPECT_EQ(ClassifyApproval(record, levels, "docs"),
            EventKind::kPartialApproval);
  EXPECT_EQ(ClassifyApproval(record, levels, "other"),
            EventKind::kUnknownLevel);
  EXPECT_EQ(ClassifyApproval(record, levels, ""), EventKind::kUnknownLevel);
  EXPECT_EQ(ClassifyRefusal(record, levels, EventKind::kRejected, "docs"),
            EventKind::kRejected);
  EXPECT_EQ(ClassifyRefusal(record, levels, EventKind::kRejected, "other"),
            EventKind::kUnknownLevel);
  // GREEN on the documents, in either order with GREEN on liveness.
  const Event docs = At(EventKind::kPartialApproval, 5, "docs");
  const Event live = At(EventKind::kApproved, 6, "live");
  EXPECT_EQ(Fold(record, {docs}).state, State::kInProgress);
  EXPECT_EQ(Fold(record, {docs, live}).state, State::kApproved);
  EXPECT_EQ(Fold(record, {live, docs}).state, State::kApproved);
}

TEST(Levels, APinnedLevelStays) {
  Record record;
  EXPECT_TRUE(Pin(record, "full"));
  EXPECT_FALSE(Pin(record, "docs-only"));
  EXPECT_EQ(record.required_level, "full");
}

Poll Shows(Poll::Review review, std::optional<int64_t> attempt = 1) {
  Poll poll;
  poll.applicant_id = "65abc";
  poll.level = "full";
  poll.review = review;
  poll.attempt = attempt;
  return poll;
}

Poll Completed(EventKind answer, int64_t time_ms, int64_t attempt = 1) {
  Poll poll = Shows(Poll::Review::kCompleted, attempt);
  poll.answer = answer;
  poll.review_time_ms = time_ms;
  return poll;
}

Record AfterPoll(const Record& record, const Poll& poll) {
  return ApplyPoll(record, TestLevels(), poll, 99'000).transition.record;
}

TEST(Poll, ACompletedReviewDecides) {
  EXPECT_EQ(AfterPoll(NewRecord(), Completed(EventKind::kApproved, 5000)).state,
            State::kApproved);
  EXPECT_EQ(AfterPoll(NewRecord(), Completed(EventKind::kRejected, 5000)).state,
            State::kRejected);
  EXPECT_EQ(
      AfterPoll(NewRecord(), Completed(EventKind::kRetryRequested, 5000)).state,
      State::kRetry);
  Poll other = Completed(EventKind::kApproved, 5000);
  other.level = "elsewhere";
  EXPECT_EQ(AfterPoll(NewRecord(), other).state, State::kPending);
}

TEST(Poll, TheDecisionHeldIsRecognisedByItsSecond) {
  const Record held = Fold(NewRecord(), {At(EventKind::kApproved, 5402)});
  const Record polled = AfterPoll(held, Completed(EventKind::kApproved, 5000));
  EXPECT_EQ(polled.verified_at_ms, 5402);
  EXPECT_EQ(polled.decision, held.decision);
}

TEST(Poll, AnotherAnswerInTheSameSecondIsTheNewerOne) {
  const Record held = Fold(NewRecord(), {At(EventKind::kRetryRequested, 5402)});
  const Record polled = AfterPoll(held, Completed(EventKind::kApproved, 5000));
  EXPECT_EQ(polled.state, State::kApproved);
  // The old decision delivered again, and the new one's own event.
  EXPECT_EQ(Fold(polled, {At(EventKind::kRetryRequested, 5402)}), polled);
  EXPECT_EQ(Fold(polled, {At(EventKind::kApproved, 5800)}).verified_at_ms,
            polled.verified_at_ms);
}

TEST(Poll, WithoutADecisionItReplacesNone) {
  for (EventKind decision : {EventKind::kApproved, EventKind::kRejected,
                             EventKind::kRetryRequested}) {
    const Record held = Fold(NewRecord(), {At(decision, 5000)});
    for (Poll::Review review : {Poll::Review::kInit, Poll::Review::kInProgress,
                                Poll::Review::kAwaitingUser}) {
      // The attempt is unknown to us, then the same as before.
      Record polled = AfterPoll(held, Shows(review, 1));
      EXPECT_EQ(polled.state, held.state);
      polled = AfterPoll(polled, Shows(review, 1));
      EXPECT_EQ(polled.state, held.state);
      EXPECT_EQ(AfterPoll(held, Shows(review, std::nullopt)).state, held.state);
    }
  }
}

TEST(Poll, AHigherAttemptThanTheLastPollsReplacesADecision) {
  Record record =
      AfterPoll(NewRecord(), Completed(EventKind::kRetryRequested, 5000, 1));
  EXPECT_EQ(record.state, State::kRetry);
  record = AfterPoll(record, Shows(Poll::Review::kInProgress, 2));
  EXPECT_EQ(record.state, State::kInProgress);
  // The old decision again, by webhook and by poll of the old attempt.
  EXPECT_EQ(Visible(Fold(record, {At(EventKind::kRetryRequested, 5000)})),
            Visible(record));
  record = AfterPoll(record, Completed(EventKind::kApproved, 9000, 2));
  EXPECT_EQ(record.state, State::kApproved);
}

TEST(Poll, AnAttemptSeenBeforeAFinalDecisionIsNoBaseline) {
  // A poll at the beginning, approval by webhook, then a poll that lags.
  Record record = AfterPoll(NewRecord(), Shows(Poll::Review::kInit, 0));
  record = Fold(record, {At(EventKind::kApproved, 5000)});
  EXPECT_EQ(AfterPoll(record, Shows(Poll::Review::kInProgress, 1)).state,
            State::kApproved);
}

TEST(Poll, AnAttemptThatEndedInTheHeldDecisionHeals) {
  Record record =
      AfterPoll(NewRecord(), Completed(EventKind::kApproved, 5000, 1));
  record = AfterPoll(record, Shows(Poll::Review::kInProgress, 2));
  EXPECT_EQ(record.state, State::kInProgress);
  record = AfterPoll(record, Completed(EventKind::kApproved, 5000, 2));
  EXPECT_EQ(record.state, State::kApproved);
  EXPECT_EQ(record.verified_at_ms, 5000);
}

TEST(Poll, ALingeringAnswerShowsAReset) {
  const Record held = Fold(NewRecord(), {At(EventKind::kRejected, 5000)});
  Poll init = Shows(Poll::Review::kInit);
  init.answer = EventKind::kRejected;
  const Record reset = AfterPoll(held, init);
  EXPECT_EQ(reset.state, State::kPending);
  EXPECT_EQ(Fold(reset, {At(EventKind::kRejected, 5000)}), reset);
  // At another level the applicant was moved, not reset.
  Poll moved = init;
  moved.level = "live";
  EXPECT_EQ(AfterPoll(held, moved).state, State::kRejected);
}

TEST(Poll, ANewAttemptDropsTheName) {
  Record record =
      AfterPoll(NewRecord(), Completed(EventKind::kApproved, 5000, 1));
  record.first_name = "JANE";
  record.last_names = "SMITH";
  record = AfterPoll(record, Shows(Poll::Review::kInProgress, 2));
  EXPECT_EQ(record.state, State::kInProgress);
  EXPECT_EQ(record.first_name + record.last_names, "");
}

TEST(Poll, AnAnswerThatLingersAfterAnUploadIsNoReset) {
  Record record = Fold(NewRecord(), {At(EventKind::kRetryRequested, 5000)});
  record = Fold(record, {At(EventKind::kActivity, 0)});
  Poll init = Shows(Poll::Review::kInit);
  init.answer = EventKind::kRetryRequested;
  EXPECT_EQ(AfterPoll(record, init).state, State::kInProgress);
}

TEST(Levels, HybridUsersBeginAtTheDocumentsLevel) {
  Levels levels = TestLevels();
  EXPECT_EQ(levels.InitialFor("live"), "docs");
  EXPECT_EQ(levels.InitialFor("full"), "full");
  EXPECT_EQ(levels.InitialFor("no longer configured"), "no longer configured");
  levels.websdk = "live";  // One level for both: not a liveness of its own.
  EXPECT_EQ(levels.InitialFor("live"), "live");
}

TEST(Poll, ProgressOpensAPendingRecordAndKeepsUploads) {
  const Record started =
      AfterPoll(NewRecord(), Shows(Poll::Review::kInProgress));
  EXPECT_EQ(started.state, State::kInProgress);
  EXPECT_EQ(started.applicant_id, "65abc");
  const Record uploaded = Fold(NewRecord(), {At(EventKind::kActivity, 0)});
  EXPECT_EQ(AfterPoll(uploaded, Shows(Poll::Review::kInit)).state,
            State::kInProgress);
  EXPECT_EQ(AfterPoll(uploaded, Shows(Poll::Review::kAwaitingUser)).state,
            State::kRetry);
}

TEST(Poll, AReviewWithoutADateComesAfterAllThatIsKnown) {
  Poll poll = Completed(EventKind::kApproved, 0);
  poll.review_time_ms.reset();
  const Record first = AfterPoll(NewRecord(), poll);
  EXPECT_EQ(first.state, State::kApproved);
  EXPECT_EQ(first.verified_at_ms, 99'000);  // When we heard of it, no more.
  // An event that was under way meanwhile still counts.
  EXPECT_EQ(Fold(first, {At(EventKind::kRejected, 50'000)}).state,
            State::kRejected);
  EXPECT_EQ(AfterPoll(first, poll), first);
  const Record held = Fold(NewRecord(), {At(EventKind::kRetryRequested, 5000)});
  const Record second = AfterPoll(held, poll);
  EXPECT_EQ(second.decision->time_ms, 5001);
  EXPECT_EQ(second.verified_at_ms, 99'000);
}

TEST(StateMachine, OfAnErasedUserDecisionsCountAndNothingPersonalIsKept) {
  Record erased = Fold(NewRecord(), {At(EventKind::kApproved, 5000)});
  RemovePersonalData(erased);
  erased.erased_ms = 6000;
  for (int kind = 0; kind < kEventKindCount; ++kind) {
    Event event = At(static_cast<EventKind>(kind), 7000);
    event.applicant_id = "app";
    event.reason = "Dear JANE";
    const Record after = Fold(erased, {event});
    EXPECT_EQ(after.applicant_id + after.reject_reason, "");
    EXPECT_EQ(after.link_ms, erased.link_ms);
    EXPECT_EQ(after.state, Next(State::kApproved, event.kind))
        << EventKindName(event.kind);
  }
}

// docs/states.md shows the table; `UPDATE_DOCS=<file>` writes it.
TEST(Docs, StatesPageShowsTheTable) {
  std::ostringstream table;
  table << "| event |";
  for (State state : kStates) table << " " << StateName(state) << " |";
  table << "\n|---|---|---|---|---|---|\n";
  for (int kind = 0; kind < kEventKindCount; ++kind) {
    table << "| " << EventKindName(static_cast<EventKind>(kind)) << " |";
    for (State state : kStates) {
      const State next = Next(state, static_cast<EventKind>(kind));
      table << " " << (next == state ? "–" : StateName(next)) << " |";
    }
    table << "\n";
  }
  std::ifstream file("docs/states.md");
  ASSERT_TRUE(file) << "docs/states.md";
  std::stringstream page;
  page << file.rdbuf();
  EXPECT_NE(page.str().find(table.str()), std::string::npos)
      << "docs/states.md must contain:\n"
      << table.str();
}

}  // namespace
}  // namespace kyc::domain
