// The backend over gRPC.
#ifndef KYC_GATEWAY_API_GRPC_BACKEND_H_
#define KYC_GATEWAY_API_GRPC_BACKEND_H_

#include <chrono>
#include <memory>
#include <string>

#include "gateway/api/backend.h"
#include "services/async/loop.h"

namespace kyc::gateway {

struct GrpcBackendOptions {
  std::string kyc_address;
  std::string webhook_address;
  // Of calls that may reach a provider; reads of what is stored and webhooks
  // have shorter limits of their own.
  std::chrono::milliseconds rpc_timeout{15000};
};

// Reads of the status that come at the same time share RPCs, and so do
// webhooks; every other call is an RPC of its own. Each backend has connections
// of its own, so that loops do not wait for one another. Lives until `loop` has
// stopped.
std::unique_ptr<Backend> NewGrpcBackend(async::Loop& loop,
                                        const GrpcBackendOptions& options);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_GRPC_BACKEND_H_
