// A user's details, as the user and as partners see them.
#ifndef KYC_GATEWAY_API_DETAILS_JSON_H_
#define KYC_GATEWAY_API_DETAILS_JSON_H_

#include "gateway/api/call.h"

namespace kyc::gateway {

// The two guides differ: a document that is accepted is "verified" to its user
// and "approved" to a partner, who is also told the ids of its images.
enum class DetailsDialect { kUser, kPartner };

// Writes the members but for `_links`.
void WriteDetails(const Call& call, const v1::Details& details,
                  DetailsDialect dialect, base::JsonWriter* json);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_DETAILS_JSON_H_
