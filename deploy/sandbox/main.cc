// The SumSub stand-in: `//deploy/sandbox:sumsub_sandbox`.
#include <memory>
#include <string>
#include <utility>

#include "absl/flags/flag.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "deploy/sandbox/applicant_json.h"
#include "deploy/sandbox/control.h"
#include "deploy/sandbox/sandbox.h"
#include "services/base/secret.h"
#include "services/process/process.h"

ABSL_FLAG(std::string, listen, "127.0.0.1:8090",
          "API: host:port or unix:/path");
ABSL_FLAG(std::string, admin_listen, "", "admin port; empty: none");
ABSL_FLAG(std::string, app_token_file, "", "file with the App Token");
ABSL_FLAG(std::string, secret_key_file, "",
          "file with the key that signs requests");
ABSL_FLAG(std::string, webhook_url, "",
          "where webhooks go; empty: none are sent");
ABSL_FLAG(std::string, webhook_secret_file, "",
          "file with the key that signs webhooks");
ABSL_FLAG(std::string, digest_algorithm, "HMAC_SHA256_HEX",
          "of webhooks: HMAC_SHA1_HEX, HMAC_SHA256_HEX or HMAC_SHA512_HEX");
ABSL_FLAG(double, webhook_retry_scale, 1.0,
          "factor of the retry schedule 5 min, 1 h, 5 h, 18 h");
ABSL_FLAG(absl::Duration, webhook_delay, absl::ZeroDuration(),
          "before each webhook's first attempt");
ABSL_FLAG(int, webhook_duplicates, 0, "how often each webhook is repeated");
ABSL_FLAG(bool, webhook_out_of_order, false,
          "send created and pending after the decision");
ABSL_FLAG(bool, webhook_drop, false, "send no webhook at all");
ABSL_FLAG(std::string, levels,
          "basic-kyc-level=IDENTITY+SELFIE;hybrid-docs=IDENTITY;"
          "document-only=IDENTITY;liveness=SELFIE",
          "verification levels and their steps");
ABSL_FLAG(std::string, outcome, "approve",
          "how a review submitted by API ends: approve, retry, reject or hold");
ABSL_FLAG(absl::Duration, outcome_delay, absl::Seconds(1),
          "how long such a review takes");
ABSL_FLAG(std::string, fault, "none",
          "fault of every call: none, down, slow, hang, garbage, html, "
          "redirect, wrong_shape, or a status from 400 to 599");
ABSL_FLAG(absl::Duration, fault_delay, absl::ZeroDuration(),
          "before a fault's answer");
ABSL_FLAG(bool, accept_webp, false,
          "take WebP uploads, which are on none of SumSub's lists");
ABSL_FLAG(std::string, data_file, "",
          "JSON file that keeps applicants (no documents) over a restart");

