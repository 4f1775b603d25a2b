// SubscriptionService over gRPC.
#ifndef KYC_GATEWAY_API_GRPC_SUBSCRIPTION_BACKEND_H_
#define KYC_GATEWAY_API_GRPC_SUBSCRIPTION_BACKEND_H_

#include <memory>

#include "gateway/api/subscription_backend.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace kyc::gateway {

// Each call is an RPC of its own over `channel`. One loop's; lives until that
// has stopped.
std::unique_ptr<SubscriptionBackend> NewGrpcSubscriptionBackend(
    std::shared_ptr<grpc::Channel> channel);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_GRPC_SUBSCRIPTION_BACKEND_H_
