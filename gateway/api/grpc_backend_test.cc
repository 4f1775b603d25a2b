// The backend and the health check against a real gRPC server.
#include "gateway/api/grpc_backend.h"

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gateway/api/grpc_health.h"
#include "kyc/v1/kyc_service.grpc.pb.h"
#include "kyc/v1/webhook_service.grpc.pb.h"
#include "services/async/grpc_status.h"
#include "services/async/loop.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

class FakeKyc : public v1::KycService::Service {
 public:
  grpc::Status BatchGetStatus(grpc::ServerContext*,
                              const v1::BatchGetStatusRequest* request,
                              v1::BatchGetStatusResponse* response) override {
    ++batches;
    for (const v1::GetStatusRequest& item : request->requests()) {
      if (item.traceparent().size() == 55 && item.timeout_ms() > 0 &&
          item.timeout_ms() <= 4000) {
        ++sound_items;
      }
      auto* result = response->add_results();
      if (item.user_id() == "broken") {
        *result->mutable_error() = async::ToRpcStatus(
            base::Error(v1::ERROR_REASON_PROVIDER_UNAVAILABLE));
      } else if (item.user_id() != "nothing") {
        result->mutable_verification()->set_user_id(item.user_id());
      }
    }
    std::this_thread::sleep_for(milliseconds(5));  // So that reads gather.
    return grpc::Status::OK;
  }

  grpc::Status RefreshStatus(grpc::ServerContext* context,
                             const v1::RefreshStatusRequest*,
                             v1::Verification*) override {
    while (!context->IsCancelled()) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    return grpc::Status::CANCELLED;
  }

  // Refuses "nobody" at once, else counts what comes.
  grpc::Status UploadDocument(
      grpc::ServerContext* context,
      grpc::ServerReader<v1::UploadDocumentRequest>* reader,
      v1::UploadDocumentResponse* response) override {
    v1::UploadDocumentRequest message;
    size_t bytes = 0;
    while (reader->Read(&message)) {
      if (message.start().user_id() == "nobody") {
        return async::ToGrpcStatus(
            base::Error(v1::ERROR_REASON_APPLICANT_NOT_FOUND));
      }
      bytes += message.chunk().size();
    }
    if (context->IsCancelled()) cancelled = true;
    response->set_country(message.metadata().country());
    response->set_image_id(std::to_string(bytes));
    return grpc::Status::OK;
  }

  std::atomic<bool> cancelled = false;
  std::atomic<int> batches = 0;
  std::atomic<int> sound_items = 0;
};

// Stores every webhook that is "good"; its id is its body's size.
class FakeWebhook : public v1::WebhookService::Service {
 public:
  grpc::Status BatchIngestSumsubEvents(
      grpc::ServerContext*, const v1::BatchIngestSumsubEventsRequest* request,
      v1::BatchIngestSumsubEventsResponse* response) override {
    ++batches;
    for (const v1::IngestSumsubEventRequest& item : request->requests()) {
      if (item.traceparent().size() == 55) ++sound_items;
      auto* result = response->add_results();
      if (item.digests_size() == 1 && item.digests(0) == "good") {
        result->mutable_response()->set_event_id(
            std::to_string(item.body().size()));
      } else {
        *result->mutable_error() = async::ToRpcStatus(
            base::Error(v1::ERROR_REASON_WEBHOOK_SIGNATURE_INVALID));
      }
    }
    std::this_thread::sleep_for(milliseconds(5));  // So that others gather.
    return grpc::Status::OK;
  }

  std::atomic<int> batches = 0;
  std::atomic<int> sound_items = 0;
};

template <typename T>
async::Task<void> Into(async::Task<absl::StatusOr<T>> task,
                       std::shared_ptr<std::promise<absl::StatusOr<T>>> done) {
  done->set_value(co_await std::move(task));
}

