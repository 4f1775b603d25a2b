// When a delivery is attempted again.
//
// Pure: no clock and no randomness of its own.
#ifndef KYC_SERVICES_WEBHOOK_OUTGOING_SCHEDULE_H_
#define KYC_SERVICES_WEBHOOK_OUTGOING_SCHEDULE_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kyc::outgoing {

using std::chrono::milliseconds;

// The first attempt is made at once; each of these pauses, from Standard
// Webhooks' recommendation, is followed by one more. In sum 75 h 35 min.
inline constexpr std::chrono::seconds kPauses[] = {
    std::chrono::seconds(5), std::chrono::minutes(5), std::chrono::minutes(30),
    std::chrono::hours(2),   std::chrono::hours(5),   std::chrono::hours(10),
    std::chrono::hours(14),  std::chrono::hours(20),  std::chrono::hours(24)};
inline constexpr int kMaxAttempts = 1 + static_cast<int>(std::size(kPauses));
// What is older than this is given up at its next attempt's time, whatever
// number that has: while an endpoint is down not every delivery gets all of
// its attempts. The longest schedule fits.
inline constexpr std::chrono::hours kMaxAge(96);
// The longest pause that a receiver's Retry-After may ask for.
inline constexpr std::chrono::hours kMaxRetryAfter(24);

// The pause after attempt number `made` (from 1) has failed; nothing when it
// was the last one. `random` from 0 to 1 makes it up to a tenth longer, so that
// what failed together does not come back together. `retry_after` can only
// make it longer.
std::optional<milliseconds> PauseAfter(int made, double random,
                                       std::optional<milliseconds> retry_after);

// The value of a Retry-After field: seconds, or an HTTP date (IMF-fixdate);
// nothing when it is neither. Never negative, at most kMaxRetryAfter.
std::optional<milliseconds> ParseRetryAfter(std::string_view value,
                                            int64_t now_ms);

}  // namespace kyc::outgoing

#endif  // KYC_SERVICES_WEBHOOK_OUTGOING_SCHEDULE_H_
