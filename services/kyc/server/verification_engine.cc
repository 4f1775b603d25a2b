#include "services/kyc/server/verification_engine.h"

#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "services/base/error.h"
#include "services/base/log.h"
#include "services/base/metrics.h"
#include "services/base/status_macros.h"
#include "services/base/utf8.h"
#include "services/kyc/domain/reconciliation.h"
#include "services/kyc/provider/sumsub/webhook_event.h"
#include "services/kyc/server/changes.h"
#include "services/kyc/server/provider_errors.h"

namespace kyc::server {
namespace {

using async::CallContext;
using domain::EventKind;
using domain::Record;
using store::RecordStore;

// A poll is repeated this often when the record changed meanwhile.
constexpr int kMaxPolls = 3;

// What a failed provider call means to the sender of an event: send it again,
// unless the provider will never take what we ask.
absl::Status EventError(const absl::Status& status) {
  if (absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status)) {
    return base::Error(v1::ERROR_REASON_INTERNAL);
  }
  return base::Error(v1::ERROR_REASON_UNAVAILABLE);
}

void CountEvent(VerificationEngine::EventEffect effect) {
  const auto counter = [](const char* name) {
    return base::GetCounter("kyc_events_total", "Provider events by effect.",
                            {{"effect", name}});
  };
  // In the order of EventEffect.
  static base::Counter* const counters[] = {
      counter("applied"), counter("stale"), counter("ignored"),
      counter("deferred")};
  counters[static_cast<int>(effect)]->Add();
}

bool IsControl(unsigned char c) { return c < 0x20 || c == 0x7f; }

// Whether its place among the user's events, and what it decides, is known.
bool HasPlace(const provider::sumsub::WebhookEvent& webhook) {
  const bool decides = webhook.kind == EventKind::kApproved ||
                       webhook.kind == EventKind::kRetryRequested ||
                       webhook.kind == EventKind::kRejected;
  return (webhook.time_ms || webhook.kind == EventKind::kApplicantKnown) &&
         !(decides && webhook.level.empty());
}

}  // namespace

absl::Status CheckUserId(std::string_view user_id) {
  if (user_id.empty() || user_id.size() > 256 || !base::IsUtf8(user_id)) {
    return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED,
                       "user_id must be 1 to 256 bytes of UTF-8");
  }
  for (unsigned char c : user_id) {
    if (IsControl(c)) {
      return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED,
                         "user_id must not hold control characters");
    }
  }
  return absl::OkStatus();
}

VerificationEngine::VerificationEngine(RecordStore& store,
                                       provider::Provider& provider,
                                       const base::Clock& clock,
                                       const EngineConfig& config)
    : store_(store),
      provider_(provider),
      clock_(clock),
      config_(config),
      names_(store, provider, {.provider_timeout = config.provider_timeout}),
      details_(store, provider, names_,
               {.provider_timeout = config.provider_timeout,
                .cache_ttl = config.details_cache_ttl,
                .cache_entries = config.details_cache_entries}),
      documents_(store, provider,
                 {.provider_timeout = config.provider_timeout,
                  .upload_timeout = config.upload_timeout,
                  .levels = config.levels}) {}

const std::string& VerificationEngine::TokenLevel(const Record& record) const {
  // The SDK moves an applicant to the level of its token: one that is decided
  // stays where it was decided.
  if (record.decision && record.decision->outcome != domain::Outcome::kReset) {
    return record.decision->level;
  }
  return config_.levels.InitialFor(record.required_level);
}

async::Task<absl::StatusOr<VerificationEngine::ApplicantResult>>
VerificationEngine::CreateApplicant(async::CallContext context,
                                    std::string user_id, Caller caller) {
  auto outcome = co_await creations_.Run(
      user_id, [&] { return CreateAtProvider(context, user_id, caller); });
  if (outcome.value.ok() && !outcome.led) {
    outcome.value->already_existed = true;
  }
  co_return std::move(outcome.value);
}

