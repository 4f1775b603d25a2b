// Addresses of an EVM chain: of accounts and of contracts.
#ifndef KYC_SERVICES_KYC_DOMAIN_ADDRESS_H_
#define KYC_SERVICES_KYC_DOMAIN_ADDRESS_H_

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace kyc::domain {

struct Address {
  std::array<unsigned char, 20> bytes{};

  bool IsZero() const { return *this == Address(); }
  auto operator<=>(const Address&) const = default;
};

// "0x" and 40 hexadecimal digits of any case. The checksum that the case may
// carry (EIP-55) is not looked at: wallets and registries differ in it, and a
// mistyped address is nobody's.
std::optional<Address> ParseAddress(std::string_view text);

// As it is stored: "0x" and lower case.
std::string LowerCaseText(const Address& address);
// As it is shown: in the letter case of EIP-55.
std::string ToText(const Address& address);

// Bytes that are written as "0x" and pairs of hexadecimal digits of any case.
std::optional<std::string> ParseHexBytes(std::string_view text);

}  // namespace kyc::domain

#endif  // KYC_SERVICES_KYC_DOMAIN_ADDRESS_H_
