#include "gateway/auth/authenticator.h"

#include <utility>

#include "services/base/error.h"

namespace kyc::gateway {
namespace {

constexpr size_t kCacheCapacity = 16384;

base::Counter* CheckCounter(const char* result) {
  return base::GetCounter("kyc_user_token_checks_total",
                          "User tokens checked, by how that ended.",
                          {{"result", result}});
}

}  // namespace

Authenticator::Authenticator(KeySource& keys, const JwtVerifier& verifier,
                             const base::Clock& clock)
    : keys_(keys),
      verifier_(verifier),
      clock_(clock),
      cache_(kCacheCapacity),
      recalled_(CheckCounter("recalled")),
      verified_(CheckCounter("verified")),
      refused_(CheckCounter("refused")) {}

const std::string* Authenticator::Recall(std::string_view token) {
  if (token.size() > kMaxTokenBytes) return nullptr;
  const std::string* subject =
      cache_.Find(token, keys_.source_generation(), clock_.NowMs());
  if (subject != nullptr) recalled_->Add();
  return subject;
}

async::Task<absl::StatusOr<std::string>> Authenticator::Verify(
    std::string token) {
  absl::StatusOr<VerifiedToken> result =
      co_await keys_.Check<VerifiedToken>([&](const KeySet& set) {
        return verifier_.Verify(token, set, clock_.NowMs());
      });
  if (base::ReasonOf(result.status()) == v1::ERROR_REASON_UNAVAILABLE) {
    co_return result.status();
  }
  if (!result.ok()) {
    refused_->Add();
    co_return base::Error(v1::ERROR_REASON_UNAUTHENTICATED);
  }
  verified_->Add();
  cache_.Add(token, keys_.generation(), *result);
  co_return std::move(result->subject);
}

}  // namespace kyc::gateway
