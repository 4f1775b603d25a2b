#include "services/kyc/server/engines.h"

#include <algorithm>
#include <utility>

#include "services/kyc/store/erasure.h"

namespace kyc::server {
namespace {

// Users whose details are kept in memory by all loops together.
constexpr size_t kDetailsCacheEntries = 10'000;

Engines::Options PerLoop(Engines::Options options, int loops) {
  options.engine.details_cache_entries = kDetailsCacheEntries / loops;
  return options;
}

}  // namespace

Engines::Parts::Parts(async::Loop& loop, provider::Limits& limits,
                      const PartnerKeys& partner_keys, const base::Clock& clock,
                      const Options& options)
    : redis(loop, options.redis),
      http(loop, options.http),
      store(redis, clock, options.reconcile.after),
      features(redis, clock),
      api_keys(redis, clock),
      idempotency(redis),
      audit_trail(redis, store),
      operations(store, redis, clock),
      modes(features, options.engine.default_mode),
      provider(
          provider::sumsub::MakeProvider(http, limits, clock, options.sumsub)),
      engine(store, *provider, clock, options.engine),
      wallets(redis, clock),
      pints(redis, clock),
      accesses(redis, store),
      partners(wallets, pints, store, accesses, engine.details(), *provider,
               partner_keys, clock, options.partner) {}

Engines::Engines(async::Runtime& runtime, const base::Clock& clock,
                 Options options)
    : runtime_(runtime),
      clock_(clock),
      options_(PerLoop(std::move(options), runtime.size())),
      limits_(options_.provider_max_concurrency, options_.provider_rates),
      parts_(MakeParts(clock)),
      waiting_(parts_[0]->redis),
      reconciler_(parts_[0]->engine, waiting_, clock, options_.reconcile),
      erasures_(
          runtime.loop(0), options_.redis, {store::kErasedChannel},
          [this](std::string_view, std::string_view user_id) {
            const std::string user(user_id);
            Forget(&user);
          },
          // What was said meanwhile is lost: any user may have been erased.
          [this] { Forget(nullptr); }) {
  async::Loop& home = runtime.loop(0);
  for (const auto& parts : parts_) {
    parts->engine.OnDeferred(
        [this, &home] { home.Post([this] { reconciler_.LookSoon(); }); });
  }
  home.Spawn(reconciler_.Run());
}

std::vector<std::unique_ptr<Engines::Parts>> Engines::MakeParts(
    const base::Clock& clock) {
  std::vector<std::unique_ptr<Parts>> parts;
  for (int i = 0; i < runtime_.size(); ++i) {
    parts.push_back(std::make_unique<Parts>(runtime_.loop(i), limits_,
                                            partner_keys_, clock, options_));
  }
  return parts;
}

void Engines::Forget(const std::string* user_id) {
  for (size_t i = 0; i < parts_.size(); ++i) {
    VerificationEngine& engine = parts_[i]->engine;
    async::Loop& loop = runtime_.loop(static_cast<int>(i));
    if (user_id == nullptr) {
      loop.Post([&engine] { engine.ForgetAll(); });
    } else {
      loop.Post([&engine, user = *user_id] { engine.Forget(user); });
    }
  }
}

Engines::Home Engines::For(std::string_view user_id) {
  async::Loop& loop = runtime_.LoopFor(user_id);
  Parts& parts = *parts_[loop.index()];
  return {loop,
          parts.engine,
          parts.modes,
          parts.features,
          parts.api_keys,
          parts.idempotency,
          parts.partners,
          parts.store,
          parts.audit_trail,
          parts.operations};
}

async::Loop& Engines::NextLoop() {
  return runtime_.loop(static_cast<int>(
      next_.fetch_add(1, std::memory_order_relaxed) % parts_.size()));
}

bool Engines::redis_connected() const {
  return std::any_of(parts_.begin(), parts_.end(), [](const auto& parts) {
    return parts->redis.connected();
  });
}

}  // namespace kyc::server
