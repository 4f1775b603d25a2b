// gateway: the public REST API in front of the gRPC services.
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "gateway/api/dispatcher.h"
#include "gateway/api/grpc_backend.h"
#include "gateway/api/grpc_health.h"
#include "gateway/api/grpc_partner_backend.h"
#include "gateway/auth/authenticator.h"
#include "gateway/auth/jwt_verifier.h"
#include "gateway/auth/key_source.h"
#include "gateway/auth/pint_authenticator.h"
#include "gateway/auth/pint_verifier.h"
#include "gateway/http/client_address.h"
#include "gateway/http/cors.h"
#include "gateway/http/in_flight_limit.h"
#include "gateway/http/problem.h"
#include "gateway/http/rate_limiter.h"
#include "services/async/http_server.h"
#include "services/async/loop.h"
#include "services/base/clock.h"
#include "services/base/log.h"
#include "services/base/status_macros.h"
#include "services/process/process.h"

ABSL_FLAG(std::string, listen, "127.0.0.1:8080",
          "HTTP address: host:port or unix:/path");
ABSL_FLAG(std::string, admin_listen, "127.0.0.1:9050",
          "address of /healthz, /readyz and /metrics");
ABSL_FLAG(std::string, kyc_address, "127.0.0.1:50051",
          "KycService: host:port or unix:/path");
ABSL_FLAG(std::string, webhook_address, "127.0.0.1:50052",
          "WebhookService: host:port or unix:/path");
ABSL_FLAG(std::string, user_jwks, "",
          "keys that sign user tokens: a JWKS file, or its http(s) URL");
ABSL_FLAG(std::string, user_jwt_issuer, "",
          "the iss that user tokens must have; empty: not checked");
ABSL_FLAG(std::string, user_jwt_audience, "",
          "an aud that user tokens must have; empty: not checked");
ABSL_FLAG(std::string, problem_base_url, "https://api.sumvin.com/errors/",
          "begins the type of every problem document");
ABSL_FLAG(std::string, cors_allowed_origins, "",
          "origins of web pages that may call, separated by commas; * for any");
ABSL_FLAG(int, rate_limit_user, 300, "requests a minute and user; 0: no limit");
ABSL_FLAG(int, rate_limit_address, 1200,
          "requests a minute and client address; 0: no limit; never for "
          "webhooks and loopback peers");
ABSL_FLAG(int, rate_limit_key, 600,
          "requests a minute and API key; 0: no limit");
ABSL_FLAG(std::string, partner_issuer, "https://sis.sumvin.com",
          "the iss that partner tokens (PINT) must have: kyc_server's flag of "
          "that name; empty: not checked");
ABSL_FLAG(std::string, trusted_proxies, "",
          "addresses or networks whose X-Forwarded-For is believed, separated "
          "by commas");
ABSL_FLAG(int, max_uploads_in_flight, 32,
          "documents being uploaded at the same time; more are answered 503");
ABSL_FLAG(absl::Duration, rpc_timeout, absl::Seconds(15),
          "limit of one call to a service that may ask the provider");
ABSL_FLAG(int, threads, 0, "event loops; 0: one per two cores, at most 8");

namespace kyc::gateway {
namespace {

constexpr std::chrono::milliseconds kDrainLimit{15000};

struct Options {
  GrpcBackendOptions backend;
  CorsPolicy cors;
  TrustedProxies proxies;
  std::unique_ptr<KeySource> keys;
};

absl::Status CheckNotNegative(const char* flag, int value) {
  if (value >= 0) return absl::OkStatus();
  return process::ForFlag(flag,
                          absl::InvalidArgumentError("must not be negative"));
}

absl::StatusOr<Options> ReadOptions() {
  Options options;
  for (const auto& [flag, address] :
       {std::pair("listen", absl::GetFlag(FLAGS_listen)),
        std::pair("admin_listen", absl::GetFlag(FLAGS_admin_listen)),
        std::pair("kyc_address", absl::GetFlag(FLAGS_kyc_address)),
        std::pair("webhook_address", absl::GetFlag(FLAGS_webhook_address))}) {
    RETURN_IF_ERROR(
        process::ForFlag(flag, process::CheckListenAddress(address)));
  }
  options.backend.kyc_address = absl::GetFlag(FLAGS_kyc_address);
  options.backend.webhook_address = absl::GetFlag(FLAGS_webhook_address);
  const absl::Duration timeout = absl::GetFlag(FLAGS_rpc_timeout);
  if (timeout < absl::Milliseconds(100) || timeout > absl::Seconds(30)) {
    return absl::InvalidArgumentError("--rpc_timeout: must be 100ms to 30s");
  }
  options.backend.rpc_timeout = absl::ToChronoMilliseconds(timeout);
  absl::StatusOr<CorsPolicy> cors =
      CorsPolicy::Parse(absl::GetFlag(FLAGS_cors_allowed_origins));
  RETURN_IF_ERROR(process::ForFlag("cors_allowed_origins", cors.status()));
  options.cors = *std::move(cors);
  absl::StatusOr<TrustedProxies> proxies =
      TrustedProxies::Parse(absl::GetFlag(FLAGS_trusted_proxies));
  RETURN_IF_ERROR(process::ForFlag("trusted_proxies", proxies.status()));
  options.proxies = *std::move(proxies);
  RETURN_IF_ERROR(CheckNotNegative("rate_limit_user",
                                   absl::GetFlag(FLAGS_rate_limit_user)));
  RETURN_IF_ERROR(CheckNotNegative("rate_limit_address",
                                   absl::GetFlag(FLAGS_rate_limit_address)));
  RETURN_IF_ERROR(
      CheckNotNegative("rate_limit_key", absl::GetFlag(FLAGS_rate_limit_key)));
  RETURN_IF_ERROR(CheckNotNegative("max_uploads_in_flight",
                                   absl::GetFlag(FLAGS_max_uploads_in_flight)));
  absl::StatusOr<std::unique_ptr<KeySource>> keys =
      KeySource::Open(absl::GetFlag(FLAGS_user_jwks));
  RETURN_IF_ERROR(process::ForFlag("user_jwks", keys.status()));
  options.keys = *std::move(keys);
  return options;
}

// What each loop has of its own.
struct LoopParts {
  LoopParts(async::Loop& loop, const GrpcBackendOptions& options,
            FrontDoor& front, KeySource& keys, const JwtVerifier& verifier,
            KeySource& pint_keys, const PintVerifier& pint_verifier)
      : authenticator(keys, verifier, base::SystemClock()),
        pint_authenticator(pint_keys, pint_verifier, base::SystemClock()),
        backend(NewGrpcBackend(loop, options)),
        dispatcher(front, authenticator, pint_authenticator, *backend) {}

