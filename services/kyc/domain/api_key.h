// API keys: who may call as an organisation, and for what.
#ifndef KYC_SERVICES_KYC_DOMAIN_API_KEY_H_
#define KYC_SERVICES_KYC_DOMAIN_API_KEY_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/base/secret.h"
#include "services/kyc/domain/tenant.h"

namespace kyc::domain {

// All but the key's text, which nobody keeps.
struct ApiKey {
  std::string id;  // "key_…"; may be shown and logged.
  std::string name;
  Tenant tenant;
  std::vector<std::string> scopes;  // In the order of ApiScopes().
  // Whom partner tokens may be meant for; empty: nobody.
  std::string audience;
  int64_t created_at_ms = 0;
  int64_t revoked_at_ms = 0;    // 0: not revoked.
  int64_t last_used_at_ms = 0;  // 0: never; exact to a minute.

  bool operator==(const ApiKey&) const = default;
};

// All scopes there are, by their names without "sis.".
const std::vector<std::string>& ApiScopes();

// The scopes a partner needs: what a key has of which none are said.
const std::vector<std::string>& PartnerScopes();

// Scopes as an administrator names them, each also with the prefix "sis.", as
// they are stored: known, once each, in the catalogue's order. SIS-422-006
// names the place of an unknown one, SIS-422-007 says that there are none.
absl::StatusOr<std::vector<std::string>> ParseScopes(
    const std::vector<std::string>& names);

// OK for a key that may be made: KYC-422-002 says what is wrong with its
// tenant, name (1 to 100 bytes) or audience (at most 255).
absl::Status CheckNewApiKey(const ApiKey& key);

// Random bytes of a key's text: 200 bits.
using KeyEntropy = std::array<unsigned char, 25>;

// A key's text: "kyc_live_", the entropy and a checksum, in base 32.
base::Secret MakeKeyText(const KeyEntropy& entropy);
// Whether a text can be a key's: most typing errors cannot, so they are
// refused without a look-up.
bool IsKeyText(std::string_view text);

// "key_" and 80 random bits.
std::string MakeKeyId(const std::array<unsigned char, 10>& entropy);

}  // namespace kyc::domain

#endif  // KYC_SERVICES_KYC_DOMAIN_API_KEY_H_