namespace kyc::sandbox {
namespace {

constexpr char kUsage[] =
    "Stands in for SumSub: its signed HTTP API, reviews and webhooks.\n\n"
    "  sumsub_sandbox --app_token_file=app_token \\\n"
    "      --secret_key_file=secret_key --webhook_secret_file=webhook_secret "
    "\\\n"
    "      --webhook_url=http://127.0.0.1:8080/v0/webhooks/kyc/sumsub/events\n"
    "\n"
    "From loopback, without signature, it can be steered:\n\n"
    "  curl -X POST http://127.0.0.1:8090/sandbox/applicants/USER/sdk \\\n"
    "      -d '{\"outcome\":\"approve|retry|reject|hold\",\"level\":\"...\","
    "\"delay_ms\":0}'\n"
    "  .../sandbox/applicants/USER/review   "
    "{\"outcome\":\"approve|retry|reject|"
    "hold|reset|deactivate|activate|delete\"}\n"
    "  .../sandbox/outcome                  "
    "{\"outcome\":\"...\",\"delay_ms\":1000}\n"
    "  .../sandbox/uploads                  {\"errors\":[],\"warnings\":[],"
    "\"count\":1}\n"
    "  .../sandbox/faults                   {\"mode\":\"down|slow|hang|garbage|"
    "html|redirect|wrong_shape|429|500\",\n"
    "                                        \"delay_ms\":0,\"paths\":\"...\","
    "\"count\":1}\n"
    "  .../sandbox/webhooks                 {\"duplicates\":0,"
    "\"out_of_order\":false,\"drop\":false,\"delay_ms\":0}\n"
    "  GET .../sandbox/requests             calls by endpoint and status\n"
    "  GET .../sandbox/deliveries           attempts of webhooks\n";

absl::Status BadFlag(const char* flag, const std::string& what) {
  return absl::InvalidArgumentError(std::string("--") + flag + ": " + what);
}

base::Secret ReadSecret(const absl::Flag<std::string>& flag, const char* name) {
  const std::string path = absl::GetFlag(flag);
  if (path.empty()) process::FailConfig(BadFlag(name, "is required"));
  auto secret = base::ReadSecretFile(path);
  if (!secret.ok()) process::FailConfig(secret.status());
  return *std::move(secret);
}

// A flag's value; ends the process where it is not a time to wait.
int64_t ReadDelay(const absl::Flag<absl::Duration>& flag, const char* name) {
  const absl::Duration delay = absl::GetFlag(flag);
  if (delay < absl::ZeroDuration() || delay > absl::Hours(24)) {
    process::FailConfig(BadFlag(name, "must be from 0 to 24h"));
  }
  return absl::ToInt64Milliseconds(delay);
}

WebhookSender::Options WebhookOptions() {
  WebhookSender::Options options;
  options.url = absl::GetFlag(FLAGS_webhook_url);
  options.client_id = kClientId;
  const auto algorithm =
      ParseDigestAlgorithm(absl::GetFlag(FLAGS_digest_algorithm));
  if (!algorithm) process::FailConfig(BadFlag("digest_algorithm", "unknown"));
  options.algorithm = *algorithm;
  options.retry_scale = absl::GetFlag(FLAGS_webhook_retry_scale);
  if (!(options.retry_scale > 0 && options.retry_scale <= 1)) {
    process::FailConfig(
        BadFlag("webhook_retry_scale", "must be above 0, at most 1"));
  }
  if (!options.url.empty()) {
    options.secret =
        ReadSecret(FLAGS_webhook_secret_file, "webhook_secret_file");
  }
  return options;
}

Sandbox::Options ReadOptions() {
  Sandbox::Options options;
  options.listen = absl::GetFlag(FLAGS_listen);
  options.credentials.app_token =
      ReadSecret(FLAGS_app_token_file, "app_token_file");
  options.credentials.secret_key =
      ReadSecret(FLAGS_secret_key_file, "secret_key_file");
  auto levels = Levels::Parse(absl::GetFlag(FLAGS_levels));
  if (!levels.ok()) {
    process::FailConfig(
        BadFlag("levels", std::string(levels.status().message())));
  }
  options.levels = *std::move(levels);
  const auto outcome = ParseOutcome(absl::GetFlag(FLAGS_outcome));
  if (!outcome) process::FailConfig(BadFlag("outcome", "unknown"));
  options.applicants.outcome = *outcome;
  options.applicants.outcome_delay_ms =
      ReadDelay(FLAGS_outcome_delay, "outcome_delay");
  options.webhooks = WebhookOptions();
  options.webhook_script.duplicates = absl::GetFlag(FLAGS_webhook_duplicates);
  if (options.webhook_script.duplicates < 0 ||
      options.webhook_script.duplicates > 100) {
    process::FailConfig(BadFlag("webhook_duplicates", "must be from 0 to 100"));
  }
  options.webhook_script.out_of_order =
      absl::GetFlag(FLAGS_webhook_out_of_order);
  options.webhook_script.drop = absl::GetFlag(FLAGS_webhook_drop);
  options.webhook_script.delay_ms =
      ReadDelay(FLAGS_webhook_delay, "webhook_delay");
  if (!ParseFaultMode(absl::GetFlag(FLAGS_fault), &options.fault)) {
    process::FailConfig(BadFlag("fault", "unknown"));
  }
  options.fault.delay_ms = ReadDelay(FLAGS_fault_delay, "fault_delay");
  options.accept_webp = absl::GetFlag(FLAGS_accept_webp);
  options.data_file = absl::GetFlag(FLAGS_data_file);
  return options;
}

int Run(int argc, char** argv) {
  process::Init(
      argc, argv,
      {.name = "sumsub_sandbox", .service = "sandbox", .usage = kUsage});
  Sandbox sandbox(ReadOptions());
  if (absl::Status status = sandbox.Load(); !status.ok()) {
    process::FailConfig(status);
  }
  if (process::CheckOnly()) return 0;
  if (absl::Status status = sandbox.Start(); !status.ok()) {
    process::FailConfig(status);
  }
  std::unique_ptr<process::AdminServer> admin;
  if (const std::string listen = absl::GetFlag(FLAGS_admin_listen);
      !listen.empty()) {
    admin = std::make_unique<process::AdminServer>(
        listen, std::vector<process::Dependency>());
    if (absl::Status status = admin->Start(); !status.ok()) {
      process::FailConfig(status);
    }
  }
  process::WaitForTermination();
  if (admin != nullptr) admin->SetDraining();
  sandbox.Stop();
  return 0;
}

}  // namespace
}  // namespace kyc::sandbox

int main(int argc, char** argv) { return kyc::sandbox::Run(argc, argv); }
