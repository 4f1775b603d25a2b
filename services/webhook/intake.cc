#include "services/webhook/intake.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "kyc/v1/webhook_service.grpc.pb.h"
#include "services/async/call_context.h"
#include "services/async/grpc_server.h"
#include "services/base/error.h"
#include "services/base/log.h"
#include "services/base/metrics.h"
#include "services/webhook/event_stream.h"

namespace kyc::webhook {
namespace {

constexpr size_t kMaxBodyBytes = 1 << 20;
// The gateway gives intake 1 s; the answer has to reach it within that.
constexpr std::chrono::milliseconds kBudget(800);

base::Counter* Ingested(std::string_view result) {
  return base::GetCounter("kyc_webhook_ingested_total",
                          "Webhooks received, by what became of them.",
                          {{"result", std::string(result)}});
}

class IntakeService final : public v1::WebhookService::CallbackService {
 public:
  explicit IntakeService(IntakeParts parts) : parts_(std::move(parts)) {}

  grpc::ServerUnaryReactor* IngestSumsubEvent(
      grpc::CallbackServerContext* rpc,
      const v1::IngestSumsubEventRequest* request,
      v1::IngestSumsubEventResponse* response) override {
    // Intake has no state per caller: the loops take turns.
    const int index = static_cast<int>(
        turn_.fetch_add(1, std::memory_order_relaxed) % parts_.redis.size());
    return async::RunUnary(
        rpc, parts_.runtime->loop(index), "WebhookService/IngestSumsubEvent",
        [this, request, response, index](async::CallContext context) {
          return Ingest(std::move(context), *request, response,
                        *parts_.redis[index]);
        });
  }

 private:
  async::Task<absl::Status> Ingest(async::CallContext context,
                                   const v1::IngestSumsubEventRequest& request,
                                   v1::IngestSumsubEventResponse* response,
                                   async::Redis& redis) {
    const auto now = std::chrono::steady_clock::now();
    context.deadline = std::min(context.deadline, now + kBudget);
    if (request.body().size() > kMaxBodyBytes) {
      too_large_->Add();
      co_return base::Error(v1::ERROR_REASON_BODY_TOO_LARGE);
    }
    if (!VerifyDigest(request.body(),
                      {request.digests().begin(), request.digests().end()},
                      {request.digest_algorithms().begin(),
                       request.digest_algorithms().end()},
                      *parts_.secrets->Get(), parts_.algorithms)) {
      refused_->Add();
      base::LogWarning("webhook refused: bad signature",
                       {{"bytes", request.body().size()},
                        {"digest_headers", request.digests_size()}},
                       &context.trace);
      co_return base::Error(v1::ERROR_REASON_WEBHOOK_SIGNATURE_INVALID);
    }
    StreamEvent event{.provider = "sumsub",
                      .body = request.body(),
                      .received_ms = parts_.clock->NowMs(),
                      .traceparent = context.trace.ToTraceparent()};
    EventStream stream(redis);
    absl::StatusOr<std::string> id = co_await stream.Append(
        std::move(event), std::chrono::duration_cast<std::chrono::milliseconds>(
                              context.Remaining(kBudget)));
    if (!id.ok()) {
      unavailable_->Add();
      base::LogError(
          "webhook not stored",
          {{"error", std::string_view(id.status().message().data(),
                                      id.status().message().size())}},
          &context.trace);
      co_return base::Error(v1::ERROR_REASON_UNAVAILABLE);
    }
    stored_->Add();
    base::LogInfo("webhook stored", {{"entry", *id}}, &context.trace);
    response->set_event_id(*std::move(id));
    co_return absl::OkStatus();
  }

  const IntakeParts parts_;
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
