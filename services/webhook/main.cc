// webhook_server: takes provider webhooks in and gives them to KycService.
#include <grpcpp/impl/service_type.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "services/async/grpc_client.h"
#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/base/clock.h"
#include "services/base/log.h"
#include "services/base/secret.h"
#include "services/base/status_macros.h"
#include "services/process/grpc_process.h"
#include "services/process/process.h"
#include "services/webhook/consumer.h"
#include "services/webhook/digest.h"
#include "services/webhook/event_admin_service.h"
#include "services/webhook/intake.h"
#include "services/webhook/outgoing/dispatcher.h"
#include "services/webhook/outgoing/subscription_service.h"
#include "services/webhook/partition.h"
#include "services/webhook/secret_file.h"

ABSL_FLAG(std::string, listen, "127.0.0.1:50052",
          "gRPC address: host:port or unix:/path");
ABSL_FLAG(std::string, admin_listen, "127.0.0.1:9052",
          "address of /healthz, /readyz and /metrics");
ABSL_FLAG(std::string, redis_url, "redis://127.0.0.1:6379/0",
          "redis://host:port/db or unix:/path; no password in it");
ABSL_FLAG(std::string, redis_password_file, "",
          "file with the Redis password; empty: none");
ABSL_FLAG(std::string, kyc_address, "127.0.0.1:50051",
          "KycService: host:port or unix:/path");
ABSL_FLAG(std::string, sumsub_webhook_secret_file, "",
          "file with SumSub's webhook secrets, one per line; all are accepted. "
          "SIGHUP reads it again");
ABSL_FLAG(std::vector<std::string>, sumsub_digest_algorithms,
          (std::vector<std::string>{"HMAC_SHA256_HEX", "HMAC_SHA512_HEX"}),
          "digest algorithms that SumSub may use; HMAC_SHA1_HEX only if named");
ABSL_FLAG(int, stream_partitions, kyc::webhook::kDefaultPartitions,
          "partitions of the event stream, 1 to 256; the same for all "
          "processes, and fixed for a deployment");
ABSL_FLAG(std::string, consumer_name, "",
          "this process's name: unique among live processes, the same after "
          "a restart; empty: host name and --listen");
ABSL_FLAG(absl::Duration, lease_time, absl::Seconds(15),
          "after which the partitions of a dead process are taken over");
ABSL_FLAG(absl::Duration, claim_interval, absl::Seconds(15),
          "how often events are looked for that a process had when it lost "
          "their partition");
ABSL_FLAG(absl::Duration, claim_min_idle, absl::Seconds(30),
          "for how long such an event must have lain");
ABSL_FLAG(absl::Duration, max_event_age, absl::Hours(24),
          "age at which an event that KycService cannot settle is given up");
ABSL_FLAG(int, apply_concurrency, 256, "events being applied at the same time");
ABSL_FLAG(absl::Duration, stream_retention, absl::Hours(24 * 7),
          "how long acknowledged events stay in the stream");
ABSL_FLAG(bool, allow_loopback_webhooks, false,
          "webhook subscriptions may name this machine, also without TLS: for "
          "development only");
ABSL_FLAG(bool, grpc_reflection, true, "serve gRPC reflection");
ABSL_FLAG(int, threads, 0, "event loops; 0: one per core, at most 8");

