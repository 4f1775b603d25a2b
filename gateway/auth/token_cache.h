// Tokens whose signature has been verified before, so that a client that
// polls does not pay for it each time.
#ifndef KYC_GATEWAY_AUTH_TOKEN_CACHE_H_
#define KYC_GATEWAY_AUTH_TOKEN_CACHE_H_

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "gateway/auth/jwt_verifier.h"

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX.

namespace kyc::gateway {

// An entry is found by the SHA-256 of the whole token: no two tokens share
// one, and no token is kept in memory. It holds until the token would be
// refused, and no longer than the key set it was verified with.
//
// Bounded: entries are kept in two halves of `capacity` each. When the young
// half is full the old one, with what has not been asked for since, is
// dropped. So the last `capacity` tokens used are always there.
//
// One loop's; not thread-safe.
class TokenCache {
 public:
  explicit TokenCache(size_t capacity);
  ~TokenCache();

  // The subject of a token that was added while `generation` was the key
  // set's, or nullptr. Valid until the next call.
  const std::string* Find(std::string_view token, uint64_t generation,
                          int64_t now_ms);
  void Add(std::string_view token, uint64_t generation,
           const VerifiedToken& verified);

  size_t size() const { return young_.size() + old_.size(); }

 private:
  using Digest = std::array<unsigned char, 32>;
  struct DigestHash {
    size_t operator()(const Digest& digest) const {
      size_t hash;
      std::memcpy(&hash, digest.data(), sizeof(hash));
      return hash;
    }
  };
  using Map = std::unordered_map<Digest, VerifiedToken, DigestHash>;
  struct Free {
    void operator()(evp_md_ctx_st* context) const;
  };

  Digest DigestOf(std::string_view token);
  void MakeRoom();
  // Forgets everything when the key set is another one than before.
  void Follow(uint64_t generation);

  const size_t capacity_;
  const std::unique_ptr<evp_md_ctx_st, Free> context_;
  uint64_t generation_ = 0;
  Map young_;
  Map old_;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_AUTH_TOKEN_CACHE_H_
