// Files that hold keys.
#ifndef KYC_DEPLOY_KYCCTL_KEY_FILE_H_
#define KYC_DEPLOY_KYCCTL_KEY_FILE_H_

#include <sys/types.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kyc::kycctl {

bool FileExists(const std::string& path);

// The whole text of at most 64 KiB. UNAVAILABLE names the path.
absl::StatusOr<std::string> ReadKeyFile(const std::string& path);

// Writes a file that appears whole or not at all, with `mode`.
absl::Status WriteKeyFile(const std::string& path, std::string_view text,
                          mode_t mode);

}  // namespace kyc::kycctl

#endif  // KYC_DEPLOY_KYCCTL_KEY_FILE_H_
