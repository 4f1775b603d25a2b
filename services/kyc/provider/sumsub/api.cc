#include "services/kyc/provider/sumsub/api.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/cord.h"
#include "absl/time/time.h"
#include "services/async/loop.h"
#include "services/base/log.h"
#include "services/base/status_macros.h"
#include "services/kyc/provider/provider.h"
#include "services/kyc/provider/sumsub/signer.h"

namespace kyc::provider::sumsub {
namespace {

using base::JsonValue;
using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kMaxAttempts = 3;
constexpr milliseconds kFirstBackoff{100};
constexpr milliseconds kMaxBackoff{1000};
constexpr std::chrono::seconds kMaxRetryAfter{60};
// A request with less time than this is not begun after a wait.
constexpr milliseconds kLeastAttempt{50};
constexpr std::chrono::seconds kClockSkew{30};
constexpr std::chrono::minutes kSkewWarningInterval{1};

struct OperationInfo {
  std::string_view name;
  std::string_view method;
  std::string_view endpoint;  // For the log.
};

constexpr std::array<OperationInfo, kOperationCount> kOperations = {{
    {"create_applicant", "POST", "/resources/applicants"},
    {"find_applicant", "GET",
     "/resources/applicants/-;externalUserId={userId}/one"},
    {"get_applicant", "GET", "/resources/applicants/{id}/one"},
    {"get_review", "GET", "/resources/applicants/{id}/status"},
    {"create_access_token", "POST", "/resources/accessTokens/sdk"},
    {"move_to_level", "POST", "/resources/applicants/{id}/moveToLevel"},
    {"upload_document", "POST", "/resources/applicants/{id}/info/idDoc"},
    {"get_required_steps", "GET",
     "/resources/applicants/{id}/requiredIdDocsStatus"},
    {"submit", "POST", "/resources/applicants/{id}/status/pending"},
    {"get_resources", "GET", "/resources/applicants/{id}/metadata/resources"},
    {"get_image", "GET", "/resources/inspections/{id}/resources/{imageId}"},
}};

const OperationInfo& InfoOf(Operation operation) {
  return kOperations[static_cast<size_t>(operation)];
}

// The path of "https://host/path".
std::string PathPrefix(const std::string& base_url) {
  const size_t host = base_url.find("://");
  if (host == std::string::npos) return "";
  const size_t path = base_url.find('/', host + 3);
  return path == std::string::npos ? "" : base_url.substr(path);
}

// RFC 9110's preferred form: "Sun, 06 Nov 1994 08:49:37 GMT".
std::optional<int64_t> ParseHttpDate(std::string_view text) {
  absl::Time time;
  if (!absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT",
                       absl::string_view(text.data(), text.size()), &time,
                       nullptr)) {
    return std::nullopt;
  }
  return absl::ToUnixMillis(time);
}

// Seconds or a date, as time from now.
std::optional<milliseconds> ParseRetryAfter(std::string_view text,
                                            int64_t now_ms) {
  if (text.empty()) return std::nullopt;
  milliseconds wait{0};
  if (text.size() <= 9 &&
      text.find_first_not_of("0123456789") == std::string_view::npos) {
    wait = std::chrono::seconds(std::stol(std::string(text)));
  } else if (const auto date = ParseHttpDate(text)) {
    wait = milliseconds(std::max<int64_t>(*date - now_ms, 0));
  } else {
    return std::nullopt;
  }
  return std::min<milliseconds>(wait, kMaxRetryAfter);
}

// The id in "Applicant with external user id '…' already exists: <24 hex>":
// the only place where SumSub names it.
std::string ExistingApplicantId(JsonValue error) {
  constexpr std::string_view kBefore = "already exists: ";
  constexpr size_t kIdLength = 24;
  const std::string text = error["description"].StringOr("");
  const size_t at = text.rfind(kBefore);
  if (at == std::string::npos) return "";
  const std::string id = text.substr(at + kBefore.size(), kIdLength);
  const bool is_id =
      id.size() == kIdLength &&
      id.find_first_not_of("0123456789abcdef") == std::string::npos;
  return is_id ? id : "";
}

// The provider's id of the failed request, if it looks like one: it goes into
// our log.
std::string CorrelationId(JsonValue error) {
  const std::string id = error["correlationId"].StringOr("");
  if (id.size() < 8 || id.size() > 64 ||
      id.find_first_not_of("0123456789abcdefABCDEF-") != std::string::npos) {
    return "";
  }
  return id;
}

// Missing documents have no error code, only a text.
bool SaysIncomplete(JsonValue error) {
  const std::string text =
      absl::AsciiStrToLower(error["description"].StringOr(""));
  return text.find("not all required") != std::string::npos;
}

}  // namespace

