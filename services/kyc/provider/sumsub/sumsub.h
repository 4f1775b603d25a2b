// The SumSub provider: https://docs.sumsub.com/reference.
//
// An applicant is named by the user's id at this service (externalUserId). An
// answer about another user or applicant than the one asked for is UNAVAILABLE
// like any other that makes no sense.
#ifndef KYC_SERVICES_KYC_PROVIDER_SUMSUB_SUMSUB_H_
#define KYC_SERVICES_KYC_PROVIDER_SUMSUB_SUMSUB_H_

#include <chrono>
#include <memory>
#include <string>

#include "services/async/http_client.h"
#include "services/base/clock.h"
#include "services/base/secret.h"
#include "services/kyc/provider/limits.h"
#include "services/kyc/provider/provider.h"

namespace kyc::provider::sumsub {

struct Options {
  std::string base_url;  // "https://api.sumsub.com", no trailing slash.
  base::Secret app_token;
  base::Secret secret_key;
  std::string support_address;              // For ${clientSupportEmail}.
  std::chrono::milliseconds timeout{5000};  // Of one operation, retries
                                            // included.
  // Of one upload; of an image on its way here, for as long as nothing comes.
  std::chrono::milliseconds upload_timeout{30000};
};

// The client of one loop: the one of `http`. `http`, `limits` and `clock`
// outlive it; `limits` (breaker, buckets, concurrency) is shared by all loops.
// Destroy it when no call is under way, or after the loop has stopped.
//
// Every operation but an upload is safe to repeat and is repeated, signed
// anew, after 429, 5xx and broken connections while its time lasts (api.h).
std::unique_ptr<Provider> MakeProvider(async::HttpClient& http, Limits& limits,
                                       const base::Clock& clock,
                                       Options options);

}  // namespace kyc::provider::sumsub

#endif  // KYC_SERVICES_KYC_PROVIDER_SUMSUB_SUMSUB_H_
