// Both halves of the bridge, over a real server on a unix socket.
#include <grpcpp/create_channel.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "google/rpc/status.pb.h"
#include "kyc/v1/kyc_service.grpc.pb.h"
#include "kyc/v1/user_service.grpc.pb.h"
#include "services/async/grpc_client.h"
#include "services/async/grpc_server.h"
#include "services/async/grpc_server_stream.h"
#include "services/async/waiter.h"
#include "services/base/error.h"
#include "services/base/metrics.h"

namespace kyc::async {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

using Streamer = std::function<Task<absl::Status>(
    CallContext, StreamWriter<v1::Verification>&)>;
using GetUserHandler = std::function<Task<absl::Status>(
    CallContext, const v1::GetUserRequest&, v1::User*)>;

class UserService final : public v1::UserService::CallbackService {
 public:
  explicit UserService(Loop& loop) : loop_(loop) {}

  grpc::ServerUnaryReactor* GetUser(grpc::CallbackServerContext* rpc,
                                    const v1::GetUserRequest* request,
                                    v1::User* response) override {
    return RunUnary(rpc, loop_, "UserService/GetUser",
                    [this, request, response](CallContext context) {
                      return handler(context, *request, response);
                    });
  }

  GetUserHandler handler;

 private:
  Loop& loop_;
};

class KycService final : public v1::KycService::CallbackService {
 public:
  KycService(Loop& loop, StreamRegistry& registry)
      : loop_(loop), registry_(registry) {}

  grpc::ServerWriteReactor<v1::Verification>* WatchStatus(
      grpc::CallbackServerContext* rpc,
      const v1::WatchStatusRequest*) override {
    return RunServerStream<v1::Verification>(rpc, loop_, registry_,
                                             "KycService/WatchStatus", handler);
  }

  Streamer handler;

 private:
  Loop& loop_;
  StreamRegistry& registry_;
};

class GrpcBridgeTest : public ::testing::Test {
 protected:
  GrpcBridgeTest()
      : folder_(MakeFolder()),
        address_("unix:" + folder_ + "/grpc"),
        runtime_(2),
        server_loop_(runtime_.loop(0)),
        client_loop_(runtime_.loop(1)),
        users_(server_loop_),
        kyc_(server_loop_, streams_) {
    runtime_.Start();
    grpc::ServerBuilder builder;
    ApplyServerDefaults(builder);
    builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
    builder.RegisterService(&users_);
    builder.RegisterService(&kyc_);
    server_ = builder.BuildAndStart();
    channel_ = OpenChannel(address_);
    stub_ = v1::UserService::NewStub(channel_);
    kyc_stub_ = v1::KycService::NewStub(channel_);
  }

  ~GrpcBridgeTest() override {
    server_->Shutdown(std::chrono::system_clock::now());
    runtime_.Stop();
    unlink((folder_ + "/grpc").c_str());
    rmdir(folder_.c_str());
  }

  static std::string MakeFolder() {
    const char* tmp = getenv("TEST_TMPDIR");
    std::string folder = std::string(tmp == nullptr ? "/tmp" : tmp);
    // A socket's path has 107 bytes at most.
    if (folder.size() > 80) folder = "/tmp";
    folder += "/bridge.XXXXXX";
    EXPECT_NE(mkdtemp(folder.data()), nullptr);
    return folder;
  }

  // Runs a coroutine on the client's loop to its end.
  void Run(std::function<Task<void>()> body) {
    auto done = std::make_shared<std::promise<void>>();
    client_loop_.Spawn(
        [](std::function<Task<void>()> body,
           std::shared_ptr<std::promise<void>> done) -> Task<void> {
          co_await body();
          done->set_value();
        }(std::move(body), done));
    ASSERT_EQ(done->get_future().wait_for(seconds(20)),
              std::future_status::ready);
  }

  static CallContext In(steady_clock::duration time) {
    CallContext context;
    context.trace = base::TraceContext::Start();
    context.deadline = steady_clock::now() + time;
    return context;
  }

