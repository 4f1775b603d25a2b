// HMAC (RFC 2104) over OpenSSL.
#ifndef KYC_SERVICES_BASE_HMAC_H_
#define KYC_SERVICES_BASE_HMAC_H_

#include <string>
#include <string_view>
#include <vector>

#include "services/base/secret.h"

namespace kyc::base {

enum class HmacHash { kSha1, kSha256, kSha512 };

// The authentication code's bytes over `pieces`, as if they stood in one text:
// a large body need not be copied to be signed. Empty when OpenSSL fails or
// its configuration forbids the hash, so never equal to another's code.
// Thread-safe; the key does not stay in OpenSSL's memory.
std::string Hmac(HmacHash hash, const Secret& key,
                 const std::vector<std::string_view>& pieces);

}  // namespace kyc::base

#endif  // KYC_SERVICES_BASE_HMAC_H_
