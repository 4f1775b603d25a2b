#include "gateway/api/grpc_backend.h"

#include <google/protobuf/arena.h>
#include <grpcpp/channel.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "gateway/api/grpc_admin_backend.h"
#include "gateway/api/grpc_partner_backend.h"
#include "gateway/api/grpc_subscription_backend.h"
#include "gateway/api/unary_rpc.h"
#include "kyc/v1/idempotency_service.grpc.pb.h"
#include "kyc/v1/kyc_service.grpc.pb.h"
#include "kyc/v1/user_service.grpc.pb.h"
#include "kyc/v1/webhook_service.grpc.pb.h"
#include "services/async/batcher.h"
#include "services/async/grpc_client.h"
#include "services/async/grpc_client_stream.h"
#include "services/async/grpc_status.h"
#include "services/async/pace.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

using async::CallContext;
using async::Task;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kReadTimeout(4);
// Refreshes leave together, at most this often per loop: at a provider that
// takes far longer it tells nobody, and many of them wake every thread on their
// way once instead of each for itself.
constexpr std::chrono::milliseconds kRefreshInterval(20);
// The provider sends an event again when it has no answer: better a quick 503
// than a provider that gives up waiting.
constexpr std::chrono::milliseconds kWebhookTimeout(900);

template <typename Service>
using Rpc = typename Service::StubInterface::async_interface;

// One read of a status on its way into a batch.
struct StatusRead {
  std::string user_id;
  base::TraceContext trace;
  steady_clock::time_point deadline;
};

// One webhook on its way into a batch.
struct Event {
  v1::IngestSumsubEventRequest request;
  base::TraceContext trace;
  steady_clock::time_point deadline;
};

class GrpcUpload : public UploadCall {
 public:
  GrpcUpload(CallContext context, v1::KycService::Stub& stub)
      : stream_(context, "KycService/UploadDocument",
                [&](auto* rpc, auto* response, auto* reactor) {
                  stub.async()->UploadDocument(rpc, response, reactor);
                }) {}

  Task<absl::Status> Write(v1::UploadDocumentRequest message) override {
    return stream_.Write(std::move(message));
  }
  Task<absl::StatusOr<v1::UploadDocumentResponse>> Finish() override {
    return stream_.Finish();
  }

 private:
  async::ClientStream<v1::UploadDocumentRequest, v1::UploadDocumentResponse>
      stream_;
};

class GrpcBackend : public Backend {
 public:
  GrpcBackend(async::Loop& loop, const GrpcBackendOptions& options)
      : rpc_timeout_(options.rpc_timeout),
        kyc_channel_(async::OpenChannel(options.kyc_address)),
        documents_channel_(async::OpenChannel(options.kyc_address)),
        webhook_channel_(async::OpenChannel(options.webhook_address)),
        kyc_(v1::KycService::NewStub(kyc_channel_)),
        uploads_(v1::KycService::NewStub(documents_channel_)),
        user_(v1::UserService::NewStub(kyc_channel_)),
        webhook_(v1::WebhookService::NewStub(webhook_channel_)),
        idempotency_(v1::IdempotencyService::NewStub(kyc_channel_)),
        admin_(NewGrpcAdminBackend(kyc_channel_)),
        partner_(NewGrpcPartnerBackend(kyc_channel_, documents_channel_,
                                       rpc_timeout_)),
        subscriptions_(NewGrpcSubscriptionBackend(webhook_channel_)),
        statuses_(loop, {},
                  [this](std::vector<StatusRead> reads) {
                    return BatchGetStatus(std::move(reads));
                  }),
        events_(loop, EventOptions(), [this](std::vector<Event> events) {
          return BatchIngestSumsubEvents(std::move(events));
        }) {}

  Task<absl::StatusOr<v1::BeginIdempotentResponse>> BeginIdempotent(
      CallContext context, v1::BeginIdempotentRequest request) override {
    return UnaryRpc<v1::BeginIdempotentResponse>(
        idempotency_->async(), context.Within(kReadTimeout),
        "IdempotencyService/BeginIdempotent", std::move(request),
        &Rpc<v1::IdempotencyService>::BeginIdempotent);
  }

  Task<absl::StatusOr<v1::EndIdempotentResponse>> EndIdempotent(
      CallContext context, v1::EndIdempotentRequest request) override {
    return UnaryRpc<v1::EndIdempotentResponse>(
        idempotency_->async(), context.Within(kReadTimeout),
        "IdempotencyService/EndIdempotent", std::move(request),
        &Rpc<v1::IdempotencyService>::EndIdempotent);
  }

