#include "gateway/auth/token_cache.h"

#include <gtest/gtest.h>

#include <string>

namespace kyc::gateway {
namespace {

std::string Token(int i) { return "header.claims." + std::to_string(i); }

VerifiedToken Verified(int i, int64_t refused_from_ms = 1000) {
  return {"usr_" + std::to_string(i), refused_from_ms};
}

TEST(TokenCacheTest, FindsWhatWasAdded) {
  TokenCache cache(100);
  EXPECT_EQ(cache.Find(Token(1), 1, 0), nullptr);
  cache.Add(Token(1), 1, Verified(1));
  cache.Add(Token(2), 1, Verified(2));
  ASSERT_NE(cache.Find(Token(1), 1, 0), nullptr);
  EXPECT_EQ(*cache.Find(Token(1), 1, 0), "usr_1");
  EXPECT_EQ(*cache.Find(Token(2), 1, 0), "usr_2");
  for (const std::string& other :
       {Token(1) + "=", Token(1) + "0", "h" + Token(1), std::string()}) {
    EXPECT_EQ(cache.Find(other, 1, 0), nullptr) << other;
  }
}

TEST(TokenCacheTest, ForgetsWhenTheTokenWouldBeRefused) {
  TokenCache cache(100);
  cache.Add(Token(1), 1, Verified(1, 1000));
  EXPECT_NE(cache.Find(Token(1), 1, 999), nullptr);
  EXPECT_EQ(cache.Find(Token(1), 1, 1000), nullptr);
  EXPECT_EQ(cache.size(), 0u);
}

TEST(TokenCacheTest, ForgetsWithTheKeySet) {
  TokenCache cache(100);
  cache.Add(Token(1), 1, Verified(1));
  EXPECT_EQ(cache.Find(Token(1), 2, 0), nullptr);
  EXPECT_EQ(cache.Find(Token(1), 1, 0), nullptr);
}

TEST(TokenCacheTest, KeepsTheLastUsedAndStaysBounded) {
  constexpr int kCapacity = 1000;
  TokenCache cache(kCapacity);
  for (int i = 0; i < 50 * kCapacity; ++i) {
    cache.Add(Token(i), 1, Verified(i));
    ASSERT_LE(cache.size(), 2u * kCapacity);
    // Asked for again and again, it stays.
    ASSERT_NE(cache.Find(Token(0), 1, 0), nullptr) << i;
  }
  for (int i = 49 * kCapacity + 2; i < 50 * kCapacity; ++i) {
    ASSERT_NE(cache.Find(Token(i), 1, 0), nullptr) << i;
  }
  EXPECT_EQ(cache.Find(Token(1), 1, 0), nullptr);
}

}  // namespace
}  // namespace kyc::gateway