async::Task<absl::StatusOr<Record>> VerificationEngine::LoadPinned(
    async::CallContext context, std::string user_id, Caller caller) {
  CO_ASSIGN_OR_RETURN(Record record, co_await store_.Load(std::move(user_id)));
  std::string level = record.required_level;
  if (level.empty()) {
    CO_ASSIGN_OR_RETURN(const domain::Mode mode, co_await caller.mode());
    level = config_.levels.Required(mode);
    if (level.empty() || config_.levels.Initial(mode).empty()) {
      base::LogError("no level is configured for this mode",
                     {{"mode", domain::ModeName(mode)}}, &context.trace);
      co_return base::Error(v1::ERROR_REASON_UNAVAILABLE);
    }
  }
  CO_ASSIGN_OR_RETURN(RecordStore::Outcome stored,
                      co_await store_.UpdateFrom(
                          std::move(record),
                          [&](const Record& current) {
                            Record next = current;
                            domain::Pin(next, level);
                            domain::PinTenant(next, caller.tenant);
                            next.erased_ms = 0;
                            domain::Event event;
                            event.source = kSourceApi;
                            auto change = Changed(current, std::move(next),
                                                  event, context);
                            if (change && current.erased_ms != 0) {
                              change->audit.action = "begun_anew";
                            }
                            return change;
                          },
                          /*only_this_version=*/false));
  co_return std::move(stored.record);
}

async::Task<absl::StatusOr<VerificationEngine::ApplicantResult>>
VerificationEngine::CreateAtProvider(async::CallContext context,
                                     std::string user_id, Caller caller) {
  context = context.Within(config_.provider_timeout);
  CO_ASSIGN_OR_RETURN(Record record,
                      co_await LoadPinned(context, user_id, std::move(caller)));
  if (!record.applicant_id.empty()) {
    co_return ApplicantResult{record.applicant_id, true};
  }
  domain::Poll poll;
  bool existed = false;
  absl::StatusOr<std::string> created = co_await provider_.CreateApplicant(
      context, user_id, config_.levels.InitialFor(record.required_level));
  if (created.ok()) {
    poll.applicant_id = *std::move(created);
  } else if (created.status().code() == absl::StatusCode::kAlreadyExists) {
    // The provider's uniqueness decides races between processes, and finds
    // the applicant of a call that was answered but never stored.
    absl::StatusOr<provider::Applicant> found =
        co_await provider_.FindApplicant(context, user_id);
    const auto named =
        created.status().GetPayload(provider::kExistingApplicantPayload);
    if (found.ok()) {
      poll.applicant_id = found->id;
    } else if (absl::IsNotFound(found.status()) && named) {
      // Deactivated: it is not found, yet in the way of a new one.
      poll.applicant_id = std::string(*named);
    } else {
      co_return ProviderError(found.status(),
                              v1::ERROR_REASON_PROVIDER_UNAVAILABLE,
                              "Failed to read applicant from KYC provider");
    }
    existed = true;
  } else {
    co_return ProviderError(created.status(),
                            v1::ERROR_REASON_PROVIDER_UNAVAILABLE,
                            "Failed to create applicant at KYC provider");
  }
  // The record may have changed meanwhile: only the link is new, and the
  // level stays the one pinned first.
  const std::string level = record.required_level;
  CO_ASSIGN_OR_RETURN(
      RecordStore::Outcome stored,
      co_await store_.Update(user_id, [&](const Record& current) {
        Record next = current;
        domain::Pin(next, level);
        domain::Event event;
        event.kind = EventKind::kApplicantKnown;
        event.applicant_id = poll.applicant_id;
        event.asked = true;
        event.source = kSourceApi;
        return Changed(current, domain::Apply(next, event).record, event,
                       context);
      }));
  // Erased since this began: to begin anew is another call's.
  if (stored.record.applicant_id.empty()) {
    co_return base::Error(v1::ERROR_REASON_UNAVAILABLE);
  }
  base::LogInfo("applicant linked",
                {{"applicant_id", poll.applicant_id},
                 {"existed", existed ? "true" : "false"}},
                &context.trace);
  co_return ApplicantResult{stored.record.applicant_id, existed};
}

async::Task<absl::StatusOr<base::Secret>> VerificationEngine::CreateAccessToken(
    async::CallContext context, std::string user_id, bool liveness,
    Caller caller) {
  CO_ASSIGN_OR_RETURN(Record record,
                      co_await LoadPinned(context, user_id, std::move(caller)));
  if (liveness && config_.levels.liveness.empty()) {
    co_return base::Error(v1::ERROR_REASON_TOKEN_GENERATION_FAILED);
  }
  const std::string level =
      liveness ? config_.levels.liveness : TokenLevel(record);
  // Calls of one user for one level share a token: many clients of a user
  // cost the provider no more than one.
  auto outcome = co_await tokens_.Run(absl::StrCat(level, "\n", user_id), [&] {
    return CreateTokenAtProvider(context, user_id, level);
  });
  co_return std::move(outcome.value);
}

