#include "services/kyc/server/engines.h"

#include <algorithm>
#include <utility>

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
      store(redis, clock),
      features(redis, clock),
      api_keys(redis, clock),
      idempotency(redis),
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
      limits_(options_.provider_max_concurrency) {
  for (int i = 0; i < runtime.size(); ++i) {
    parts_.push_back(std::make_unique<Parts>(
        runtime.loop(i), limits_, partner_keys_, clock, options_));
  }
}

Engines::Home Engines::For(std::string_view user_id) {
  async::Loop& loop = runtime_.LoopFor(user_id);
  Parts& parts = *parts_[loop.index()];
  return {loop,           parts.engine,   parts.modes,
          parts.features, parts.api_keys, parts.idempotency,
          parts.partners};
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
