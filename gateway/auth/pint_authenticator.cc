#include "gateway/auth/pint_authenticator.h"

#include "services/base/error.h"

namespace kyc::gateway {
namespace {

base::Counter* CheckCounter(const char* result) {
  return base::GetCounter("kyc_pint_token_checks_total",
                          "PINT tokens checked, by how that ended.",
                          {{"result", result}});
}

}  // namespace

PintAuthenticator::PintAuthenticator(KeySource& keys,
                                     const PintVerifier& verifier,
                                     const base::Clock& clock)
    : keys_(keys),
      verifier_(verifier),
      clock_(clock),
      verified_(CheckCounter("verified")),
      refused_(CheckCounter("refused")) {}

async::Task<absl::StatusOr<v1::PintGrant>> PintAuthenticator::Verify(
    std::vector<std::string_view> fields, std::string_view audience) {
  if (fields.empty() || (fields.size() == 1 && fields.front().empty())) {
    refused_->Add();
    co_return base::Error(v1::ERROR_REASON_PINT_TOKEN_MISSING);
  }
  if (fields.size() != 1) {
    refused_->Add();
    co_return base::Error(v1::ERROR_REASON_PINT_TOKEN_INVALID);
  }
  const std::string_view token = fields.front();
  absl::StatusOr<v1::PintGrant> grant =
      co_await keys_.Check<v1::PintGrant>([&](const KeySet& set) {
        return verifier_.Verify(token, set, audience, clock_.NowMs());
      });
  if (grant.ok()) {
    verified_->Add();
    co_return grant;
  }
  if (base::ReasonOf(grant.status()) == v1::ERROR_REASON_UNAVAILABLE) {
    co_return grant.status();
  }
  refused_->Add();
  co_return base::Error(v1::ERROR_REASON_PINT_TOKEN_INVALID);
}

}  // namespace kyc::gateway
