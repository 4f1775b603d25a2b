#include "deploy/kycctl/wallet_key.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

namespace kyc::kycctl {
namespace {

secp256k1_context* Context() {
  static secp256k1_context* const context =
      secp256k1_context_create(SECP256K1_CONTEXT_SIGN);
  return context;
}

// Of calls that fail only for a key that is none, which was checked.
void Require(int result) {
  if (result != 1) std::abort();
}

}  // namespace

absl::StatusOr<WalletKey> WalletKey::FromBytes(const Bytes& key) {
  if (secp256k1_ec_seckey_verify(Context(), key.data()) != 1) {
    return absl::InvalidArgumentError("not a key on secp256k1");
  }
  return WalletKey(key);
}

absl::StatusOr<WalletKey> WalletKey::Generate() {
  Bytes key;
  if (RAND_bytes(key.data(), key.size()) != 1) {
    return absl::UnavailableError("no random numbers");
  }
  return FromBytes(key);  // All but 2^-128 of them are keys.
}

absl::StatusOr<WalletKey> WalletKey::Parse(std::string_view hex) {
  const std::optional<std::string> bytes = domain::ParseHexBytes(hex);
  Bytes key;
  if (!bytes || bytes->size() != key.size()) {
    return absl::InvalidArgumentError("not 0x and 64 hexadecimal digits");
  }
  std::copy(bytes->begin(), bytes->end(), key.begin());
  return FromBytes(key);
}

WalletKey::~WalletKey() { OPENSSL_cleanse(key_.data(), key_.size()); }

std::string WalletKey::ToHex() const {
  return HexText({reinterpret_cast<const char*>(key_.data()), key_.size()});
}

domain::Address WalletKey::address() const {
  secp256k1_pubkey point;
  Require(secp256k1_ec_pubkey_create(Context(), &point, key_.data()));
  char bytes[65];
  size_t size = sizeof(bytes);
  Require(secp256k1_ec_pubkey_serialize(
      Context(), reinterpret_cast<unsigned char*>(bytes), &size, &point,
      SECP256K1_EC_UNCOMPRESSED));
  const domain::Digest hash = domain::Keccak256({bytes + 1, size - 1});
  domain::Address address;
  std::copy(hash.end() - address.bytes.size(), hash.end(),
            address.bytes.begin());
  return address;
}

std::string WalletKey::Sign(const domain::Digest& digest) const {
  secp256k1_ecdsa_recoverable_signature signature;
  Require(secp256k1_ecdsa_sign_recoverable(Context(), &signature, digest.data(),
                                           key_.data(), nullptr, nullptr));
  std::string bytes(65, '\0');
  int id = 0;
  secp256k1_ecdsa_recoverable_signature_serialize_compact(
      Context(), reinterpret_cast<unsigned char*>(bytes.data()), &id,
      &signature);
  bytes[64] = static_cast<char>(27 + id);
  return bytes;
}

std::string HexText(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "0x";
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

}  // namespace kyc::kycctl
