// Who is calling, by the user token of a request.
#ifndef KYC_GATEWAY_AUTH_AUTHENTICATOR_H_
#define KYC_GATEWAY_AUTH_AUTHENTICATOR_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "gateway/auth/jwt_verifier.h"
#include "gateway/auth/key_reader.h"
#include "gateway/auth/key_source.h"
#include "gateway/auth/token_cache.h"
#include "services/async/task.h"
#include "services/base/clock.h"
#include "services/base/metrics.h"

namespace kyc::gateway {

// One loop's. The arguments outlive it.
class Authenticator {
 public:
  Authenticator(KeySource& keys, const JwtVerifier& verifier,
                const base::Clock& clock);

  // The user of a token that was verified before, or nullptr: ask Verify.
  // Valid until the next call.
  const std::string* Recall(std::string_view token);

  // The user of a token. USR-401-001 whatever is wrong with it; GEN-503-001
  // while there are no keys.
  async::Task<absl::StatusOr<std::string>> Verify(std::string token);

 private:
  KeyReader keys_;
  const JwtVerifier& verifier_;
  const base::Clock& clock_;
  TokenCache cache_;
  base::Counter* const recalled_;
  base::Counter* const verified_;
  base::Counter* const refused_;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_AUTH_AUTHENTICATOR_H_
