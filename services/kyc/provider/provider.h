// The port to an identity-verification provider.
//
// Implementations are per loop and used on that loop's thread only. Every
// call ends within the context's deadline. Errors are absl::Status with these
// codes, whatever the provider's own are; messages are safe to log and hold
// nothing of the provider's body:
//   NOT_FOUND            the provider knows no such applicant.
//   ALREADY_EXISTS       an applicant for that user is there (create only).
//   FAILED_PRECONDITION  refused in the applicant's present state.
//   UNAVAILABLE          down, 5xx, unreadable answer, breaker open.
//   DEADLINE_EXCEEDED    did not answer in time.
//   RESOURCE_EXHAUSTED   429, or our own rate limit.
//   PERMISSION_DENIED    our credentials were refused: an operator's alert,
//                        never the user's fault.
//   INVALID_ARGUMENT     any other refusal of the request.
#ifndef KYC_SERVICES_KYC_PROVIDER_PROVIDER_H_
#define KYC_SERVICES_KYC_PROVIDER_PROVIDER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/call_context.h"
#include "services/async/task.h"
#include "services/base/secret.h"
#include "services/kyc/domain/document_rules.h"
#include "services/kyc/domain/state_machine.h"
#include "services/kyc/provider/document_body.h"

namespace kyc::provider {

struct Applicant {
  std::string id;
  std::string external_user_id;
  domain::Poll review;  // What the applicant's review shows.
};

// On ALREADY_EXISTS: the id of the applicant that is there. A last resort:
// reading the applicant is the authority.
inline constexpr char kExistingApplicantPayload[] = "kyc/existing-applicant";

struct UploadedDocument {
  std::string image_id;  // Empty: the provider named none.
  // The provider's own tags. With errors it has the image but does not count
  // it as submitted.
  std::vector<std::string> warnings;
  std::vector<std::string> errors;
};

// One step that the applicant's level requires, by the contract's name.
struct RequiredStep {
  std::string type;
  bool has_documents = false;
  std::string review_answer;       // GREEN, RED or empty.
  std::string moderation_comment;  // For the user to read.
};

// What a provider read from the documents. Empty: it does not know.
struct PersonalInfo {
  base::Pii first_name;
  base::Pii last_name;
  base::Pii date_of_birth;         // YYYY-MM-DD.
  base::Pii nationality;           // ISO 3166-1 alpha-3.
  base::Pii country_of_residence;  // ISO 3166-1 alpha-3.
};

// What an applicant has submitted, by the contract's names.
struct SubmittedDocument {
  enum class Status { kPending, kApproved, kRejected };
  std::string type;
  std::string country;  // May be empty.
  Status status = Status::kPending;
  std::optional<int64_t> submitted_at_ms;  // Of its newest image.
  std::vector<std::string> image_ids;
};

struct ApplicantDetails {
  std::optional<int64_t> started_at_ms;
  // Absent: nothing is known of the person (yet, or any more).
  std::optional<PersonalInfo> personal_info;
  std::vector<SubmittedDocument> documents;
  // Whether the level requires documents and has them all.
  bool all_submitted = false;
  // What OpenImage knows the applicant by; empty: the provider named nothing.
  std::string inspection_id;
};

// A document image on its way, one piece at a time. Letting it go breaks the
// transfer off.
class ImageStream {
 public:
  virtual ~ImageStream() = default;
  // image/jpeg, image/png, image/webp, image/heic, image/heif or
  // application/pdf.
  virtual const std::string& content_type() const = 0;
  // In bytes; 0: not known.
  virtual int64_t size() const = 0;
  // The next bytes, at most 64 KiB; "" after the last. The provider waits
  // while nobody reads. An error means that the image is not whole, and no
  // more of it comes.
  virtual async::Task<absl::StatusOr<std::string>> Read() = 0;
};

// Present on a FAILED_PRECONDITION of Submit: documents are missing.
inline constexpr char kIncompletePayload[] = "kyc/incomplete";

class Provider {
 public:
  virtual ~Provider() = default;

  // Creates the applicant of `user_id` at `level`; returns its id. An
  // ALREADY_EXISTS may name the existing one in kExistingApplicantPayload.
  virtual async::Task<absl::StatusOr<std::string>> CreateApplicant(
      async::CallContext context, std::string user_id, std::string level) = 0;

  // Reads the applicant of a user (by the user's id at this service).
  virtual async::Task<absl::StatusOr<Applicant>> FindApplicant(
      async::CallContext context, std::string user_id) = 0;

  // Reads an applicant by the provider's id.
  virtual async::Task<absl::StatusOr<Applicant>> GetApplicant(
      async::CallContext context, std::string applicant_id) = 0;

  // The cheapest read of an applicant's review.
  virtual async::Task<absl::StatusOr<domain::Poll>> GetReview(
      async::CallContext context, std::string applicant_id) = 0;

  // An SDK token for one user and one level, valid for `ttl_s`.
  virtual async::Task<absl::StatusOr<base::Secret>> CreateAccessToken(
      async::CallContext context, std::string user_id, std::string level,
      int ttl_s) = 0;

  // Makes `level` the one the applicant is verified at; its steps become the
  // applicant's. Refused while a review is under way.
  virtual async::Task<absl::Status> MoveToLevel(async::CallContext context,
                                                std::string applicant_id,
                                                std::string level) = 0;

  // Gives an applicant one document; `type` is that of the file. Never sent
  // twice unless nothing of the first try left this machine, since every
  // upload adds an image. Has a limit of time of its own.
  virtual async::Task<absl::StatusOr<UploadedDocument>> UploadDocument(
      async::CallContext context, std::string applicant_id,
      domain::DocumentMetadata metadata, domain::FileType type,
      DocumentBody file) = 0;

  // The steps of the applicant's level, in the provider's order.
  virtual async::Task<absl::StatusOr<std::vector<RequiredStep>>>
  GetRequiredSteps(async::CallContext context, std::string applicant_id) = 0;

  // Asks for a review. OK also when one is under way; ALREADY_EXISTS when the
  // last one is completed and the provider begins no other.
  virtual async::Task<absl::Status> Submit(async::CallContext context,
                                           std::string applicant_id) = 0;

  virtual async::Task<absl::StatusOr<ApplicantDetails>> GetDetails(
      async::CallContext context, std::string applicant_id) = 0;

  // Begins to fetch one image. NOT_FOUND where there is none of that name;
  // UNAVAILABLE also for what is neither an image nor a PDF.
  virtual async::Task<absl::StatusOr<std::unique_ptr<ImageStream>>> OpenImage(
      async::CallContext context, std::string inspection_id,
      std::string image_id) = 0;

  // The person alone, which costs less; absent when nothing is known.
  virtual async::Task<absl::StatusOr<std::optional<PersonalInfo>>>
  GetPersonalInfo(async::CallContext context, std::string applicant_id) = 0;
};

}  // namespace kyc::provider

#endif  // KYC_SERVICES_KYC_PROVIDER_PROVIDER_H_