Api::Api(async::HttpClient& http, Limits& limits, const base::Clock& clock,
         const Options& options)
    : http_(http),
      limits_(limits),
      clock_(clock),
      options_(options),
      path_prefix_(PathPrefix(options.base_url)),
      credentials_rejected_(base::GetCounter(
          "kyc_provider_credentials_rejected_total",
          "Requests the provider refused for our credentials (401, 403).")),
      clock_skew_(base::GetCounter(
          "kyc_provider_clock_skew_total",
          "Answers dated more than 30 s off our clock; at 60 s signatures "
          "are refused.")),
      random_(std::random_device()()) {
  for (int op = 0; op < kOperationCount; ++op) {
    const std::string name(kOperations[op].name);
    for (int result = 0; result < kResultCount; ++result) {
      metrics_[op].requests[result] = base::GetCounter(
          "kyc_provider_requests_total", "Requests to the provider.",
          {{"operation", name}, {"result", std::string(kResultNames[result])}});
    }
    metrics_[op].duration = base::GetLatencyHistogram(
        "kyc_provider_request_duration_seconds",
        "Time of one request to the provider.", {{"operation", name}});
  }
}

async::Task<absl::Status> Api::Call(async::CallContext context, ApiCall call,
                                    std::function<bool(JsonValue)> read) {
  return Call(context, std::move(call),
              Read([read = std::move(read)](JsonValue answer,
                                            const async::ClientResponse&) {
                return read(answer);
              }));
}

async::Task<absl::Status> Api::Call(async::CallContext context, ApiCall call,
                                    Read read) {
  const SteadyTime end =
      steady_clock::now() + context.Remaining(TimeoutOf(call.operation));
  for (int attempt = 1;; ++attempt) {
    CO_RETURN_IF_ERROR(co_await WaitForToken(call.operation, end));
    Outcome outcome;
    {
      const Place place(limits_);
      if (!place.taken()) {
        Count(call.operation, Result::kThrottled);
        co_return absl::ResourceExhaustedError(
            "sumsub: too many requests in flight");
      }
      // Asked last: a probe that is let through is sent.
      CO_ASSIGN_OR_RETURN(const CircuitBreaker::Admission admission,
                          Admit(call.operation));
      outcome = co_await Attempt(context, call, attempt, admission, end, read);
    }
    const milliseconds pause = Backoff(attempt);
    if (!MayRepeat(call.operation, outcome) || attempt == kMaxAttempts ||
        steady_clock::now() + pause + kLeastAttempt >= end) {
      co_return ToStatus(call.operation, outcome);
    }
    co_await async::Sleep(pause);
  }
}