namespace kyc::webhook {
namespace {

// Intake answers within 800 ms, so its calls need no more; what is left of
// 15 s is for the events being applied.
constexpr std::chrono::milliseconds kIntakeDrainLimit{2000};
constexpr std::chrono::milliseconds kApplyDrainLimit{13000};

struct Config {
  async::RedisOptions redis;
  std::vector<DigestAlgorithm> algorithms;
  ConsumerOptions consumer;
};

absl::Status Wrong(std::string_view flag, std::string_view what) {
  return process::ForFlag(flag, absl::InvalidArgumentError(std::string(what)));
}

absl::StatusOr<std::chrono::milliseconds> Interval(std::string_view flag,
                                                   absl::Duration value,
                                                   absl::Duration least) {
  if (value < least || value > absl::Hours(24 * 365)) {
    return Wrong(flag, absl::StrCat("must be from ",
                                    absl::FormatDuration(least), " to 8760h"));
  }
  return absl::ToChronoMilliseconds(value);
}

std::string ConsumerName() {
  if (std::string name = absl::GetFlag(FLAGS_consumer_name); !name.empty()) {
    return name;
  }
  char host[256] = "localhost";
  gethostname(host, sizeof(host) - 1);
  return absl::StrCat(host, ":", absl::GetFlag(FLAGS_listen));
}

absl::StatusOr<Config> ReadConfig(SecretFile& secrets) {
  RETURN_IF_ERROR(process::ForFlag(
      "listen", process::CheckListenAddress(absl::GetFlag(FLAGS_listen))));
  RETURN_IF_ERROR(process::ForFlag(
      "admin_listen",
      process::CheckListenAddress(absl::GetFlag(FLAGS_admin_listen))));
  if (absl::GetFlag(FLAGS_kyc_address).empty()) {
    return Wrong("kyc_address", "an address is required");
  }
  if (absl::GetFlag(FLAGS_sumsub_webhook_secret_file).empty()) {
    return Wrong("sumsub_webhook_secret_file", "a file is required");
  }
  RETURN_IF_ERROR(
      process::ForFlag("sumsub_webhook_secret_file", secrets.Load()));

  Config config;
  auto redis = async::RedisOptions::Parse(absl::GetFlag(FLAGS_redis_url));
  RETURN_IF_ERROR(process::ForFlag("redis_url", redis.status()));
  config.redis = *std::move(redis);
  if (const std::string file = absl::GetFlag(FLAGS_redis_password_file);
      !file.empty()) {
    auto password = base::ReadSecretFile(file);
    RETURN_IF_ERROR(process::ForFlag("redis_password_file", password.status()));
    config.redis.password = *std::move(password);
  }
  auto algorithms =
      ParseDigestAlgorithms(absl::GetFlag(FLAGS_sumsub_digest_algorithms));
  RETURN_IF_ERROR(
      process::ForFlag("sumsub_digest_algorithms", algorithms.status()));
  config.algorithms = *std::move(algorithms);

  config.consumer.name = ConsumerName();
  config.consumer.partitions = absl::GetFlag(FLAGS_stream_partitions);
  if (config.consumer.partitions < 1 ||
      config.consumer.partitions > kMaxPartitions) {
    return Wrong("stream_partitions", "must be from 1 to 256");
  }
  ASSIGN_OR_RETURN(config.consumer.lease_time,
                   Interval("lease_time", absl::GetFlag(FLAGS_lease_time),
                            absl::Seconds(1)));
  ASSIGN_OR_RETURN(config.consumer.max_event_age,
                   Interval("max_event_age", absl::GetFlag(FLAGS_max_event_age),
                            absl::ZeroDuration()));
  ASSIGN_OR_RETURN(
      config.consumer.claim_interval,
      Interval("claim_interval", absl::GetFlag(FLAGS_claim_interval),
               absl::Milliseconds(100)));
  ASSIGN_OR_RETURN(
      config.consumer.claim_min_idle,
      Interval("claim_min_idle", absl::GetFlag(FLAGS_claim_min_idle),
               absl::Milliseconds(100)));
  ASSIGN_OR_RETURN(
      config.consumer.retention,
      Interval("stream_retention", absl::GetFlag(FLAGS_stream_retention),
               absl::ZeroDuration()));
  config.consumer.apply_concurrency = absl::GetFlag(FLAGS_apply_concurrency);
  if (config.consumer.apply_concurrency < 1 ||
      config.consumer.apply_concurrency > 1024) {
    return Wrong("apply_concurrency", "must be from 1 to 1024");
  }
  return config;
}

void Reload(SecretFile& secrets) {
  if (const absl::Status status = secrets.Load(); !status.ok()) {
    base::LogError("webhook secrets not reloaded; the earlier ones stay",
                   {{"error", std::string(status.message())}});
    return;
  }
  base::LogInfo("webhook secrets reloaded",
                {{"secrets", secrets.Get()->size()}});
}

int Run() {
  SecretFile secrets(absl::GetFlag(FLAGS_sumsub_webhook_secret_file));
  absl::StatusOr<Config> config = ReadConfig(secrets);
  if (!config.ok()) process::FailConfig(config.status());
  if (process::CheckOnly()) return 0;

  async::Runtime runtime(process::ThreadCount(absl::GetFlag(FLAGS_threads)));
  IntakeParts parts{.runtime = &runtime,
                    .secrets = &secrets,
                    .algorithms = config->algorithms,
                    .partitions = config->consumer.partitions,
                    .clock = &base::SystemClock()};
  async::RedisOptions intake_redis = config->redis;
  intake_redis.command_timeout = kIntakeLimit;
  std::vector<std::unique_ptr<async::Redis>> connections;
  for (int i = 0; i < runtime.size(); ++i) {
    connections.push_back(
        std::make_unique<async::Redis>(runtime.loop(i), intake_redis));
    parts.redis.push_back(connections.back().get());
  }
  const bool allow_loopback = absl::GetFlag(FLAGS_allow_loopback_webhooks);
  const std::unique_ptr<grpc::Service> subscriptions =
      outgoing::MakeSubscriptionService({.runtime = &runtime,
                                         .redis = parts.redis,
                                         .clock = parts.clock,
                                         .allow_loopback = allow_loopback});
  const std::unique_ptr<grpc::Service> intake =
      MakeIntakeService(std::move(parts));
  Consumer consumer(runtime.loop(runtime.size() - 1), config->redis,
                    async::OpenChannel(absl::GetFlag(FLAGS_kyc_address)),
                    config->consumer, base::SystemClock());
  outgoing::Dispatcher dispatcher(
      runtime.loop(0), config->redis,
      {.member = config->consumer.name, .allow_loopback = allow_loopback},
      base::SystemClock());
  async::Redis admin_redis(runtime.loop(0), config->redis);
  const std::unique_ptr<grpc::Service> event_admin =
      MakeEventAdminService(runtime.loop(0), admin_redis,
                            config->consumer.partitions, base::SystemClock());
  process::GrpcServer grpc(absl::GetFlag(FLAGS_listen),
                           {intake.get(), subscriptions.get(),
                            event_admin.get()},
                           absl::GetFlag(FLAGS_grpc_reflection));
  process::AdminServer admin(
      absl::GetFlag(FLAGS_admin_listen),
      {{.name = "redis", .ok = [&] { return consumer.redis_ok(); }},
       {.name = "kyc",
        .ok = [&] { return consumer.kyc_ok(); },
        .required = false}});

  runtime.Start();
  if (absl::Status started = grpc.Start(); !started.ok()) {
    process::FailConfig(process::ForFlag("listen", started));
  }
  if (absl::Status started = admin.Start(); !started.ok()) {
    process::FailConfig(process::ForFlag("admin_listen", started));
  }
  base::LogInfo("ready", {{"listen", absl::GetFlag(FLAGS_listen)},
                          {"consumer", config->consumer.name}});
  process::WaitForTermination([&] { Reload(secrets); });

  base::LogInfo("draining");
  admin.SetDraining();
  dispatcher.Stop();
  const auto drained_by = std::chrono::steady_clock::now() + kIntakeDrainLimit +
                          kApplyDrainLimit;
  grpc.Drain(kIntakeDrainLimit);
  if (!consumer.Drain(kApplyDrainLimit)) {
    base::LogWarning(
        "events left in flight; they are resumed at the next "
        "start");
  }
  if (!dispatcher.Drain(std::chrono::ceil<std::chrono::milliseconds>(
          drained_by - std::chrono::steady_clock::now()))) {
    base::LogWarning("outgoing webhooks left: they are sent again");
  }
  runtime.Stop();
  return 0;
}

}  // namespace
}  // namespace kyc::webhook

int main(int argc, char** argv) {
  kyc::process::Init(
      argc, argv,
      {.name = "webhook_server",
       .service = "webhook",
       .usage = "Takes provider webhooks in, stores them in Redis and gives "
                "them to KycService.\n\n"
                "  webhook_server \\\n"
                "      --sumsub_webhook_secret_file=/etc/kyc/webhook_secrets"});
  const int code = kyc::webhook::Run();
  kyc::base::StopLogging();
  return code;
}
