#include "gateway/auth/token_cache.h"

#include <openssl/evp.h>

#include <utility>

namespace kyc::gateway {

void TokenCache::Free::operator()(evp_md_ctx_st* context) const {
  EVP_MD_CTX_free(context);
}

TokenCache::TokenCache(size_t capacity)
    : capacity_(capacity), context_(EVP_MD_CTX_new()) {
  // Once: later runs reuse the algorithm that was looked up here.
  EVP_DigestInit_ex2(context_.get(), EVP_sha256(), nullptr);
}

TokenCache::~TokenCache() = default;

TokenCache::Digest TokenCache::DigestOf(std::string_view token) {
  Digest digest{};
  EVP_DigestInit_ex2(context_.get(), nullptr, nullptr);
  EVP_DigestUpdate(context_.get(), token.data(), token.size());
  EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr);
  return digest;
}

void TokenCache::Follow(uint64_t generation) {
  if (generation == generation_) return;
  generation_ = generation;
  young_.clear();
  old_.clear();
}

void TokenCache::MakeRoom() {
  if (young_.size() < capacity_) return;
  old_ = std::exchange(young_, {});
}

const std::string* TokenCache::Find(std::string_view token, uint64_t generation,
                                    int64_t now_ms) {
  Follow(generation);
  const Digest digest = DigestOf(token);
  auto entry = young_.find(digest);
  if (entry == young_.end()) {
    auto node = old_.extract(digest);
    if (node.empty()) return nullptr;
    MakeRoom();
    entry = young_.insert(std::move(node)).position;
  }
  if (entry->second.refused_from_ms <= now_ms) {
    young_.erase(entry);
    return nullptr;
  }
  return &entry->second.subject;
}

void TokenCache::Add(std::string_view token, uint64_t generation,
                     const VerifiedToken& verified) {
  Follow(generation);
  MakeRoom();
  young_.insert_or_assign(DigestOf(token), verified);
}

}  // namespace kyc::gateway
