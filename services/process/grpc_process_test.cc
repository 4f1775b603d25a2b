#include "services/process/grpc_process.h"

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <future>
#include <string>
#include <thread>

#include "kyc/v1/webhook_service.grpc.pb.h"

namespace kyc::process {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

// Answers when it is told to, or when the call is cancelled.
class SlowService : public v1::WebhookService::Service {
 public:
  grpc::Status IngestSumsubEvent(grpc::ServerContext* call,
                                 const v1::IngestSumsubEventRequest*,
                                 v1::IngestSumsubEventResponse*) override {
    entered.set_value();
    while (answer.wait_for(5ms) != std::future_status::ready) {
      if (call->IsCancelled()) return grpc::Status::CANCELLED;
    }
    return grpc::Status::OK;
  }

  std::promise<void> entered;
  std::promise<void> may_answer;
  std::shared_future<void> answer = may_answer.get_future().share();
};

std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
  return grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
}

std::shared_ptr<grpc::Channel> Connect(const GrpcServer& server) {
  return Connect("127.0.0.1:" + std::to_string(server.port()));
}

// One call with bytes in and out; a status other than OK gives its message.
std::string Call(const std::shared_ptr<grpc::Channel>& channel,
                 const char* method, const std::string& request,
                 grpc::internal::RpcMethod::RpcType type =
                     grpc::internal::RpcMethod::NORMAL_RPC) {
  grpc::Slice slice(request);
  const grpc::ByteBuffer in(&slice, 1);
  grpc::ByteBuffer out;
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + 10s);
  const grpc::Status status = grpc::internal::BlockingUnaryCall(
      channel.get(), grpc::internal::RpcMethod(method, type), &context, in,
      &out);
  if (!status.ok()) {
    return "status " + std::to_string(status.error_code());
  }
  grpc::Slice bytes;
  EXPECT_TRUE(out.DumpToSingleSlice(&bytes).ok());
  return {reinterpret_cast<const char*>(bytes.begin()), bytes.size()};
}

// grpc.health.v1.HealthCheckRequest: field 1 is the service. The response's
// field 1 is 1 for SERVING, 2 for NOT_SERVING.
std::string Health(const std::shared_ptr<grpc::Channel>& channel,
                   const std::string& service) {
  const std::string request =
      "\x0a" + std::string(1, static_cast<char>(service.size())) + service;
  return Call(channel, "/grpc.health.v1.Health/Check", request);
}

constexpr char kServing[] = "\x08\x01";
constexpr char kNotServing[] = "\x08\x02";

grpc::Status Ingest(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + 10s);
  v1::IngestSumsubEventResponse response;
  return v1::WebhookService::NewStub(channel)->IngestSumsubEvent(
      &context, v1::IngestSumsubEventRequest(), &response);
}

std::string SocketPath(const char* name) {
  // Not TempDir(): the path of a unix socket must be short.
  return "/tmp/kyc_" + std::to_string(getpid()) + "_" + name;
}

TEST(GrpcServer, TellsItsHealthPerService) {
  SlowService service;
  GrpcServer server("127.0.0.1:0", {&service}, /*reflection=*/true);
  ASSERT_TRUE(server.Start().ok());
  const auto channel = Connect(server);
  EXPECT_EQ(Health(channel, ""), kServing);
  EXPECT_EQ(Health(channel, "kyc.v1.WebhookService"), kServing);
  EXPECT_EQ(Health(channel, "kyc.v1.Other"), "status 5");  // NOT_FOUND
  server.SetServing(false);
  EXPECT_EQ(Health(channel, ""), kNotServing);
  EXPECT_EQ(Health(channel, "kyc.v1.WebhookService"), kNotServing);
  server.SetServing(true);
  EXPECT_EQ(Health(channel, "kyc.v1.WebhookService"), kServing);
}

