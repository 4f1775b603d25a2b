// The webhook secrets, reloadable while the service runs.
#ifndef KYC_SERVICES_WEBHOOK_SECRET_FILE_H_
#define KYC_SERVICES_WEBHOOK_SECRET_FILE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "services/base/mutex.h"
#include "services/base/secret.h"

namespace kyc::webhook {

// A file with one secret per line. All of them are accepted at the same time,
// so that a secret is rotated by adding the new one, changing the provider,
// and removing the old one. Thread-safe.
class SecretFile {
 public:
  explicit SecretFile(std::string path) : path_(std::move(path)) {}

  // Reads the file and replaces the secrets all at once. On an error (see
  // base::ReadSecretLines; also a file without any secret) the present ones
  // stay.
  absl::Status Load();

  // The secrets of the last good Load; never null.
  std::shared_ptr<const std::vector<base::Secret>> Get() const;

 private:
  const std::string path_;
  mutable base::Mutex mutex_;
  std::shared_ptr<const std::vector<base::Secret>> secrets_ ABSL_GUARDED_BY(
      mutex_) = std::make_shared<const std::vector<base::Secret>>();
};

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_SECRET_FILE_H_
