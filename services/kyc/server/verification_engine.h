// The use cases of a verification: what an RPC does, without its protocol.
//
// One engine per loop, used on that loop's thread. All work of one user runs
// on one loop (Runtime::LoopFor(user id)), so what must happen once per user
// at a time is joined here without locks; across processes the store's
// version check and the provider's own uniqueness do the rest.
//
// Errors that callers see carry their reason of proto/kyc/v1/errors.proto.
#ifndef KYC_SERVICES_KYC_SERVER_VERIFICATION_ENGINE_H_
#define KYC_SERVICES_KYC_SERVER_VERIFICATION_ENGINE_H_

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/call_context.h"
#include "services/async/pace.h"
#include "services/async/single_flight.h"
#include "services/async/task.h"
#include "services/base/clock.h"
#include "services/base/secret.h"
#include "services/kyc/domain/onboarding.h"
#include "services/kyc/domain/record.h"
#include "services/kyc/domain/state_machine.h"
#include "services/kyc/domain/tenant.h"
#include "services/kyc/provider/provider.h"
#include "services/kyc/provider/sumsub/webhook_event.h"
#include "services/kyc/server/details.h"
#include "services/kyc/server/documents.h"
#include "services/kyc/server/names.h"
#include "services/kyc/store/record_store.h"

