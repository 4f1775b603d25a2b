// The RPCs of KycService around documents and the person.
#include <string>
#include <utility>
#include <vector>

#include "services/async/grpc_server.h"
#include "services/async/grpc_server_read_stream.h"
#include "services/base/status_macros.h"
#include "services/kyc/server/kyc_service.h"
#include "services/kyc/server/details_mapping.h"
#include "services/kyc/server/proto_mapping.h"

namespace kyc::server {
namespace {

using async::CallContext;
using async::Task;

Task<absl::Status> GetRequiredDocuments(
    CallContext context, Documents& documents,
    const v1::GetRequiredDocumentsRequest& request,
    v1::RequiredDocuments* response) {
  CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  CO_ASSIGN_OR_RETURN(
      std::vector<provider::RequiredStep> steps,
      co_await documents.GetRequired(context, request.user_id()));
  response->set_all_uploaded(AllUploaded(steps));
  for (provider::RequiredStep& step : steps) {
    v1::RequiredDocuments::Step* to = response->add_steps();
    to->set_step_type(std::move(step.type));
    to->set_has_documents(step.has_documents);
    to->set_review_answer(std::move(step.review_answer));
    to->set_moderation_comment(std::move(step.moderation_comment));
  }
  co_return absl::OkStatus();
}

Task<absl::Status> Submit(CallContext context, VerificationEngine& engine,
                          const v1::SubmitRequest& request,
                          v1::SubmitResponse* response) {
  CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  CO_ASSIGN_OR_RETURN(
      std::string applicant_id,
      co_await engine.documents().Submit(context, request.user_id()));
  engine.details().Forget(request.user_id());
  response->set_applicant_id(std::move(applicant_id));
  co_return absl::OkStatus();
}

Task<absl::Status> GetDetails(CallContext context, Details& details,
                              const v1::GetDetailsRequest& request,
                              v1::Details* response) {
  CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  CO_ASSIGN_OR_RETURN(
      const Details::Result result,
      co_await details.Get(context, request.user_id(), request.refresh()));
  FillDetails(result, response);
  co_return absl::OkStatus();
}

}  // namespace

grpc::ServerReadReactor<v1::UploadDocumentRequest>* KycService::UploadDocument(
    grpc::CallbackServerContext* rpc, v1::UploadDocumentResponse* response) {
  using Reader = async::StreamReader<v1::UploadDocumentRequest>;
  // Whose upload it is stands in the first message.
  return async::RunClientStream<v1::UploadDocumentRequest>(
      rpc, engines_.NextLoop(), "KycService/UploadDocument",
      [this, response](CallContext context, Reader& reader) {
        return ReceiveUpload(context, engines_, uploads_, reader, response);
      });
}

grpc::ServerUnaryReactor* KycService::GetRequiredDocuments(
    grpc::CallbackServerContext* rpc,
    const v1::GetRequiredDocumentsRequest* request,
    v1::RequiredDocuments* response) {
  Engines::Home home = engines_.For(request->user_id());
  return async::RunUnary(
      rpc, home.loop, "KycService/GetRequiredDocuments",
      [&engine = home.engine, request, response](CallContext context) {
        return server::GetRequiredDocuments(context, engine.documents(),
                                            *request, response);
      });
}

grpc::ServerUnaryReactor* KycService::Submit(grpc::CallbackServerContext* rpc,
                                             const v1::SubmitRequest* request,
                                             v1::SubmitResponse* response) {
  Engines::Home home = engines_.For(request->user_id());
  return async::RunUnary(
      rpc, home.loop, "KycService/Submit",
      [&engine = home.engine, request, response](CallContext context) {
        return server::Submit(context, engine, *request, response);
      });
}

grpc::ServerUnaryReactor* KycService::GetDetails(
    grpc::CallbackServerContext* rpc, const v1::GetDetailsRequest* request,
    v1::Details* response) {
  Engines::Home home = engines_.For(request->user_id());
  return async::RunUnary(
      rpc, home.loop, "KycService/GetDetails",
      [&engine = home.engine, request, response](CallContext context) {
        return server::GetDetails(context, engine.details(), *request,
                                  response);
      });
}

}  // namespace kyc::server
