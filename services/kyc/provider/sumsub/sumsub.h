// The SumSub provider: https://docs.sumsub.com/reference.
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
};

// The client of one loop. `http`, `limits` and `clock` outlive it; `limits`
// (breaker, buckets, concurrency) is shared by all loops.
std::unique_ptr<Provider> MakeProvider(async::Loop& loop,
                                       async::HttpClient& http, Limits& limits,
                                       const base::Clock& clock,
                                       Options options);

}  // namespace kyc::provider::sumsub

#endif  // KYC_SERVICES_KYC_PROVIDER_SUMSUB_SUMSUB_H_