namespace kyc::server {

// What an operator configures; immutable.
struct EngineConfig {
  domain::Levels levels;
  domain::Mode default_mode = domain::Mode::kWebsdk;
  domain::OnboardingSteps steps;
  // Of one use case's provider calls together.
  std::chrono::milliseconds provider_timeout{5000};
  std::chrono::milliseconds upload_timeout{30'000};  // Of one document.
  // How long a user's details stay in memory, and of how many users per loop.
  std::chrono::milliseconds details_cache_ttl{300'000};
  size_t details_cache_entries = 10'000;
  // For the ${clientSupportEmail} of SumSub's comments.
  std::string support_address;
};

// On whose behalf a user begins a verification.
struct Caller {
  domain::Tenant tenant;  // Pinned with the user's level.
  // The mode in force. Asked at most once, and only where a user's level is
  // to be pinned; its error is the call's.
  std::function<async::Task<absl::StatusOr<domain::Mode>>()> mode;
};

// How long an SDK token lives.
inline constexpr int kAccessTokenTtlSeconds = 600;
// A refresh younger than this serves the next one too.
inline constexpr std::chrono::milliseconds kRefreshReuse{3000};
// What polls change is written at most this often per loop: much less than a
// provider takes to answer, and many polls share a write when many are made.
inline constexpr std::chrono::milliseconds kPollWriteInterval{50};

class VerificationEngine {
 public:
  // All outlive the engine.
  VerificationEngine(store::RecordStore& store, provider::Provider& provider,
                     const base::Clock& clock, const EngineConfig& config);

  struct ApplicantResult {
    std::string applicant_id;
    bool already_existed;
  };
  // One applicant however many call: the first creates it, the rest get its
  // id. KYC-502-001 when the provider fails, KYC-500-001 when it refuses our
  // credentials.
  async::Task<absl::StatusOr<ApplicantResult>> CreateApplicant(
      async::CallContext context, std::string user_id, Caller caller);

  // A token for the level required of the user, or for the liveness level.
  // Works without an applicant: the SDK creates it. KYC-500-002 when the
  // provider fails.
  async::Task<absl::StatusOr<base::Secret>> CreateAccessToken(
      async::CallContext context, std::string user_id, bool liveness,
      Caller caller);

  // What is stored; a user never seen is pending.
  async::Task<absl::StatusOr<domain::Record>> Get(std::string user_id);

  // What is stored of many, as far as the status shows it; in order.
  async::Task<std::vector<absl::StatusOr<domain::Record>>> GetStatuses(
      std::vector<std::string> user_ids);

  // Asks the provider and stores what it says. KYC-404-001 without an
  // applicant, KYC-502-001 when the provider fails.
  async::Task<absl::StatusOr<domain::Record>> Refresh(
      async::CallContext context, std::string user_id);

  // kDeferred: it could not be settled now; that it is to be is stored, and
  // Reconcile makes up for it.
  enum class EventEffect { kApplied, kStale, kIgnored, kDeferred };
  // Whether an event cannot be settled from what is stored: whom it concerns,
  // its place among the others or its level is not in it.
  static bool AsksProvider(const provider::sumsub::WebhookEvent& webhook);
  // Applies a SumSub webhook body. An error means: not applied, send again.
  async::Task<absl::StatusOr<EventEffect>> ApplySumsubEvent(
      async::CallContext context, std::string payload, std::string event_id);

  struct Reconciled {
    domain::Record record;  // As it is then; it may await more.
    absl::Status asked;     // KYC-502-001 when the provider fails.
  };
  // Asks the provider about a record that awaits it (domain/reconciliation.h)
  // and stores what it says; any other record is left alone. Errors are those
  // of Redis.
  async::Task<absl::StatusOr<Reconciled>> Reconcile(async::CallContext context,
                                                    std::string user_id);
  // Called on this engine's loop after each event that was deferred.
  void OnDeferred(std::function<void()> deferred) {
    deferred_ = std::move(deferred);
  }

  // Drops what is kept in memory of a user who is erased; of all of them.
  void Forget(const std::string& user_id) { details_.Forget(user_id); }
  void ForgetAll() { details_.ForgetAll(); }

  // Completes the user's current onboarding step; a completed one is a
  // no-op, any other ONB-409-001 with metadata `current_step`.
  async::Task<absl::StatusOr<domain::Record>> SubmitOnboardingStep(
      async::CallContext context, std::string user_id, std::string step);

  // The use cases around documents and the person.
  Documents& documents() { return documents_; }
  Details& details() { return details_; }

  const EngineConfig& config() const { return config_; }

 private:
  // The level of a token for this user, where none is asked for.
  const std::string& TokenLevel(const domain::Record& record) const;

  // The record, after the level that its user must pass and the caller's
  // tenant are pinned and stored, and an erased user has begun anew: before
  // the provider is called, so that no event of what the call begins comes
  // first. GEN-503-001 for a mode whose levels are not configured.
  async::Task<absl::StatusOr<domain::Record>> LoadPinned(
      async::CallContext context, std::string user_id, Caller caller);
  async::Task<absl::StatusOr<ApplicantResult>> CreateAtProvider(
      async::CallContext context, std::string user_id, Caller caller);
  async::Task<absl::StatusOr<base::Secret>> CreateTokenAtProvider(
      async::CallContext context, std::string user_id, std::string level);
  // Applies a poll: the record as written, nothing where it stays as it was.
  // ABORTED when others kept writing meanwhile.
  async::Task<absl::StatusOr<std::optional<domain::Record>>> AskProvider(
      async::CallContext context, std::string user_id);
  async::Task<absl::StatusOr<EventEffect>> SettleByAsking(
      async::CallContext context, const provider::sumsub::WebhookEvent& webhook,
      std::string event_id);
  async::Task<absl::StatusOr<EventEffect>> Defer(
      async::CallContext context, const provider::sumsub::WebhookEvent& webhook,
      std::string event_id);
  async::Task<absl::StatusOr<EventEffect>> StoreEvent(
      async::CallContext context, const provider::sumsub::WebhookEvent& webhook,
      std::string event_id);
  async::Task<absl::StatusOr<domain::Poll>> Poll(async::CallContext context,
                                                 const domain::Record& record);

  store::RecordStore& store_;
  provider::Provider& provider_;
  const base::Clock& clock_;
  const EngineConfig& config_;
  Names names_;
  Details details_;
  Documents documents_;
  async::SingleFlight<ApplicantResult> creations_;
  async::SingleFlight<base::Secret> tokens_;
  async::SingleFlight<std::monostate> refreshes_{kRefreshReuse};
  async::Pace poll_writes_{kPollWriteInterval};
  std::function<void()> deferred_;
};

// OK for a user id that may be stored: 1 to 256 bytes of UTF-8 without
// control characters. KYC-422-002 otherwise.
absl::Status CheckUserId(std::string_view user_id);

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_VERIFICATION_ENGINE_H_
