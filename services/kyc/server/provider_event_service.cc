#include "services/kyc/server/provider_event_service.h"

#include "services/async/grpc_server.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"
#include "services/kyc/provider/sumsub/webhook_event.h"

namespace kyc::server {
namespace {

using async::CallContext;
using async::Task;

v1::ApplyProviderEventResponse::Effect ToProto(
    VerificationEngine::EventEffect effect) {
  switch (effect) {
    case VerificationEngine::EventEffect::kApplied:
      return v1::ApplyProviderEventResponse::EFFECT_APPLIED;
    case VerificationEngine::EventEffect::kStale:
      return v1::ApplyProviderEventResponse::EFFECT_STALE;
    case VerificationEngine::EventEffect::kIgnored:
      break;
  }
  return v1::ApplyProviderEventResponse::EFFECT_IGNORED;
}

Task<absl::Status> Apply(CallContext context, VerificationEngine& engine,
                         const v1::ApplyProviderEventRequest& request,
                         v1::ApplyProviderEventResponse* response) {
  if (request.provider() != v1::PROVIDER_SUMSUB) {
    co_return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED,
                          "unknown provider");
  }
  CO_ASSIGN_OR_RETURN(VerificationEngine::EventEffect effect,
                      co_await engine.ApplySumsubEvent(
                          context, request.payload(), request.event_id()));
  response->set_effect(ToProto(effect));
  co_return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* ProviderEventService::ApplyProviderEvent(
    grpc::CallbackServerContext* rpc,
    const v1::ApplyProviderEventRequest* request,
    v1::ApplyProviderEventResponse* response) {
  // On the user's own loop, where what is kept of the user in memory is.
  const auto webhook = provider::sumsub::ParseWebhook(request->payload(), "");
  Engines::Home home =
      engines_.For(webhook && !webhook->user_id.empty() ? webhook->user_id
                                                        : request->event_id());
  return async::RunUnary(
      rpc, home.loop, "ProviderEventService/ApplyProviderEvent",
      [&engine = home.engine, request, response](CallContext context) {
        return Apply(context, engine, *request, response);
      });
}

}  // namespace kyc::server
