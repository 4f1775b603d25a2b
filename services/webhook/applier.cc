#include "services/webhook/applier.h"

#include <grpcpp/channel.h>

#include <functional>
#include <utility>

#include "kyc/v1/provider_event_service.grpc.pb.h"
#include "services/async/grpc_client.h"
#include "services/base/status_macros.h"

namespace kyc::webhook {
namespace {

std::string_view NameOf(v1::ApplyProviderEventResponse::Effect effect) {
  switch (effect) {
    case v1::ApplyProviderEventResponse::EFFECT_APPLIED:
      return "applied";
    case v1::ApplyProviderEventResponse::EFFECT_STALE:
      return "stale";
    case v1::ApplyProviderEventResponse::EFFECT_IGNORED:
      return "ignored";
    default:
      return "unknown";
  }
}

}  // namespace

struct Applier::Impl {
  explicit Impl(std::shared_ptr<grpc::Channel> c)
      : channel(std::move(c)),
        stub(v1::ProviderEventService::NewStub(channel)) {}

  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<v1::ProviderEventService::Stub> stub;
};

Applier::Applier(std::shared_ptr<grpc::Channel> channel)
    : impl_(std::make_unique<Impl>(std::move(channel))) {}

Applier::~Applier() = default;

async::Task<absl::StatusOr<std::string_view>> Applier::Apply(
    async::CallContext context, const StreamEvent& event) {
  v1::ApplyProviderEventRequest request;
  request.set_provider(event.provider == "sumsub" ? v1::PROVIDER_SUMSUB
                                                  : v1::PROVIDER_UNSPECIFIED);
  request.set_payload(event.body);
  request.set_event_id(event.id);
  v1::ApplyProviderEventResponse response;
  std::function<void(grpc::ClientContext*, std::function<void(grpc::Status)>)>
      start = [&](grpc::ClientContext* rpc, auto done) {
        impl_->stub->async()->ApplyProviderEvent(rpc, &request, &response,
                                                 std::move(done));
      };
  CO_RETURN_IF_ERROR(co_await async::CallUnary(
      std::move(context), "ProviderEventService/ApplyProviderEvent",
      std::move(start)));
  co_return NameOf(response.effect());
}

bool Applier::connected() const {
  return impl_->channel->GetState(/*try_to_connect=*/true) ==
         GRPC_CHANNEL_READY;
}

}  // namespace kyc::webhook
