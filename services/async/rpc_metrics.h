// Counters of one RPC method, found once per thread.
#ifndef KYC_SERVICES_ASYNC_RPC_METRICS_H_
#define KYC_SERVICES_ASYNC_RPC_METRICS_H_

#include <array>
#include <chrono>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/base/metrics.h"

namespace kyc::async {

// Belongs to one thread: its counters are looked up as they are first needed.
class RpcMetrics {
 public:
  // The calling thread's, for a method named by a literal.
  //   kyc_rpc_server_requests_total{method, code},
  //   kyc_rpc_server_duration_seconds{method}
  static RpcMetrics& OfServer(std::string_view method);
  //   kyc_rpc_client_requests_total{method, code},
  //   kyc_rpc_client_duration_seconds{method}
  static RpcMetrics& OfClient(std::string_view method);

  // One call ended, that began at `begin`.
  void Count(absl::StatusCode code,
             std::chrono::steady_clock::time_point begin);

 private:
  RpcMetrics(const char* side, std::string_view method);
  static RpcMetrics& Of(const char* side, std::string_view method);

  const std::string requests_;  // The counter's name.
  const std::string method_;
  base::Histogram* duration_;
  std::array<base::Counter*, 17> by_code_{};  // Index: canonical code.
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_RPC_METRICS_H_
