// What partners may do with a user's consent, without its protocol.
#ifndef KYC_SERVICES_KYC_SERVER_PARTNERS_H_
#define KYC_SERVICES_KYC_SERVER_PARTNERS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/call_context.h"
#include "services/async/task.h"
#include "services/base/clock.h"
#include "services/base/secret.h"
#include "services/kyc/domain/sri.h"
#include "services/kyc/domain/tenant.h"
#include "services/kyc/domain/wallet.h"
#include "services/kyc/provider/provider.h"
#include "services/kyc/server/access_log.h"
#include "services/kyc/server/details.h"
#include "services/kyc/server/partner_keys.h"
#include "services/kyc/store/pint_store.h"
#include "services/kyc/store/record_store.h"
#include "services/kyc/store/wallet_store.h"

namespace kyc::server {

struct PartnerConfig {
  std::string issuer = "https://sis.sumvin.com";
  uint64_t chain_id = 1329;
};

// Whose API key a call came with.
struct PartnerCaller {
  std::string key_id;
  domain::Tenant tenant;
  std::string audience;  // Empty: no token is meant for this key.
};

// What a verified token says, as far as it matters here.
struct PintGrant {
  std::string pint_id;
  std::string subject;
  std::string audience;
};

// A consent may be given for this long at most.
inline constexpr int64_t kMaxPintLifeMs =
    int64_t{10} * 366 * 24 * 3600 * 1000;

// One loop's; used on its thread. Errors that callers see carry their reason.
class Partners {
 public:
  // All outlive the object. `keys` is shared by all loops.
  Partners(store::WalletStore& wallets, store::PintStore& pints,
           store::RecordStore& records, AccessLog& accesses, Details& details,
           provider::Provider& provider, const PartnerKeys& keys,
           const base::Clock& clock, const PartnerConfig& config)
      : wallets_(wallets),
        pints_(pints),
        records_(records),
        accesses_(accesses),
        details_(details),
        provider_(provider),
        keys_(keys),
        clock_(clock),
        config_(config) {}

  // Addresses as they came; empty `safe`: none. A chain of 0 is the one that
  // PINTs are signed for, and no other will do. KYC-422-002, USR-409-001.
  async::Task<absl::StatusOr<store::WalletStore::Registered>> RegisterWallet(
      std::string user_id, domain::Tenant tenant, std::string eoa,
      std::string safe, int64_t chain_id);

  struct FoundUser {
    domain::PersonSri sri;
    domain::Wallet wallet;
  };
  async::Task<absl::StatusOr<FoundUser>> LookUp(PartnerCaller caller,
                                                std::string sri);

  struct Token {
    base::Secret text;
    store::PintRecord pint;
    std::string audience;
    bool already_existed;
  };
  async::Task<absl::StatusOr<Token>> Exchange(async::CallContext context,
                                              PartnerCaller caller,
                                              std::string body_json);

  // A PINT of the caller's organisation; PINT-404-001.
  async::Task<absl::StatusOr<store::PintRecord>> GetPint(PartnerCaller caller,
                                                         std::string id);

  // What the provider knows of the user, after the read is in the user's
  // access log.
  async::Task<absl::StatusOr<Details::Result>> ReadDetails(
      async::CallContext context, PartnerCaller caller, PintGrant grant,
      std::string user_id);

  // An image that is open, after the same.
  async::Task<absl::StatusOr<std::unique_ptr<provider::ImageStream>>> ReadImage(
      async::CallContext context, PartnerCaller caller, PintGrant grant,
      std::string user_id, std::string image_id);

  store::WalletStore& wallets() { return wallets_; }
  store::PintStore& pints() { return pints_; }
  AccessLog& accesses() { return accesses_; }
  const PartnerKeys& keys() const { return keys_; }
  const PartnerConfig& config() const { return config_; }

 private:
  // OK when the grant opens this user's record to this caller.
  async::Task<absl::Status> Check(PartnerCaller caller, PintGrant grant,
                                  std::string user_id);
  // Writes `access`, which has its action and image alone, to the user's access
  // log before what was read is given out. Then checks again: the user may
  // have taken the consent back meanwhile.
  async::Task<absl::Status> RecordAccess(async::CallContext context,
                                         PartnerCaller caller, PintGrant grant,
                                         std::string user_id, Access access);
  async::Task<absl::StatusOr<bool>> MaySee(PartnerCaller caller,
                                           domain::Wallet wallet);
  absl::StatusOr<base::Secret> Mint(const store::PintRecord& pint,
                                    const store::PintToken& token,
                                    const domain::Record& record,
                                    std::string_view signature) const;

  store::WalletStore& wallets_;
  store::PintStore& pints_;
  store::RecordStore& records_;
  AccessLog& accesses_;
  Details& details_;
  provider::Provider& provider_;
  const PartnerKeys& keys_;
  const base::Clock& clock_;
  const PartnerConfig& config_;
};

// The identifier that tokens of a PINT have as their subject.
domain::PersonSri SubjectOf(const store::PintRecord& pint);

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_PARTNERS_H_
