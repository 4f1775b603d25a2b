// Percent-encoding (RFC 3986 section 2.1) of path segments and query
// parameters.
//
// Thread-safe: free functions.
#ifndef KYC_GATEWAY_HTTP_PERCENT_H_
#define KYC_GATEWAY_HTTP_PERCENT_H_

#include <optional>
#include <string>
#include <string_view>

namespace kyc::gateway {

// The text that `encoded` stands for, or nothing when an escape is broken or
// the result holds a NUL or is not UTF-8: no resource has such a name, and no
// service should have to ask itself what to do with one.
// `plus_is_space`: as in a query.
std::optional<std::string> PercentDecode(std::string_view encoded,
                                         bool plus_is_space);

// `text` with every byte but visible ASCII escaped, and "%" itself, so that
// two texts never look the same: what a header value can hold.
std::string PercentEncode(std::string_view text);

// `text` as one segment of a path: every byte but RFC 3986's unreserved
// characters escaped.
std::string EncodePathSegment(std::string_view text);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_HTTP_PERCENT_H_
