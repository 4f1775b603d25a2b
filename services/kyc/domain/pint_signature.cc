#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include <algorithm>
#include <array>
#include <optional>

#include "services/base/error.h"
#include "services/kyc/domain/pint.h"

namespace kyc::domain {
namespace {

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// Recovery needs no precomputed or secret state, so one context serves all
// threads.
const secp256k1_context* Context() {
  static const secp256k1_context* const context =
      secp256k1_context_create(SECP256K1_CONTEXT_NONE);
  return context;
}

std::optional<int> RecoveryId(unsigned char v) {
  switch (v) {
    case 0:
    case 27:
      return 0;
    case 1:
    case 28:
      return 1;
  }
  return std::nullopt;
}

bool IsLowS(std::string_view r_and_s) {
  secp256k1_ecdsa_signature signature;
  return secp256k1_ecdsa_signature_parse_compact(Context(), &signature,
                                                 Bytes(r_and_s)) == 1 &&
         secp256k1_ecdsa_signature_normalize(Context(), nullptr, &signature) ==
             0;
}

}  // namespace

absl::StatusOr<Address> RecoverSigner(const Digest& digest,
                                      std::string_view signature) {
  if (signature.size() > kSignatureBytes) {
    return base::Error(v1::ERROR_REASON_PINT_SIGNER_UNSUPPORTED);
  }
  const absl::Status invalid =
      base::Error(v1::ERROR_REASON_PINT_SIGNATURE_INVALID);
  if (signature.size() != kSignatureBytes) return invalid;
  const std::optional<int> id =
      RecoveryId(static_cast<unsigned char>(signature.back()));
  secp256k1_ecdsa_recoverable_signature recoverable;
  secp256k1_pubkey key;
  if (!id || !IsLowS(signature.substr(0, 64)) ||
      secp256k1_ecdsa_recoverable_signature_parse_compact(
          Context(), &recoverable, Bytes(signature), *id) != 1 ||
      secp256k1_ecdsa_recover(Context(), &key, &recoverable, digest.data()) !=
          1) {
    return invalid;
  }
  // An account is the last 20 bytes of the hash of its key's two coordinates.
  std::array<unsigned char, 65> point;
  size_t size = point.size();
  secp256k1_ec_pubkey_serialize(Context(), point.data(), &size, &key,
                                SECP256K1_EC_UNCOMPRESSED);
  const Digest hash = Keccak256(
      {reinterpret_cast<const char*>(point.data()) + 1, point.size() - 1});
  Address account;
  std::copy(hash.end() - account.bytes.size(), hash.end(),
            account.bytes.begin());
  return account;
}

}  // namespace kyc::domain
