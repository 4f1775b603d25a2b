// Which wallet is whose, in Redis:
//   kyc:{b000}:wallet:<user>       hash    the user's wallet
//   kyc:{wallet:<address>}:owner   string  "<time in ms> <user>"
//
// The two cannot be written by one script on a cluster, so an address is
// claimed before the user's hash is written, and belongs to whoever claimed it
// *and* has it in the hash. What a crash leaves between the two is a claim
// that the same user's next try takes up, and after a minute anybody's: no
// address ever has two owners, and none is lost.
#ifndef KYC_SERVICES_KYC_STORE_WALLET_STORE_H_
#define KYC_SERVICES_KYC_STORE_WALLET_STORE_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/redis.h"
#include "services/async/task.h"
#include "services/base/clock.h"
#include "services/kyc/domain/wallet.h"

namespace kyc::store {

std::string WalletKey(std::string_view user_id);
std::string WalletOwnerKey(const domain::Address& address);

// One loop's access; used on that loop's thread. Errors are Redis's, those
// named below, and DATA_LOSS for what cannot be read.
class WalletStore {
 public:
  // Both outlive the store.
  WalletStore(async::Redis& redis, const base::Clock& clock)
      : redis_(redis), clock_(clock) {}

  struct Registered {
    domain::Wallet wallet;  // As it is stored.
    bool already_existed;   // All of it, before this call.
  };
  // Registers an EOA, with or without a Safe, or adds the Safe. USR-409-001
  // when an address is another user's, or the user has another wallet:
  // nothing has changed then.
  async::Task<absl::StatusOr<Registered>> Register(domain::Wallet wallet);

  async::Task<absl::StatusOr<std::optional<domain::Wallet>>> Get(
      std::string user_id);
  // The wallet of which the address is the EOA or the Safe.
  async::Task<absl::StatusOr<std::optional<domain::Wallet>>> Find(
      domain::Address address);

  // Erasing a wallet takes two steps, so that what hangs on it can go between
  // them. The first sets its addresses free: nothing new can hang on them.
  async::Task<absl::Status> Release(domain::Wallet wallet);
  // The second forgets it.
  async::Task<absl::Status> Forget(std::string user_id);

 private:
  // The claim's text, by which it can be given back.
  async::Task<absl::StatusOr<std::string>> Claim(domain::Address address,
                                                 std::string user_id);
  async::Task<absl::Status> GiveBack(domain::Address address,
                                     std::string claim);

  async::Redis& redis_;
  const base::Clock& clock_;
};

}  // namespace kyc::store

#endif  // KYC_SERVICES_KYC_STORE_WALLET_STORE_H_
