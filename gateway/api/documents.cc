#include "gateway/api/documents.h"

#include <chrono>
#include <memory>
#include <optional>
#include <utility>

#include "gateway/api/links.h"
#include "gateway/api/upload_form.h"
#include "gateway/http/multipart.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

// Without progress. A form that is cut off is an error soon, not in half a
// minute.
constexpr std::chrono::milliseconds kStallLimit{4000};
// An upload with all that the provider takes, beyond the time that its body
// takes at the slowest rate a phone should have.
constexpr std::chrono::seconds kUploadLimit{40};
constexpr uint64_t kSlowestBytesPerSecond = 64 * 1024;
constexpr size_t kMaxPiece = 128 * 1024;

// What the Content-Type and the Content-Length say, before the body is read.
absl::StatusOr<std::string> CheckHead(const async::ServerRequest& request) {
  const std::vector<std::string_view> types = request.Headers("Content-Type");
  if (types.size() != 1 || !IsMultipartFormData(types.front())) {
    return base::Error(v1::ERROR_REASON_UNSUPPORTED_MEDIA_TYPE,
                       "This resource takes multipart/form-data.");
  }
  absl::StatusOr<std::string> boundary = MultipartBoundary(types.front());
  if (!boundary.ok()) {
    const absl::string_view why = boundary.status().message();
    return base::Error(v1::ERROR_REASON_BAD_REQUEST, {why.data(), why.size()});
  }
  if (request.content_length().value_or(0) > UploadForm::kMaxBodyBytes) {
    return base::Error(v1::ERROR_REASON_BODY_TOO_LARGE);
  }
  return boundary;
}

async::CallContext UploadContext(const Call& call) {
  const uint64_t size =
      call.request.content_length().value_or(UploadForm::kMaxBodyBytes);
  const std::chrono::seconds transfer(size / kSlowestBytesPerSecond);
  return {call.context.trace,
          std::chrono::steady_clock::now() + kUploadLimit + transfer};
}

async::Task<absl::Status> SendChunk(std::string chunk, UploadCall& upload) {
  if (chunk.empty()) co_return absl::OkStatus();
  v1::UploadDocumentRequest message;
  message.set_chunk(std::move(chunk));
  co_return co_await upload.Write(std::move(message));
}

// Reads the body no faster than KycService takes it, and no longer than
// `deadline`: a body may hold much that is not passed on.
async::Task<absl::Status> Forward(
    async::ServerRequest& request, UploadForm& form, UploadCall& upload,
    std::chrono::steady_clock::time_point deadline) {
  while (true) {
    if (std::chrono::steady_clock::now() >= deadline) {
      co_return base::Error(v1::ERROR_REASON_REQUEST_TIMEOUT);
    }
    CO_ASSIGN_OR_RETURN(const std::string piece,
                        co_await request.ReadSome(kMaxPiece));
    if (piece.empty()) break;
    std::string_view rest = piece;
    while (true) {
      CO_ASSIGN_OR_RETURN(const bool chunk_is_full, form.Read(&rest));
      if (!chunk_is_full) break;
      CO_RETURN_IF_ERROR(co_await SendChunk(form.TakeChunk(), upload));
    }
  }
  CO_RETURN_IF_ERROR(form.Finish());
  CO_RETURN_IF_ERROR(co_await SendChunk(form.TakeChunk(), upload));
  v1::UploadDocumentRequest message;
  *message.mutable_metadata() = form.TakeMetadata();
  co_return co_await upload.Write(std::move(message));
}

}  // namespace

async::Task<absl::Status> UploadDocument(Call& call) {
  CO_ASSIGN_OR_RETURN(const std::string boundary, CheckHead(call.request));
  const std::optional<InFlightLimit::Place> place = call.uploads.Take();
  if (!place) {
    co_return base::Error(v1::ERROR_REASON_UNAVAILABLE,
                          "Too many uploads at the moment. Try again.");
  }
  call.request.SetBodyTimeout(kStallLimit);
  const async::CallContext context = UploadContext(call);
  const std::unique_ptr<UploadCall> upload =
      call.backend.UploadDocument(context);
  v1::UploadDocumentRequest start;
  start.mutable_start()->set_user_id(call.user_id);
  SetTenant(call, start.mutable_start());
  CO_RETURN_IF_ERROR(co_await upload->Write(std::move(start)));
  UploadForm form(boundary);
  CO_RETURN_IF_ERROR(
      co_await Forward(call.request, form, *upload, context.deadline));
  CO_ASSIGN_OR_RETURN(const v1::UploadDocumentResponse document,
                      co_await upload->Finish());
  call.response.status = 201;
  base::JsonWriter json(&call.response.body);
  json.BeginObject()
      .Key("document_type")
      .String(document.document_type())
      .Key("country")
      .String(document.country());
  WriteText("side", document.side(), &json);
  WriteText("image_id", document.image_id(), &json);
  if (document.warnings_size() > 0) {
    json.Key("warnings").BeginArray();
    for (const std::string& warning : document.warnings()) {
      json.String(warning);
    }
    json.EndArray();
  }
  json.Key("_links").Raw(DocumentLinks()).EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> GetRequiredDocuments(Call& call) {
  v1::GetRequiredDocumentsRequest request;
  request.set_user_id(call.user_id);
  CO_ASSIGN_OR_RETURN(const v1::RequiredDocuments required,
                      co_await call.backend.GetRequiredDocuments(
                          call.context, std::move(request)));
  base::JsonWriter json(&call.response.body);
  json.BeginObject().Key("steps").BeginArray();
  for (const v1::RequiredDocuments::Step& step : required.steps()) {
    json.BeginObject()
        .Key("step_type")
        .String(step.step_type())
        .Key("has_documents")
        .Bool(step.has_documents());
    WriteText("review_answer", step.review_answer(), &json);
    WriteText("moderation_comment", step.moderation_comment(), &json);
    json.EndObject();
  }
  json.EndArray()
      .Key("all_uploaded")
      .Bool(required.all_uploaded())
      .Key("_links")
      .Raw(RequiredDocumentsLinks(required.all_uploaded()))
      .EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> Submit(Call& call) {
  v1::SubmitRequest request;
  request.set_user_id(call.user_id);
  CO_ASSIGN_OR_RETURN(
      const v1::SubmitResponse submitted,
      co_await call.backend.Submit(call.context, std::move(request)));
  base::JsonWriter json(&call.response.body);
  json.BeginObject()
      .Key("status")
      .String("pending")  // The review's state at the provider.
      .Key("applicant_id")
      .String(submitted.applicant_id())
      .Key("_links")
      .Raw(SubmitLinks())
      .EndObject();
  co_return absl::OkStatus();
}

}  // namespace kyc::gateway
