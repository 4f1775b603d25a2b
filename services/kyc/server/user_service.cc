#include "services/kyc/server/user_service.h"

#include <string>
#include <utility>

#include "services/async/grpc_server.h"
#include "services/base/status_macros.h"
#include "services/kyc/server/proto_mapping.h"

namespace kyc::server {
namespace {

using async::CallContext;
using async::Task;

void FillOnboarding(const domain::OnboardingSteps& steps, domain::Mode mode,
                    const domain::Record& record, v1::Onboarding* out) {
  const std::string_view current = steps.Current(record);
  out->set_current_step(std::string(current));
  out->set_is_complete(current == "complete");
  for (const std::string& name : steps.steps()) {
    v1::OnboardingStep* step = out->add_steps();
    step->set_step(name);
    step->set_status(steps.IsCompleted(record, name)
                         ? v1::OnboardingStep::STATUS_COMPLETED
                     : name == current ? v1::OnboardingStep::STATUS_CURRENT
                                       : v1::OnboardingStep::STATUS_PENDING);
    if (name == domain::kVerificationStep) {
      step->set_kyc_mode(ToProto(mode));
    }
  }
}

Task<absl::Status> GetUser(VerificationEngine& engine,
                           const v1::GetUserRequest& request,
                           v1::User* response) {
  CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  CO_ASSIGN_OR_RETURN(domain::Record record,
                      co_await engine.Get(request.user_id()));
  response->set_id(record.user_id);
  if (record.state == domain::State::kApproved) {
    response->set_first_name(std::move(record.first_name));
    response->set_last_names(std::move(record.last_names));
  }
  response->set_kyc_verified_at_ms(
      domain::VisibleVerifiedAt(record).value_or(0));
  response->set_kyc_rejected_at_ms(
      domain::VisibleRejectedAt(record).value_or(0));
  co_return absl::OkStatus();
}

Task<absl::Status> GetOnboarding(CallContext context, Engines::Home home,
                                 const v1::GetOnboardingRequest& request,
                                 v1::Onboarding* response) {
  CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  CO_ASSIGN_OR_RETURN(domain::Record record,
                      co_await home.engine.Get(request.user_id()));
  const domain::Mode mode =
      co_await home.modes.ToShow(context, TenantOf(request.tenant()));
  FillOnboarding(home.engine.config().steps, mode, record, response);
  co_return absl::OkStatus();
}

Task<absl::Status> SubmitOnboardingStep(
    CallContext context, Engines::Home home,
    const v1::SubmitOnboardingStepRequest& request, v1::Onboarding* response) {
  CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  CO_ASSIGN_OR_RETURN(domain::Record record,
                      co_await home.engine.SubmitOnboardingStep(
                          context, request.user_id(), request.step()));
  const domain::Mode mode =
      co_await home.modes.ToShow(context, TenantOf(request.tenant()));
  FillOnboarding(home.engine.config().steps, mode, record, response);
  co_return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* UserService::GetUser(
    grpc::CallbackServerContext* rpc, const v1::GetUserRequest* request,
    v1::User* response) {
  Engines::Home home = engines_.For(request->user_id());
  return async::RunUnary(
      rpc, home.loop, "UserService/GetUser",
      [&engine = home.engine, request, response](CallContext) {
        return server::GetUser(engine, *request, response);
      });
}

grpc::ServerUnaryReactor* UserService::GetOnboarding(
    grpc::CallbackServerContext* rpc, const v1::GetOnboardingRequest* request,
    v1::Onboarding* response) {
  Engines::Home home = engines_.For(request->user_id());
  return async::RunUnary(rpc, home.loop, "UserService/GetOnboarding",
                         [home, request, response](CallContext context) {
                           return server::GetOnboarding(context, home, *request,
                                                        response);
                         });
}

grpc::ServerUnaryReactor* UserService::SubmitOnboardingStep(
    grpc::CallbackServerContext* rpc,
    const v1::SubmitOnboardingStepRequest* request, v1::Onboarding* response) {
  Engines::Home home = engines_.For(request->user_id());
  return async::RunUnary(rpc, home.loop, "UserService/SubmitOnboardingStep",
                         [home, request, response](CallContext context) {
                           return server::SubmitOnboardingStep(
                               context, home, *request, response);
                         });
}

}  // namespace kyc::server
