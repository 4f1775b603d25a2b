// Signatures as Standard Webhooks defines them
// (https://www.standardwebhooks.com): HMAC-SHA256 over "id.timestamp.body".
//
// Thread-safe: free functions.
#ifndef KYC_SERVICES_WEBHOOK_OUTGOING_SIGNATURE_H_
#define KYC_SERVICES_WEBHOOK_OUTGOING_SIGNATURE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/base/secret.h"

namespace kyc::outgoing {

// A new secret: "whsec_" and base64 of 32 random bytes. INTERNAL without
// randomness.
absl::StatusOr<base::Secret> NewSecret();

// OK for "whsec_" and base64 of 24 to 64 bytes; else INVALID_ARGUMENT.
absl::Status CheckSecret(const base::Secret& secret);

// The value of webhook-signature: "v1,<base64>" per secret, separated by
// blanks, in the order of the secrets, which are in order (CheckSecret).
std::string Sign(const std::vector<base::Secret>& secrets, std::string_view id,
                 int64_t timestamp_s, std::string_view body);

}  // namespace kyc::outgoing

#endif  // KYC_SERVICES_WEBHOOK_OUTGOING_SIGNATURE_H_
