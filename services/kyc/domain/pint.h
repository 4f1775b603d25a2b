// PINTs: what a user signs to let a partner do something on the user's
// behalf, as EIP-712 typed data.
//
// Version 1 is the documented one; version 3, told by the presence of
// `conditions`, adds them and counts its expiry in milliseconds.
#ifndef KYC_SERVICES_KYC_DOMAIN_PINT_H_
#define KYC_SERVICES_KYC_DOMAIN_PINT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/kyc/domain/address.h"
#include "services/kyc/domain/keccak.h"
#include "services/kyc/domain/uint256.h"

namespace kyc::domain {

// All texts are kept as they were signed.
struct Pint {
  Address wallet;  // Also the domain's verifyingContract.
  Uint256 nonce;
  std::string statement;
  std::vector<std::string> scopes;
  std::vector<std::string> resources;
  std::optional<std::vector<std::string>> conditions;
  Uint256 max_amount;
  Address max_amount_token;
  Uint256 expires_at;  // As signed.

  bool operator==(const Pint&) const = default;
};

// "1" or "3".
std::string_view VersionOf(const Pint& pint);

// When it expires, in epoch milliseconds. Version 1 counts seconds, but
// numbers that can only be milliseconds (> 1e11) are read as such. Numbers
// that 64 bits do not hold are the greatest time there is.
int64_t ExpiryMs(const Pint& pint);

// A request to exchange a PINT.
struct PintRequest {
  Pint pint;
  std::string signature;  // r, s and v; or the longer one of a contract.
  std::string audience;
};

inline constexpr size_t kMaxPintBody = 65536;
inline constexpr size_t kSignatureBytes = 65;

// Reads {pint, signature, audience}; members of `pint` in camelCase or
// snake_case. Numbers are JSON integers or decimal texts, of up to 256 bits,
// and never pass through a double. Members that it does not know are not
// signed and mean nothing. PINT-400-001 names the member at fault.
absl::StatusOr<PintRequest> ParsePintRequest(std::string_view body_json);

// What the user's wallet signs.
Digest PintDigest(const Pint& pint, uint64_t chain_id);

// The account whose key has signed. PINT-401-002 for the signature of a
// contract (longer than 65 bytes); PINT-401-001 for one whose s is in the
// upper half (each signature would have a twin), whose v is none of 0, 1, 27
// and 28, or that no key can have made.
absl::StatusOr<Address> RecoverSigner(const Digest& digest,
                                      std::string_view signature);

// Whether every scope is one of the catalogue; else PINT-403-001 says which
// is not. A scope is "sr:{region}:pint:{domain}:{action}", and may have
// parameters ("?max=20&asset=USDC@sei"), which are not looked into.
absl::Status CheckPintScopes(const std::vector<std::string>& scopes);

// A scope without its parameters.
std::string_view ScopeName(std::string_view scope);
// Whether it names an action that moves money: tokens with such a scope carry
// the user's signature.
bool IsSpendScope(std::string_view scope);

}  // namespace kyc::domain

#endif  // KYC_SERVICES_KYC_DOMAIN_PINT_H_
