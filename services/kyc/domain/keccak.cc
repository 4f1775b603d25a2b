#include "services/kyc/domain/keccak.h"

#include <crypto++/keccak.h>

namespace kyc::domain {

Digest Keccak256(std::string_view bytes) {
  Digest digest;
  CryptoPP::Keccak_256().CalculateDigest(
      digest.data(), reinterpret_cast<const unsigned char*>(bytes.data()),
      bytes.size());
  return digest;
}

}  // namespace kyc::domain
