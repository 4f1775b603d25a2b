#include "services/webhook/outgoing/subscription_cache.h"

#include <optional>

#include "services/base/log.h"
#include "services/base/status_macros.h"

namespace kyc::outgoing {
namespace {

using async::Task;

// More than there can be of tenants and subscriptions that are active at the
// same time; full, it starts anew.
constexpr size_t kMost = 10000;

}  // namespace

Task<absl::Status> SubscriptionCache::Refresh() {
  std::vector<std::string> get = {"GET", kSubscriptionsVersionKey};
  CO_ASSIGN_OR_RETURN(const async::RedisReply reply,
                      co_await redis_.Command(std::move(get)));
  if (reply.text != version_ || by_tenant_.size() > kMost ||
      by_id_.size() > kMost) {
    version_ = reply.text;
    by_tenant_.clear();
    by_id_.clear();
  }
  co_return absl::OkStatus();
}

Task<absl::StatusOr<SubscriptionCache::List>> SubscriptionCache::OfTenant(
    Tenant tenant) {
  std::pair<std::string, std::string> key(tenant.org_id, tenant.env_id);
  if (const auto known = by_tenant_.find(key); known != by_tenant_.end()) {
    co_return known->second;
  }
  const std::string version = version_;
  CO_ASSIGN_OR_RETURN(std::vector<Subscription> stored,
                      co_await store_.List(std::move(tenant)));
  List list;
  for (Subscription& each : stored) {
    list.push_back(std::make_shared<const Subscription>(std::move(each)));
  }
  // Not kept when another Refresh has come in between: it may be older.
  if (version == version_) by_tenant_.emplace(std::move(key), list);
  co_return list;
}

Task<absl::StatusOr<std::shared_ptr<const Subscription>>>
SubscriptionCache::Find(std::string id) {
  if (const auto known = by_id_.find(id); known != by_id_.end()) {
    co_return known->second;
  }
  const std::string version = version_;
  std::shared_ptr<const Subscription> found;
  absl::StatusOr<Subscription> stored = co_await store_.Get(id);
  if (stored.ok()) {
    found = std::make_shared<const Subscription>(*std::move(stored));
  } else if (absl::IsDataLoss(stored.status())) {
    base::LogError("unreadable subscription", {{"subscription", id}});
  } else if (!absl::IsNotFound(stored.status())) {
    co_return stored.status();
  }
  if (version == version_) by_id_.emplace(std::move(id), found);
  co_return found;
}

}  // namespace kyc::outgoing
