#include "deploy/sandbox/api_error.h"

#include "services/base/json.h"

namespace kyc::sandbox {
namespace {

struct Row {
  ErrorCode code;
  int http_status;
  const char* name;
};

constexpr Row kTable[] = {
    {ErrorCode::kTooManyDocuments, 400, "too-many-documents"},
    {ErrorCode::kFileTooBig, 400, "file-too-big"},
    {ErrorCode::kEmptyFile, 400, "empty-file"},
    {ErrorCode::kCorruptedFile, 400, "corrupted-file"},
    {ErrorCode::kUnsupportedFormat, 400, "unsupported-file-format"},
    {ErrorCode::kNoUploadInProgress, 409, "no-upload-verification-in-progress"},
    {ErrorCode::kMarkedAsDeleted, 409, "applicant-marked-as-deleted"},
    {ErrorCode::kFinalReject, 409, "applicant-with-final-reject"},
    {ErrorCode::kDocTypeNotRequired, 409, "doc-type-not-in-req-docs"},
    {ErrorCode::kEncryptedFile, 400, "encrypted-file"},
    {ErrorCode::kAlreadyInTheState, 409, "applicant-already-in-the-state"},
    {ErrorCode::kTokenInvalidFormat, 401, "app-token-invalid-format"},
    {ErrorCode::kTokenNotFound, 401, "app-token-not-found"},
    {ErrorCode::kTokenPrivatePartMismatch, 401,
     "app-token-private-part-mismatch"},
    {ErrorCode::kSignatureMismatch, 401, "app-token-signature-mismatch"},
    {ErrorCode::kRequestExpired, 401, "app-token-request-expired"},
    {ErrorCode::kAuthInvalidValue, 401, "app-token-invalid-value"},
    {ErrorCode::kAuthParamsMissing, 401, "app-token-not-all-auth-params"},
    {ErrorCode::kAuthInvalidParams, 401, "app-token-invalid-params"},
};

}  // namespace

ApiError PlainError(int http_status, std::string_view description) {
  return {http_status, 0, "", std::string(description)};
}

ApiError CodedError(ErrorCode code, std::string_view description) {
  for (const Row& row : kTable) {
    if (row.code == code) {
      return {row.http_status, static_cast<int>(code), row.name,
              std::string(description)};
    }
  }
  return PlainError(500, description);
}

std::string RenderError(const ApiError& error,
                        std::string_view correlation_id) {
  std::string out;
  base::JsonWriter json(&out);
  json.BeginObject();
  json.Key("description").String(error.description);
  json.Key("code").Int(error.http_status);
  json.Key("correlationId").String(correlation_id);
  if (error.error_code != 0) {
    json.Key("errorCode").Int(error.error_code);
    json.Key("errorName").String(error.error_name);
  }
  json.EndObject();
  return out;
}

}  // namespace kyc::sandbox
