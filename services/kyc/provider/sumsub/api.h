// One call of SumSub's API with all that surrounds it: signature, deadline,
// repetition, limits, log line and metrics.
#ifndef KYC_SERVICES_KYC_PROVIDER_SUMSUB_API_H_
#define KYC_SERVICES_KYC_PROVIDER_SUMSUB_API_H_

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/call_context.h"
#include "services/async/http_client.h"
#include "services/async/task.h"
#include "services/base/clock.h"
#include "services/base/json.h"
#include "services/base/metrics.h"
#include "services/kyc/provider/limits.h"
#include "services/kyc/provider/sumsub/sumsub.h"

namespace kyc::provider::sumsub {

// All of them but uploads may be repeated: reads; a token more; an applicant
// created twice is a 409, and so is one submitted twice.
enum class Operation {
  kCreateApplicant,
  kFindApplicant,
  kGetApplicant,
  kGetReview,
  kCreateAccessToken,
  kMoveToLevel,
  kUploadDocument,
  kGetRequiredSteps,
  kSubmit,
  kGetResources,
  kGetImage,
};
inline constexpr int kOperationCount = 11;

struct ApiCall {
  Operation operation;
  std::string path;  // With its query, encoded, as on the request line.
  std::string body;  // JSON, or none.
  // A multipart body in place of `body`, and its boundary.
  std::shared_ptr<const std::vector<std::string>> upload;
  std::string boundary;
  // Tells users apart, for the breaker.
  uint64_t name_hash = 0;
  CircuitBreaker::NamedBy named_by = CircuitBreaker::NamedBy::kUserId;
  std::string applicant_id;  // For the log line, where one is known.
};

// Of one loop. Metrics, by operation:
//   kyc_provider_requests_total{operation, result}
//   kyc_provider_request_duration_seconds{operation}
//   kyc_provider_credentials_rejected_total
//   kyc_provider_clock_skew_total
class Api {
 public:
  // Everything referred to outlives this.
  Api(async::HttpClient& http, Limits& limits, const base::Clock& clock,
      const Options& options);

  // Says whether an answer is of the expected shape, and keeps what it says.
  using Read =
      std::function<bool(base::JsonValue, const async::ClientResponse&)>;

  // Makes the call and gives a 2xx answer and its JSON to `read`. Errors as
  // the port says (provider.h). Within Options::timeout (upload_timeout for
  // an upload) and the context's deadline, waiting and repetitions included.
  async::Task<absl::Status> Call(async::CallContext context, ApiCall call,
                                 Read read);
  async::Task<absl::Status> Call(async::CallContext context, ApiCall call,
                                 std::function<bool(base::JsonValue)> read);

  // Makes a call whose answer is no JSON and is read as it comes. Errors as
  // above; within Options::timeout until the answer begins.
  async::Task<absl::StatusOr<async::BodyStream>> Open(
      async::CallContext context, ApiCall call);

 private:
  // How one request ended, as metrics name it.
  enum class Result {
    kOk,
    kNotFound,
    kConflict,
    kRefused,      // Any other 4xx.
    kCredentials,  // 401, 403.
    kRateLimited,  // 429.
    kServerError,
    kTimeout,
    kUnreachable,
    kUnreadable,
    // Not sent:
    kBreakerOpen,
    kThrottled,  // By our own limits.
  };
  static constexpr int kResultCount = 12;
  static constexpr std::array<std::string_view, kResultCount> kResultNames = {
      "ok",          "not_found",    "conflict",     "refused",
      "credentials", "rate_limited", "server_error", "timeout",
      "unreachable", "unreadable",   "breaker_open", "throttled"};

  struct Outcome {
    Result result = Result::kOk;
    int http_status = 0;
    std::string correlation_id;  // The provider's, to quote to its support.
    bool incomplete = false;     // A conflict: documents are missing.
    bool not_sent = false;       // No byte of the request has left.
    std::string existing_id;     // Of the applicant a 409 speaks of.
  };
  struct Metrics {
    std::array<base::Counter*, kResultCount> requests;
    base::Histogram* duration;
  };

  // Waits until a request may go out by the provider's rate limits.
  async::Task<absl::Status> WaitForToken(Operation operation, SteadyTime end);
  // Asks the breaker whether a request may go out now.
  absl::StatusOr<CircuitBreaker::Admission> Admit(Operation operation);
  // What every request leaves behind: breaker, log line, metrics.
  void Report(const async::CallContext& context, const ApiCall& call,
              int attempt, CircuitBreaker::Admission admission,
              SteadyTime start, std::chrono::milliseconds patience,
              const Outcome& outcome);
  async::Task<Outcome> Attempt(const async::CallContext& context,
                               const ApiCall& call, int attempt,
                               CircuitBreaker::Admission admission,
                               SteadyTime end, const Read& read);

  async::ClientRequest SignedRequest(const ApiCall& call) const;
  Outcome Judge(const ApiCall& call,
                const absl::StatusOr<async::ClientResponse>& response,
                const Read& read);
  static bool MayRepeat(Operation operation, const Outcome& outcome);
  std::chrono::milliseconds TimeoutOf(Operation operation) const;
  static Result ResultOfStatus(int http_status);
  static Outcome OutcomeOfError(const absl::Status& status);
  static absl::Status ToStatus(Operation operation, const Outcome& outcome);
  void ObeyRetryAfter(Operation operation,
                      const async::ClientResponse& response);
  void WatchClock(const async::ClientResponse& response);
  void Count(Operation operation, Result result);
  TokenBucket& BucketOf(Operation operation);
  std::chrono::milliseconds Backoff(int attempt);

  async::HttpClient& http_;
  Limits& limits_;
  const base::Clock& clock_;
  const Options options_;
  const std::string path_prefix_;  // Of the base URL; mostly empty.
  std::array<Metrics, kOperationCount> metrics_;
  base::Counter* const credentials_rejected_;
  base::Counter* const clock_skew_;
  std::optional<SteadyTime> skew_warned_;
  std::minstd_rand random_;
};

}  // namespace kyc::provider::sumsub

#endif  // KYC_SERVICES_KYC_PROVIDER_SUMSUB_API_H_