async::Task<absl::StatusOr<async::BodyStream>> Api::Open(
    async::CallContext context, ApiCall call) {
  const SteadyTime end =
      steady_clock::now() + context.Remaining(TimeoutOf(call.operation));
  for (int attempt = 1;; ++attempt) {
    CO_RETURN_IF_ERROR(co_await WaitForToken(call.operation, end));
    Outcome outcome;
    {
      // Left once the answer begins: how long the rest takes is not the
      // provider's doing.
      const Place place(limits_);
      if (!place.taken()) {
        Count(call.operation, Result::kThrottled);
        co_return absl::ResourceExhaustedError(
            "sumsub: too many requests in flight");
      }
      CO_ASSIGN_OR_RETURN(const CircuitBreaker::Admission admission,
                          Admit(call.operation));
      const SteadyTime start = steady_clock::now();
      async::ClientRequest request = SignedRequest(call);
      request.headers[0].second = "*/*";
      request.timeout = duration_cast<milliseconds>(end - start);
      const milliseconds patience = request.timeout;
      absl::StatusOr<async::BodyStream> stream =
          co_await http_.Open(std::move(request));
      if (stream.ok()) {
        WatchClock(stream->head());
        outcome.http_status = stream->head().status;
        outcome.result = ResultOfStatus(outcome.http_status);
        if (outcome.result == Result::kRateLimited) {
          ObeyRetryAfter(call.operation, stream->head());
        }
      } else {
        outcome = OutcomeOfError(stream.status());
      }
      Report(context, call, attempt, admission, start, patience, outcome);
      if (outcome.result == Result::kOk) co_return *std::move(stream);
    }
    const milliseconds pause = Backoff(attempt);
    if (!MayRepeat(call.operation, outcome) || attempt == kMaxAttempts ||
        steady_clock::now() + pause + kLeastAttempt >= end) {
      co_return ToStatus(call.operation, outcome);
    }
    co_await async::Sleep(pause);
  }
}

absl::StatusOr<CircuitBreaker::Admission> Api::Admit(Operation operation) {
  const CircuitBreaker::Admission admission =
      limits_.breaker.Admit(steady_clock::now());
  if (admission == CircuitBreaker::Admission::kRefused) {
    Count(operation, Result::kBreakerOpen);
    return absl::UnavailableError("sumsub: breaker open");
  }
  return admission;
}

bool Api::MayRepeat(Operation operation, const Outcome& outcome) {
  // Every upload adds an image.
  if (operation == Operation::kUploadDocument) return outcome.not_sent;
  return outcome.result == Result::kServerError ||
         outcome.result == Result::kUnreachable ||
         outcome.result == Result::kTimeout ||
         outcome.result == Result::kRateLimited;
}

milliseconds Api::TimeoutOf(Operation operation) const {
  return operation == Operation::kUploadDocument ? options_.upload_timeout
                                                 : options_.timeout;
}

async::Task<absl::Status> Api::WaitForToken(Operation operation,
                                            SteadyTime end) {
  const SteadyTime now = steady_clock::now();
  if (now >= end) {
    co_return absl::DeadlineExceededError("sumsub: no time left");
  }
  const std::optional<milliseconds> wait = BucketOf(operation).Take(
      now, duration_cast<milliseconds>(end - now) - kLeastAttempt);
  if (!wait) {
    Count(operation, Result::kThrottled);
    co_return absl::ResourceExhaustedError("sumsub: rate limit");
  }
  if (wait->count() > 0) co_await async::Sleep(*wait);
  co_return absl::OkStatus();
}

async::Task<Api::Outcome> Api::Attempt(const async::CallContext& context,
                                       const ApiCall& call, int attempt,
                                       CircuitBreaker::Admission admission,
                                       SteadyTime end, const Read& read) {
  const SteadyTime start = steady_clock::now();
  async::ClientRequest request = SignedRequest(call);
  request.timeout = duration_cast<milliseconds>(end - start);
  const milliseconds patience = request.timeout;
  const absl::StatusOr<async::ClientResponse> response =
      co_await http_.Send(std::move(request));
  Outcome outcome = Judge(call, response, read);
  Report(context, call, attempt, admission, start, patience, outcome);
  co_return outcome;
}

