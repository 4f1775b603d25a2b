// SumSub's webhook body as an event of the state machine.
#ifndef KYC_SERVICES_KYC_PROVIDER_SUMSUB_WEBHOOK_EVENT_H_
#define KYC_SERVICES_KYC_PROVIDER_SUMSUB_WEBHOOK_EVENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "services/kyc/domain/state_machine.h"

namespace kyc::provider::sumsub {

// What a webhook says, before the record and the configured levels are known.
struct WebhookEvent {
  std::string user_id;       // externalUserId; may be empty.
  std::string applicant_id;  // May be empty; else IsApplicantId.
  std::string level;
  std::string type;  // "applicantReviewed", …
  // What it means; a decision's kind is before ClassifyApproval.
  domain::EventKind kind = domain::EventKind::kApplicantKnown;
  // createdAtMs, else createdAt. Absent: the provider must be asked.
  std::optional<int64_t> time_ms;
  std::string reason;  // moderationComment, made for the user.
};

// Reads a body. nullopt for what concerns no verification: not JSON, not an
// object, an unknown type, an action's event (applicantAction…), a test
// message, neither user nor applicant named. `support_address` replaces
// ${clientSupportEmail} in the comment. Lenient on types: sandboxMode and times
// come as text, number or null.
std::optional<WebhookEvent> ParseWebhook(std::string_view body,
                                         std::string_view support_address);

}  // namespace kyc::provider::sumsub

#endif  // KYC_SERVICES_KYC_PROVIDER_SUMSUB_WEBHOOK_EVENT_H_
