#include "services/async/call_context.h"

#include <algorithm>

namespace kyc::async {

CallContext CallContext::Within(
    std::chrono::steady_clock::duration limit) const {
  CallContext context = *this;
  context.deadline =
      std::min(deadline, std::chrono::steady_clock::now() + limit);
  return context;
}

std::chrono::steady_clock::duration CallContext::Remaining(
    std::chrono::steady_clock::duration cap) const {
  const auto left = deadline - std::chrono::steady_clock::now();
  return std::max(std::min(left, cap),
                  std::chrono::steady_clock::duration::zero());
}

}  // namespace kyc::async
