// The audit trail: one entry per change of a record, chained by hash.
#ifndef KYC_SERVICES_KYC_STORE_AUDIT_H_
#define KYC_SERVICES_KYC_STORE_AUDIT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "services/kyc/domain/record.h"

namespace kyc::store {

// Who did what, in fixed order; no personal data, no reject reason.
struct AuditEntry {
  // "SUMSUB_WEBHOOK", "POLL", "API", "OPERATOR", "PARTNER"
  std::string actor;
  // Which one, where there are several: an organisation's id, an operator's
  // name.
  std::string actor_id;
  std::string action;  // An EventKind's name, or "onboarding_submitted", …
  // What the provider decided, whether or not it had an effect here:
  // "approved", "retry", "rejected", "reset".
  std::string decision;
  std::string provider_type;  // "applicantReviewed"
  std::string level;
  std::optional<int64_t> provider_time_ms;
  std::string event_id;
  // What it was done under: a PINT, the number of a case.
  std::string reference;
  std::string trace_id;
  // Filled in by the store:
  domain::State from = domain::State::kPending;
  domain::State to = domain::State::kPending;
  int64_t time_ms = 0;
  uint64_t version = 0;
};

// Names and values.
using AuditFieldList = std::vector<std::pair<std::string, std::string>>;

// All fields of an entry in their fixed order, without the hash. What is not
// set is empty.
AuditFieldList AuditFields(const AuditEntry& entry);

// SHA-256 in lower-case hex over the previous hash, the user id and every
// name and value in their order, each as "<length in decimal>:<bytes>": no
// two trails give the same bytes.
std::string AuditHash(std::string_view previous_hash, std::string_view user_id,
                      const AuditFieldList& fields);

// The name under which an entry in Redis carries its hash, as its last field.
inline constexpr std::string_view kAuditHashField = "hash";

// Follows one user's trail, oldest entry first.
class AuditChain {
 public:
  explicit AuditChain(std::string user_id) : user_id_(std::move(user_id)) {}
  // Takes the next entry as Redis has it. DATA_LOSS says what is wrong when
  // its hash does not follow from it and from all before it: something in it
  // was changed, or something before it removed, inserted or moved.
  absl::Status Add(AuditFieldList fields);
  // The hash of the last entry; empty before the first.
  const std::string& head() const { return head_; }

 private:
  const std::string user_id_;
  std::string head_;
};

// Checks a whole trail against the record's audit_head. DATA_LOSS names the
// place (from 0) of the first entry that does not fit, or says that the end is
// missing.
absl::Status VerifyAuditChain(std::string_view user_id,
                              const std::vector<AuditFieldList>& entries,
                              std::string_view audit_head);

}  // namespace kyc::store

#endif  // KYC_SERVICES_KYC_STORE_AUDIT_H_
