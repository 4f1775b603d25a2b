// One attempt to deliver: what is sent, and what the answer means.
//
// Thread-safe: free functions.
#ifndef KYC_SERVICES_WEBHOOK_OUTGOING_ATTEMPT_H_
#define KYC_SERVICES_WEBHOOK_OUTGOING_ATTEMPT_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/async/http_client.h"
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

Outcome Judge(const absl::StatusOr<async::ClientResponse>& response,
              int64_t now_ms);

// "delivered", "gone", …: for metrics and logs.
std::string_view KindName(Outcome::Kind kind);

}  // namespace kyc::outgoing

#endif  // KYC_SERVICES_WEBHOOK_OUTGOING_ATTEMPT_H_
