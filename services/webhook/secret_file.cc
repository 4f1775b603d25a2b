#include "services/webhook/secret_file.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/base/status_macros.h"

namespace kyc::webhook {

absl::Status SecretFile::Load() {
  ASSIGN_OR_RETURN(std::vector<base::Secret> lines,
                   base::ReadSecretLines(path_));
  if (lines.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(path_, ": holds no secret"));
  }
  auto fresh =
      std::make_shared<const std::vector<base::Secret>>(std::move(lines));
  base::MutexLock lock(&mutex_);
  secrets_.swap(fresh);
  return absl::OkStatus();
}

std::shared_ptr<const std::vector<base::Secret>> SecretFile::Get() const {
  base::MutexLock lock(&mutex_);
  return secrets_;
}

}  // namespace kyc::webhook
