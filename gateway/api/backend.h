// The services behind the gateway, as its handlers see them.
#ifndef KYC_GATEWAY_API_BACKEND_H_
#define KYC_GATEWAY_API_BACKEND_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "gateway/api/admin_backend.h"
#include "gateway/api/partner_backend.h"
#include "gateway/api/subscription_backend.h"
#include "kyc/v1/idempotency_service.pb.h"
#include "kyc/v1/kyc_service.pb.h"
#include "kyc/v1/user_service.pb.h"
#include "kyc/v1/webhook_service.pb.h"
#include "services/async/call_context.h"
#include "services/async/task.h"

namespace kyc::gateway {

// One document on its way to KycService; cancelled when destroyed before its
// end. The context of its start bounds it.
class UploadCall {
 public:
  virtual ~UploadCall() = default;

  // Suspends until the service takes more. An error is the call's end.
  virtual async::Task<absl::Status> Write(
      v1::UploadDocumentRequest message) = 0;
  // Once, after the last Write.
  virtual async::Task<absl::StatusOr<v1::UploadDocumentResponse>> Finish() = 0;
};

// One RPC each. Each bounds its own time, within the context's deadline, and
// returns the errors of the RPC with their reasons. One loop's.
class Backend {
 public:
  virtual ~Backend() = default;

  virtual async::Task<absl::StatusOr<v1::CreateApplicantResponse>>
  CreateApplicant(async::CallContext context,
                  v1::CreateApplicantRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::CreateAccessTokenResponse>>
  CreateAccessToken(async::CallContext context,
                    v1::CreateAccessTokenRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::Verification>> GetStatus(
      async::CallContext context, std::string user_id) = 0;
  virtual async::Task<absl::StatusOr<v1::Verification>> RefreshStatus(
      async::CallContext context, v1::RefreshStatusRequest request) = 0;
  virtual std::unique_ptr<UploadCall> UploadDocument(
      async::CallContext context) = 0;
  virtual async::Task<absl::StatusOr<v1::RequiredDocuments>>
  GetRequiredDocuments(async::CallContext context,
                       v1::GetRequiredDocumentsRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::SubmitResponse>> Submit(
      async::CallContext context, v1::SubmitRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::Details>> GetDetails(
      async::CallContext context, v1::GetDetailsRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::User>> GetUser(
      async::CallContext context, v1::GetUserRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::Onboarding>> GetOnboarding(
      async::CallContext context, v1::GetOnboardingRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::Onboarding>> SubmitOnboardingStep(
      async::CallContext context, v1::SubmitOnboardingStepRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::IngestSumsubEventResponse>>
  IngestSumsubEvent(async::CallContext context,
                    v1::IngestSumsubEventRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::BeginIdempotentResponse>>
  BeginIdempotent(async::CallContext context,
                  v1::BeginIdempotentRequest request) = 0;
  virtual async::Task<absl::StatusOr<v1::EndIdempotentResponse>> EndIdempotent(
      async::CallContext context, v1::EndIdempotentRequest request) = 0;
  // All live as long as this.
  virtual AdminBackend& admin() = 0;
  virtual PartnerBackend& partner() = 0;
  virtual SubscriptionBackend& subscriptions() = 0;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_BACKEND_H_
