// API keys in Redis. A key's text is in none of these, only its SHA-256:
//   kyc:{keys}:id:<id>          hash    the key
//   kyc:{keys}:hash:<sha256>    string  its id, by its text's SHA-256 in hex
//   kyc:{keys}:audience:<name>  string  the organisation that has the audience
//   kyc:{keys}:all              zset    ids of all keys by time of creation
//   kyc:{keys}:env:<org>:<env>  zset    the same of one environment
//   kyc:{keys}:org:<org>        zset    the same of one organisation
#ifndef KYC_SERVICES_KYC_STORE_API_KEY_STORE_H_
#define KYC_SERVICES_KYC_STORE_API_KEY_STORE_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/redis.h"
#include "services/async/task.h"
#include "services/base/clock.h"
#include "services/base/secret.h"
#include "services/kyc/domain/api_key.h"

namespace kyc::store {

// How many keys a list holds at most: the newest.
inline constexpr int kMaxListedKeys = 1000;

// One loop's access to the keys; used on that loop's thread. Every call asks
// Redis, so a revocation holds everywhere at once. Errors are Redis's, those
// named below, and DATA_LOSS for what cannot be read.
class ApiKeyStore {
 public:
  // Both outlive the store.
  ApiKeyStore(async::Redis& redis, const base::Clock& clock)
      : redis_(redis), clock_(clock) {}

  struct Created {
    domain::ApiKey key;
    base::Secret text;  // Not kept: hand it over, or it is lost.
  };
  // Stores a new key with the tenant, name, scopes and audience of `key`,
  // which are in order (CheckNewApiKey, ParseScopes). KYC-422-002 for an
  // audience that another organisation's key has, or had.
  async::Task<absl::StatusOr<Created>> Create(domain::ApiKey key);

  // SIS-404-001 when there is none.
  async::Task<absl::StatusOr<domain::ApiKey>> Get(std::string id);

  // The newest first; without an env_id of the whole organisation, without a
  // tenant of all.
  async::Task<absl::StatusOr<std::vector<domain::ApiKey>>> List(
      std::optional<domain::Tenant> tenant);

  // Idempotent: the time of the first revocation stays. SIS-404-001.
  async::Task<absl::StatusOr<domain::ApiKey>> Revoke(std::string id);

  // The key that `text` is, and notes, at most once a minute, that it was
  // used. SIS-401-001 when it is none, or revoked.
  async::Task<absl::StatusOr<domain::ApiKey>> Verify(base::Secret text);

 private:
  async::Task<void> NoteUse(std::string id, int64_t now_ms);

  async::Redis& redis_;
  const base::Clock& clock_;
};

}  // namespace kyc::store

#endif  // KYC_SERVICES_KYC_STORE_API_KEY_STORE_H_
