// The keys that sign partner tokens.
#ifndef KYC_SERVICES_KYC_SERVER_PARTNER_KEYS_H_
#define KYC_SERVICES_KYC_SERVER_PARTNER_KEYS_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/base/mutex.h"
#include "services/base/secret.h"
#include "services/base/signing_key.h"

namespace kyc::server {

// Thread-safe.
class PartnerKeys {
 public:
  // Reads a PEM file of EC P-256 private keys: the first signs, all verify.
  // What was read before stays in force when this fails; the message names
  // the file.
  absl::Status Load(const std::string& path);

  // Whether there is a key to sign with.
  bool empty() const;

  // A compact JWS (ES256) of the payload, whose kid is the key's thumbprint
  // (RFC 7638). FAILED_PRECONDITION without a key.
  absl::StatusOr<base::Secret> Sign(std::string_view payload) const;

  // The public halves as a JSON Web Key Set.
  std::string Jwks() const;

 private:
  using Keys = std::vector<base::SigningKey>;
  std::shared_ptr<const Keys> Current() const;

  mutable base::Mutex mutex_;
  std::shared_ptr<const Keys> keys_ ABSL_GUARDED_BY(mutex_) =
      std::make_shared<const Keys>();
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_PARTNER_KEYS_H_
