// kyc.v1.PartnerService over the engines.
#ifndef KYC_SERVICES_KYC_SERVER_PARTNER_SERVICE_H_
#define KYC_SERVICES_KYC_SERVER_PARTNER_SERVICE_H_

#include <atomic>

#include "kyc/v1/partner_service.grpc.pb.h"
#include "services/async/grpc_server.h"
#include "services/kyc/server/engines.h"

namespace kyc::server {

// Thread-safe. `engines` outlives it.
class PartnerService final : public v1::PartnerService::CallbackService {
 public:
  // At most so many images are on their way at a time; each takes a window of
  // memory, however large it is.
  PartnerService(Engines& engines, int max_downloads)
      : engines_(engines), max_downloads_(max_downloads) {}

  grpc::ServerUnaryReactor* LookUpUser(grpc::CallbackServerContext* rpc,
                                       const v1::LookUpUserRequest* request,
                                       v1::PartnerUser* response) override;
  grpc::ServerUnaryReactor* ExchangePint(
      grpc::CallbackServerContext* rpc, const v1::ExchangePintRequest* request,
      v1::ExchangePintResponse* response) override;
  grpc::ServerUnaryReactor* GetPint(grpc::CallbackServerContext* rpc,
                                    const v1::GetPintRequest* request,
                                    v1::Pint* response) override;
  grpc::ServerUnaryReactor* ListPints(grpc::CallbackServerContext* rpc,
                                      const v1::ListPintsRequest* request,
                                      v1::ListPintsResponse* response) override;
  grpc::ServerUnaryReactor* GetPintStatus(
      grpc::CallbackServerContext* rpc, const v1::GetPintStatusRequest* request,
      v1::PintStatus* response) override;
  grpc::ServerUnaryReactor* ListPintTokens(
      grpc::CallbackServerContext* rpc,
      const v1::ListPintTokensRequest* request,
      v1::ListPintTokensResponse* response) override;
  grpc::ServerUnaryReactor* RevokePint(grpc::CallbackServerContext* rpc,
                                       const v1::RevokePintRequest* request,
                                       v1::Pint* response) override;
  grpc::ServerUnaryReactor* ListSigningKeys(
      grpc::CallbackServerContext* rpc,
      const v1::ListSigningKeysRequest* request,
      v1::ListSigningKeysResponse* response) override;
  grpc::ServerUnaryReactor* ReadKyc(grpc::CallbackServerContext* rpc,
                                    const v1::ReadKycRequest* request,
                                    v1::Details* response) override;
  grpc::ServerWriteReactor<v1::ReadImageResponse>* ReadImage(
      grpc::CallbackServerContext* rpc,
      const v1::ReadImageRequest* request) override;
  grpc::ServerUnaryReactor* ListAccesses(
      grpc::CallbackServerContext* rpc, const v1::ListAccessesRequest* request,
      v1::ListAccessesResponse* response) override;

  // The images on their way, so that a draining server can end them.
  async::StreamRegistry& streams() { return streams_; }

 private:
  Engines& engines_;
  const int max_downloads_;
  std::atomic<int> downloads_ = 0;
  async::StreamRegistry streams_;
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_PARTNER_SERVICE_H_
