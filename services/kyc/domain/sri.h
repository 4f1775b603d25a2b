// How partners name a user: "sr:{region}:person:{safe|eoa}:{address}".
#ifndef KYC_SERVICES_KYC_DOMAIN_SRI_H_
#define KYC_SERVICES_KYC_DOMAIN_SRI_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/kyc/domain/address.h"

namespace kyc::domain {

// A wallet is the account of a key (EOA) or a contract that one owns (Safe).
enum class WalletKind { kEoa, kSafe };

struct PersonSri {
  std::string region = "us";  // us, eu or gb.
  WalletKind kind = WalletKind::kEoa;
  Address address;

  bool operator==(const PersonSri&) const = default;
};

bool IsRegion(std::string_view region);

// SRI-400-001 for what is none. Words are lower case, the address is not
// particular.
absl::StatusOr<PersonSri> ParsePersonSri(std::string_view text);

// With the address as it is shown.
std::string ToText(const PersonSri& sri);

}  // namespace kyc::domain

#endif  // KYC_SERVICES_KYC_DOMAIN_SRI_H_
