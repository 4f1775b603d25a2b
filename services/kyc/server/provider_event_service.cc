#include "services/kyc/server/provider_event_service.h"

#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "google/rpc/status.pb.h"
#include "services/async/grpc_server.h"
#include "services/async/grpc_status.h"
#include "services/async/waiter.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"
#include "services/kyc/provider/sumsub/webhook_event.h"

namespace kyc::server {
namespace {

using async::CallContext;
using async::Task;
using Response = v1::ApplyProviderEventResponse;

constexpr int kMaxBatch = 1000;

Response::Effect ToProto(VerificationEngine::EventEffect effect) {
  switch (effect) {
    // What it makes us do is stored, if not done yet.
    case VerificationEngine::EventEffect::kDeferred:
    case VerificationEngine::EventEffect::kApplied:
      return Response::EFFECT_APPLIED;
    case VerificationEngine::EventEffect::kStale:
      return Response::EFFECT_STALE;
    case VerificationEngine::EventEffect::kIgnored:
      break;
  }
  return Response::EFFECT_IGNORED;
}

Task<absl::StatusOr<Response::Effect>> Apply(
    CallContext context, VerificationEngine& engine,
    const v1::ApplyProviderEventRequest& request) {
  if (request.provider() != v1::PROVIDER_SUMSUB) {
    co_return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED,
                          "unknown provider");
  }
  CO_ASSIGN_OR_RETURN(VerificationEngine::EventEffect effect,
                      co_await engine.ApplySumsubEvent(
                          context, request.payload(), request.event_id()));
  co_return ToProto(effect);
}

Task<absl::Status> ApplyOne(CallContext context, VerificationEngine& engine,
                            const v1::ApplyProviderEventRequest& request,
                            Response* response) {
  CO_ASSIGN_OR_RETURN(const Response::Effect effect,
                      co_await Apply(context, engine, request));
  response->set_effect(effect);
  co_return absl::OkStatus();
}

// A batch under way. Each item's result is written by its user's loop; the
// last user's loop sends word home.
struct Batch {
  Batch(async::Loop& home, const v1::BatchApplyProviderEventsRequest& request,
        v1::BatchApplyProviderEventsResponse* response)
      : home(home), request(request), response(response), done(home) {}

  async::Loop& home;
  const v1::BatchApplyProviderEventsRequest& request;
  v1::BatchApplyProviderEventsResponse* const response;
  std::atomic<size_t> users_left{0};
  async::Waiter done;  // Touched at home alone.
};

using Items = std::vector<int>;  // Indices of one user's, in their order.

Task<void> ApplyForUser(std::shared_ptr<Batch> batch,
                        VerificationEngine& engine, CallContext context,
                        Items items) {
  for (const int item : items) {
    const v1::ApplyProviderEventRequest& request =
        batch->request.requests(item);
    CallContext own = context;
    if (!request.traceparent().empty()) {
      own.trace = base::TraceContext::Continue(request.traceparent());
    }
    if (request.timeout_ms() > 0) {
      own = own.Within(std::chrono::milliseconds(request.timeout_ms()));
    }
    const absl::StatusOr<Response::Effect> effect =
        co_await Apply(own, engine, request);
    auto& result = *batch->response->mutable_results(item);
    if (effect.ok()) {
      result.mutable_response()->set_effect(*effect);
    } else {
      *result.mutable_error() =
          async::ToRpcStatus(async::WithReason(effect.status()));
    }
  }
  if (batch->users_left.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    batch->home.Post([batch] { batch->done.ResumeNow(); });
  }
}

Task<absl::Status> ApplyBatch(
    CallContext context, Engines& engines, async::Loop& home,
    const v1::BatchApplyProviderEventsRequest& request,
    v1::BatchApplyProviderEventsResponse* response) {
  if (request.requests_size() > kMaxBatch) {
    co_return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED,
                          "a batch holds at most 1000 requests");
  }
  std::map<std::string, Items> users;
  for (int i = 0; i < request.requests_size(); ++i) {
    auto& result = *response->add_results();
    const v1::ApplyProviderEventRequest& item = request.requests(i);
    const auto webhook = provider::sumsub::ParseWebhook(item.payload(), "");
    if (webhook && VerificationEngine::AsksProvider(*webhook)) {
      result.mutable_response()->set_effect(Response::EFFECT_ASK_PROVIDER);
    } else {
      users[webhook ? webhook->user_id : item.event_id()].push_back(i);
    }
  }
  if (users.empty()) co_return absl::OkStatus();
  const auto batch = std::make_shared<Batch>(home, request, response);
  batch->users_left = users.size();
  // One hand-over for each loop.
  struct Work {
    VerificationEngine* engine;
    std::vector<Items> users;
  };
  std::map<async::Loop*, Work> by_loop;
  for (auto& [user, items] : users) {
    Engines::Home user_home = engines.For(user);
    Work& work = by_loop[&user_home.loop];
    work.engine = &user_home.engine;
    work.users.push_back(std::move(items));
  }
  for (auto& [loop, work] : by_loop) {
    loop->Post([batch, context, loop = loop, work = std::move(work)] {
      for (const Items& items : work.users) {
        loop->Spawn(ApplyForUser(batch, *work.engine, context, items));
      }
    });
  }
  co_await batch->done.Wait();
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
        return ApplyOne(context, engine, *request, response);
      });
}

grpc::ServerUnaryReactor* ProviderEventService::BatchApplyProviderEvents(
    grpc::CallbackServerContext* rpc,
    const v1::BatchApplyProviderEventsRequest* request,
    v1::BatchApplyProviderEventsResponse* response) {
  async::Loop& home = engines_.NextLoop();
  return async::RunUnary(
      rpc, home, "ProviderEventService/BatchApplyProviderEvents",
      [this, &home, request, response](CallContext context) {
        return ApplyBatch(context, engines_, home, *request, response);
      });
}

}  // namespace kyc::server
