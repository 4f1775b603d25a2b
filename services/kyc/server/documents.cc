#include "services/kyc/server/documents.h"

#include <algorithm>
#include <utility>

#include "services/base/log.h"
#include "services/base/status_macros.h"
#include "services/kyc/server/changes.h"
#include "services/kyc/server/provider_errors.h"

namespace kyc::server {

using domain::Record;
using provider::RequiredStep;

bool AllUploaded(const std::vector<RequiredStep>& steps) {
  return !steps.empty() &&
         std::all_of(steps.begin(), steps.end(), [](const RequiredStep& step) {
           return step.has_documents;
         });
}

async::Task<absl::StatusOr<Record>> Documents::RecordOf(std::string user_id) {
  CO_ASSIGN_OR_RETURN(Record record, co_await store_.Load(std::move(user_id)));
  if (record.applicant_id.empty()) {
    co_return base::Error(v1::ERROR_REASON_APPLICANT_NOT_FOUND);
  }
  co_return std::move(record);
}

async::Task<absl::Status> Documents::ReturnToDocumentLevel(
    async::CallContext context, const Record& record) {
  const domain::Levels& levels = options_.levels;
  const std::string& document_level = levels.InitialFor(record.required_level);
  const bool hybrid = document_level != record.required_level;
  const bool decided = record.state == domain::State::kApproved ||
                       record.state == domain::State::kRejected;
  if (!hybrid || decided) co_return absl::OkStatus();
  CO_ASSIGN_OR_RETURN(
      const domain::Poll review,
      co_await provider_.GetReview(context, record.applicant_id));
  // The provider may know a decision that we do not know yet: that one stays.
  const bool open = review.review == domain::Poll::Review::kInit ||
                    review.review == domain::Poll::Review::kAwaitingUser ||
                    (review.review == domain::Poll::Review::kCompleted &&
                     review.answer == domain::EventKind::kRetryRequested);
  if (review.level != record.required_level || !open) {
    co_return absl::OkStatus();
  }
  co_return co_await provider_.MoveToLevel(context, record.applicant_id,
                                           document_level);
}

async::Task<absl::StatusOr<provider::UploadedDocument>> Documents::Upload(
    async::CallContext context, std::string user_id,
    domain::DocumentMetadata metadata, domain::FileType type,
    provider::DocumentBody file) {
  CO_ASSIGN_OR_RETURN(const Record record, co_await RecordOf(user_id));
  context = context.Within(options_.upload_timeout);
  if (const absl::Status moved =
          co_await ReturnToDocumentLevel(context, record);
      !moved.ok()) {
    co_return ApplicantError(moved, v1::ERROR_REASON_UPLOAD_FAILED);
  }
  absl::StatusOr<provider::UploadedDocument> uploaded =
      co_await provider_.UploadDocument(context, record.applicant_id,
                                        std::move(metadata), type,
                                        std::move(file));
  if (!uploaded.ok()) {
    co_return ApplicantError(uploaded.status(), v1::ERROR_REASON_UPLOAD_FAILED);
  }
  co_await NoteActivity(context, std::move(user_id));
  co_return std::move(uploaded);
}

async::Task<absl::StatusOr<std::vector<RequiredStep>>> Documents::GetRequired(
    async::CallContext context, std::string user_id) {
  CO_ASSIGN_OR_RETURN(const Record record,
                      co_await RecordOf(std::move(user_id)));
  absl::StatusOr<std::vector<RequiredStep>> steps =
      co_await provider_.GetRequiredSteps(
          context.Within(options_.provider_timeout), record.applicant_id);
  if (!steps.ok()) {
    co_return ApplicantError(
        steps.status(), v1::ERROR_REASON_PROVIDER_UNAVAILABLE,
        "Failed to fetch required documents status from KYC provider");
  }
  co_return std::move(steps);
}

async::Task<absl::StatusOr<std::string>> Documents::Submit(
    async::CallContext context, std::string user_id) {
  CO_ASSIGN_OR_RETURN(const Record record, co_await RecordOf(user_id));
  const std::string& applicant_id = record.applicant_id;
  context = context.Within(options_.provider_timeout);
  // A provider that does not answer this question may still take the
  // submission: some of the time is left for it.
  const absl::StatusOr<std::vector<RequiredStep>> steps =
      co_await provider_.GetRequiredSteps(
          context.Within(options_.provider_timeout * 2 / 5), applicant_id);
  if (absl::IsNotFound(steps.status())) {
    co_return base::Error(v1::ERROR_REASON_APPLICANT_NOT_FOUND);
  }
  if (steps.ok() && !AllUploaded(*steps)) {
    // Unless it is submitted already: the SDK submits by itself, and an
    // officer decides without documents.
    if (co_await IsSubmitted(context, applicant_id)) co_return applicant_id;
    co_return base::Error(v1::ERROR_REASON_NOT_READY_FOR_SUBMISSION);
  }
  if (!steps.ok()) {
    base::LogWarning(
        "submitting without knowing the required documents",
        {{"applicant_id", applicant_id},
         {"code", absl::StatusCodeToString(steps.status().code())}},
        &context.trace);
  }
  const absl::Status submitted =
      co_await provider_.Submit(context, applicant_id);
  // Decided already, and not to be reviewed again: nothing began.
  if (absl::IsAlreadyExists(submitted)) co_return applicant_id;
  if (!submitted.ok()) {
    // A step may have a document of which a side is missing.
    if (steps.ok() && submitted.GetPayload(provider::kIncompletePayload)) {
      co_return base::Error(v1::ERROR_REASON_NOT_READY_FOR_SUBMISSION);
    }
    co_return ApplicantError(submitted, v1::ERROR_REASON_SUBMISSION_FAILED);
  }
  co_await NoteActivity(context, std::move(user_id));
  co_return applicant_id;
}

async::Task<bool> Documents::IsSubmitted(async::CallContext context,
                                         std::string applicant_id) {
  const absl::StatusOr<domain::Poll> review =
      co_await provider_.GetReview(context, std::move(applicant_id));
  if (!review.ok()) co_return false;
  co_return review->review == domain::Poll::Review::kInProgress ||
      (review->review == domain::Poll::Review::kCompleted &&
       review->answer != domain::EventKind::kRetryRequested);
}

async::Task<void> Documents::NoteActivity(async::CallContext context,
                                          std::string user_id) {
  domain::Event event;
  event.kind = domain::EventKind::kActivity;
  event.source = kSourceApi;
  const auto stored =
      co_await store_.Update(std::move(user_id), [&](const Record& current) {
        return Changed(current, domain::Apply(current, event).record, event,
                       context);
      });
  if (!stored.ok()) {
    // The review's own events bring the record to where it would be.
    base::LogWarning(
        "a user's activity could not be stored",
        {{"code", absl::StatusCodeToString(stored.status().code())}},
        &context.trace);
  }
}

}  // namespace kyc::server