// Uploads `chunks` of 1000 bytes; with `finish` to the end.
async::Task<absl::StatusOr<v1::UploadDocumentResponse>> Upload(Backend& backend,
                                                               std::string user,
                                                               int chunks,
                                                               bool finish) {
  const std::unique_ptr<UploadCall> upload = backend.UploadDocument(
      {base::TraceContext::Start(), steady_clock::now() + seconds(10)});
  v1::UploadDocumentRequest start;
  start.mutable_start()->set_user_id(std::move(user));
  CO_RETURN_IF_ERROR(co_await upload->Write(std::move(start)));
  for (int i = 0; i < chunks; ++i) {
    v1::UploadDocumentRequest message;
    message.set_chunk(std::string(1000, 'x'));
    CO_RETURN_IF_ERROR(co_await upload->Write(std::move(message)));
  }
  if (!finish) co_return absl::UnknownError("stopped");
  v1::UploadDocumentRequest last;
  last.mutable_metadata()->set_country("GBR");
  CO_RETURN_IF_ERROR(co_await upload->Write(std::move(last)));
  co_return co_await upload->Finish();
}

class GrpcBackendTest : public ::testing::Test {
 protected:
  GrpcBackendTest() {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&kyc_);
    builder.RegisterService(&webhook_);
    server_ = builder.BuildAndStart();
    address_ = "127.0.0.1:" + std::to_string(port);
    backend_ = NewGrpcBackend(runtime_.loop(0), {.kyc_address = address_,
                                                 .webhook_address = address_,
                                                 .rpc_timeout = seconds(1)});
    runtime_.Start();
  }
  ~GrpcBackendTest() override {
    runtime_.Stop();
    backend_.reset();
    server_->Shutdown(Now());
  }

  static std::chrono::system_clock::time_point Now() {
    return std::chrono::system_clock::now();
  }

  template <typename T>
  std::future<absl::StatusOr<T>> Start(
      std::function<async::Task<absl::StatusOr<T>>()> call) {
    auto done = std::make_shared<std::promise<absl::StatusOr<T>>>();
    runtime_.loop(0).Post([this, call = std::move(call), done] {
      runtime_.loop(0).Spawn(Into<T>(call(), done));
    });
    return done->get_future();
  }
  std::future<absl::StatusOr<v1::Verification>> Read(std::string user) {
    return Start<v1::Verification>([this, user] {
      return backend_->GetStatus({base::TraceContext::Start()}, user);
    });
  }

  FakeKyc kyc_;
  FakeWebhook webhook_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  async::Runtime runtime_{1};
  std::unique_ptr<Backend> backend_;
};

TEST_F(GrpcBackendTest, ReadsShareBatchesAndKeepApart) {
  constexpr int kReads = 500;
  std::vector<std::future<absl::StatusOr<v1::Verification>>> reads;
  for (int i = 0; i < kReads; ++i) {
    reads.push_back(Read(i % 50 == 7   ? "broken"
                         : i % 50 == 8 ? "nothing"
                                       : "usr_" + std::to_string(i)));
  }
  for (int i = 0; i < kReads; ++i) {
    const absl::StatusOr<v1::Verification> result = reads[i].get();
    if (i % 50 == 7) {
      EXPECT_EQ(base::ReasonOf(result.status()),
                v1::ERROR_REASON_PROVIDER_UNAVAILABLE);
    } else if (i % 50 == 8) {
      EXPECT_TRUE(absl::IsInternal(result.status()));
    } else {
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_EQ(result->user_id(), "usr_" + std::to_string(i));
    }
  }
  EXPECT_EQ(kyc_.sound_items, kReads);
  EXPECT_LT(kyc_.batches, kReads / 4);
}

TEST_F(GrpcBackendTest, CallsEndInTime) {
  const auto begin = steady_clock::now();
  const auto result =
      Start<v1::Verification>([this] {
        return backend_->RefreshStatus({base::TraceContext::Start()}, {});
      }).get();
  EXPECT_TRUE(absl::IsDeadlineExceeded(result.status())) << result.status();
  const auto took = steady_clock::now() - begin;
  EXPECT_GE(took, milliseconds(900));
  EXPECT_LT(took, seconds(3));
}

