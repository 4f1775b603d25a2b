// kyc.v1.OperatorService over the stores.
#ifndef KYC_SERVICES_KYC_SERVER_OPERATOR_SERVICE_H_
#define KYC_SERVICES_KYC_SERVER_OPERATOR_SERVICE_H_

#include "kyc/v1/operator_service.grpc.pb.h"
#include "services/kyc/server/engines.h"

namespace kyc::server {

// Thread-safe. `engines` outlives it.
class OperatorService final : public v1::OperatorService::CallbackService {
 public:
  explicit OperatorService(Engines& engines) : engines_(engines) {}

  grpc::ServerUnaryReactor* GetUserRecord(
      grpc::CallbackServerContext* rpc, const v1::GetUserRecordRequest* request,
      v1::UserRecord* response) override;
  grpc::ServerUnaryReactor* ListAuditEntries(
      grpc::CallbackServerContext* rpc,
      const v1::ListAuditEntriesRequest* request,
      v1::ListAuditEntriesResponse* response) override;
  grpc::ServerUnaryReactor* VerifyAudit(
      grpc::CallbackServerContext* rpc, const v1::VerifyAuditRequest* request,
      v1::VerifyAuditResponse* response) override;
  grpc::ServerUnaryReactor* EraseUser(grpc::CallbackServerContext* rpc,
                                      const v1::EraseUserRequest* request,
                                      v1::EraseUserResponse* response) override;
  grpc::ServerUnaryReactor* SetLegalHold(grpc::CallbackServerContext* rpc,
                                         const v1::SetLegalHoldRequest* request,
                                         v1::LegalHold* response) override;
  grpc::ServerUnaryReactor* ReleaseLegalHold(
      grpc::CallbackServerContext* rpc,
      const v1::ReleaseLegalHoldRequest* request,
      v1::LegalHold* response) override;

 private:
  Engines& engines_;
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_OPERATOR_SERVICE_H_
