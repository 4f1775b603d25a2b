// Wallets that sign PINTs, for tests.
#ifndef KYC_SERVICES_KYC_DOMAIN_PINT_FOR_TEST_H_
#define KYC_SERVICES_KYC_DOMAIN_PINT_FOR_TEST_H_

#include <array>
#include <string>
#include <string_view>

#include "services/kyc/domain/address.h"
#include "services/kyc/domain/keccak.h"
#include "services/kyc/domain/pint.h"

namespace kyc::domain {

// An account and its key.
class TestAccount {
 public:
  // The account whose address is 0xf39Fd6e5…: a key everybody knows.
  TestAccount();
  // One of many others.
  explicit TestAccount(unsigned char number);

  const Address& address() const { return address_; }
  // r, s and v (27 or 28).
  std::string Sign(const Digest& digest) const;

 private:
  explicit TestAccount(const std::array<unsigned char, 32>& key);

  std::array<unsigned char, 32> key_;
  Address address_;
};

// The PINT of docs and vectors: nonce 7, scope kyc_read, until 2030.
Pint ExamplePint();
// The same signature with s in the other half of the group, and v to fit.
std::string Twin(std::string signature);
// "0x…"
std::string HexText(std::string_view bytes);
// The body of an exchange, in camelCase.
std::string RenderPintBody(const Pint& pint, std::string_view signature,
                           std::string_view audience);

}  // namespace kyc::domain

#endif  // KYC_SERVICES_KYC_DOMAIN_PINT_FOR_TEST_H_