  Task<absl::Status> GetUser(CallContext context, std::string user_id,
                             v1::User* user) {
    v1::GetUserRequest request;
    request.set_user_id(user_id);
    co_return co_await CallUnary(
        context, "UserService/GetUser", [&](auto* rpc, auto done) {
          stub_->async()->GetUser(rpc, &request, user, std::move(done));
        });
  }

  // One call with this answer.
  absl::Status Answered(absl::Status answer) {
    users_.handler = [answer](CallContext, const v1::GetUserRequest&,
                              v1::User*) { return Give(answer); };
    absl::Status status;
    Run([&]() -> Task<void> {
      v1::User user;
      status = co_await GetUser(In(seconds(10)), "u", &user);
    });
    return status;
  }
  static Task<absl::Status> Give(absl::Status status) { co_return status; }

  const std::string folder_;
  const std::string address_;
  Runtime runtime_;
  Loop& server_loop_;
  Loop& client_loop_;
  StreamRegistry streams_;
  UserService users_;
  KycService kyc_;
  std::unique_ptr<grpc::Server> server_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::UserService::Stub> stub_;
  std::unique_ptr<v1::KycService::Stub> kyc_stub_;
};

TEST_F(GrpcBridgeTest, CarriesRequestAnswerTraceAndDeadline) {
  CallContext sent = In(seconds(5));
  CallContext seen;
  bool on_loop = false;
  users_.handler = [&](CallContext context, const v1::GetUserRequest& request,
                       v1::User* user) -> Task<absl::Status> {
    seen = context;
    on_loop = server_loop_.RunsHere();
    user->set_id(request.user_id());
    co_return absl::OkStatus();
  };
  Run([&]() -> Task<void> {
    v1::User user;
    EXPECT_TRUE((co_await GetUser(sent, "usr_1", &user)).ok());
    EXPECT_TRUE(client_loop_.RunsHere());
    EXPECT_EQ(user.id(), "usr_1");
  });
  EXPECT_TRUE(on_loop);
  EXPECT_EQ(seen.trace.trace_id(), sent.trace.trace_id());
  EXPECT_NE(seen.trace.span_id(), sent.trace.span_id());
  EXPECT_LT(std::chrono::abs(seen.deadline - sent.deadline), milliseconds(500));
  const std::string metrics = base::RenderMetrics();
  for (const char* line :
       {"kyc_rpc_server_requests_total", "kyc_rpc_server_duration_seconds",
        "kyc_rpc_client_requests_total"}) {
    EXPECT_NE(metrics.find(line), std::string::npos) << line;
  }
}

TEST_F(GrpcBridgeTest, ReasonsAndExtrasArriveAsTheyLeft) {
  base::ErrorExtras extras;
  extras.metadata = {{"current_step", "kyc_verification"}, {"other", "1"}};
  extras.violations = {
      {base::Violation::Where::kPointer, "/step", "is unknown"},
      {base::Violation::Where::kParameter, "page", "is not a number"}};
  extras.retry_after = seconds(7);
  for (const base::ErrorEntry& entry : base::ErrorCatalogue()) {
    const absl::Status sent = base::Error(entry.reason, "a detail", extras);
    const absl::Status got = Answered(sent);
    EXPECT_EQ(got.code(), sent.code()) << entry.name;
    EXPECT_EQ(got.message(), sent.message());
    EXPECT_EQ(base::ReasonOf(got), entry.reason);
    base::ErrorExtras back = base::ExtrasOf(got);
    std::sort(back.metadata.begin(), back.metadata.end());
    EXPECT_EQ(back.metadata, extras.metadata);
    EXPECT_EQ(back.retry_after, seconds(7));
    EXPECT_EQ(back.violations.size(), 2u);
    if (back.violations.size() != 2) continue;
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(back.violations[i].where, extras.violations[i].where);
      EXPECT_EQ(back.violations[i].name, extras.violations[i].name);
      EXPECT_EQ(back.violations[i].detail, extras.violations[i].detail);
    }
  }
}