async::Task<absl::StatusOr<base::Secret>>
VerificationEngine::CreateTokenAtProvider(CallContext context,
                                          std::string user_id,
                                          std::string level) {
  absl::StatusOr<base::Secret> token = co_await provider_.CreateAccessToken(
      context.Within(config_.provider_timeout), std::move(user_id),
      std::move(level), kAccessTokenTtlSeconds);
  if (!token.ok()) {
    co_return ProviderError(token.status(),
                            v1::ERROR_REASON_TOKEN_GENERATION_FAILED, {});
  }
  co_return std::move(token);
}

async::Task<absl::StatusOr<Record>> VerificationEngine::Get(
    std::string user_id) {
  CO_ASSIGN_OR_RETURN(Record record, co_await store_.Load(std::move(user_id)));
  co_return co_await names_.Fill(CallContext{}, std::move(record));
}

async::Task<std::vector<absl::StatusOr<Record>>>
VerificationEngine::GetStatuses(std::vector<std::string> user_ids) {
  co_return co_await store_.LoadStatuses(std::move(user_ids));
}

async::Task<absl::StatusOr<Record>> VerificationEngine::Refresh(
    async::CallContext context, std::string user_id) {
  std::optional<Record> written;
  const auto ask = [&]() -> async::Task<absl::StatusOr<std::monostate>> {
    CO_ASSIGN_OR_RETURN(written, co_await AskProvider(context, user_id));
    co_return std::monostate();
  };
  auto outcome = co_await refreshes_.Run(user_id, ask);
  if (written) co_return *std::move(written);
  // When others kept writing, what they wrote is the present.
  if (!absl::IsAborted(outcome.value.status())) {
    CO_RETURN_IF_ERROR(outcome.value.status());
  }
  // What others wrote since a shared poll, or one that changed nothing, counts
  // too.
  co_return co_await store_.Load(std::move(user_id));
}

async::Task<absl::StatusOr<domain::Poll>> VerificationEngine::Poll(
    async::CallContext context, const Record& record) {
  if (!record.applicant_id.empty()) {
    absl::StatusOr<domain::Poll> review =
        co_await provider_.GetReview(context, record.applicant_id);
    if (review.ok()) {
      review->applicant_id = record.applicant_id;
      co_return std::move(review);
    }
    if (review.status().code() != absl::StatusCode::kNotFound) {
      co_return review.status();
    }
  }
  CO_ASSIGN_OR_RETURN(
      provider::Applicant applicant,
      co_await provider_.FindApplicant(context, record.user_id));
  applicant.review.applicant_id = applicant.id;
  co_return std::move(applicant.review);
}

async::Task<absl::StatusOr<std::optional<Record>>>
VerificationEngine::AskProvider(CallContext context, std::string user_id) {
  context = context.Within(config_.provider_timeout);
  for (int polls = 0; polls < kMaxPolls; ++polls) {
    CO_ASSIGN_OR_RETURN(Record record, co_await store_.Load(user_id));
    // What the provider still has of an erased user stays there.
    if (record.erased_ms != 0) {
      co_return base::Error(v1::ERROR_REASON_APPLICANT_NOT_FOUND);
    }
    absl::StatusOr<domain::Poll> poll = co_await Poll(context, record);
    if (!poll.ok()) {
      if (poll.status().code() == absl::StatusCode::kNotFound) {
        co_return base::Error(v1::ERROR_REASON_APPLICANT_NOT_FOUND);
      }
      co_return ProviderError(poll.status(),
                              v1::ERROR_REASON_PROVIDER_UNAVAILABLE,
                              "Failed to fetch status from KYC provider");
    }
    const auto decide = [&](const Record& current) {
      Record next = current;
      domain::Pin(next, config_.levels.Required(config_.default_mode));
      next.unsettled_ms = 0;
      domain::PollTransition result =
          domain::ApplyPoll(next, config_.levels, *poll, clock_.NowMs());
      result.event.source = kSourcePoll;
      config_.steps.AdvanceOnApproval(result.transition.record);
      return Changed(current, std::move(result.transition.record), result.event,
                     context);
    };
    // A hundred refreshes a second would else be as many syncs of Redis' log,
    // which hold up all that read.
    if (decide(record)) co_await poll_writes_.Pass();
    auto stored = co_await store_.UpdateFrom(std::move(record), decide,
                                             /*only_this_version=*/true);
    if (stored.ok()) {
      names_.Want(context, stored->record);
      if (!stored->changed) co_return std::nullopt;
      co_return std::move(stored->record);
    }
    if (stored.status().code() != absl::StatusCode::kAborted) {
      co_return stored.status();
    }
    // Somebody wrote while the provider was asked: what it said may be older
    // than that. Ask again.
  }
  co_return absl::AbortedError("the record kept changing");
}

