// kyc_server: the verification engine behind gRPC.
#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/base/clock.h"
#include "services/base/log.h"
#include "services/base/secret.h"
#include "services/base/status_macros.h"
#include "services/kyc/server/admin_service.h"
#include "services/kyc/server/engines.h"
#include "services/kyc/server/idempotency_service.h"
#include "services/kyc/server/kyc_service.h"
#include "services/kyc/server/operator_service.h"
#include "services/kyc/server/partner_service.h"
#include "services/kyc/server/provider_event_service.h"
#include "services/kyc/server/user_service.h"
#include "services/kyc/server/wallet_service.h"
#include "services/kyc/server/watch_hub.h"
#include "services/process/grpc_process.h"
#include "services/process/process.h"

ABSL_FLAG(std::string, listen, "127.0.0.1:50051",
          "gRPC address: host:port or unix:/path");
ABSL_FLAG(std::string, admin_listen, "127.0.0.1:9051",
          "address of /healthz, /readyz and /metrics");
ABSL_FLAG(std::string, redis_url, "redis://127.0.0.1:6379/0",
          "redis://host:port/db or unix:/path; no password in it");
ABSL_FLAG(std::string, redis_password_file, "",
          "file with the Redis password; empty: none");
ABSL_FLAG(std::string, sumsub_base_url, "https://api.sumsub.com",
          "SumSub's API");
ABSL_FLAG(std::string, sumsub_app_token_file, "",
          "file with SumSub's app token");
ABSL_FLAG(std::string, sumsub_secret_key_file, "",
          "file with the key that signs requests to SumSub");
ABSL_FLAG(std::string, sumsub_websdk_level, "basic-kyc-level",
          "level that a user of the websdk mode must pass");
ABSL_FLAG(std::string, sumsub_hybrid_level, "",
          "level at which hybrid mode takes documents");
ABSL_FLAG(std::string, sumsub_document_only_level, "",
          "level that a user of the document_only mode must pass");
ABSL_FLAG(std::string, sumsub_liveness_level, "",
          "level that a user of the hybrid mode must pass");
ABSL_FLAG(std::string, default_kyc_mode, "websdk",
          "websdk, hybrid or document_only");
ABSL_FLAG(absl::Duration, provider_timeout, absl::Seconds(5),
          "limit of one provider operation, retries included");
ABSL_FLAG(absl::Duration, provider_upload_timeout, absl::Seconds(30),
          "limit of one document upload to the provider");
ABSL_FLAG(int, provider_max_concurrency, 256,
          "provider calls in flight at most");
ABSL_FLAG(int, provider_reads_per_5s, 300,
          "the provider's limit of reads in any 5 s");
ABSL_FLAG(int, provider_writes_per_5s, 50,
          "the provider's limit of writes in any 5 s");
ABSL_FLAG(int, max_uploads_in_flight, 64,
          "documents taken in at a time; each is kept in memory");
ABSL_FLAG(absl::Duration, reconcile_after, absl::Minutes(10),
          "age from which a record in progress is asked about");
ABSL_FLAG(absl::Duration, reconcile_interval, absl::Minutes(1),
          "how often such records are looked for");
ABSL_FLAG(double, reconcile_rate, 5,
          "how many of them are asked about in a second at most");
ABSL_FLAG(absl::Duration, details_cache_ttl, absl::Minutes(5),
          "how long personal details may be kept in memory; at most 5m");
ABSL_FLAG(std::string, support_address, "",
          "replaces ${clientSupportEmail} in what the provider tells users");
ABSL_FLAG(std::string, partner_signing_key_file, "",
          "PEM file of EC P-256 keys: the first signs partner tokens");
ABSL_FLAG(std::string, partner_issuer, "https://sis.sumvin.com",
          "issuer of partner tokens");
ABSL_FLAG(int64_t, partner_chain_id, 1329, "chain id of EIP-712 signatures");
ABSL_FLAG(int, max_downloads_in_flight, 256,
          "document images on their way to partners at a time");
