// kyc.v1.KycService over the engines: each RPC is one coroutine.
#ifndef KYC_SERVICES_KYC_SERVER_KYC_SERVICE_H_
#define KYC_SERVICES_KYC_SERVER_KYC_SERVICE_H_

#include "kyc/v1/kyc_service.grpc.pb.h"
#include "services/async/call_context.h"
#include "services/async/grpc_arena.h"
#include "services/async/task.h"
#include "services/kyc/server/engines.h"
#include "services/kyc/server/upload.h"
#include "services/kyc/server/watch_hub.h"

namespace kyc::server {

// Thread-safe. `engines` and `watch_hub` outlive it.
class KycService final : public v1::KycService::CallbackService {
 public:
  // `most_uploads` documents are taken in at a time; more are GEN-503-001.
  KycService(Engines& engines, WatchHub& watch_hub, int most_uploads)
      : engines_(engines), watch_hub_(watch_hub), uploads_(most_uploads) {
    SetMessageAllocatorFor_BatchGetStatus(&batch_messages_);
  }

  grpc::ServerUnaryReactor* CreateApplicant(
      grpc::CallbackServerContext* rpc,
      const v1::CreateApplicantRequest* request,
      v1::CreateApplicantResponse* response) override;
  grpc::ServerUnaryReactor* CreateAccessToken(
      grpc::CallbackServerContext* rpc,
      const v1::CreateAccessTokenRequest* request,
      v1::CreateAccessTokenResponse* response) override;
  grpc::ServerUnaryReactor* GetStatus(grpc::CallbackServerContext* rpc,
                                      const v1::GetStatusRequest* request,
                                      v1::Verification* response) override;
  grpc::ServerUnaryReactor* BatchGetStatus(
      grpc::CallbackServerContext* rpc,
      const v1::BatchGetStatusRequest* request,
      v1::BatchGetStatusResponse* response) override;
  grpc::ServerUnaryReactor* RefreshStatus(
      grpc::CallbackServerContext* rpc, const v1::RefreshStatusRequest* request,
      v1::Verification* response) override;
  grpc::ServerWriteReactor<v1::Verification>* WatchStatus(
      grpc::CallbackServerContext* rpc,
      const v1::WatchStatusRequest* request) override;
  grpc::ServerUnaryReactor* CheckVerified(
      grpc::CallbackServerContext* rpc, const v1::CheckVerifiedRequest* request,
      v1::CheckVerifiedResponse* response) override;
  grpc::ServerReadReactor<v1::UploadDocumentRequest>* UploadDocument(
      grpc::CallbackServerContext* rpc,
      v1::UploadDocumentResponse* response) override;
  grpc::ServerUnaryReactor* GetRequiredDocuments(
      grpc::CallbackServerContext* rpc,
      const v1::GetRequiredDocumentsRequest* request,
      v1::RequiredDocuments* response) override;
  grpc::ServerUnaryReactor* Submit(grpc::CallbackServerContext* rpc,
                                   const v1::SubmitRequest* request,
                                   v1::SubmitResponse* response) override;
  grpc::ServerUnaryReactor* GetDetails(grpc::CallbackServerContext* rpc,
                                       const v1::GetDetailsRequest* request,
                                       v1::Details* response) override;

 private:
  Engines& engines_;
  WatchHub& watch_hub_;
  UploadLimit uploads_;
  async::ArenaMessages<v1::BatchGetStatusRequest, v1::BatchGetStatusResponse>
      batch_messages_;
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_KYC_SERVICE_H_