bool VerificationEngine::AsksProvider(
    const provider::sumsub::WebhookEvent& webhook) {
  return webhook.user_id.empty() || !HasPlace(webhook);
}

async::Task<absl::StatusOr<VerificationEngine::EventEffect>>
VerificationEngine::ApplySumsubEvent(async::CallContext context,
                                     std::string payload,
                                     std::string event_id) {
  std::optional<provider::sumsub::WebhookEvent> webhook =
      provider::sumsub::ParseWebhook(payload, config_.support_address);
  if (!webhook) {
    CountEvent(EventEffect::kIgnored);
    co_return EventEffect::kIgnored;
  }
  context = context.Within(config_.provider_timeout);
  if (webhook->user_id.empty() && !webhook->applicant_id.empty()) {
    absl::StatusOr<provider::Applicant> applicant =
        co_await provider_.GetApplicant(context, webhook->applicant_id);
    if (applicant.ok()) {
      webhook->user_id = std::move(applicant->external_user_id);
    } else if (!absl::IsNotFound(applicant.status())) {
      co_return EventError(applicant.status());
    }
  }
  if (!CheckUserId(webhook->user_id).ok()) {
    base::LogWarning("provider event without a usable user",
                     {{"event_id", event_id}, {"type", webhook->type}},
                     &context.trace);
    CountEvent(EventEffect::kIgnored);
    co_return EventEffect::kIgnored;
  }
  // Any event may be about what the provider said of the person.
  details_.Forget(webhook->user_id);
  absl::StatusOr<EventEffect> effect =
      HasPlace(*webhook) ? co_await StoreEvent(context, *webhook, event_id)
                         : co_await SettleByAsking(context, *webhook, event_id);
  if (effect.ok()) CountEvent(*effect);
  co_return effect;
}

// The event's place among the others is unknown, or what it decides; the
// provider's present is not. A poll of its own: one under way may have asked
// before the event.
async::Task<absl::StatusOr<VerificationEngine::EventEffect>>
VerificationEngine::SettleByAsking(
    CallContext context, const provider::sumsub::WebhookEvent& webhook,
    std::string event_id) {
  const auto asked = co_await AskProvider(context, webhook.user_id);
  if (asked.ok()) co_return EventEffect::kApplied;
  if (base::ReasonOf(asked.status()) != v1::ERROR_REASON_APPLICANT_NOT_FOUND) {
    co_return co_await Defer(context, webhook, std::move(event_id));
  }
  if (webhook.kind != EventKind::kApplicantRemoved) {
    co_return EventEffect::kIgnored;
  }
  CO_ASSIGN_OR_RETURN(
      RecordStore::Outcome stored,
      co_await store_.Update(webhook.user_id, [&](const Record& current) {
        domain::Event event =
            EventOf(webhook, current, config_.levels, event_id);
        event.time_ms = current.link_ms + 1;
        return Changed(current, domain::Apply(current, event).record, event,
                       context);
      }));
  co_return stored.changed ? EventEffect::kApplied : EventEffect::kStale;
}

// The provider cannot be asked now. That it is to be asked is written with the
// record, where it survives everything; the event has done its work.
async::Task<absl::StatusOr<VerificationEngine::EventEffect>>
VerificationEngine::Defer(CallContext context,
                          const provider::sumsub::WebhookEvent& webhook,
                          std::string event_id) {
  bool is_first = false;
  CO_ASSIGN_OR_RETURN(
      const RecordStore::Outcome stored,
      co_await store_.Update(
          webhook.user_id,
          [&](const Record& current) -> std::optional<RecordStore::Change> {
            if (current.erased_ms != 0) return std::nullopt;
            Record next = current;
            domain::Pin(next, config_.levels.Required(config_.default_mode));
            // The record changes also where this is known already: a question
            // under way may have been answered before this event happened, and
            // its answer must not count as having settled it.
            is_first = current.unsettled_ms == 0;
            next.unsettled_ms =
                is_first ? clock_.NowMs() : current.unsettled_ms + 1;
            auto change = Changed(
                current, std::move(next),
                EventOf(webhook, current, config_.levels, event_id), context);
            if (change) change->audit.action = "deferred";
            return change;
          }));
  base::LogInfo("provider event deferred",
                {{"event_id", event_id},
                 {"type", webhook.type},
                 {"applicant_id", webhook.applicant_id}},
                &context.trace);
  if (stored.changed && is_first && deferred_) deferred_();
  co_return EventEffect::kDeferred;
}

