// SumSub's webhook signature: an HMAC over the raw body, in lower-case hex.
// https://docs.sumsub.com/docs/webhooks (verify webhook sender)
//
// Thread-safe: free functions.
#ifndef KYC_SERVICES_WEBHOOK_DIGEST_H_
#define KYC_SERVICES_WEBHOOK_DIGEST_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/base/hmac.h"
#include "services/base/secret.h"

namespace kyc::webhook {

// All of them are HMACs in hex; they differ in their hash.
using DigestAlgorithm = base::HmacHash;

// The algorithms that X-Payload-Digest-Alg names ("HMAC_SHA256_HEX", …).
// INVALID_ARGUMENT names the first unknown one, and refuses an empty list.
absl::StatusOr<std::vector<DigestAlgorithm>> ParseDigestAlgorithms(
    const std::vector<std::string>& names);

// Whether the sender of `body` holds one of the secrets. `digests` and
// `algorithms` are all X-Payload-Digest and X-Payload-Digest-Alg headers:
// there must be exactly one digest and at most one algorithm (none means
// HMAC_SHA256_HEX), and the algorithm must be in `allowed`, so that a sender
// cannot choose a weaker one. Every secret is tried in constant time whether
// or not an earlier one fits: the time tells nothing about which one did.
bool VerifyDigest(std::string_view body,
                  const std::vector<std::string_view>& digests,
                  const std::vector<std::string_view>& algorithms,
                  const std::vector<base::Secret>& secrets,
                  const std::vector<DigestAlgorithm>& allowed);

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_DIGEST_H_
