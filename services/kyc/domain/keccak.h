// Keccak-256 as Ethereum uses it: the padding before it became SHA-3.
#ifndef KYC_SERVICES_KYC_DOMAIN_KECCAK_H_
#define KYC_SERVICES_KYC_DOMAIN_KECCAK_H_

#include <array>
#include <string_view>

namespace kyc::domain {

using Digest = std::array<unsigned char, 32>;

Digest Keccak256(std::string_view bytes);

}  // namespace kyc::domain

#endif  // KYC_SERVICES_KYC_DOMAIN_KECCAK_H_
