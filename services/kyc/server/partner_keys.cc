#include "services/kyc/server/partner_keys.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/base/status_macros.h"

namespace kyc::server {

absl::Status PartnerKeys::Load(const std::string& path) {
  ASSIGN_OR_RETURN(const base::Secret pem, base::ReadSecretFile(path));
  absl::StatusOr<Keys> keys = base::SigningKey::AllFromPem(pem.Reveal());
  if (!keys.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", keys.status().message()));
  }
  auto fresh = std::make_shared<const Keys>(*std::move(keys));
  base::MutexLock lock(&mutex_);
  keys_ = std::move(fresh);
  return absl::OkStatus();
}

std::shared_ptr<const PartnerKeys::Keys> PartnerKeys::Current() const {
  base::MutexLock lock(&mutex_);
  return keys_;
}

bool PartnerKeys::empty() const { return Current()->empty(); }

absl::StatusOr<base::Secret> PartnerKeys::Sign(std::string_view payload) const {
  const std::shared_ptr<const Keys> keys = Current();
  if (keys->empty()) {
    return absl::FailedPreconditionError("no key signs partner tokens");
  }
  const base::SigningKey& key = keys->front();
  ASSIGN_OR_RETURN(std::string token, key.Sign(key.Thumbprint(), payload));
  return base::Secret(std::move(token));
}

std::string PartnerKeys::Jwks() const {
  std::string text = "{\"keys\":[";
  bool first = true;
  for (const base::SigningKey& key : *Current()) {
    if (!std::exchange(first, false)) text += ',';
    key.WriteJwk(key.Thumbprint(), &text);
  }
  return text + "]}";
}

}  // namespace kyc::server
