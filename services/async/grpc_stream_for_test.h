// A streaming call to test: a real server on a unix socket, and a client of it
// in the same process, each side on a loop of its own.
//
// A test says what its service does and how a stream is opened:
//
//   class KycService final : public v1::KycService::CallbackService {
//    public:
//     explicit KycService(Loop& loop);
//     …
//   };
//   class MyStreamTest : public GrpcStreamTest<KycService> { … };
#ifndef KYC_SERVICES_ASYNC_GRPC_STREAM_FOR_TEST_H_
#define KYC_SERVICES_ASYNC_GRPC_STREAM_FOR_TEST_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "kyc/v1/kyc_service.grpc.pb.h"
#include "services/async/call_context.h"
#include "services/async/grpc_client.h"
#include "services/async/grpc_server.h"
#include "services/async/loop.h"
#include "services/async/task.h"

namespace kyc::async {

template <typename Service>
class GrpcStreamTest : public ::testing::Test {
 protected:
  GrpcStreamTest() {
    runtime_.Start();
    grpc::ServerBuilder builder;
    ApplyServerDefaults(builder);
    builder.AddListeningPort(address_, grpc::InsecureServerCredentials());
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = v1::KycService::NewStub(OpenChannel(address_));
  }
  ~GrpcStreamTest() override {
    server_->Shutdown(std::chrono::system_clock::now());
    runtime_.Stop();
    unlink((folder_ + "/grpc").c_str());
    rmdir(folder_.c_str());
  }

  // Runs a coroutine on the client's loop to its end.
  void Run(std::function<Task<void>()> body) {
    auto done = std::make_shared<std::promise<void>>();
    client_loop_.Post([this, body = std::move(body), done] {
      client_loop_.Spawn(Drive(body, done));
    });
    ASSERT_EQ(done->get_future().wait_for(std::chrono::seconds(20)),
              std::future_status::ready);
  }

  // The context of a call that may take `time`.
  static CallContext In(std::chrono::steady_clock::duration time) {
    CallContext context;
    context.trace = base::TraceContext::Start();
    context.deadline = std::chrono::steady_clock::now() + time;
    return context;
  }

  static void WaitFor(const std::function<bool()>& done) {
    const auto end =
        std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done() && std::chrono::steady_clock::now() < end) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    EXPECT_TRUE(done());
  }

  // Waits until `count` stands still for `quiet`: flow control holds the side
  // that counts.
  static void WaitForRest(const std::atomic<int>& count,
                          std::chrono::milliseconds quiet) {
    int before = -1;
    while (before != count) {
      before = count;
      std::this_thread::sleep_for(quiet);
    }
  }

  const std::string folder_ = MakeFolder();
  const std::string address_ = "unix:" + folder_ + "/grpc";
  Runtime runtime_{2};
  Loop& server_loop_ = runtime_.loop(0);
  Loop& client_loop_ = runtime_.loop(1);
  Service service_{server_loop_};
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::KycService::Stub> stub_;

 private:
  static std::string MakeFolder() {
    std::string folder = "/tmp/stream.XXXXXX";  // A socket's path is short.
    EXPECT_NE(mkdtemp(folder.data()), nullptr);
    return folder;
  }
  static Task<void> Drive(std::function<Task<void>()> body,
                          std::shared_ptr<std::promise<void>> done) {
    co_await body();
    done->set_value();
  }
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_GRPC_STREAM_FOR_TEST_H_