TEST(GrpcServer, ReflectsItsServices) {
  SlowService service;
  GrpcServer server("127.0.0.1:0", {&service}, /*reflection=*/true);
  ASSERT_TRUE(server.Start().ok());
  // ServerReflectionRequest: field 7 lists the services.
  EXPECT_THAT(
      Call(Connect(server),
           "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
           "\x3a\x01*", grpc::internal::RpcMethod::BIDI_STREAMING),
      HasSubstr("kyc.v1.WebhookService"));
}

TEST(GrpcServer, DrainLetsCallsEndAndTakesNoNewOnes) {
  SlowService service;
  GrpcServer server("127.0.0.1:0", {&service}, /*reflection=*/true);
  ASSERT_TRUE(server.Start().ok());
  const auto channel = Connect(server);
  auto call = std::async(std::launch::async, Ingest, channel);
  service.entered.get_future().wait();

  auto drain = std::async(std::launch::async, [&server] { server.Drain(10s); });
  // New connections are refused as soon as the drain has begun.
  const std::string address = "127.0.0.1:" + std::to_string(server.port());
  for (int i = 0; i < 500; ++i) {
    if (Health(Connect(address), "") == "status 14") break;
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_EQ(Health(Connect(address), ""), "status 14");  // UNAVAILABLE
  EXPECT_NE(drain.wait_for(0s), std::future_status::ready);

  service.may_answer.set_value();
  EXPECT_TRUE(call.get().ok());
  EXPECT_EQ(drain.wait_for(5s), std::future_status::ready);
}

TEST(GrpcServer, DrainCancelsWhatTakesTooLong) {
  SlowService service;
  GrpcServer server("127.0.0.1:0", {&service}, /*reflection=*/true);
  ASSERT_TRUE(server.Start().ok());
  auto call = std::async(std::launch::async, Ingest, Connect(server));
  service.entered.get_future().wait();
  const auto begin = std::chrono::steady_clock::now();
  server.Drain(50ms);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 5s);
  EXPECT_FALSE(call.get().ok());
}

TEST(GrpcServer, TwoOnOnePortFail) {
  SlowService service;
  GrpcServer first("127.0.0.1:0", {&service}, /*reflection=*/true);
  ASSERT_TRUE(first.Start().ok());
  const std::string address = "127.0.0.1:" + std::to_string(first.port());
  GrpcServer second(address, {&service}, /*reflection=*/true);
  const absl::Status status = second.Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr(address));
  EXPECT_EQ(Health(Connect(first), ""), kServing);
}

TEST(GrpcServer, RefusesWrongAddresses) {
  GrpcServer server("nonsense", {}, /*reflection=*/true);
  EXPECT_EQ(server.Start().code(), absl::StatusCode::kInvalidArgument);
}

TEST(GrpcServer, ListensOnAUnixSocketAfterACrash) {
  const std::string path = SocketPath("stale");
  {
    // What a process that was killed leaves behind.
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof(address.sun_path) - 1);
    const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
              0);
    close(fd);
  }
  SlowService service;
  GrpcServer server("unix:" + path, {&service}, /*reflection=*/true);
  const absl::Status started = server.Start();
  ASSERT_TRUE(started.ok()) << started;
  EXPECT_EQ(server.port(), 0);
  EXPECT_EQ(Health(Connect("unix:" + path), ""), kServing);

  GrpcServer thief("unix:" + path, {&service}, /*reflection=*/true);
  EXPECT_EQ(thief.Start().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(Health(Connect("unix:" + path), ""), kServing);
}

TEST(GrpcServer, DoesNotDeleteOtherFiles) {
  const std::string path = SocketPath("file");
  std::ofstream(path) << "precious";
  GrpcServer server("unix:" + path, {}, /*reflection=*/true);
  EXPECT_EQ(server.Start().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(access(path.c_str(), F_OK), 0);
  unlink(path.c_str());
}

}  // namespace
}  // namespace kyc::process
