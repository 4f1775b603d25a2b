// What every piece of work knows about the request it serves.
#ifndef KYC_SERVICES_ASYNC_CALL_CONTEXT_H_
#define KYC_SERVICES_ASYNC_CALL_CONTEXT_H_

#include <chrono>

#include "services/base/trace.h"

namespace kyc::async {

// A value; copied down the call chain.
struct CallContext {
  base::TraceContext trace;
  // When the caller stops waiting.
  std::chrono::steady_clock::time_point deadline =
      std::chrono::steady_clock::time_point::max();

  // The same with a deadline of at most `limit` from now.
  CallContext Within(std::chrono::steady_clock::duration limit) const;
  // What is left, at most `cap` and at least zero.
  std::chrono::steady_clock::duration Remaining(
      std::chrono::steady_clock::duration cap) const;
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_CALL_CONTEXT_H_
