// A user's wallet: the account whose key signs, and the contract it may own.
#ifndef KYC_SERVICES_KYC_DOMAIN_WALLET_H_
#define KYC_SERVICES_KYC_DOMAIN_WALLET_H_

#include <cstdint>
#include <optional>
#include <string>

#include "services/kyc/domain/address.h"
#include "services/kyc/domain/tenant.h"

namespace kyc::domain {

struct Wallet {
  std::string user_id;
  Address eoa;
  std::optional<Address> safe;
  int64_t chain_id = 0;
  // Where the user came from; both empty: nowhere in particular.
  Tenant tenant;
  int64_t created_at_ms = 0;

  bool Has(const Address& address) const {
    return address == eoa || address == safe;
  }
  bool operator==(const Wallet&) const = default;
};

}  // namespace kyc::domain

#endif  // KYC_SERVICES_KYC_DOMAIN_WALLET_H_
