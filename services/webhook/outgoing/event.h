// What the company's systems are told: changes of a user's state, as KycService
// leaves them in its outbox and as receivers see them.
//
// The outbox is the contract between the two services. A user's id falls into
// one of 256 buckets, and kyc:{b000}:outbox to kyc:{b255}:outbox are streams
// with one entry per change of the public state, written with the change
// itself. Fields:
//   id       the change's, the same whenever it is told again
//   user_id  the company's own id of the user
//   from, to states: pending, in_progress, approved, rejected, retry
//   version  of the user's record after the change; grows with each change
//   time_ms  when, in epoch milliseconds
//   org, env the user's organisation and environment; absent or empty: none
// Who has taken an entry over removes it. After each change a message goes out
// on the channel kyc:{b000}:changes of the same bucket.
//
// Pure.
#ifndef KYC_SERVICES_WEBHOOK_OUTGOING_EVENT_H_
#define KYC_SERVICES_WEBHOOK_OUTGOING_EVENT_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/webhook/outgoing/subscription.h"

namespace kyc::outgoing {

inline constexpr int kBuckets = 256;

std::string OutboxKey(int bucket);
std::string ChangesChannel(int bucket);
// The bucket of such a channel.
std::optional<int> BucketOfChannel(std::string_view channel);

struct Change {
  std::string id;
  std::string user_id;
  std::string from;
  std::string to;
  int64_t version = 0;
  int64_t time_ms = 0;
  Tenant tenant;

  bool operator==(const Change&) const = default;
};

// From an entry's fields, names and values in turn; unknown ones are ignored.
// DATA_LOSS when one but org and env is missing, or cannot be read.
absl::StatusOr<Change> ParseChange(const std::vector<std::string>& fields);

// Types that can be subscribed to.
inline constexpr std::string_view kStatusChanged = "kyc.status.changed";
inline constexpr std::string_view kTestEvent = "webhook.test";
std::span<const std::string_view> EventTypes();

// The types of the events that a change makes: kyc.status.changed, and the one
// of the new state where there is one.
std::vector<std::string_view> EventTypesOf(const Change& change);

// The body of an event. Holds no personal data.
std::string Payload(std::string_view type, const Change& change);
std::string TestPayload(int64_t time_ms);

// The webhook-id of a change's event for one subscription: always the same, so
// that whatever happens in between a receiver can tell a repetition.
// `part` is the part of the deliveries it belongs to (delivery_store.h).
std::string DeliveryId(int part, std::string_view change_id,
                       std::string_view type, std::string_view subscription);

}  // namespace kyc::outgoing

#endif  // KYC_SERVICES_WEBHOOK_OUTGOING_EVENT_H_