TEST_F(GrpcBridgeTest, AStatusWithoutReasonGetsTheOneItsCodeImplies) {
  const std::map<absl::StatusCode, v1::ErrorReason> implied = {
      {absl::StatusCode::kUnavailable, v1::ERROR_REASON_UNAVAILABLE},
      {absl::StatusCode::kDeadlineExceeded, v1::ERROR_REASON_DEADLINE_EXCEEDED},
      {absl::StatusCode::kInternal, v1::ERROR_REASON_INTERNAL},
      {absl::StatusCode::kUnknown, v1::ERROR_REASON_INTERNAL},
      {absl::StatusCode::kNotFound, v1::ERROR_REASON_INTERNAL},
      {absl::StatusCode::kInvalidArgument,
       v1::ERROR_REASON_REQUEST_VALIDATION_FAILED},
      {absl::StatusCode::kCancelled, v1::ERROR_REASON_UNSPECIFIED},
  };
  for (const auto& [code, reason] : implied) {
    const absl::Status got =
        Answered(absl::Status(code, "redis on 10.0.0.1 is broken"));
    EXPECT_EQ(base::ReasonOf(got), reason);
    if (reason != v1::ERROR_REASON_UNSPECIFIED) {
      EXPECT_EQ(got.code(), base::LookUpError(reason).grpc_code);
      // Words meant for ourselves stay with us.
      EXPECT_EQ(got.message().find("redis"), absl::string_view::npos);
    } else {
      EXPECT_EQ(got.code(), code);
    }
  }
}

TEST_F(GrpcBridgeTest, AnExceptionIsAnInternalError) {
  users_.handler = [](CallContext, const v1::GetUserRequest&,
                      v1::User*) -> Task<absl::Status> {
    throw std::runtime_error("secret");
    co_return absl::OkStatus();
  };
  Run([&]() -> Task<void> {
    v1::User user;
    const absl::Status status = co_await GetUser(In(seconds(5)), "u", &user);
    EXPECT_EQ(base::ReasonOf(status), v1::ERROR_REASON_INTERNAL);
    EXPECT_EQ(status.message().find("secret"), absl::string_view::npos);
  });
}

TEST_F(GrpcBridgeTest, AFrozenServerCostsNoMoreThanTheDeadline) {
  Waiter thaw(server_loop_);
  std::promise<void> answered;
  users_.handler = [&](CallContext, const v1::GetUserRequest&,
                       v1::User* user) -> Task<absl::Status> {
    co_await thaw.Wait();
    user->set_id("too late");  // The response lives as long as the handler.
    answered.set_value();
    co_return absl::OkStatus();
  };
  Run([&]() -> Task<void> {
    const auto before = steady_clock::now();
    v1::User user;
    const absl::Status status =
        co_await GetUser(In(milliseconds(100)), "u", &user);
    EXPECT_TRUE(absl::IsDeadlineExceeded(status)) << status;
    EXPECT_GE(steady_clock::now() - before, milliseconds(95));
    EXPECT_LT(steady_clock::now() - before, seconds(3));
    // No time at all: not even sent.
    EXPECT_TRUE(absl::IsDeadlineExceeded(
        co_await GetUser(In(milliseconds(-1)), "u", &user)));
    EXPECT_EQ(user.id(), "");
  });
  server_loop_.Post([&] { thaw.ResumeNow(); });
  EXPECT_EQ(answered.get_future().wait_for(seconds(10)),
            std::future_status::ready);
}

