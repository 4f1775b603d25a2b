// Unsigned integers of 256 bits, as contracts count: parsed, compared and
// written, never calculated with.
#ifndef KYC_SERVICES_KYC_DOMAIN_UINT256_H_
#define KYC_SERVICES_KYC_DOMAIN_UINT256_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kyc::domain {

struct Uint256 {
  std::array<unsigned char, 32> bytes{};  // Big-endian.

  auto operator<=>(const Uint256&) const = default;
};

Uint256 ToUint256(uint64_t number);

// Decimal digits alone, without a leading zero, up to 2^256 - 1.
std::optional<Uint256> ParseUint256(std::string_view decimal);
std::string ToDecimal(const Uint256& number);

// The number, where 64 bits hold it.
std::optional<uint64_t> ToUint64(const Uint256& number);

}  // namespace kyc::domain

#endif  // KYC_SERVICES_KYC_DOMAIN_UINT256_H_
