// SumSub's request signature and the encoding of what goes into its paths.
// https://docs.sumsub.com/reference/authentication
#ifndef KYC_SERVICES_KYC_PROVIDER_SUMSUB_SIGNER_H_
#define KYC_SERVICES_KYC_PROVIDER_SUMSUB_SIGNER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "services/base/secret.h"

namespace kyc::provider::sumsub {

// The value of X-App-Access-Sig: HMAC-SHA256 in lower-case hex over time,
// method, path with query, and body, each byte for byte as they are sent; a
// large body in the pieces in which it lies.
// `time_s` is the value of X-App-Access-Ts, epoch seconds; SumSub accepts it
// for about a minute, so a repeated request is signed anew.
std::string Sign(const base::Secret& secret_key, int64_t time_s,
                 std::string_view method, std::string_view path_and_query,
                 const std::vector<std::string_view>& body);

// Percent-encodes everything but RFC 3986's unreserved characters: good for a
// path segment, a matrix parameter and a query value.
std::string PercentEncode(std::string_view text);

}  // namespace kyc::provider::sumsub

#endif  // KYC_SERVICES_KYC_PROVIDER_SUMSUB_SIGNER_H_