TEST_F(GrpcBackendTest, StreamsUploads) {
  const auto upload = [this](std::string user, int chunks, bool finish) {
    return Start<v1::UploadDocumentResponse>(
               [=, this] { return Upload(*backend_, user, chunks, finish); })
        .get();
  };
  const auto whole = upload("usr_1", 500, true);
  ASSERT_TRUE(whole.ok()) << whole.status();
  EXPECT_EQ(whole->image_id(), "500000");
  EXPECT_EQ(whole->country(), "GBR");
  EXPECT_FALSE(kyc_.cancelled);
  // The refusal ends it, wherever the client stands.
  EXPECT_EQ(base::ReasonOf(upload("nobody", 100000, true).status()),
            v1::ERROR_REASON_APPLICANT_NOT_FOUND);
  EXPECT_FALSE(upload("usr_1", 3, false).ok());
  const auto limit = steady_clock::now() + seconds(5);
  while (!kyc_.cancelled && steady_clock::now() < limit) {
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_TRUE(kyc_.cancelled);
}

TEST_F(GrpcBackendTest, ReasonsArrive) {
  const auto result =
      Start<v1::IngestSumsubEventResponse>([this] {
        return backend_->IngestSumsubEvent({base::TraceContext::Start()}, {});
      }).get();
  EXPECT_EQ(base::ReasonOf(result.status()),
            v1::ERROR_REASON_WEBHOOK_SIGNATURE_INVALID);
}

TEST_F(GrpcBackendTest, WebhooksShareRpcsAndEachHasItsOwnAnswer) {
  constexpr int kEvents = 200;
  std::vector<std::future<absl::StatusOr<v1::IngestSumsubEventResponse>>>
      answers;
  for (int i = 0; i < kEvents; ++i) {
    v1::IngestSumsubEventRequest request;
    // Some so large that one message could not hold two of them.
    request.set_body(std::string(i % 50 == 7 ? (2 << 20) + i : i, 'x'));
    request.add_digests(i % 3 == 0 ? "bad" : "good");
    answers.push_back(Start<v1::IngestSumsubEventResponse>([this, request] {
      return backend_->IngestSumsubEvent({base::TraceContext::Start()},
                                         request);
    }));
  }
  for (int i = 0; i < kEvents; ++i) {
    const auto answer = answers[i].get();
    if (i % 3 == 0) {
      EXPECT_EQ(base::ReasonOf(answer.status()),
                v1::ERROR_REASON_WEBHOOK_SIGNATURE_INVALID);
    } else {
      ASSERT_TRUE(answer.ok()) << i << " " << answer.status();
      EXPECT_EQ(answer->event_id(),
                std::to_string(i % 50 == 7 ? (2 << 20) + i : i));
    }
  }
  EXPECT_EQ(webhook_.sound_items, kEvents);
  EXPECT_LT(webhook_.batches, kEvents / 2);
}

TEST_F(GrpcBackendTest, WithoutServerReadsAreUnavailable) {
  ASSERT_TRUE(Read("u").get().ok());
  server_->Shutdown(Now());
  const auto begin = steady_clock::now();
  EXPECT_TRUE(absl::IsUnavailable(Read("u").get().status()));
  EXPECT_LT(steady_clock::now() - begin, seconds(2));
}

TEST_F(GrpcBackendTest, HealthFollowsTheService) {
  const auto wait_for = [](const GrpcHealth& health, bool serving) {
    const auto limit = steady_clock::now() + seconds(10);
    while (health.serving() != serving) {
      if (steady_clock::now() > limit) return false;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return true;
  };
  server_->GetHealthCheckService()->SetServingStatus("kyc.v1.KycService", true);
  async::Runtime background(1);
  GrpcHealth health(address_, "kyc.v1.KycService");
  GrpcHealth unknown(address_, "kyc.v1.NoService");
  health.Start(background.loop(0));
  unknown.Start(background.loop(0));
  EXPECT_FALSE(health.serving());
  background.Start();
  EXPECT_TRUE(wait_for(health, true));
  EXPECT_FALSE(unknown.serving());
  server_->GetHealthCheckService()->SetServingStatus("kyc.v1.KycService",
                                                     false);
  EXPECT_TRUE(wait_for(health, false));
  background.Stop();
}

}  // namespace
}  // namespace kyc::gateway
