// Exchanged PINTs in Redis. What belongs to a wallet shares its hash tag, so
// that one script writes it and sees whose the wallet is:
//   kyc:{wallet:<address>}:pint:<nonce>         hash    the PINT
//   kyc:{wallet:<address>}:pint:<nonce>:tokens  list    the newest tokens
//   kyc:{wallet:<address>}:pints                zset    nonces, by expiry
// What finds a PINT without its wallet is written before it, and means
// nothing where the PINT is not:
//   kyc:{pint:<opaque>}:at          string  "<address> <nonce>"
//   kyc:{org:<org>}:pints:created   zset    ids, by time of creation
//   kyc:{org:<org>}:pints:expires   zset    ids, by expiry
// A PINT is kept until 90 days after it has expired. No token is kept.
#ifndef KYC_SERVICES_KYC_STORE_PINT_STORE_H_
#define KYC_SERVICES_KYC_STORE_PINT_STORE_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/redis.h"
#include "services/async/task.h"
#include "services/base/clock.h"
#include "services/kyc/domain/pint.h"
#include "services/kyc/domain/sri.h"
#include "services/kyc/domain/tenant.h"

namespace kyc::store {

struct PintRecord {
  std::string id;  // "sr:us:pint:<32 hexadecimal digits>"
  std::string user_id;
  std::string org_id;  // Who exchanged it: the only one who ever can.
  domain::WalletKind kind = domain::WalletKind::kEoa;
  domain::Address signer;
  std::string digest;  // What was signed, in hex.
  domain::Pint pint;
  int64_t expires_at_ms = 0;
  int64_t created_at_ms = 0;
  int64_t revoked_at_ms = 0;  // 0: not revoked.

  bool IsActive(int64_t now_ms) const {
    return revoked_at_ms == 0 && now_ms < expires_at_ms;
  }
  bool operator==(const PintRecord&) const = default;
};

// A token that was given for a PINT, without its text.
struct PintToken {
  std::string jti;
  std::string audience;
  std::string key_id;
  int64_t issued_at_ms = 0;
  int64_t expires_at_ms = 0;

  bool operator==(const PintToken&) const = default;
};

// Whether a text can be a PINT's id.
bool IsPintId(std::string_view id);

// One loop's access; used on that loop's thread. Errors are Redis's, those
// named below, and DATA_LOSS for what cannot be read.
class PintStore {
 public:
  // Both outlive the store.
  PintStore(async::Redis& redis, const base::Clock& clock)
      : redis_(redis), clock_(clock) {}

  // The PINT that a wallet has signed with this nonce.
  async::Task<absl::StatusOr<std::optional<PintRecord>>> Find(
      domain::Address wallet, domain::Uint256 nonce);
  async::Task<absl::StatusOr<std::optional<PintRecord>>> Get(std::string id);

  struct Exchanged {
    PintRecord record;
    bool already_existed;
  };
  // Stores the PINT, or finds it stored, and notes the token in the same
  // step. The id and the time of creation are given here. PINT-409-001 when
  // the nonce stands for another PINT or another organisation's,
  // PINT-409-002 when it is revoked, PINT-401-001 when the wallet is not (any
  // more) the user's.
  async::Task<absl::StatusOr<Exchanged>> Exchange(PintRecord record,
                                                  PintToken token);

  // Idempotent: the time of the first revocation stays. PINT-404-001 for a
  // PINT that is not this user's.
  async::Task<absl::StatusOr<PintRecord>> Revoke(std::string id,
                                                 std::string user_id);

  // The newest 50, newest first.
  async::Task<absl::StatusOr<std::vector<PintToken>>> Tokens(
      PintRecord record);

  struct Query {
    std::string org_id;
    bool by_expiry = false;
    bool ascending = false;
    size_t limit = 20;
    std::string after;  // The id that the page before ended with; or empty.
    std::function<bool(const PintRecord&)> wanted;
  };
  struct Page {
    std::vector<PintRecord> records;
    std::string next;  // What to go on after; empty: nothing is left.
  };
  // A page may have fewer than `limit` records, also none, and go on: only so
  // many PINTs are looked at for one page.
  async::Task<absl::StatusOr<Page>> List(Query query);

  // Whether the organisation holds an active PINT of the wallet, among the 64
  // that expire last.
  async::Task<absl::StatusOr<bool>> HasActive(std::string org_id,
                                              domain::Address wallet);

  // Forgets all PINTs that a user has signed for a wallet: no token of them
  // opens anything any more.
  async::Task<absl::Status> EraseOf(domain::Address wallet,
                                    std::string user_id);

 private:
  async::Task<absl::StatusOr<std::optional<PintRecord>>> Load(std::string key);

  async::Redis& redis_;
  const base::Clock& clock_;
};

// Forgets a user's wallet and every PINT of it. Safe to repeat; after an error
// do so.
async::Task<absl::Status> EraseConsents(async::Redis& redis,
                                        std::string user_id);

}  // namespace kyc::store

#endif  // KYC_SERVICES_KYC_STORE_PINT_STORE_H_