void Api::Report(const async::CallContext& context, const ApiCall& call,
                 int attempt, CircuitBreaker::Admission admission,
                 SteadyTime start, milliseconds patience,
                 const Outcome& outcome) {
  const SteadyTime now = steady_clock::now();
  const bool failed = outcome.result == Result::kServerError ||
                      outcome.result == Result::kUnreachable ||
                      outcome.result == Result::kUnreadable ||
                      outcome.result == Result::kTimeout;
  // Silence says something of the provider only if it had time to speak.
  const bool conclusive =
      outcome.result != Result::kTimeout || patience * 2 >= options_.timeout;
  if (conclusive) {
    limits_.breaker.Record(now, admission, !failed, call.name_hash,
                           call.named_by);
  }

  const OperationInfo& info = InfoOf(call.operation);
  const std::string_view result =
      kResultNames[static_cast<size_t>(outcome.result)];
  Count(call.operation, outcome.result);
  metrics_[static_cast<size_t>(call.operation)].duration->Observe(
      std::chrono::duration<double>(now - start).count());
  base::LogInfo(
      "provider call",
      {{"operation", info.name},
       {"method", info.method},
       {"endpoint", info.endpoint},
       {"http_status", outcome.http_status},
       {"result", result},
       {"duration_ms", duration_cast<milliseconds>(now - start).count()},
       {"attempt", attempt},
       {"applicant_id", call.applicant_id},
       {"provider_correlation_id", outcome.correlation_id}},
      &context.trace);
  if (outcome.result == Result::kCredentials) {
    credentials_rejected_->Add();
    base::LogError("the provider refuses our credentials",
                   {{"operation", info.name},
                    {"http_status", outcome.http_status},
                    {"provider_correlation_id", outcome.correlation_id}},
                   &context.trace);
  }
}

async::ClientRequest Api::SignedRequest(const ApiCall& call) const {
  const std::string_view method = InfoOf(call.operation).method;
  const int64_t time_s = clock_.NowMs() / 1000;
  async::ClientRequest request;
  request.method = method;
  request.url = options_.base_url + call.path;
  request.body = call.body;
  request.shared_body = call.upload;
  std::vector<std::string_view> body = {call.body};
  if (call.upload) body.assign(call.upload->begin(), call.upload->end());
  request.headers = {
      {"Accept", "application/json"},
      {"X-App-Token", std::string(options_.app_token.Reveal())},
      {"X-App-Access-Ts", std::to_string(time_s)},
      {"X-App-Access-Sig", Sign(options_.secret_key, time_s, method,
                                path_prefix_ + call.path, body)},
  };
  if (call.upload) {
    request.headers.emplace_back(
        "Content-Type", "multipart/form-data; boundary=" + call.boundary);
    request.headers.emplace_back("X-Return-Doc-Warnings", "true");
  } else if (method == "POST") {
    // SumSub asks for it on every POST, also on one without a body.
    request.headers.emplace_back("Content-Type", "application/json");
  }
  return request;
}

Api::Outcome Api::Judge(const ApiCall& call,
                        const absl::StatusOr<async::ClientResponse>& response,
                        const Read& read) {
  if (!response.ok()) return OutcomeOfError(response.status());
  Outcome outcome;
  WatchClock(*response);
  outcome.http_status = response->status;
  outcome.result = ResultOfStatus(response->status);
  const auto document = base::JsonDocument::Parse(response->body);
  if (outcome.result == Result::kOk) {
    if (!document.ok() || !read(document->root(), *response)) {
      outcome.result = Result::kUnreadable;
    }
    return outcome;
  }
  if (document.ok()) {
    outcome.correlation_id = CorrelationId(document->root());
    if (outcome.result == Result::kConflict) {
      outcome.existing_id = ExistingApplicantId(document->root());
      outcome.incomplete = SaysIncomplete(document->root());
    }
  }
  if (outcome.result == Result::kRateLimited) {
    ObeyRetryAfter(call.operation, *response);
  }
  return outcome;
}

Api::Outcome Api::OutcomeOfError(const absl::Status& status) {
  Outcome outcome;
  outcome.not_sent = status.GetPayload(async::kNotSentPayload).has_value();
  switch (status.code()) {
    case absl::StatusCode::kDeadlineExceeded:
      outcome.result = Result::kTimeout;
      break;
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kInternal:
      outcome.result = Result::kUnreadable;
      break;
    default:
      outcome.result = Result::kUnreachable;
  }
  return outcome;
}

