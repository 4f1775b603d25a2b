#include "services/webhook/applier.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <utility>
#include <vector>

#include "kyc/v1/provider_event_service.grpc.pb.h"
#include "services/async/batcher.h"
#include "services/async/grpc_client.h"
#include "services/async/grpc_status.h"
#include "services/base/status_macros.h"

namespace kyc::webhook {
namespace {

using async::CallContext;
using async::Task;
using Effect = v1::ApplyProviderEventResponse::Effect;

std::string_view NameOf(Effect effect) {
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

struct Item {
  v1::ApplyProviderEventRequest request;
  CallContext context;
};

using Batcher = async::Batcher<Item, Effect>;

// Batches stay below gRPC's limit of 4 MiB. Two on their way keep KycService
// busy while the answers of one are looked at.
Batcher::Options BatchOptions() {
  Batcher::Options options;
  options.max_batch = 128;
  options.weigh = [](const Item& item) {
    return item.request.payload().size();
  };
  options.max_weight = 3 << 20;
  options.max_in_flight = 2;
  return options;
}

}  // namespace

struct Applier::Impl {
  Impl(async::Loop& loop, std::shared_ptr<grpc::Channel> c)
      : channel(std::move(c)),
        stub(v1::ProviderEventService::NewStub(channel)),
        batcher(loop, BatchOptions(), [this](std::vector<Item> items) {
          return ApplyMany(std::move(items));
        }) {}

  Task<absl::StatusOr<Effect>> ApplyOne(
      CallContext context, const v1::ApplyProviderEventRequest& request);
  Task<Batcher::Results> ApplyMany(std::vector<Item> items);

  const std::shared_ptr<grpc::Channel> channel;
  const std::unique_ptr<v1::ProviderEventService::Stub> stub;
  Batcher batcher;
};

Task<absl::StatusOr<Effect>> Applier::Impl::ApplyOne(
    CallContext context, const v1::ApplyProviderEventRequest& request) {
  v1::ApplyProviderEventResponse response;
  CO_RETURN_IF_ERROR(co_await async::CallUnary(
      context, "ProviderEventService/ApplyProviderEvent",
      [&](auto* rpc, auto done) {
        stub->async()->ApplyProviderEvent(rpc, &request, &response,
                                          std::move(done));
      }));
  co_return response.effect();
}

// The batch has the first item's trace and the time of whoever has most;
// within it every item keeps its own.
Task<Batcher::Results> Applier::Impl::ApplyMany(std::vector<Item> items) {
  const auto now = std::chrono::steady_clock::now();
  CallContext context{items.front().context.trace, now};
  v1::BatchApplyProviderEventsRequest request;
  request.mutable_requests()->Reserve(static_cast<int>(items.size()));
  for (Item& item : items) {
    context.deadline = std::max(context.deadline, item.context.deadline);
    v1::ApplyProviderEventRequest& each = *request.add_requests();
    each = std::move(item.request);
    each.set_traceparent(item.context.trace.ToTraceparent());
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(
        item.context.deadline - now);
    each.set_timeout_ms(
        static_cast<uint32_t>(std::max<int64_t>(1, left.count())));
  }
  v1::BatchApplyProviderEventsResponse response;
  const absl::Status status = co_await async::CallUnary(
      context, "ProviderEventService/BatchApplyProviderEvents",
      [&](auto* rpc, auto done) {
        stub->async()->BatchApplyProviderEvents(rpc, &request, &response,
                                                std::move(done));
      });
  Batcher::Results results;
  if (!status.ok()) {
    results.assign(items.size(), status);
    co_return results;
  }
  results.reserve(items.size());
  for (const auto& result : response.results()) {
    if (result.has_response()) {
      results.emplace_back(result.response().effect());
    } else if (absl::Status error = async::FromRpcStatus(result.error());
               !error.ok()) {
      results.emplace_back(std::move(error));
    } else {
      results.emplace_back(absl::InternalError("an item without a result"));
    }
  }
  co_return results;
}

Applier::Applier(async::Loop& loop, std::shared_ptr<grpc::Channel> channel)
    : impl_(std::make_unique<Impl>(loop, std::move(channel))) {}

Applier::~Applier() = default;

Task<absl::StatusOr<std::string_view>> Applier::Apply(CallContext context,
                                                      const StreamEvent& event,
                                                      std::string event_id,
                                                      bool alone) {
  v1::ApplyProviderEventRequest request;
  request.set_provider(event.provider == "sumsub" ? v1::PROVIDER_SUMSUB
                                                  : v1::PROVIDER_UNSPECIFIED);
  request.set_payload(event.body);
  request.set_event_id(std::move(event_id));
  if (!alone) {
    Item item{request, context};
    const absl::StatusOr<Effect> effect =
        co_await impl_->batcher.Call(std::move(item), context.deadline);
    // An older server, during a rollout, knows no batches.
    if (!effect.ok() && !absl::IsUnimplemented(effect.status())) {
      co_return effect.status();
    }
    if (effect.ok() &&
        *effect != v1::ApplyProviderEventResponse::EFFECT_ASK_PROVIDER) {
      co_return NameOf(*effect);
    }
  }
  CO_ASSIGN_OR_RETURN(const Effect effect,
                      co_await impl_->ApplyOne(context, request));
  co_return NameOf(effect);
}

bool Applier::connected() const {
  return impl_->channel->GetState(/*try_to_connect=*/true) ==
         GRPC_CHANNEL_READY;
}

}  // namespace kyc::webhook
