// When a record is settled by asking the provider, because no event did it.
#ifndef KYC_SERVICES_KYC_DOMAIN_RECONCILIATION_H_
#define KYC_SERVICES_KYC_DOMAIN_RECONCILIATION_H_

#include <chrono>
#include <cstdint>

#include "services/kyc/domain/record.h"

namespace kyc::domain {

// The longest time between two questions about one record.
inline constexpr std::chrono::hours kLongestPause{6};
// The shortest, for an event that could not be settled when it came.
inline constexpr std::chrono::seconds kShortestPause{2};

// Whether the provider is to be asked about it: it has no decision yet, or
// something happened that only the provider can settle. Never about an erased
// user.
bool AwaitsReconciliation(const Record& record);

// When to ask about a record that awaits it and was written, or asked about
// in vain, at `now_ms`. It waits as long again as it has waited already, so
// that one under review for days is asked about ever more rarely: `after`
// from its last change on, then 2 `after`, 4 `after`, … up to kLongestPause;
// what an event left unsettled from kShortestPause on.
int64_t NextQuestionMs(const Record& record, std::chrono::milliseconds after,
                       int64_t now_ms);

}  // namespace kyc::domain

#endif  // KYC_SERVICES_KYC_DOMAIN_RECONCILIATION_H_
