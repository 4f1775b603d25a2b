// One engine per loop, with everything it works on.
#ifndef KYC_SERVICES_KYC_SERVER_ENGINES_H_
#define KYC_SERVICES_KYC_SERVER_ENGINES_H_

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "services/async/http_client.h"
#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/base/clock.h"
#include "services/kyc/provider/limits.h"
#include "services/kyc/provider/sumsub/sumsub.h"
#include "services/kyc/server/access_log.h"
#include "services/kyc/server/mode_resolver.h"
#include "services/kyc/server/operations.h"
#include "services/kyc/server/partner_keys.h"
#include "services/kyc/server/partners.h"
#include "services/kyc/server/reconciler.h"
#include "services/kyc/server/verification_engine.h"
#include "services/kyc/store/api_key_store.h"
#include "services/kyc/store/audit_trail.h"
#include "services/kyc/store/feature_store.h"
#include "services/kyc/store/idempotency_store.h"
#include "services/kyc/store/pint_store.h"
#include "services/kyc/store/record_store.h"
#include "services/kyc/store/waiting_store.h"
#include "services/kyc/store/wallet_store.h"

namespace kyc::server {

// Made before the runtime starts, destroyed after it has stopped. For() is
// thread-safe; what it returns belongs to the loop it names.
class Engines {
 public:
  struct Options {
    async::RedisOptions redis;
    async::HttpClient::Options http;
    provider::sumsub::Options sumsub;
    int provider_max_concurrency = 256;
    provider::Rates provider_rates;
    EngineConfig engine;
    PartnerConfig partner;
    Reconciler::Options reconcile;
  };
  Engines(async::Runtime& runtime, const base::Clock& clock, Options options);

  struct Home {
    async::Loop& loop;
    VerificationEngine& engine;
    ModeResolver& modes;
    store::FeatureStore& features;
    store::ApiKeyStore& api_keys;
    store::IdempotencyStore& idempotency;
    Partners& partners;
    store::RecordStore& records;
    store::AuditTrail& audit_trail;
    Operations& operations;
  };
  // Where the work of this user runs.
  Home For(std::string_view user_id);

  // Some loop, for work that is no user's yet; the loops in turn.
  async::Loop& NextLoop();

  const base::Clock& clock() const { return clock_; }
  // Empty at first: partners are not served then. Shared by all loops.
  PartnerKeys& partner_keys() { return partner_keys_; }

  // Whether any loop has its connection to Redis.
  bool redis_connected() const;

 private:
  struct Parts {
    Parts(async::Loop& loop, provider::Limits& limits,
          const PartnerKeys& partner_keys, const base::Clock& clock,
          const Options& options);
    async::Redis redis;
    async::HttpClient http;
    store::RecordStore store;
    store::FeatureStore features;
    store::ApiKeyStore api_keys;
    store::IdempotencyStore idempotency;
    store::AuditTrail audit_trail;
    Operations operations;
    ModeResolver modes;
    std::unique_ptr<provider::Provider> provider;
    VerificationEngine engine;
    store::WalletStore wallets;
    store::PintStore pints;
    AccessLog accesses;
    Partners partners;
  };

  std::vector<std::unique_ptr<Parts>> MakeParts(const base::Clock& clock);
  // Forgets an erased user on every loop; all of them for nullptr.
  void Forget(const std::string* user_id);

  async::Runtime& runtime_;
  const base::Clock& clock_;
  const Options options_;
  PartnerKeys partner_keys_;
  provider::Limits limits_;
  std::vector<std::unique_ptr<Parts>> parts_;
  // These live on the first loop, with its parts.
  store::WaitingStore waiting_;
  Reconciler reconciler_;
  async::RedisSubscriber erasures_;
  std::atomic<unsigned> next_ = 0;
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_ENGINES_H_
