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
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "services/async/call_context.h"
#include "services/async/task.h"
#include "services/base/secret.h"
#include "services/kyc/domain/state_machine.h"

namespace kyc::provider {

struct Applicant {
  std::string id;
  std::string external_user_id;
  domain::Poll review;  // What the applicant's review shows.
};

// On ALREADY_EXISTS: the id of the applicant that is there. A last resort:
// reading the applicant is the authority.
inline constexpr char kExistingApplicantPayload[] = "kyc/existing-applicant";

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
};

}  // namespace kyc::provider

#endif  // KYC_SERVICES_KYC_PROVIDER_PROVIDER_H_
