#include "gateway/api/gate.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "gateway/http/percent.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

constexpr size_t kMaxPath = 2048;

// A path as it stands in a request line; "//host" would be another site's.
bool IsPath(std::string_view text) {
  return !text.empty() && text.size() <= kMaxPath && text.front() == '/' &&
         text.substr(0, 2) != "//" &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c <= '~'; });
}

// Empty where the proxy does not tell.
std::string OriginalPath(const Call& call) {
  for (const std::string_view name : {"X-Original-URI", "X-Forwarded-Uri"}) {
    const std::vector<std::string_view> fields = call.request.Headers(name);
    if (fields.size() != 1) continue;
    const std::string_view path =
        fields.front().substr(0, fields.front().find_first_of("?#"));
    if (IsPath(path)) return std::string(path);
  }
  if (call.path_params.empty()) return {};
  const std::string path = "/" + call.path_params.front();
  return IsPath(path) ? path : std::string();
}

}  // namespace

async::Task<absl::Status> CheckGate(Call& call) {
  CO_ASSIGN_OR_RETURN(
      const v1::Verification held,
      co_await call.backend.GetStatus(call.context, call.user_id));
  if (held.state() != v1::VERIFICATION_STATE_APPROVED) {
    call.instance = OriginalPath(call);
    co_return base::Error(v1::ERROR_REASON_VERIFICATION_REQUIRED);
  }
  call.response.headers.emplace_back("X-Kyc-User-Id",
                                     PercentEncode(call.user_id));
  call.response.headers.emplace_back("X-Kyc-Status",
                                     std::string(StateName(held.state())));
  call.response.content_type = "";
  co_return absl::OkStatus();
}

}  // namespace kyc::gateway
