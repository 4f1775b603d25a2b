// base64url without padding (RFC 7515 section 2).
#ifndef KYC_GATEWAY_AUTH_BASE64URL_H_
#define KYC_GATEWAY_AUTH_BASE64URL_H_

#include <optional>
#include <string>
#include <string_view>

namespace kyc::gateway {

// The bytes, or nothing for any text but the one that encodes them: padding,
// other alphabets, blanks and unused bits that are not zero are refused, so
// that a signed token has one spelling. Thread-safe.
std::optional<std::string> DecodeBase64Url(std::string_view text);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_AUTH_BASE64URL_H_
