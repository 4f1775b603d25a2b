// The audit trail: one entry per change of a record, chained by hash.
#ifndef KYC_SERVICES_KYC_STORE_AUDIT_H_
#define KYC_SERVICES_KYC_STORE_AUDIT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/kyc/domain/record.h"

namespace kyc::store {

// Who did what, in fixed order; no personal data, no reject reason.
struct AuditEntry {
  std::string actor;      // "SUMSUB_WEBHOOK", "POLL", "API", "OPERATOR"
  std::string action;     // An EventKind's name, or "onboarding_submitted", …
  domain::State from = domain::State::kPending;
  domain::State to = domain::State::kPending;
  std::string provider_type;  // "applicantReviewed"
  std::string level;
  std::optional<int64_t> provider_time_ms;
  std::string event_id;
  std::string trace_id;
  // Filled in by the store:
  int64_t time_ms = 0;
  uint64_t version = 0;
};

// Names and values of an entry in their fixed order, without the hash.
std::vector<std::pair<std::string, std::string>> AuditFields(
    const AuditEntry& entry);

// SHA-256 in lower-case hex over the previous hash, the user id and every
// field, each preceded by its length: no two trails give the same bytes.
std::string AuditHash(
    std::string_view previous_hash, std::string_view user_id,
    const std::vector<std::pair<std::string, std::string>>& fields);

}  // namespace kyc::store

#endif  // KYC_SERVICES_KYC_STORE_AUDIT_H_