TEST_F(GrpcBridgeTest, ADeadServerIsUnavailableAndComesBack) {
  users_.handler = [](CallContext, const v1::GetUserRequest&, v1::User*) {
    return Give(absl::OkStatus());
  };
  EXPECT_TRUE(Answered(absl::OkStatus()).ok());
  server_->Shutdown();
  const absl::Status away = Answered(absl::OkStatus());
  EXPECT_TRUE(absl::IsUnavailable(away)) << away;
  EXPECT_EQ(base::ReasonOf(away), v1::ERROR_REASON_UNSPECIFIED);

  UserService again(server_loop_);
  again.handler = users_.handler;
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
  builder.RegisterService(&again);
  server_ = builder.BuildAndStart();
  const auto limit = steady_clock::now() + seconds(10);
  absl::Status back = away;
  while (!back.ok() && steady_clock::now() < limit) {
    usleep(10'000);
    back = Answered(absl::OkStatus());
  }
  EXPECT_TRUE(back.ok()) << back;
  server_->Shutdown();
}

TEST_F(GrpcBridgeTest, AThousandCallsAtOnceGetTheirOwnAnswers) {
  users_.handler = [](CallContext, const v1::GetUserRequest& request,
                      v1::User* user) -> Task<absl::Status> {
    user->set_id("of " + request.user_id());
    co_await Sleep(milliseconds(request.user_id().size() % 3));
    co_return absl::OkStatus();
  };
  Run([&]() -> Task<void> {
    constexpr int kCalls = 1000;
    Waiter all(client_loop_);
    int left = kCalls;
    const auto call = [&](int i) -> Task<void> {
      const std::string id = std::to_string(i);
      v1::User user;
      const absl::Status status = co_await GetUser(In(seconds(15)), id, &user);
      EXPECT_TRUE(status.ok()) << status;
      EXPECT_EQ(user.id(), "of " + id);
      if (--left == 0) all.Resume();
    };
    for (int i = 0; i < kCalls; ++i) client_loop_.Spawn(call(i));
    co_await all.Wait();
  });
}

// Both coroutines are suspended when the loops stop: the client's frame, into
// which gRPC writes, waits for gRPC; the server's ends its call.
TEST_F(GrpcBridgeTest, StoppingEndsCallsThatAreOut) {
  std::promise<void> arrived;
  Waiter never(server_loop_);
  users_.handler = [&](CallContext, const v1::GetUserRequest&,
                       v1::User*) -> Task<absl::Status> {
    arrived.set_value();
    co_await never.Wait();
    co_return absl::OkStatus();
  };
  const auto call = [&]() -> Task<void> {
    v1::User user;
    const absl::Status status = co_await GetUser(In(seconds(20)), "u", &user);
    ADD_FAILURE() << "went on: " << status;
  };
  client_loop_.Spawn(call());
  arrived.get_future().wait();
  const auto before = steady_clock::now();
  runtime_.Stop();
  server_->Shutdown();
  EXPECT_LT(steady_clock::now() - before, seconds(5));
}

// Streams. The client is gRPC's blocking one, on the test's thread.

TEST_F(GrpcBridgeTest, AStreamSendsInOrderAndEndsWithItsStatus) {
  kyc_.handler =
      [](CallContext,
         StreamWriter<v1::Verification>& writer) -> Task<absl::Status> {
    for (int i = 1; i <= 500; ++i) {
      v1::Verification message;
      message.set_version(i);
      const absl::Status status = co_await writer.Write(message);
      if (!status.ok()) co_return status;
    }
    co_return base::Error(v1::ERROR_REASON_INTERNAL);
  };
  grpc::ClientContext rpc;
  const auto reader = kyc_stub_->WatchStatus(&rpc, {});
  v1::Verification message;
  int64_t count = 0;
  while (reader->Read(&message)) {
    ++count;
    EXPECT_EQ(static_cast<int64_t>(message.version()), count);
  }
  EXPECT_EQ(count, 500);
  EXPECT_EQ(base::ReasonOf(FromGrpcStatus(reader->Finish())),
            v1::ERROR_REASON_INTERNAL);
}

// Sends one message, then sleeps until the stream is cancelled.
Streamer SleepUntilCancelled(std::promise<absl::Status>& ended) {
  return
      [&ended](CallContext,
               StreamWriter<v1::Verification>& writer) -> Task<absl::Status> {
        Event changed;
        writer.OnCancelled([&changed] { changed.Notify(); });
        // CANCELLED when the cancellation overtakes gRPC's word of the write.
        absl::Status status = co_await writer.Write(v1::Verification());
        while (!writer.cancelled()) co_await changed.Wait(seconds(60));
        status = co_await writer.Write(v1::Verification());
        ended.set_value(status);
        co_return absl::OkStatus();
      };
}

TEST_F(GrpcBridgeTest, AClientThatGoesWakesTheHandler) {
  std::promise<absl::Status> ended;
  kyc_.handler = SleepUntilCancelled(ended);
  grpc::ClientContext rpc;
  const auto reader = kyc_stub_->WatchStatus(&rpc, {});
  v1::Verification message;
  EXPECT_TRUE(reader->Read(&message));
  rpc.TryCancel();
  auto status = ended.get_future();
  ASSERT_EQ(status.wait_for(seconds(10)), std::future_status::ready);
  EXPECT_TRUE(absl::IsCancelled(status.get()));
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(GrpcBridgeTest, ADrainEndsStreamsOpenAndNew) {
  std::promise<absl::Status> ended;
  kyc_.handler = SleepUntilCancelled(ended);
  grpc::ClientContext rpc;
  const auto reader = kyc_stub_->WatchStatus(&rpc, {});
  v1::Verification message;
  EXPECT_TRUE(reader->Read(&message));
  streams_.CancelAll();
  EXPECT_FALSE(reader->Read(&message));
  const absl::Status open = FromGrpcStatus(reader->Finish());
  EXPECT_EQ(base::ReasonOf(open), v1::ERROR_REASON_UNAVAILABLE);

  grpc::ClientContext late_rpc;
  const auto late = kyc_stub_->WatchStatus(&late_rpc, {});
  EXPECT_FALSE(late->Read(&message));
  const absl::Status refused = FromGrpcStatus(late->Finish());
  EXPECT_EQ(base::ReasonOf(refused), v1::ERROR_REASON_UNAVAILABLE);
}

TEST_F(GrpcBridgeTest, ADrainEndsAStreamWhoseClientDoesNotRead) {
  std::promise<void> ended;
  std::atomic<int> sent = 0;
  kyc_.handler =
      [&](CallContext,
          StreamWriter<v1::Verification>& writer) -> Task<absl::Status> {
    v1::Verification large;
    large.set_reject_reason(std::string(100'000, 'x'));
    while ((co_await writer.Write(large)).ok()) ++sent;
    ended.set_value();
    co_return absl::OkStatus();
  };
  grpc::ClientContext rpc;
  const auto reader = kyc_stub_->WatchStatus(&rpc, {});
  // Until the windows are full and nothing moves any more.
  int before = -1;
  while (before != sent || before == 0) {
    before = sent;
    usleep(100'000);
  }
  streams_.CancelAll();
  EXPECT_EQ(ended.get_future().wait_for(seconds(10)),
            std::future_status::ready);
  v1::Verification message;
  while (reader->Read(&message)) {
  }
  EXPECT_FALSE(reader->Finish().ok());
}

TEST(GrpcStatusTest, DetailsThatAreNotOursAreLeftOut) {
  EXPECT_TRUE(FromGrpcStatus(grpc::Status::OK).ok());
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
  const absl::Status broken = FromGrpcStatus(
      grpc::Status(grpc::StatusCode::NOT_FOUND, "m", "\xff not a message"));
  EXPECT_EQ(broken, absl::NotFoundError("m"));
  // A status inside a message.
  const absl::Status sent = base::Error(v1::ERROR_REASON_UNAVAILABLE, "m");
  const absl::Status got = FromRpcStatus(ToRpcStatus(sent));
  EXPECT_EQ(base::ReasonOf(got), v1::ERROR_REASON_UNAVAILABLE);
  EXPECT_EQ(got.message(), "m");
  EXPECT_TRUE(FromRpcStatus(ToRpcStatus(absl::OkStatus())).ok());
}

}  // namespace
}  // namespace kyc::async
