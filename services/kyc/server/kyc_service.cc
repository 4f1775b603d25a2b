#include "services/kyc/server/kyc_service.h"

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "google/rpc/status.pb.h"
#include "services/async/grpc_server.h"
#include "services/async/grpc_server_stream.h"
#include "services/async/grpc_status.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"
#include "services/kyc/server/proto_mapping.h"

namespace kyc::server {
namespace {

using async::CallContext;
using async::Task;

constexpr int kMaxBatch = 1000;

// The mode of a caller is that of its environment.
Caller CallerOf(CallContext context, ModeResolver& modes,
                const v1::Tenant& tenant) {
  return {TenantOf(tenant), [context, &modes, tenant = TenantOf(tenant)] {
            return modes.ToPin(context, tenant);
          }};
}

Task<absl::Status> CreateApplicant(CallContext context, Engines::Home home,
                                   const v1::CreateApplicantRequest& request,
                                   v1::CreateApplicantResponse* response) {
  CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  CO_ASSIGN_OR_RETURN(VerificationEngine::ApplicantResult result,
                      co_await home.engine.CreateApplicant(
                          context, request.user_id(),
                          CallerOf(context, home.modes, request.tenant())));
  response->set_applicant_id(std::move(result.applicant_id));
  response->set_already_existed(result.already_existed);
  co_return absl::OkStatus();
}

Task<absl::Status> CreateAccessToken(
    CallContext context, Engines::Home home,
    const v1::CreateAccessTokenRequest& request,
    v1::CreateAccessTokenResponse* response) {
  CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  const bool liveness =
      request.scope() == v1::CreateAccessTokenRequest::SCOPE_LIVENESS;
  CO_ASSIGN_OR_RETURN(base::Secret token,
                      co_await home.engine.CreateAccessToken(
                          context, request.user_id(), liveness,
                          CallerOf(context, home.modes, request.tenant())));
  response->set_access_token(std::string(token.Reveal()));
  response->set_expires_in_s(kAccessTokenTtlSeconds);
  co_return absl::OkStatus();
}

Task<absl::Status> BatchGetStatus(VerificationEngine& engine,
                                  const v1::BatchGetStatusRequest& request,
                                  v1::BatchGetStatusResponse* response) {
  if (request.requests_size() > kMaxBatch) {
    co_return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED,
                          "a batch holds at most 1000 requests");
  }
  std::vector<std::string> user_ids;
  user_ids.reserve(request.requests_size());
  // A wrong id fails its own item; the others are read.
  for (const v1::GetStatusRequest& item : request.requests()) {
    auto* result = response->add_results();
    if (absl::Status valid = CheckUserId(item.user_id()); !valid.ok()) {
      *result->mutable_error() = async::ToRpcStatus(valid);
    } else {
      user_ids.push_back(item.user_id());
    }
  }
  const auto start = std::chrono::steady_clock::now();
  auto records = co_await engine.GetStatuses(std::move(user_ids));
  const auto took = std::chrono::steady_clock::now() - start;
  size_t next = 0;
  for (int i = 0; i < response->results_size(); ++i) {
    auto& result = *response->mutable_results(i);
    if (result.has_error()) continue;
    absl::StatusOr<domain::Record>& record = records[next++];
    const std::chrono::milliseconds limit(request.requests(i).timeout_ms());
    if (limit.count() > 0 && took > limit) {
      *result.mutable_error() =
          async::ToRpcStatus(base::Error(v1::ERROR_REASON_DEADLINE_EXCEEDED));
    } else if (record.ok()) {
      FillVerification(*std::move(record), result.mutable_verification());
    } else {
      *result.mutable_error() =
          async::ToRpcStatus(async::WithReason(record.status()));
    }
  }
  co_return absl::OkStatus();
}

Task<absl::Status> GetStatus(VerificationEngine& engine,
                             const v1::GetStatusRequest& request,
                             v1::Verification* response) {
  CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  std::vector<std::string> batch_of_one = {request.user_id()};
  auto records = co_await engine.GetStatuses(std::move(batch_of_one));
  CO_RETURN_IF_ERROR(records[0].status());
  FillVerification(*std::move(records[0]), response);
  co_return absl::OkStatus();
}

Task<absl::Status> RefreshStatus(CallContext context,
                                 VerificationEngine& engine,
                                 const v1::RefreshStatusRequest& request,
                                 v1::Verification* response) {
  CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  CO_ASSIGN_OR_RETURN(domain::Record record,
                      co_await engine.Refresh(context, request.user_id()));
  FillVerification(std::move(record), response);
  co_return absl::OkStatus();
}

Task<absl::Status> CheckVerified(VerificationEngine& engine,
                                 const v1::CheckVerifiedRequest& request,
                                 v1::CheckVerifiedResponse* response) {
  CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  std::vector<std::string> batch_of_one = {request.user_id()};
  auto records = co_await engine.GetStatuses(std::move(batch_of_one));
  CO_RETURN_IF_ERROR(records[0].status());
  if (records[0]->state != domain::State::kApproved) {
    co_return base::Error(v1::ERROR_REASON_VERIFICATION_REQUIRED);
  }
  response->set_verified_at_ms(
      domain::VisibleVerifiedAt(*records[0]).value_or(0));
  co_return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* KycService::CreateApplicant(
    grpc::CallbackServerContext* rpc, const v1::CreateApplicantRequest* request,
    v1::CreateApplicantResponse* response) {
  Engines::Home home = engines_.For(request->user_id());
  return async::RunUnary(rpc, home.loop, "KycService/CreateApplicant",
                         [home, request, response](CallContext context) {
                           return server::CreateApplicant(context, home,
                                                          *request, response);
                         });
}

grpc::ServerUnaryReactor* KycService::CreateAccessToken(
    grpc::CallbackServerContext* rpc,
    const v1::CreateAccessTokenRequest* request,
    v1::CreateAccessTokenResponse* response) {
  Engines::Home home = engines_.For(request->user_id());
  return async::RunUnary(rpc, home.loop, "KycService/CreateAccessToken",
                         [home, request, response](CallContext context) {
                           return server::CreateAccessToken(context, home,
                                                            *request, response);
                         });
}

grpc::ServerUnaryReactor* KycService::GetStatus(
    grpc::CallbackServerContext* rpc, const v1::GetStatusRequest* request,
    v1::Verification* response) {
  Engines::Home home = engines_.For(request->user_id());
  return async::RunUnary(
      rpc, home.loop, "KycService/GetStatus",
      [&engine = home.engine, request, response](CallContext) {
        return server::GetStatus(engine, *request, response);
      });
}

grpc::ServerUnaryReactor* KycService::BatchGetStatus(
    grpc::CallbackServerContext* rpc, const v1::BatchGetStatusRequest* request,
    v1::BatchGetStatusResponse* response) {
  // Reads need no user's own loop: the first one's serves the whole batch.
  Engines::Home home = engines_.For(
      request->requests().empty() ? "" : request->requests(0).user_id());
  return async::RunUnary(
      rpc, home.loop, "KycService/BatchGetStatus",
      [&engine = home.engine, request, response](CallContext) {
        return server::BatchGetStatus(engine, *request, response);
      });
}

grpc::ServerUnaryReactor* KycService::RefreshStatus(
    grpc::CallbackServerContext* rpc, const v1::RefreshStatusRequest* request,
    v1::Verification* response) {
  Engines::Home home = engines_.For(request->user_id());
  return async::RunUnary(
      rpc, home.loop, "KycService/RefreshStatus",
      [&engine = home.engine, request, response](CallContext context) {
        return server::RefreshStatus(context, engine, *request, response);
      });
}

grpc::ServerWriteReactor<v1::Verification>* KycService::WatchStatus(
    grpc::CallbackServerContext* rpc, const v1::WatchStatusRequest* request) {
  return async::RunServerStream<v1::Verification>(
      rpc, watch_hub_.loop(), watch_hub_.streams(), "KycService/WatchStatus",
      [this, request](CallContext,
                      async::StreamWriter<v1::Verification>& writer) {
        return watch_hub_.Watch(*request, writer);
      });
}

grpc::ServerUnaryReactor* KycService::CheckVerified(
    grpc::CallbackServerContext* rpc, const v1::CheckVerifiedRequest* request,
    v1::CheckVerifiedResponse* response) {
  Engines::Home home = engines_.For(request->user_id());
  return async::RunUnary(
      rpc, home.loop, "KycService/CheckVerified",
      [&engine = home.engine, request, response](CallContext) {
        return server::CheckVerified(engine, *request, response);
      });
}

}  // namespace kyc::server
