// One attempt to deliver: what is sent, what the answer means, and what comes
// of it.
//
// Pure: no clock and no randomness of its own.
#ifndef KYC_SERVICES_WEBHOOK_OUTGOING_ATTEMPT_H_
#define KYC_SERVICES_WEBHOOK_OUTGOING_ATTEMPT_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/async/http_client.h"
#include "services/webhook/outgoing/circuit.h"
#include "services/webhook/outgoing/delivery_store.h"
#include "services/webhook/outgoing/subscription.h"

namespace kyc::outgoing {

// The signed request. Secrets whose time is over do not sign.
async::ClientRequest MakeRequest(const Subscription& subscription,
                                 const Delivery& delivery, int64_t now_ms,
                                 std::chrono::milliseconds timeout);

struct Outcome {
  enum class Kind {
    kDelivered,   // 2xx.
    kGone,        // 410: the receiver wants nothing more.
    kRefused,     // Any other status; also redirects, which nobody follows.
    kTimeout,     // No whole answer in time.
    kConnection,  // No connection, or it broke; also TLS.
    kAddress,     // The host is none that may be called; nothing was sent.
    kProtocol,    // An answer that is not HTTP, or a head beyond all bounds.
  };
  Kind kind;
  int status = 0;  // 0: no answer.
  // What the receiver asks for with 429 or 5xx.
  std::optional<std::chrono::milliseconds> retry_after;
};

// What the answer, or its absence, means. A Retry-After is read as of
// `now_ms`.
Outcome Judge(const absl::StatusOr<async::ClientResponse>& response,
              int64_t now_ms);

// What an attempt that ended at `now_ms` means for the delivery and for its
// endpoint. Counts it, notes the answer, and says when the next one is due, by
// the schedule (`random` as for PauseAfter); without a next one the delivery is
// delivered or failed. What a receiver asks for with Retry-After stops
// everything to its endpoint, too, for an hour at most.
void Settle(const Outcome& outcome, int64_t now_ms, double random,
            Circuit& circuit, Delivery& delivery);

// "delivered", "gone", …: for metrics and logs.
std::string_view KindName(Outcome::Kind kind);

}  // namespace kyc::outgoing

#endif  // KYC_SERVICES_WEBHOOK_OUTGOING_ATTEMPT_H_
