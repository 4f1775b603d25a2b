// The key of a wallet: for trying the partner surface out, where no wallet is
// at hand. Real users sign in their wallets.
#ifndef KYC_DEPLOY_KYCCTL_WALLET_KEY_H_
#define KYC_DEPLOY_KYCCTL_WALLET_KEY_H_

#include <array>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/kyc/domain/address.h"
#include "services/kyc/domain/keccak.h"

namespace kyc::kycctl {

// A private key on secp256k1. Wiped when destroyed.
class WalletKey {
 public:
  static absl::StatusOr<WalletKey> Generate();
  // From "0x" and 64 hexadecimal digits. INVALID_ARGUMENT does not quote them.
  static absl::StatusOr<WalletKey> Parse(std::string_view hex);
  ~WalletKey();
  WalletKey(WalletKey&&) = default;
  WalletKey& operator=(WalletKey&&) = delete;

  std::string ToHex() const;
  // Of the account that the key controls.
  domain::Address address() const;
  // r, s (low) and v (27 or 28): 65 bytes.
  std::string Sign(const domain::Digest& digest) const;

 private:
  using Bytes = std::array<unsigned char, 32>;
  explicit WalletKey(const Bytes& key) : key_(key) {}
  static absl::StatusOr<WalletKey> FromBytes(const Bytes& key);

  Bytes key_;
};

// "0x" and two digits a byte.
std::string HexText(std::string_view bytes);

}  // namespace kyc::kycctl

#endif  // KYC_DEPLOY_KYCCTL_WALLET_KEY_H_
