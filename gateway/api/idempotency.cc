#include "gateway/api/idempotency.h"

#include <openssl/evp.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gateway/http/query.h"
#include "services/base/error.h"
#include "services/base/log.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

constexpr std::string_view kHeader = "Idempotency-Key";
constexpr size_t kMaxKey = 255;
constexpr size_t kMaxStoredBody = 16384;
// The answer waits for it, whatever time the request itself has left.
constexpr std::chrono::seconds kEndLimit(1);

constexpr std::string_view kJson = "application/json";
constexpr std::string_view kProblem = "application/problem+json";

absl::StatusOr<std::string> ReadKey(const async::ServerRequest& request) {
  const std::vector<std::string_view> fields = request.Headers(kHeader);
  if (fields.size() != 1) {
    return InvalidParameter(kHeader, "must be sent once");
  }
  const std::string_view key = fields.front();
  if (key.empty() || key.size() > kMaxKey ||
      !std::all_of(key.begin(), key.end(),
                   [](char c) { return c >= ' ' && c <= '~'; })) {
    return InvalidParameter(kHeader, "must be 1 to 255 printable characters");
  }
  return std::string(key);
}

std::string Fingerprint(const Call& call) {
  std::string text;
  for (const std::string_view part :
       {call.request.method(), call.request.path(), call.request.query(),
        std::string_view(call.org_id), std::string_view(call.env_id),
        std::string_view(call.body)}) {
    // Lengths keep parts apart.
    absl::StrAppend(&text, part.size(), ":",
                    absl::string_view(part.data(), part.size()));
  }
  std::string digest(32, '\0');
  EVP_Digest(text.data(), text.size(),
             reinterpret_cast<unsigned char*>(digest.data()), nullptr,
             EVP_sha256(), nullptr);
  return digest;
}

absl::Status WhyNotBegun(const absl::Status& status) {
  switch (base::ReasonOf(status)) {
    case v1::ERROR_REASON_IDEMPOTENCY_KEY_REUSED:
    case v1::ERROR_REASON_IDEMPOTENCY_KEY_IN_FLIGHT:
      return status;
    default:
      return base::Error(v1::ERROR_REASON_UNAVAILABLE);
  }
}

void Replay(const v1::StoredResponse& stored, async::ServerResponse* response) {
  response->status = stored.status();
  response->content_type = stored.content_type() == kProblem ? kProblem : kJson;
  response->body = stored.body();
  response->headers.emplace_back("Idempotency-Replayed", "true");
}

// The answer as the caller gets it, if it is one to keep.
std::optional<v1::StoredResponse> AnswerToKeep(const absl::Status& status,
                                               const ProblemWriter& problems,
                                               const Call& call) {
  async::ServerResponse problem;
  if (!status.ok()) {
    problems.Write(status, call.request.path(), call.context.trace.trace_id(),
                   &problem);
  }
  const async::ServerResponse& answer = status.ok() ? call.response : problem;
  if (answer.status >= 500 || answer.status == 429 ||
      answer.body.size() > kMaxStoredBody) {
    return std::nullopt;
  }
  v1::StoredResponse stored;
  stored.set_status(answer.status);
  stored.set_content_type(std::string(answer.content_type));
  stored.set_body(answer.body);
  return stored;
}

}  // namespace

async::Task<absl::Status> RunOnce(Handler handler,
                                  const ProblemWriter& problems, Call& call) {
  CO_ASSIGN_OR_RETURN(std::string key, ReadKey(call.request));
  v1::BeginIdempotentRequest begin;
  begin.set_user_id(call.user_id);
  begin.set_key(key);
  begin.set_fingerprint(Fingerprint(call));
  const absl::StatusOr<v1::BeginIdempotentResponse> begun =
      co_await call.backend.BeginIdempotent(call.context, std::move(begin));
  if (!begun.ok()) co_return WhyNotBegun(begun.status());
  if (begun->has_stored()) {
    Replay(begun->stored(), &call.response);
    co_return absl::OkStatus();
  }

  const absl::Status status = co_await handler(call);

  v1::EndIdempotentRequest end;
  end.set_user_id(call.user_id);
  end.set_key(std::move(key));
  end.set_claim(begun->claim());
  if (auto answer = AnswerToKeep(status, problems, call)) {
    *end.mutable_response() = *std::move(answer);
  }
  const auto ended = co_await call.backend.EndIdempotent(
      {call.context.trace, std::chrono::steady_clock::now() + kEndLimit},
      std::move(end));
  // The caller has its answer all the same; the claim lapses by itself.
  if (!ended.ok()) {
    base::LogWarning("idempotent answer not kept", {}, &call.context.trace);
  }
  co_return status;
}

}  // namespace kyc::gateway
