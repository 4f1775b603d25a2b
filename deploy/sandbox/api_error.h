// SumSub's error answers:
// https://docs.sumsub.com/reference/error-codes-description
#ifndef KYC_DEPLOY_SANDBOX_API_ERROR_H_
#define KYC_DEPLOY_SANDBOX_API_ERROR_H_

#include <optional>
#include <string>
#include <string_view>

namespace kyc::sandbox {

// One refusal as the API's client sees it. Most of SumSub's errors carry no
// errorCode: then `error_code` is 0 and both fields are left out.
struct ApiError {
  int http_status = 500;
  int error_code = 0;
  std::string error_name;
  std::string description;
};

// Nothing: the call was accepted.
using Refusal = std::optional<ApiError>;

// An error without errorCode.
ApiError PlainError(int http_status, std::string_view description);

// An error of the documented table; its HTTP status and name follow from the
// code. `code` must be one of ErrorCode.
enum class ErrorCode {
  kTooManyDocuments = 1001,
  kFileTooBig = 1002,
  kEmptyFile = 1003,
  kCorruptedFile = 1004,
  kUnsupportedFormat = 1005,
  kNoUploadInProgress = 1006,
  kMarkedAsDeleted = 1008,
  kFinalReject = 1009,
  kDocTypeNotRequired = 1010,
  kEncryptedFile = 1011,
  kAlreadyInTheState = 3000,
  kTokenInvalidFormat = 4000,
  kTokenNotFound = 4001,
  kTokenPrivatePartMismatch = 4002,
  kSignatureMismatch = 4003,
  kRequestExpired = 4004,
  kAuthInvalidValue = 4005,
  kAuthParamsMissing = 4006,
  kAuthInvalidParams = 4007,
};
ApiError CodedError(ErrorCode code, std::string_view description);

// The JSON body; `correlation_id` is 32 hex digits.
std::string RenderError(const ApiError& error, std::string_view correlation_id);

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_API_ERROR_H_
