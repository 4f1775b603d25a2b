// Whether a service behind the gateway says that it serves.
#ifndef KYC_GATEWAY_API_GRPC_HEALTH_H_
#define KYC_GATEWAY_API_GRPC_HEALTH_H_

#include <atomic>
#include <memory>
#include <string>

#include "services/async/loop.h"
#include "services/async/task.h"

namespace kyc::gateway {

// Asks grpc.health.v1.Health of one address about one service, once a second.
class GrpcHealth {
 public:
  // `service` as in the .proto: "kyc.v1.KycService".
  GrpcHealth(std::string address, std::string service);
  ~GrpcHealth();

  // Begins to ask, on `loop`. Once; lives until that loop has stopped.
  void Start(async::Loop& loop);

  // Whether the last answer, of at most 3 s ago, was SERVING. Thread-safe.
  bool serving() const;

 private:
  struct Connection;

  async::Task<void> Run();
  async::Task<bool> Ask();

  const std::string address_;
  const std::string service_;
  std::unique_ptr<Connection> connection_;
  std::atomic<int64_t> served_at_ms_{0};  // On the steady clock; 0: not.
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_GRPC_HEALTH_H_
