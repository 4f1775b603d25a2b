#include "services/webhook/intake.h"

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "google/rpc/status.pb.h"
#include "kyc/v1/webhook_service.grpc.pb.h"
#include "services/async/call_context.h"
#include "services/async/grpc_arena.h"
#include "services/async/grpc_server.h"
#include "services/async/grpc_status.h"
#include "services/base/error.h"
#include "services/base/log.h"
#include "services/base/metrics.h"
#include "services/webhook/event_stream.h"

namespace kyc::webhook {
namespace {

using async::CallContext;
using async::Task;

constexpr size_t kMaxBodyBytes = 1 << 20;
constexpr int kMaxBatch = 1000;

using Requests = std::vector<const v1::IngestSumsubEventRequest*>;
// In the order of the requests: where each event is stored, or why not.
using Results = std::vector<absl::StatusOr<std::string>>;

base::Counter* Ingested(std::string_view result) {
  return base::GetCounter("kyc_webhook_ingested_total",
                          "Webhooks received, by what became of them.",
                          {{"result", std::string(result)}});
}

class IntakeService final : public v1::WebhookService::CallbackService {
 public:
  explicit IntakeService(IntakeParts parts) : parts_(std::move(parts)) {
    SetMessageAllocatorFor_BatchIngestSumsubEvents(&batch_messages_);
  }

  grpc::ServerUnaryReactor* IngestSumsubEvent(
      grpc::CallbackServerContext* rpc,
      const v1::IngestSumsubEventRequest* request,
      v1::IngestSumsubEventResponse* response) override {
    const int index = NextLoop();
    return async::RunUnary(
        rpc, parts_.runtime->loop(index), "WebhookService/IngestSumsubEvent",
        [this, request, response, index](CallContext context) {
          return IngestOne(std::move(context), index, *request, response);
        });
  }

  grpc::ServerUnaryReactor* BatchIngestSumsubEvents(
      grpc::CallbackServerContext* rpc,
      const v1::BatchIngestSumsubEventsRequest* request,
      v1::BatchIngestSumsubEventsResponse* response) override {
    const int index = NextLoop();
    return async::RunUnary(
        rpc, parts_.runtime->loop(index),
        "WebhookService/BatchIngestSumsubEvents",
        [this, request, response, index](CallContext context) {
          return IngestMany(std::move(context), index, *request, response);
        });
  }

 private:
  // Intake has no state per caller: the loops take turns.
  int NextLoop() {
    return static_cast<int>(turn_.fetch_add(1, std::memory_order_relaxed) %
                            parts_.redis.size());
  }

  Task<absl::Status> IngestOne(CallContext context, int index,
                               const v1::IngestSumsubEventRequest& request,
                               v1::IngestSumsubEventResponse* response) {
    Requests batch_of_one = {&request};
    Results results = co_await Ingest(context, index, std::move(batch_of_one));
    if (results[0].ok()) response->set_event_id(*std::move(results[0]));
    co_return results[0].status();
  }

  Task<absl::Status> IngestMany(CallContext context, int index,
                                const v1::BatchIngestSumsubEventsRequest& batch,
                                v1::BatchIngestSumsubEventsResponse* response) {
    if (batch.requests_size() > kMaxBatch) {
      co_return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED,
                            "a batch holds at most 1000 requests");
    }
    Requests requests;
    requests.reserve(batch.requests_size());
    for (const auto& request : batch.requests()) requests.push_back(&request);
    Results results = co_await Ingest(context, index, std::move(requests));
    response->mutable_results()->Reserve(static_cast<int>(results.size()));
    for (auto& result : results) {
      if (result.ok()) {
        response->add_results()->mutable_response()->set_event_id(
            *std::move(result));
      } else {
        *response->add_results()->mutable_error() =
            async::ToRpcStatus(result.status());
      }
    }
    co_return absl::OkStatus();
  }

  // One transaction for all that are accepted.
  Task<Results> Ingest(CallContext context, int index, Requests requests) {
    struct Accepted {
      size_t at;
      int partition;
      base::TraceContext trace;
    };
    Results results(requests.size(), absl::UnknownError(""));
    std::vector<Accepted> accepted;
    async::RedisBatch batch;
    accepted.reserve(requests.size());
    constexpr size_t kAroundBody = 192;
    size_t bytes = 0;
    for (const auto* request : requests) {
      bytes += request->body().size() + kAroundBody;
    }
    batch.Reserve(bytes);
    const auto secrets = parts_.secrets->Get();
    for (size_t i = 0; i < requests.size(); ++i) {
      const v1::IngestSumsubEventRequest& request = *requests[i];
      const base::TraceContext trace =
          request.traceparent().empty()
              ? context.trace
              : base::TraceContext::Continue(request.traceparent());
      if (absl::Status refused = Check(request, *secrets, trace);
          !refused.ok()) {
        results[i] = std::move(refused);
        continue;
      }
      const int partition = AddAppend({.provider = "sumsub",
                                       .body = request.body(),
                                       .received_ms = parts_.clock->NowMs(),
                                       .traceparent = trace.ToTraceparent()},
                                      parts_.partitions, &batch);
      accepted.push_back({i, partition, trace});
    }
    if (accepted.empty()) co_return results;
    const auto replies =
        co_await parts_.redis[index]->Transaction(std::move(batch));
    for (size_t i = 0; i < accepted.size(); ++i) {
      const auto& [at, partition, trace] = accepted[i];
      if (replies[i].ok()) {
        stored_->Add();
        std::string id = EventId(partition, replies[i]->text);
        base::LogInfo("webhook stored", {{"event_id", id}}, &trace);
        results[at] = std::move(id);
      } else {
        unavailable_->Add();
        const auto why = replies[i].status().message();
        base::LogError("webhook not stored",
                       {{"error", std::string_view(why.data(), why.size())}},
                       &trace);
        results[at] = base::Error(v1::ERROR_REASON_UNAVAILABLE);
      }
    }
    co_return results;
  }

  absl::Status Check(const v1::IngestSumsubEventRequest& request,
                     const std::vector<base::Secret>& secrets,
                     const base::TraceContext& trace) const {
    if (request.body().size() > kMaxBodyBytes) {
      too_large_->Add();
      return base::Error(v1::ERROR_REASON_BODY_TOO_LARGE);
    }
    if (!VerifyDigest(request.body(),
                      {request.digests().begin(), request.digests().end()},
                      {request.digest_algorithms().begin(),
                       request.digest_algorithms().end()},
                      secrets, parts_.algorithms)) {
      refused_->Add();
      base::LogWarning("webhook refused: bad signature",
                       {{"bytes", request.body().size()},
                        {"digest_headers", request.digests_size()}},
                       &trace);
      return base::Error(v1::ERROR_REASON_WEBHOOK_SIGNATURE_INVALID);
    }
    return absl::OkStatus();
  }

  const IntakeParts parts_;
  async::ArenaMessages<v1::BatchIngestSumsubEventsRequest,
                       v1::BatchIngestSumsubEventsResponse>
      batch_messages_;
  std::atomic<uint64_t> turn_{0};
  base::Counter* const stored_ = Ingested("stored");
  base::Counter* const refused_ = Ingested("bad_signature");
  base::Counter* const too_large_ = Ingested("too_large");
  base::Counter* const unavailable_ = Ingested("unavailable");
};

}  // namespace

std::unique_ptr<grpc::Service> MakeIntakeService(IntakeParts parts) {
  return std::make_unique<IntakeService>(std::move(parts));
}

}  // namespace kyc::webhook
