// What a partner may read, by the PINT token of a request
// (x-sumvin-pint-token).
#ifndef KYC_GATEWAY_AUTH_PINT_AUTHENTICATOR_H_
#define KYC_GATEWAY_AUTH_PINT_AUTHENTICATOR_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "gateway/auth/key_reader.h"
#include "gateway/auth/pint_verifier.h"
#include "services/async/task.h"
#include "services/base/clock.h"
#include "services/base/metrics.h"

namespace kyc::gateway {

// One loop's. The arguments outlive it.
class PintAuthenticator {
 public:
  PintAuthenticator(KeySource& keys, const PintVerifier& verifier,
                    const base::Clock& clock);

  // The grant in a request's fields of that name, for the caller of that
  // audience. PINT-401-003 when there is none, PINT-401-004 whatever else is
  // wrong; GEN-503-001 while there are no keys. The views must live until it
  // returns.
  async::Task<absl::StatusOr<v1::PintGrant>> Verify(
      std::vector<std::string_view> fields, std::string_view audience);

 private:
  KeyReader keys_;
  const PintVerifier& verifier_;
  const base::Clock& clock_;
  base::Counter* const verified_;
  base::Counter* const refused_;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_AUTH_PINT_AUTHENTICATOR_H_
