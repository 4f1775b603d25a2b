#include "services/async/rpc_metrics.h"

#include <map>
#include <memory>
#include <tuple>
#include <utility>

namespace kyc::async {

RpcMetrics::RpcMetrics(const char* side, std::string_view method)
    : requests_(std::string("kyc_rpc_") + side + "_requests_total"),
      method_(method),
      duration_(base::GetLatencyHistogram(
          std::string("kyc_rpc_") + side + "_duration_seconds",
          "Time from an RPC's start to its end.", {{"method", method_}})) {}

// Literals are told apart by their address: the same text twice only costs a
// second look-up of the same counters.
RpcMetrics& RpcMetrics::Of(const char* side, std::string_view method) {
  using Key = std::pair<const char*, const char*>;
  thread_local std::map<Key, std::unique_ptr<RpcMetrics>> known;
  std::unique_ptr<RpcMetrics>& metrics = known[{side, method.data()}];
  if (metrics == nullptr) metrics.reset(new RpcMetrics(side, method));
  return *metrics;
}

RpcMetrics& RpcMetrics::OfServer(std::string_view method) {
  static constexpr char kSide[] = "server";
  return Of(kSide, method);
}

RpcMetrics& RpcMetrics::OfClient(std::string_view method) {
  static constexpr char kSide[] = "client";
  return Of(kSide, method);
}

void RpcMetrics::Count(absl::StatusCode code,
                       std::chrono::steady_clock::time_point begin) {
  size_t index = static_cast<size_t>(code);
  if (index >= by_code_.size()) {
    code = absl::StatusCode::kUnknown;
    index = static_cast<size_t>(code);
  }
  if (by_code_[index] == nullptr) {
    by_code_[index] = base::GetCounter(
        requests_, "RPCs ended, by their status.",
        {{"method", method_}, {"code", absl::StatusCodeToString(code)}});
  }
  by_code_[index]->Add();
  duration_->Observe(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
          .count());
}

}  // namespace kyc::async
