// The project's errors as absl::Status.
//
// An error that the public may see names an ErrorReason of
// proto/kyc/v1/errors.proto, the catalogue of codes, titles and texts. The
// reason travels as a payload of the status, so that the layers between pass
// it on untouched; only the edges (gRPC server, gateway) turn it into bytes.
//
// Thread-safe: free functions over immutable data.
#ifndef KYC_SERVICES_BASE_ERROR_H_
#define KYC_SERVICES_BASE_ERROR_H_

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "kyc/v1/errors.pb.h"

namespace kyc::base {

// One row of the catalogue. Views stay valid for the process's lifetime.
struct ErrorEntry {
  v1::ErrorReason reason;
  std::string_view name;  // The enum value's name.
  std::string_view code;  // E.g. "KYC-404-001".
  int http_status;
  absl::StatusCode grpc_code;
  std::string_view title;
  std::string_view detail;
  std::string_view action;
};

// All rows but UNSPECIFIED, in the order of their numbers.
const std::vector<ErrorEntry>& ErrorCatalogue();

// The row of a reason. UNSPECIFIED and numbers not in the catalogue give the
// row of ERROR_REASON_INTERNAL.
const ErrorEntry& LookUpError(v1::ErrorReason reason);

// The row of a public code, or nullptr.
const ErrorEntry* FindErrorByCode(std::string_view code);

// One thing wrong with a request (decision: `errors` of the problem body).
struct Violation {
  enum class Where { kPointer, kParameter };
  Where where;
  std::string name;    // JSON pointer ("/step") or query parameter.
  std::string detail;  // For the caller; no value that may be personal.
};

// Dynamic parts of an error; everything is optional.
struct ErrorExtras {
  // Values for programs, e.g. {"current_step", "kyc_verification"}.
  std::vector<std::pair<std::string, std::string>> metadata;
  std::vector<Violation> violations;
  std::optional<std::chrono::seconds> retry_after;
};

// A status with the reason's canonical code and the reason as payload.
// `detail` is shown to the public: never a provider's words, a token or
// personal data. Empty: the catalogue's own text.
absl::Status Error(v1::ErrorReason reason, std::string_view detail = {},
                   ErrorExtras extras = {});

// The reason a status carries, or ERROR_REASON_UNSPECIFIED.
v1::ErrorReason ReasonOf(const absl::Status& status);

// What the status carries beside its reason; empty if nothing.
ErrorExtras ExtrasOf(const absl::Status& status);

}  // namespace kyc::base

#endif  // KYC_SERVICES_BASE_ERROR_H_