async::Task<absl::StatusOr<VerificationEngine::Reconciled>>
VerificationEngine::Reconcile(CallContext context, std::string user_id) {
  CO_ASSIGN_OR_RETURN(Record record, co_await store_.Load(user_id));
  if (!domain::AwaitsReconciliation(record)) {
    co_return Reconciled{std::move(record), absl::OkStatus()};
  }
  const auto asked = co_await AskProvider(context, user_id);
  if (base::ReasonOf(asked.status()) != v1::ERROR_REASON_APPLICANT_NOT_FOUND) {
    CO_ASSIGN_OR_RETURN(record, co_await store_.Load(std::move(user_id)));
    co_return Reconciled{std::move(record), asked.status()};
  }
  // The provider knows nobody of that name. Where an event made us ask, that
  // is what it said: the applicant is gone.
  CO_ASSIGN_OR_RETURN(
      RecordStore::Outcome stored,
      co_await store_.UpdateFrom(
          std::move(record),
          [&](const Record& current) -> std::optional<RecordStore::Change> {
            if (current.unsettled_ms == 0) return std::nullopt;
            Record next = current;
            next.unsettled_ms = 0;
            domain::Event event;
            event.kind = EventKind::kApplicantRemoved;
            event.time_ms = current.link_ms + 1;
            event.source = kSourcePoll;
            return Changed(current, domain::Apply(next, event).record, event,
                           context);
          },
          /*only_this_version=*/true));
  co_return Reconciled{std::move(stored.record), absl::OkStatus()};
}

async::Task<absl::StatusOr<VerificationEngine::EventEffect>>
VerificationEngine::StoreEvent(CallContext context,
                               const provider::sumsub::WebhookEvent& webhook,
                               std::string event_id) {
  bool unknown_level = false;
  CO_ASSIGN_OR_RETURN(
      RecordStore::Outcome stored,
      co_await store_.Update(webhook.user_id, [&](const Record& current) {
        Record next = current;
        domain::Pin(next, config_.levels.Required(config_.default_mode));
        const domain::Event event =
            EventOf(webhook, next, config_.levels, event_id);
        unknown_level = event.kind == EventKind::kUnknownLevel;
        domain::Transition result = domain::Apply(next, event);
        config_.steps.AdvanceOnApproval(result.record);
        return Changed(current, std::move(result.record), event, context);
      }));
  names_.Want(context, stored.record);
  if (stored.changed && unknown_level) {
    static base::Counter* const unknown = base::GetCounter(
        "kyc_decisions_unknown_level_total",
        "Decisions at a level that is not configured; they have no effect.");
    unknown->Add();
    base::LogWarning("decision at a level that is not configured",
                     {{"level", webhook.level}, {"event_id", event_id}},
                     &context.trace);
  }
  base::LogInfo("provider event",
                {{"event_id", event_id},
                 {"type", webhook.type},
                 {"applicant_id", webhook.applicant_id},
                 {"effect", stored.changed ? "applied" : "stale"},
                 {"state", domain::StateName(stored.record.state)}},
                &context.trace);
  co_return stored.changed ? EventEffect::kApplied : EventEffect::kStale;
}

async::Task<absl::StatusOr<Record>> VerificationEngine::SubmitOnboardingStep(
    async::CallContext context, std::string user_id, std::string step) {
  const domain::OnboardingSteps& steps = config_.steps;
  bool refused = false;
  std::string current_step;
  CO_ASSIGN_OR_RETURN(
      RecordStore::Outcome stored,
      co_await store_.Update(
          std::move(user_id),
          [&](const Record& current) -> std::optional<RecordStore::Change> {
            refused = false;
            current_step = steps.Current(current);
            if (steps.IsCompleted(current, step)) return std::nullopt;
            if (step != current_step) {
              refused = true;
              return std::nullopt;
            }
            Record next = current;
            if (!steps.Advance(next)) return std::nullopt;
            domain::Event event;
            event.source = kSourceApi;
            auto change = Changed(current, std::move(next), event, context);
            if (change) change->audit.action = "onboarding_submitted";
            return change;
          }));
  if (refused) {
    co_return base::Error(
        v1::ERROR_REASON_WRONG_ONBOARDING_STEP,
        "The current onboarding step is '" + current_step + "'.",
        {.metadata = {{"current_step", current_step}}});
  }
  co_return std::move(stored.record);
}

}  // namespace kyc::server
