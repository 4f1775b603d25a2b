// Who calls: SumSub's request signature,
// https://docs.sumsub.com/reference/authentication.
#ifndef KYC_DEPLOY_SANDBOX_REQUEST_SIGNATURE_H_
#define KYC_DEPLOY_SANDBOX_REQUEST_SIGNATURE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "deploy/sandbox/api_error.h"
#include "services/base/secret.h"

namespace kyc::sandbox {

struct Credentials {
  base::Secret app_token;
  base::Secret secret_key;
};

// The parts of a request that take part in the check. A header's values stand
// in a list, since a header sent twice is refused.
struct SignedParts {
  std::string_view method;
  std::string_view target;         // As on the request line, query included.
  std::string_view body;           // As on the wire.
  std::vector<std::string> token;  // X-App-Token
  std::vector<std::string> timestamp;  // X-App-Access-Ts, seconds
  std::vector<std::string> signature;  // X-App-Access-Sig
};

// What a right signature is: lower-case hex of
// HMAC-SHA256(secret, timestamp + method + target + body).
std::string RequestSignature(const base::Secret& secret_key,
                             std::string_view timestamp,
                             std::string_view method, std::string_view target,
                             std::string_view body);

// Checks the three headers against the bytes received. Clocks may differ by
// 60 seconds.
Refusal CheckRequest(const Credentials& credentials, const SignedParts& request,
                     int64_t now_ms);

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_REQUEST_SIGNATURE_H_
