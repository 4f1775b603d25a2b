// PartnerService and WalletService over gRPC.
#ifndef KYC_GATEWAY_API_GRPC_PARTNER_BACKEND_H_
#define KYC_GATEWAY_API_GRPC_PARTNER_BACKEND_H_

#include <chrono>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "gateway/api/partner_backend.h"
#include "services/async/task.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace kyc::gateway {

// Each call is an RPC of its own, over `documents` where it is an image, else
// over `channel`; `provider_timeout` bounds those that may ask the provider. One
// loop's; lives until that has stopped.
std::unique_ptr<PartnerBackend> NewGrpcPartnerBackend(
    std::shared_ptr<grpc::Channel> channel,
    std::shared_ptr<grpc::Channel> documents,
    std::chrono::milliseconds provider_timeout);

// The key set of PartnerService's tokens, asked of `address` from any one
// loop: a KeySource::Fetch.
class SigningKeys {
 public:
  explicit SigningKeys(const std::string& address);
  async::Task<absl::StatusOr<std::string>> Fetch();

 private:
  std::unique_ptr<PartnerBackend> backend_;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_GRPC_PARTNER_BACKEND_H_
