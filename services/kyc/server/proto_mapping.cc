#include "services/kyc/server/proto_mapping.h"

#include <string>
#include <utility>

namespace kyc::server {

v1::KycMode ToProto(domain::Mode mode) {
  switch (mode) {
    case domain::Mode::kWebsdk:
      return v1::KYC_MODE_WEBSDK;
    case domain::Mode::kHybrid:
      return v1::KYC_MODE_HYBRID;
    case domain::Mode::kDocumentOnly:
      return v1::KYC_MODE_DOCUMENT_ONLY;
  }
  return v1::KYC_MODE_UNSPECIFIED;
}

v1::VerificationState ToProto(domain::State state) {
  switch (state) {
    case domain::State::kPending:
      return v1::VERIFICATION_STATE_PENDING;
    case domain::State::kInProgress:
      return v1::VERIFICATION_STATE_IN_PROGRESS;
    case domain::State::kApproved:
      return v1::VERIFICATION_STATE_APPROVED;
    case domain::State::kRejected:
      return v1::VERIFICATION_STATE_REJECTED;
    case domain::State::kRetry:
      return v1::VERIFICATION_STATE_RETRY;
  }
  return v1::VERIFICATION_STATE_UNSPECIFIED;
}

domain::Tenant TenantOf(const v1::Tenant& tenant) {
  return {tenant.org_id(), tenant.env_id()};
}

void FillVerification(domain::Record record, v1::Verification* out) {
  out->set_state(ToProto(record.state));
  out->set_verified_at_ms(domain::VisibleVerifiedAt(record).value_or(0));
  out->set_rejected_at_ms(domain::VisibleRejectedAt(record).value_or(0));
  out->set_reject_reason(std::string(domain::VisibleReason(record)));
  out->set_version(record.version);
  out->set_user_id(std::move(record.user_id));
  out->set_applicant_id(std::move(record.applicant_id));
}

}  // namespace kyc::server