  Authenticator authenticator;
  PintAuthenticator pint_authenticator;
  std::unique_ptr<Backend> backend;
  Dispatcher dispatcher;
};

int Run() {
  absl::StatusOr<Options> options = ReadOptions();
  if (!options.ok()) process::FailConfig(options.status());
  if (process::CheckOnly()) return 0;

  FrontDoor front{
      .problems = ProblemWriter(absl::GetFlag(FLAGS_problem_base_url)),
      .cors = std::move(options->cors),
      .proxies = std::move(options->proxies),
      .user_limit = RateLimiter("user", absl::GetFlag(FLAGS_rate_limit_user)),
      .address_limit =
          RateLimiter("address", absl::GetFlag(FLAGS_rate_limit_address)),
      .key_limit =
          RateLimiter("key", absl::GetFlag(FLAGS_rate_limit_key),
                      /*max_keys=*/20'000, RateLimiter::Fields::kClassic),
      .uploads = InFlightLimit(absl::GetFlag(FLAGS_max_uploads_in_flight))};
  const JwtVerifier verifier(absl::GetFlag(FLAGS_user_jwt_issuer),
                             absl::GetFlag(FLAGS_user_jwt_audience));
  const PintVerifier pint_verifier(absl::GetFlag(FLAGS_partner_issuer));
  SigningKeys signing_keys(options->backend.kyc_address);
  GrpcHealth kyc_health(options->backend.kyc_address, "kyc.v1.KycService");
  GrpcHealth webhook_health(options->backend.webhook_address,
                            "kyc.v1.WebhookService");

  // Each loop batches for itself, and gRPC has threads of its own: with half
  // as many loops batches are twice as large, which saves more than a loop
  // per core would bring.
  async::Runtime runtime(process::ThreadCount(absl::GetFlag(FLAGS_threads),
                                              /*cores_per_loop=*/2));
  // Reads keys and asks after the services, so that no request waits for it.
  async::Runtime background(1);
  const std::unique_ptr<KeySource> keys = std::move(options->keys);
  const std::unique_ptr<KeySource> pint_keys =
      KeySource::From("partner", options->backend.kyc_address,
                      [&signing_keys] { return signing_keys.Fetch(); });
  std::vector<std::unique_ptr<LoopParts>> parts;
  for (int i = 0; i < runtime.size(); ++i) {
    parts.push_back(std::make_unique<LoopParts>(
        runtime.loop(i), options->backend, front, *keys, verifier, *pint_keys,
        pint_verifier));
  }
  async::HttpServerOptions http;
  http.listen = absl::GetFlag(FLAGS_listen);
  async::HttpServer server(
      runtime, http,
      [&parts](async::Loop& loop, async::ServerRequest& request,
               async::ServerResponse& response) {
        return parts[static_cast<size_t>(loop.index())]->dispatcher.Handle(
            request, response);
      },
      [&front](v1::ErrorReason reason, std::string_view path,
               async::ServerResponse& response) {
        RenderServerError(front.problems, reason, path, response);
      });
  process::AdminServer admin(
      absl::GetFlag(FLAGS_admin_listen),
      {{.name = "kyc", .ok = [&] { return kyc_health.serving(); }},
       {.name = "user_keys", .ok = [&] { return keys->generation() != 0; }},
       {.name = "webhook",
        .ok = [&] { return webhook_health.serving(); },
        .required = false}});

  runtime.Start();
  background.Start();
  keys->Start(background.loop(0));
  pint_keys->Start(background.loop(0));
  kyc_health.Start(background.loop(0));
  webhook_health.Start(background.loop(0));
  if (absl::Status started = server.Start(); !started.ok()) {
    process::FailConfig(process::ForFlag("listen", started));
  }
  if (absl::Status started = admin.Start(); !started.ok()) {
    process::FailConfig(process::ForFlag("admin_listen", started));
  }
  base::LogInfo("listening", {{"listen", http.listen}});
  process::WaitForTermination([&] {
    keys->Reload();
    pint_keys->Reload();
  });

  base::LogInfo("draining");
  admin.SetDraining();
  server.Drain(kDrainLimit);
  background.Stop();
  runtime.Stop();
  return 0;
}

}  // namespace
}  // namespace kyc::gateway

int main(int argc, char** argv) {
  kyc::process::Init(
      argc, argv,
      {.name = "gateway",
       .service = "gateway",
       .usage = "The public REST API in front of the gRPC services.\n\n"
                "  gateway --user_jwks=https://login.example/jwks.json \\\n"
                "          --user_jwt_issuer=https://login.example"});
  const int code = kyc::gateway::Run();
  kyc::base::StopLogging();
  return code;
}
