// Requests that are sent again with the same Idempotency-Key
// (draft-ietf-httpapi-idempotency-key-header).
#ifndef KYC_GATEWAY_API_IDEMPOTENCY_H_
#define KYC_GATEWAY_API_IDEMPOTENCY_H_

#include <cstddef>

#include "gateway/api/call.h"
#include "gateway/http/problem.h"

namespace kyc::gateway {

// Of a body that a route does not read but the key stands for.
inline constexpr size_t kMaxUnreadBody = 16384;

// Runs `handler` for a call with an Idempotency-Key, unless the user's key
// has an answer: then that is the answer again, with
// `Idempotency-Replayed: true`. The key stands for method, path, query,
// tenant and call.body; not for other headers, which may differ from one
// attempt to the next. Answers of 500 and more, 429 and those over 16 KiB
// are not kept: the request may be sent again with the same key.
//
// KYC-422-002 for what is no key, GEN-422-001 for another request under the
// key, GEN-409-001 while the first is in flight, GEN-503-001 when the key
// cannot be looked up; then nothing was done.
//
// `problems` renders what is kept of an error. All outlive the call.
async::Task<absl::Status> RunOnce(Handler handler,
                                  const ProblemWriter& problems, Call& call);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_IDEMPOTENCY_H_
