#include "services/kyc/server/mode_resolver.h"

#include <optional>
#include <utility>

#include "services/base/error.h"
#include "services/base/log.h"
#include "services/base/status_macros.h"

namespace kyc::server {

using async::CallContext;
using async::Task;
using domain::Mode;

Task<absl::StatusOr<Mode>> ModeResolver::Read(CallContext context,
                                              domain::Tenant tenant) {
  if (!domain::CheckTenant(tenant).ok()) co_return default_mode_;
  const absl::StatusOr<std::optional<domain::Feature>> feature =
      co_await features_.Get(tenant);
  if (!feature.ok()) {
    base::LogError("a feature cannot be read",
                   {{"org_id", tenant.org_id},
                    {"env_id", tenant.env_id},
                    {"error", std::string(feature.status().message())}},
                   &context.trace);
    co_return feature.status();
  }
  if (!*feature) co_return default_mode_;
  co_return domain::ModeOf((*feature)->setting).value_or(default_mode_);
}

Task<absl::StatusOr<Mode>> ModeResolver::ToPin(CallContext context,
                                               domain::Tenant tenant) {
  absl::StatusOr<Mode> mode = co_await Read(context, std::move(tenant));
  if (!mode.ok()) co_return base::Error(v1::ERROR_REASON_UNAVAILABLE);
  co_return mode;
}

Task<Mode> ModeResolver::ToShow(CallContext context, domain::Tenant tenant) {
  const absl::StatusOr<Mode> mode = co_await Read(context, std::move(tenant));
  co_return mode.value_or(Mode::kWebsdk);
}

}  // namespace kyc::server
