#include "gateway/http/cors.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace kyc::gateway {
namespace {

constexpr char kAllowHeaders[] =
    "x-juno-jwt, x-juno-orgid, x-timestamp-format, idempotency-key, "
    "content-type, traceparent";
constexpr char kExposeHeaders[] =
    "retry-after, traceparent, ratelimit, ratelimit-policy, "
    "idempotency-replayed";
// How long a browser may remember a preflight, in seconds.
constexpr char kMaxAge[] = "600";

bool IsOrigin(std::string_view text) {
  const size_t scheme = text.find("://");
  if (scheme == std::string_view::npos || scheme == 0) return false;
  const std::string_view host = text.substr(scheme + 3);
  return !host.empty() &&
         host.find_first_of("/?#@ \t*") == std::string_view::npos;
}

}  // namespace

absl::StatusOr<CorsPolicy> CorsPolicy::Parse(std::string_view origins) {
  CorsPolicy policy;
  for (absl::string_view part :
       absl::StrSplit(absl::string_view(origins.data(), origins.size()), ',',
                      absl::SkipWhitespace())) {
    std::string origin(absl::StripAsciiWhitespace(part));
    if (origin == "*") {
      policy.any_ = true;
    } else if (IsOrigin(origin)) {
      policy.origins_.push_back(std::move(origin));
    } else {
      return absl::InvalidArgumentError(
          absl::StrCat("not an origin like https://app.example: ", origin));
    }
  }
  return policy;
}

bool CorsPolicy::Allows(std::string_view origin) const {
  return any_ ||
         std::find(origins_.begin(), origins_.end(), origin) != origins_.end();
}

void CorsPolicy::Apply(const async::ServerRequest& request,
                       async::ServerResponse* response) const {
  if (!any_ && origins_.empty()) return;
  // Caches must not give one origin's answer to another.
  response->headers.emplace_back("Vary", "Origin");
  const std::optional<std::string_view> origin = request.Header("Origin");
  if (!origin || !Allows(*origin)) return;
  response->headers.emplace_back("Access-Control-Allow-Origin",
                                 std::string(*origin));
  response->headers.emplace_back("Access-Control-Expose-Headers",
                                 kExposeHeaders);
}

void CorsPolicy::ApplyPreflight(const async::ServerRequest& request,
                                std::string_view allow,
                                async::ServerResponse* response) const {
  const std::optional<std::string_view> origin = request.Header("Origin");
  if (!origin || !Allows(*origin)) return;
  if (!request.Header("Access-Control-Request-Method")) return;
  response->headers.emplace_back("Access-Control-Allow-Methods",
                                 std::string(allow));
  response->headers.emplace_back("Access-Control-Allow-Headers", kAllowHeaders);
  response->headers.emplace_back("Access-Control-Max-Age", kMaxAge);
}

}  // namespace kyc::gateway