Api::Result Api::ResultOfStatus(int http_status) {
  switch (http_status) {
    case 401:
    case 403:
      return Result::kCredentials;
    case 404:
      return Result::kNotFound;
    case 408:
      return Result::kServerError;  // It did not wait for our bytes.
    case 409:
      return Result::kConflict;
    case 429:
      return Result::kRateLimited;
  }
  if (http_status >= 500) return Result::kServerError;
  if (http_status >= 400) return Result::kRefused;
  if (http_status >= 300) return Result::kUnreadable;  // Not followed.
  return Result::kOk;
}

absl::Status Api::ToStatus(Operation operation, const Outcome& outcome) {
  std::string text = "sumsub ";
  text.append(InfoOf(operation).name).append(": ");
  text.append(kResultNames[static_cast<size_t>(outcome.result)]);
  if (outcome.http_status != 0) {
    text.append(" (HTTP ").append(std::to_string(outcome.http_status));
    text.append(")");
  }
  switch (outcome.result) {
    case Result::kOk:
      return absl::OkStatus();
    case Result::kNotFound:
      return absl::NotFoundError(text);
    case Result::kConflict: {
      if (operation != Operation::kCreateApplicant) {
        absl::Status refused = absl::FailedPreconditionError(text);
        if (outcome.incomplete) {
          refused.SetPayload(kIncompletePayload, absl::Cord());
        }
        return refused;
      }
      absl::Status status = absl::AlreadyExistsError(text);
      if (!outcome.existing_id.empty()) {
        status.SetPayload(kExistingApplicantPayload,
                          absl::Cord(outcome.existing_id));
      }
      return status;
    }
    case Result::kRefused:
      return absl::InvalidArgumentError(text);
    case Result::kCredentials:
      return absl::PermissionDeniedError(text);
    case Result::kRateLimited:
    case Result::kThrottled:
      return absl::ResourceExhaustedError(text);
    case Result::kTimeout:
      return absl::DeadlineExceededError(text);
    case Result::kServerError:
    case Result::kUnreachable:
    case Result::kUnreadable:
    case Result::kBreakerOpen:
      break;
  }
  return absl::UnavailableError(text);
}

// Pauses the bucket: this call's next attempt waits there too, or is refused
// there for want of time.
void Api::ObeyRetryAfter(Operation operation,
                         const async::ClientResponse& response) {
  const auto wait =
      ParseRetryAfter(response.Header("retry-after"), clock_.NowMs());
  if (wait) BucketOf(operation).PauseUntil(steady_clock::now() + *wait);
}

void Api::WatchClock(const async::ClientResponse& response) {
  const std::optional<int64_t> date = ParseHttpDate(response.Header("date"));
  if (!date) return;
  const milliseconds skew{*date - clock_.NowMs()};
  if (std::chrono::abs(skew) <= kClockSkew) return;
  clock_skew_->Add();
  const SteadyTime now = steady_clock::now();
  if (skew_warned_ && now - *skew_warned_ < kSkewWarningInterval) return;
  skew_warned_ = now;
  base::LogWarning("our clock and the provider's differ",
                   {{"skew_ms", skew.count()}});
}

void Api::Count(Operation operation, Result result) {
  metrics_[static_cast<size_t>(operation)]
      .requests[static_cast<size_t>(result)]
      ->Add();
}

TokenBucket& Api::BucketOf(Operation operation) {
  return InfoOf(operation).method == "GET" ? limits_.reads : limits_.writes;
}

// Full jitter: anything up to the exponential limit.
milliseconds Api::Backoff(int attempt) {
  const milliseconds most =
      std::min(kFirstBackoff * (1 << (attempt - 1)), kMaxBackoff);
  return milliseconds(
      std::uniform_int_distribution<int64_t>(0, most.count())(random_));
}

}  // namespace kyc::provider::sumsub
