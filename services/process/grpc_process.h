// The gRPC server of a process: services, health and reflection.
//
//   process::GrpcServer grpc(absl::GetFlag(FLAGS_listen), {&kyc, &user},
//                            absl::GetFlag(FLAGS_grpc_reflection));
//   if (absl::Status s = grpc.Start(); !s.ok()) process::FailConfig(s);
//   process::WaitForTermination();
//   grpc.Drain(std::chrono::seconds(15));
#ifndef KYC_SERVICES_PROCESS_GRPC_PROCESS_H_
#define KYC_SERVICES_PROCESS_GRPC_PROCESS_H_

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace grpc {
class Service;
}  // namespace grpc

namespace kyc::process {

// Health (grpc.health.v1.Health) answers for "" and for each service's name.
// Messages have at most 4 MiB. Plain text: beyond one machine the network or
// a sidecar encrypts.
//
// One per process, used by one thread, which is no loop.
class GrpcServer {
 public:
  // `listen` as --listen; the services, not owned, outlive the server.
  GrpcServer(std::string listen, std::vector<grpc::Service*> services,
             bool reflection);
  ~GrpcServer();

  // Binds and serves, healthy. UNAVAILABLE names an address that cannot be
  // bound, also when another process listens there. The socket file that a
  // dead process left is taken over.
  absl::Status Start();
  // What health says, for "" and every service.
  void SetServing(bool serving);
  // Not healthy, no new calls; those in flight have `limit` to end and are
  // cancelled then. Returns when no call is left.
  void Drain(std::chrono::milliseconds limit);
  // The port bound (useful with port 0); 0 for a unix socket.
  int port() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kyc::process

#endif  // KYC_SERVICES_PROCESS_GRPC_PROCESS_H_
