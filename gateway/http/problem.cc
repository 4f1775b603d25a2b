#include "gateway/http/problem.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "services/base/error.h"
#include "services/base/json.h"

namespace kyc::gateway {
namespace {

v1::ErrorReason ReasonOfCode(absl::StatusCode code) {
  switch (code) {
    // Without a reason these are gRPC's own: a peer that goes, a limit of its.
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kCancelled:
      return v1::ERROR_REASON_UNAVAILABLE;
    case absl::StatusCode::kDeadlineExceeded:
      return v1::ERROR_REASON_DEADLINE_EXCEEDED;
    case absl::StatusCode::kInvalidArgument:
      return v1::ERROR_REASON_REQUEST_VALIDATION_FAILED;
    default:
      return v1::ERROR_REASON_INTERNAL;
  }
}

std::string LowerCase(std::string_view code) {
  std::string text(code);
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c += 'a' - 'A';
  }
  return text;
}

void WriteViolations(const std::vector<base::Violation>& violations,
                     base::JsonWriter* json) {
  json->Key("errors").BeginArray();
  for (const base::Violation& violation : violations) {
    const bool pointer = violation.where == base::Violation::Where::kPointer;
    json->BeginObject()
        .Key(pointer ? "pointer" : "parameter")
        .String(violation.name)
        .Key("detail")
        .String(violation.detail)
        .EndObject();
  }
  json->EndArray();
}

}  // namespace

ProblemWriter::ProblemWriter(std::string base_url)
    : base_url_(std::move(base_url)) {}

void ProblemWriter::Write(const absl::Status& status, std::string_view instance,
                          std::string_view trace_id,
                          async::ServerResponse* response) const {
  v1::ErrorReason reason = base::ReasonOf(status);
  std::string_view detail;
  if (reason == v1::ERROR_REASON_UNSPECIFIED) {
    reason = ReasonOfCode(status.code());
  } else {
    detail = {status.message().data(), status.message().size()};
  }
  const base::ErrorEntry& entry = base::LookUpError(reason);
  base::ErrorExtras extras = base::ExtrasOf(status);
  const bool waits = entry.http_status == 503 || entry.http_status == 429;
  if (waits && !extras.retry_after) {
    extras.retry_after = std::chrono::seconds(1);
  }

  response->status = entry.http_status;
  response->content_type = "application/problem+json";
  if (extras.retry_after) {
    const auto seconds = std::max<int64_t>(1, extras.retry_after->count());
    response->headers.emplace_back("Retry-After", std::to_string(seconds));
  }
  response->stream.reset();
  response->body.clear();
  base::JsonWriter json(&response->body);
  json.BeginObject()
      .Key("type")
      .String(base_url_ + LowerCase(entry.code))
      .Key("title")
      .String(entry.title)
      .Key("status")
      .Int(entry.http_status)
      .Key("detail")
      .String(detail.empty() ? entry.detail : detail)
      .Key("instance")
      .String(instance.empty() ? "/" : instance)
      .Key("error_code")
      .String(entry.code)
      .Key("trace_id")
      .String(trace_id);
  if (!extras.violations.empty()) WriteViolations(extras.violations, &json);
  // A client that sent the wrong step corrects itself by this.
  for (const auto& [key, value] : extras.metadata) {
    if (key == "current_step") json.Key(key).String(value);
  }
  json.EndObject();
}

}  // namespace kyc::gateway