  AdminBackend& admin() override { return *admin_; }
  PartnerBackend& partner() override { return *partner_; }
  SubscriptionBackend& subscriptions() override { return *subscriptions_; }

  Task<absl::StatusOr<v1::CreateApplicantResponse>> CreateApplicant(
      CallContext context, v1::CreateApplicantRequest request) override {
    return UnaryRpc<v1::CreateApplicantResponse>(
        kyc_->async(), context.Within(rpc_timeout_),
        "KycService/CreateApplicant", std::move(request),
        &Rpc<v1::KycService>::CreateApplicant);
  }

  Task<absl::StatusOr<v1::CreateAccessTokenResponse>> CreateAccessToken(
      CallContext context, v1::CreateAccessTokenRequest request) override {
    return UnaryRpc<v1::CreateAccessTokenResponse>(
        kyc_->async(), context.Within(rpc_timeout_),
        "KycService/CreateAccessToken", std::move(request),
        &Rpc<v1::KycService>::CreateAccessToken);
  }

  Task<absl::StatusOr<v1::Verification>> GetStatus(
      CallContext context, std::string user_id) override {
    const auto deadline = context.Within(kReadTimeout).deadline;
    return statuses_.Call({std::move(user_id), context.trace, deadline},
                          deadline);
  }

  Task<absl::StatusOr<v1::Verification>> RefreshStatus(
      CallContext context, v1::RefreshStatusRequest request) override {
    context = context.Within(rpc_timeout_);
    co_await refreshes_.Pass();
    co_return co_await UnaryRpc<v1::Verification>(
        kyc_->async(), context, "KycService/RefreshStatus", std::move(request),
        &Rpc<v1::KycService>::RefreshStatus);
  }

  std::unique_ptr<UploadCall> UploadDocument(CallContext context) override {
    return std::make_unique<GrpcUpload>(context, *uploads_);
  }

  Task<absl::StatusOr<v1::RequiredDocuments>> GetRequiredDocuments(
      CallContext context, v1::GetRequiredDocumentsRequest request) override {
    return UnaryRpc<v1::RequiredDocuments>(
        kyc_->async(), context.Within(rpc_timeout_),
        "KycService/GetRequiredDocuments", std::move(request),
        &Rpc<v1::KycService>::GetRequiredDocuments);
  }

  Task<absl::StatusOr<v1::SubmitResponse>> Submit(
      CallContext context, v1::SubmitRequest request) override {
    return UnaryRpc<v1::SubmitResponse>(
        kyc_->async(), context.Within(rpc_timeout_), "KycService/Submit",
        std::move(request), &Rpc<v1::KycService>::Submit);
  }

  Task<absl::StatusOr<v1::Details>> GetDetails(
      CallContext context, v1::GetDetailsRequest request) override {
    return UnaryRpc<v1::Details>(kyc_->async(), context.Within(rpc_timeout_),
                                 "KycService/GetDetails", std::move(request),
                                 &Rpc<v1::KycService>::GetDetails);
  }

  Task<absl::StatusOr<v1::User>> GetUser(CallContext context,
                                         v1::GetUserRequest request) override {
    return UnaryRpc<v1::User>(user_->async(), context.Within(kReadTimeout),
                              "UserService/GetUser", std::move(request),
                              &Rpc<v1::UserService>::GetUser);
  }

  Task<absl::StatusOr<v1::Onboarding>> GetOnboarding(
      CallContext context, v1::GetOnboardingRequest request) override {
    return UnaryRpc<v1::Onboarding>(
        user_->async(), context.Within(kReadTimeout),
        "UserService/GetOnboarding", std::move(request),
        &Rpc<v1::UserService>::GetOnboarding);
  }

  Task<absl::StatusOr<v1::Onboarding>> SubmitOnboardingStep(
      CallContext context, v1::SubmitOnboardingStepRequest request) override {
    return UnaryRpc<v1::Onboarding>(
        user_->async(), context.Within(kReadTimeout),
        "UserService/SubmitOnboardingStep", std::move(request),
        &Rpc<v1::UserService>::SubmitOnboardingStep);
  }

  Task<absl::StatusOr<v1::IngestSumsubEventResponse>> IngestSumsubEvent(
      CallContext context, v1::IngestSumsubEventRequest request) override {
    const auto deadline = context.Within(kWebhookTimeout).deadline;
    return events_.Call({std::move(request), context.trace, deadline},
                        deadline);
  }

 private:
  using Statuses = async::Batcher<StatusRead, v1::Verification>;
  using Events = async::Batcher<Event, v1::IngestSumsubEventResponse>;

