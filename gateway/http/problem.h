// Errors as RFC 7807 problem documents, by the catalogue of
// proto/kyc/v1/errors.proto.
#ifndef KYC_GATEWAY_HTTP_PROBLEM_H_
#define KYC_GATEWAY_HTTP_PROBLEM_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/async/http_server.h"

namespace kyc::gateway {

// Immutable; thread-safe.
class ProblemWriter {
 public:
  // `base_url` begins the `type` of every problem; the lower-case code
  // follows it.
  explicit ProblemWriter(std::string base_url);

  // Makes `response` the problem that `status` (not OK) is: body, media type,
  // HTTP status, and Retry-After where there is something to wait for. Other
  // headers stay. The detail is the status's message only where the status
  // carries a reason (base/error.h), for only then it is meant for the public;
  // without one the code tells what the public learns: UNAVAILABLE,
  // DEADLINE_EXCEEDED, INVALID_ARGUMENT and RESOURCE_EXHAUSTED have rows of
  // their own, anything else is KYC-500-001.
  // `instance` is the request's path, without its query.
  void Write(const absl::Status& status, std::string_view instance,
             std::string_view trace_id, async::ServerResponse* response) const;

 private:
  const std::string base_url_;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_HTTP_PROBLEM_H_
