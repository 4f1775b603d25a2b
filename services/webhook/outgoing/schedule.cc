#include "services/webhook/outgoing/schedule.h"

#include <algorithm>
#include <string>

#include "absl/time/time.h"

namespace kyc::outgoing {

std::optional<milliseconds> PauseAfter(
    int made, double random, std::optional<milliseconds> retry_after) {
  if (made < 1 || made >= kMaxAttempts) return std::nullopt;
  const milliseconds planned = kPauses[made - 1];
  const milliseconds jitter(
      static_cast<int64_t>(static_cast<double>(planned.count()) / 10 *
                           std::clamp(random, 0.0, 1.0)));
  return std::max(planned + jitter,
                  std::min<milliseconds>(retry_after.value_or(milliseconds(0)),
                                         kMaxRetryAfter));
}

std::optional<milliseconds> ParseRetryAfter(std::string_view value,
                                            int64_t now_ms) {
  constexpr milliseconds kMost = kMaxRetryAfter;
  if (!value.empty() && std::all_of(value.begin(), value.end(), [](char c) {
        return c >= '0' && c <= '9';
      })) {
    // More digits than that are more than the limit, too.
    if (value.size() > 9) return kMost;
    return std::min<milliseconds>(
        std::chrono::seconds(std::stoll(std::string(value))), kMost);
  }
  absl::Time time;
  if (!absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", std::string(value), &time,
                       nullptr)) {
    return std::nullopt;
  }
  return std::clamp(milliseconds(absl::ToUnixMillis(time) - now_ms),
                    milliseconds(0), kMost);
}

}  // namespace kyc::outgoing