ABSL_FLAG(std::string, onboarding_steps,
          "created,phone_verification,kyc_verification,safe_deploy,"
          "open_banking,card_setup,feature_selection,complete",
          "onboarding steps in order, from created to complete");
ABSL_FLAG(bool, grpc_reflection, true, "serve gRPC reflection");
ABSL_FLAG(int, threads, 0, "event loops; 0: one per core, at most 8");

namespace kyc {
namespace {

constexpr std::chrono::milliseconds kDrainLimit{15000};

absl::StatusOr<base::Secret> SecretFlag(std::string_view flag,
                                        const std::string& path) {
  if (path.empty()) {
    return process::ForFlag(flag,
                            absl::InvalidArgumentError("a file is required"));
  }
  absl::StatusOr<base::Secret> secret = base::ReadSecretFile(path);
  if (!secret.ok()) return process::ForFlag(flag, secret.status());
  return secret;
}

absl::Status CheckLevels(const domain::Levels& levels, domain::Mode mode) {
  if (levels.Required(mode).empty() || levels.Initial(mode).empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("--default_kyc_mode: the levels of mode ",
                     std::string(domain::ModeName(mode)),
                     " are not set (--sumsub_…_level)"));
  }
  return absl::OkStatus();
}

absl::Status CheckUrl(const std::string& url) {
  const bool http = url.rfind("http://", 0) == 0 && url.size() > 7;
  const bool https = url.rfind("https://", 0) == 0 && url.size() > 8;
  if (http || https) return absl::OkStatus();
  return absl::InvalidArgumentError("must begin with https:// or http://");
}

// Reads the keys that sign partner tokens, if there are to be any.
absl::Status LoadPartnerKeys(server::PartnerKeys& keys) {
  const std::string file = absl::GetFlag(FLAGS_partner_signing_key_file);
  if (file.empty()) return absl::OkStatus();
  return process::ForFlag("partner_signing_key_file", keys.Load(file));
}

absl::StatusOr<server::Engines::Options> ReadOptions() {
  server::Engines::Options options;
  RETURN_IF_ERROR(process::ForFlag(
      "listen", process::CheckListenAddress(absl::GetFlag(FLAGS_listen))));
  RETURN_IF_ERROR(process::ForFlag(
      "admin_listen",
      process::CheckListenAddress(absl::GetFlag(FLAGS_admin_listen))));
  absl::StatusOr<async::RedisOptions> redis =
      async::RedisOptions::Parse(absl::GetFlag(FLAGS_redis_url));
  RETURN_IF_ERROR(process::ForFlag("redis_url", redis.status()));
  options.redis = *std::move(redis);
  if (const std::string file = absl::GetFlag(FLAGS_redis_password_file);
      !file.empty()) {
    ASSIGN_OR_RETURN(options.redis.password,
                     SecretFlag("redis_password_file", file));
  }

  provider::sumsub::Options& sumsub = options.sumsub;
  sumsub.base_url = absl::GetFlag(FLAGS_sumsub_base_url);
  while (!sumsub.base_url.empty() && sumsub.base_url.back() == '/') {
    sumsub.base_url.pop_back();
  }
  RETURN_IF_ERROR(
      process::ForFlag("sumsub_base_url", CheckUrl(sumsub.base_url)));
  ASSIGN_OR_RETURN(sumsub.app_token,
                   SecretFlag("sumsub_app_token_file",
                              absl::GetFlag(FLAGS_sumsub_app_token_file)));
  ASSIGN_OR_RETURN(sumsub.secret_key,
                   SecretFlag("sumsub_secret_key_file",
                              absl::GetFlag(FLAGS_sumsub_secret_key_file)));
  sumsub.support_address = absl::GetFlag(FLAGS_support_address);
  const absl::Duration timeout = absl::GetFlag(FLAGS_provider_timeout);
  if (timeout < absl::Milliseconds(100) || timeout > absl::Minutes(1)) {
    return absl::InvalidArgumentError(
        "--provider_timeout: must be from 100ms to 1m");
  }
  sumsub.timeout = absl::ToChronoMilliseconds(timeout);
  options.engine.provider_timeout = sumsub.timeout;
  const absl::Duration upload = absl::GetFlag(FLAGS_provider_upload_timeout);
  if (upload < absl::Milliseconds(100) || upload > absl::Minutes(4)) {
    return absl::InvalidArgumentError(
        "--provider_upload_timeout: must be from 100ms to 4m");
  }
  sumsub.upload_timeout = absl::ToChronoMilliseconds(upload);
  options.engine.upload_timeout = sumsub.upload_timeout;
  if (absl::GetFlag(FLAGS_max_uploads_in_flight) < 1) {
    return absl::InvalidArgumentError(
        "--max_uploads_in_flight: must be at least 1");
  }
  const absl::Duration cache_ttl = absl::GetFlag(FLAGS_details_cache_ttl);
  if (cache_ttl < absl::ZeroDuration() || cache_ttl > absl::Minutes(5)) {
    return absl::InvalidArgumentError(
        "--details_cache_ttl: must be from 0 to 5m");
  }
  options.engine.details_cache_ttl = absl::ToChronoMilliseconds(cache_ttl);

  const absl::Duration after = absl::GetFlag(FLAGS_reconcile_after);
  if (after < absl::Milliseconds(100) || after > absl::Hours(6)) {
    return absl::InvalidArgumentError(
        "--reconcile_after: must be from 100ms to 6h");
  }
  options.reconcile.after = absl::ToChronoMilliseconds(after);
  const absl::Duration interval = absl::GetFlag(FLAGS_reconcile_interval);
  if (interval < absl::Milliseconds(100) || interval > absl::Hours(1)) {
    return absl::InvalidArgumentError(
        "--reconcile_interval: must be from 100ms to 1h");
  }
  options.reconcile.interval = absl::ToChronoMilliseconds(interval);
  options.reconcile.per_second = absl::GetFlag(FLAGS_reconcile_rate);
  if (!(options.reconcile.per_second >= 0.01 &&
        options.reconcile.per_second <= 100)) {
    return absl::InvalidArgumentError(
        "--reconcile_rate: must be from 0.01 to 100");
  }

  options.provider_max_concurrency =
      absl::GetFlag(FLAGS_provider_max_concurrency);
  if (options.provider_max_concurrency < 1) {
    return absl::InvalidArgumentError(
        "--provider_max_concurrency: must be at least 1");
  }
  if (absl::GetFlag(FLAGS_max_downloads_in_flight) < 1) {
    return absl::InvalidArgumentError(
        "--max_downloads_in_flight: must be at least 1");
  }
  // Images on their way keep a connection each, besides those of calls.
  options.http.max_connections_per_host =
      options.provider_max_concurrency +
      absl::GetFlag(FLAGS_max_downloads_in_flight);

  options.provider_rates = {absl::GetFlag(FLAGS_provider_reads_per_5s),
                            absl::GetFlag(FLAGS_provider_writes_per_5s)};
  if (options.provider_rates.reads < 1 || options.provider_rates.writes < 1) {
    return absl::InvalidArgumentError(
        "--provider_reads_per_5s and --provider_writes_per_5s: must be at "
        "least 1");
  }

  const int64_t chain_id = absl::GetFlag(FLAGS_partner_chain_id);
  if (chain_id < 1) {
    return absl::InvalidArgumentError(
        "--partner_chain_id: must be at least 1");
  }
  options.partner.chain_id = static_cast<uint64_t>(chain_id);
  options.partner.issuer = absl::GetFlag(FLAGS_partner_issuer);
  if (options.partner.issuer.empty()) {
    return absl::InvalidArgumentError("--partner_issuer: must not be empty");
  }
  server::PartnerKeys checked;
  RETURN_IF_ERROR(LoadPartnerKeys(checked));

  server::EngineConfig& engine = options.engine;
  engine.levels.websdk = absl::GetFlag(FLAGS_sumsub_websdk_level);
  engine.levels.hybrid = absl::GetFlag(FLAGS_sumsub_hybrid_level);
  engine.levels.document_only = absl::GetFlag(FLAGS_sumsub_document_only_level);
  engine.levels.liveness = absl::GetFlag(FLAGS_sumsub_liveness_level);
  const std::optional<domain::Mode> mode =
      domain::ParseMode(absl::GetFlag(FLAGS_default_kyc_mode));
  if (!mode) {
    return absl::InvalidArgumentError(
        "--default_kyc_mode: must be websdk, hybrid or document_only");
  }
  engine.default_mode = *mode;
  RETURN_IF_ERROR(CheckLevels(engine.levels, *mode));
  engine.support_address = absl::GetFlag(FLAGS_support_address);
  absl::StatusOr<domain::OnboardingSteps> steps =
      domain::OnboardingSteps::Parse(absl::GetFlag(FLAGS_onboarding_steps));
  RETURN_IF_ERROR(process::ForFlag("onboarding_steps", steps.status()));
  engine.steps = *std::move(steps);
  return options;
}

int Run() {
  absl::StatusOr<server::Engines::Options> options = ReadOptions();
  if (!options.ok()) process::FailConfig(options.status());
  if (process::CheckOnly()) return 0;

  async::Runtime runtime(process::ThreadCount(absl::GetFlag(FLAGS_threads)));
  const async::RedisOptions redis = options->redis;
  server::Engines engines(runtime, base::SystemClock(), *std::move(options));
  if (absl::Status loaded = LoadPartnerKeys(engines.partner_keys());
      !loaded.ok()) {
    process::FailConfig(loaded);
  }
  server::WatchHub watch_hub(runtime.loop(0), redis, base::SystemClock());
  server::KycService kyc_service(engines, watch_hub,
                                 absl::GetFlag(FLAGS_max_uploads_in_flight));
  server::UserService user_service(engines);
  server::ProviderEventService event_service(engines);
  server::AdminService admin_service(engines);
  server::IdempotencyService idempotency_service(engines);
  server::OperatorService operator_service(engines);
  server::WalletService wallet_service(engines);
  server::PartnerService partner_service(
      engines, absl::GetFlag(FLAGS_max_downloads_in_flight));
  process::GrpcServer grpc(
      absl::GetFlag(FLAGS_listen),
      {&kyc_service, &user_service, &event_service, &admin_service,
       &idempotency_service, &operator_service, &wallet_service,
       &partner_service},
      absl::GetFlag(FLAGS_grpc_reflection));
  process::AdminServer admin(
      absl::GetFlag(FLAGS_admin_listen),
      {{.name = "redis", .ok = [&] { return engines.redis_connected(); }}});

  runtime.Start();
  if (absl::Status started = grpc.Start(); !started.ok()) {
    process::FailConfig(process::ForFlag("listen", started));
  }
  if (absl::Status started = admin.Start(); !started.ok()) {
    process::FailConfig(process::ForFlag("admin_listen", started));
  }
  base::LogInfo("ready", {{"listen", absl::GetFlag(FLAGS_listen)}});
  process::WaitForTermination([&engines] {
    // Keys are rotated without a restart; a wrong file changes nothing.
    const absl::Status loaded = LoadPartnerKeys(engines.partner_keys());
    if (loaded.ok()) {
      base::LogInfo("partner signing keys read again");
    } else {
      base::LogError("partner signing keys not read again",
                     {{"error", std::string(loaded.message())}});
    }
  });

  base::LogInfo("draining");
  admin.SetDraining();
  watch_hub.streams().CancelAll();
  partner_service.streams().CancelAll();
  grpc.Drain(kDrainLimit);
  runtime.Stop();
  return 0;
}

}  // namespace
}  // namespace kyc

int main(int argc, char** argv) {
  kyc::process::Init(
      argc, argv,
      {.name = "kyc_server",
       .service = "kyc",
       .usage = "The verification engine behind gRPC.\n\n"
                "  kyc_server --sumsub_app_token_file=/etc/kyc/app_token \\\n"
                "             --sumsub_secret_key_file=/etc/kyc/secret_key"});
  const int code = kyc::Run();
  kyc::base::StopLogging();
  return code;
}