  // Batches stay below gRPC's limit of 4 MiB.
  static Events::Options EventOptions() {
    Events::Options options;
    options.weigh = [](const Event& event) {
      return event.request.body().size();
    };
    options.max_weight = 3 << 20;
    options.linger = std::chrono::milliseconds(1);
    return options;
  }

  // The batch has the first item's trace and the time of whoever has most;
  // within it every item keeps its own.
  Task<Statuses::Results> BatchGetStatus(std::vector<StatusRead> reads) {
    const auto now = steady_clock::now();
    CallContext context{reads.front().trace, now};
    google::protobuf::Arena arena;
    auto& request =
        *google::protobuf::Arena::CreateMessage<v1::BatchGetStatusRequest>(
            &arena);
    request.mutable_requests()->Reserve(static_cast<int>(reads.size()));
    for (StatusRead& read : reads) {
      context.deadline = std::max(context.deadline, read.deadline);
      v1::GetStatusRequest& item = *request.add_requests();
      item.set_user_id(std::move(read.user_id));
      item.set_traceparent(read.trace.ToTraceparent());
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(read.deadline - now);
      item.set_timeout_ms(
          static_cast<uint32_t>(std::max<int64_t>(1, left.count())));
    }
    v1::BatchGetStatusResponse response;
    const absl::Status status = co_await async::CallUnary(
        context, "KycService/BatchGetStatus", [&](auto* rpc, auto done) {
          kyc_->async()->BatchGetStatus(rpc, &request, &response,
                                        std::move(done));
        });
    Statuses::Results results;
    if (!status.ok()) {
      results.assign(reads.size(), status);
      co_return results;
    }
    results.reserve(reads.size());
    for (auto& result : *response.mutable_results()) {
      if (result.has_verification()) {
        results.push_back(std::move(*result.mutable_verification()));
      } else if (absl::Status error = async::FromRpcStatus(result.error());
                 !error.ok()) {
        results.push_back(std::move(error));
      } else {
        results.push_back(absl::InternalError("an item without a result"));
      }
    }
    co_return results;
  }

  Task<Events::Results> BatchIngestSumsubEvents(std::vector<Event> events) {
    CallContext context{events.front().trace, events.front().deadline};
    v1::BatchIngestSumsubEventsRequest request;
    request.mutable_requests()->Reserve(static_cast<int>(events.size()));
    for (Event& event : events) {
      context.deadline = std::max(context.deadline, event.deadline);
      v1::IngestSumsubEventRequest& item = *request.add_requests();
      item = std::move(event.request);
      item.set_traceparent(event.trace.ToTraceparent());
    }
    v1::BatchIngestSumsubEventsResponse response;
    const absl::Status status = co_await async::CallUnary(
        context, "WebhookService/BatchIngestSumsubEvents",
        [&](auto* rpc, auto done) {
          webhook_->async()->BatchIngestSumsubEvents(rpc, &request, &response,
                                                     std::move(done));
        });
    Events::Results results;
    if (!status.ok()) {
      results.assign(events.size(), status);
      co_return results;
    }
    results.reserve(events.size());
    for (auto& result : *response.mutable_results()) {
      if (result.has_response()) {
        results.push_back(std::move(*result.mutable_response()));
      } else if (absl::Status error = async::FromRpcStatus(result.error());
                 !error.ok()) {
        results.push_back(std::move(error));
      } else {
        results.push_back(absl::InternalError("an item without a result"));
      }
    }
    co_return results;
  }

  const std::chrono::milliseconds rpc_timeout_;
  const std::shared_ptr<grpc::Channel> kyc_channel_;
  // Documents have a connection of their own: over a slow link reads would
  // else wait behind their bytes.
  const std::shared_ptr<grpc::Channel> documents_channel_;
  const std::shared_ptr<grpc::Channel> webhook_channel_;
  const std::unique_ptr<v1::KycService::Stub> kyc_;
  const std::unique_ptr<v1::KycService::Stub> uploads_;
  const std::unique_ptr<v1::UserService::Stub> user_;
  const std::unique_ptr<v1::WebhookService::Stub> webhook_;
  const std::unique_ptr<v1::IdempotencyService::Stub> idempotency_;
  const std::unique_ptr<AdminBackend> admin_;
  const std::unique_ptr<PartnerBackend> partner_;
  const std::unique_ptr<SubscriptionBackend> subscriptions_;
  Statuses statuses_;
  Events events_;
  async::Pace refreshes_{kRefreshInterval};
};

}  // namespace

std::unique_ptr<Backend> NewGrpcBackend(async::Loop& loop,
                                        const GrpcBackendOptions& options) {
  return std::make_unique<GrpcBackend>(loop, options);
}

}  // namespace kyc::gateway
