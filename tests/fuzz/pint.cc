// Bodies of token exchanges, and texts that may be identifiers: the first line
// is a user's, the rest is a body.
#include "services/kyc/domain/pint.h"

#include <string>

#include "services/base/error.h"
#include "services/kyc/domain/sri.h"
#include "tests/fuzz/check.h"

namespace kyc::fuzz {
namespace {

// No error quotes what a caller sent.
void CheckError(const absl::Status& status) {
  FUZZ_CHECK(base::ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED);
  for (const base::Violation& wrong : base::ExtrasOf(status).violations) {
    FUZZ_CHECK(wrong.name.size() < 64 && wrong.detail.size() < 128);
  }
}

void CheckSri(std::string_view text) {
  const auto sri = domain::ParsePersonSri(text);
  if (!sri.ok()) return CheckError(sri.status());
  const std::string canonical = domain::ToText(*sri);
  FUZZ_CHECK(canonical.size() == text.size());
  FUZZ_CHECK(domain::ParsePersonSri(canonical).value() == *sri);
}

void CheckPint(const domain::PintRequest& request) {
  const domain::Pint& pint = request.pint;
  FUZZ_CHECK(!pint.scopes.empty() && !request.audience.empty());
  FUZZ_CHECK(domain::ParseUint256(domain::ToDecimal(pint.nonce)) == pint.nonce);
  FUZZ_CHECK(domain::ExpiryMs(pint) >= 0);
  const domain::Digest digest = domain::PintDigest(pint, 1329);
  FUZZ_CHECK(digest != domain::PintDigest(pint, 1330));
  const auto signer = domain::RecoverSigner(digest, request.signature);
  if (!signer.ok()) {
    CheckError(signer.status());
  } else {
    FUZZ_CHECK(request.signature.size() == domain::kSignatureBytes);
  }
  const absl::Status scopes = domain::CheckPintScopes(pint.scopes);
  if (!scopes.ok()) CheckError(scopes);
}

}  // namespace
}  // namespace kyc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kyc;
  using namespace kyc::fuzz;
  std::string_view body = Text(data, size);
  CheckSri(TakeLine(&body));
  const auto request = domain::ParsePintRequest(body);
  if (request.ok()) {
    CheckPint(*request);
  } else {
    CheckError(request.status());
  }
  return 0;
}
