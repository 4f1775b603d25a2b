// Server streams, both sides, over a real server on a unix socket.
#include "services/async/grpc_client_read_stream.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "kyc/v1/kyc_service.grpc.pb.h"
#include "services/async/grpc_server_stream.h"
#include "services/async/grpc_stream_for_test.h"
#include "services/base/error.h"
#include "services/base/metrics.h"

namespace kyc::async {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

using Message = v1::Verification;
using Writer = StreamWriter<Message>;
using Handler = std::function<Task<absl::Status>(CallContext, Writer&)>;
using Stream = ClientReadStream<Message>;

constexpr char kMethod[] = "KycService/WatchStatus";

class KycService final : public v1::KycService::CallbackService {
 public:
  explicit KycService(Loop& loop) : loop_(loop) {}

  grpc::ServerWriteReactor<Message>* WatchStatus(
      grpc::CallbackServerContext* rpc,
      const v1::WatchStatusRequest* request) override {
    return RunServerStream<Message>(rpc, loop_, registry_, kMethod,
                                    [this, user = request->user_ids(0)](
                                        CallContext context, Writer& writer) {
                                      asked_for = user;
                                      return handler(context, writer);
                                    });
  }

  Handler handler;
  std::string asked_for;

 private:
  Loop& loop_;
  StreamRegistry registry_;
};

Message Numbered(int number, size_t size = 0) {
  Message message;
  message.set_version(number);
  message.set_reject_reason(std::string(size, 'x'));
  return message;
}

class ClientReadStreamTest : public GrpcStreamTest<KycService> {
 protected:
  // The request lives as long as the stream's construction, and no longer.
  std::unique_ptr<Stream> Open(CallContext context) {
    v1::WatchStatusRequest request;
    request.add_user_ids("usr_1");
    return std::make_unique<Stream>(
        context, kMethod, [&](auto* rpc, auto* reactor) {
          stub_->async()->WatchStatus(rpc, &request, reactor);
        });
  }
};

TEST_F(ClientReadStreamTest, EveryMessageArrivesInOrder) {
  CallContext seen;
  service_.handler = [&](CallContext context,
                         Writer& writer) -> Task<absl::Status> {
    seen = context;
    for (int i = 1; i <= 200; ++i) {
      const absl::Status status = co_await writer.Write(Numbered(i, 64 * 1024));
      if (!status.ok()) co_return status;
    }
    co_return absl::OkStatus();
  };
  const CallContext sent = In(seconds(20));
  Run([&]() -> Task<void> {
    const auto stream = Open(sent);
    int received = 0;
    while (true) {
      const auto message = co_await stream->Read();
      EXPECT_TRUE(message.ok()) << message.status();
      if (!message.ok() || !*message) break;
      EXPECT_EQ((*message)->version(), uint64_t(++received));
      EXPECT_EQ((*message)->reject_reason().size(), 64u * 1024);
    }
    EXPECT_EQ(received, 200);
    // The end stays the end.
    const auto after = co_await stream->Read();
    EXPECT_TRUE(after.ok() && !*after);
    EXPECT_TRUE(client_loop_.RunsHere());
  });
  EXPECT_EQ(service_.asked_for, "usr_1");
  EXPECT_EQ(seen.trace.trace_id(), sent.trace.trace_id());
  EXPECT_LT(std::chrono::abs(seen.deadline - sent.deadline), milliseconds(500));
  EXPECT_NE(
      base::RenderMetrics().find("kyc_rpc_client_requests_total{code=\"OK\","
                                 "method=\"KycService/WatchStatus\"}"),
      std::string::npos);
}

TEST_F(ClientReadStreamTest, TheServersErrorComesAfterItsMessages) {
  for (const int messages : {0, 3}) {
    service_.handler = [&](CallContext, Writer& writer) -> Task<absl::Status> {
      for (int i = 1; i <= messages; ++i) {
        const absl::Status status = co_await writer.Write(Numbered(i));
        if (!status.ok()) co_return status;
      }
      co_return base::Error(v1::ERROR_REASON_UNAVAILABLE, "busy",
                            {.retry_after = seconds(3)});
    };
    Run([&]() -> Task<void> {
      const auto stream = Open(In(seconds(10)));
      for (int i = 1; i <= messages; ++i) {
        const auto message = co_await stream->Read();
        EXPECT_TRUE(message.ok() && *message &&
                    (*message)->version() == uint64_t(i));
      }
      for (int i = 0; i < 2; ++i) {
        const absl::Status end = (co_await stream->Read()).status();
        EXPECT_EQ(base::ReasonOf(end), v1::ERROR_REASON_UNAVAILABLE);
        EXPECT_EQ(base::ExtrasOf(end).retry_after, seconds(3));
      }
    });
  }
}

TEST_F(ClientReadStreamTest, AServerIsNoFasterThanItsReader) {
  constexpr int kMessages = 1000;  // Far more than gRPC keeps in flight.
  std::atomic<int> written = 0;
  service_.handler = [&](CallContext, Writer& writer) -> Task<absl::Status> {
    for (int i = 1; i <= kMessages; ++i) {
      const absl::Status status = co_await writer.Write(Numbered(i, 64 * 1024));
      if (!status.ok()) co_return status;
      ++written;
    }
    co_return absl::OkStatus();
  };
  std::atomic<bool> go = false;
  std::atomic<int> read = 0;
  std::atomic<bool> ended = false;
  std::function<Task<void>()> body = [&]() -> Task<void> {
    const auto stream = Open(In(seconds(30)));
    while (true) {
      const auto message = co_await stream->Read();
      if (!message.ok() || !*message) break;
      ++read;
      while (!go) co_await Sleep(milliseconds(2));
    }
    ended = true;
  };
  client_loop_.Post([&] { client_loop_.Spawn(body()); });
  WaitFor([&] { return read == 1; });
  WaitForRest(written, milliseconds(100));
  EXPECT_LT(written, kMessages / 4);
  go = true;
  WaitFor([&] { return ended.load(); });
  EXPECT_EQ(read, kMessages);
}

TEST_F(ClientReadStreamTest, AStreamThatIsDroppedIsCancelled) {
  std::atomic<bool> ended = false;
  service_.handler = [&](CallContext, Writer& writer) -> Task<absl::Status> {
    absl::Status status;
    for (int i = 1; status.ok(); ++i) {
      status = co_await writer.Write(Numbered(i, 64 * 1024));
    }
    ended = true;
    co_return status;
  };
  Run([&]() -> Task<void> {
    const auto stream = Open(In(seconds(30)));
    EXPECT_TRUE((co_await stream->Read()).ok());
    EXPECT_FALSE(ended);
  });
  WaitFor([&] { return ended.load(); });
}

TEST_F(ClientReadStreamTest, DroppedInTheMiddleOfARead) {
  service_.handler = [&](CallContext context, Writer&) -> Task<absl::Status> {
    co_await Sleep(context.Remaining(seconds(30)));
    co_return absl::OkStatus();
  };
  std::atomic<bool> begun = false;
  std::function<Task<void>()> body = [&]() -> Task<void> {
    const auto stream = Open(In(seconds(30)));
    begun = true;
    (co_await stream->Read()).IgnoreError();
  };
  client_loop_.Post([&] { client_loop_.Spawn(body()); });
  WaitFor([&] { return begun.load(); });
  const auto start = steady_clock::now();
  runtime_.Stop();
  EXPECT_LT(steady_clock::now() - start, seconds(2));
}

TEST_F(ClientReadStreamTest, DeadlinesEndTheCall) {
  service_.handler = [&](CallContext context, Writer&) -> Task<absl::Status> {
    co_await Sleep(context.Remaining(seconds(30)));
    co_return absl::OkStatus();
  };
  Run([&]() -> Task<void> {
    const auto stream = Open(In(milliseconds(200)));
    EXPECT_EQ((co_await stream->Read()).status().code(),
              absl::StatusCode::kDeadlineExceeded);
    const auto late = Open(In(milliseconds(-1)));
    EXPECT_EQ((co_await late->Read()).status().code(),
              absl::StatusCode::kDeadlineExceeded);
  });
}

TEST_F(ClientReadStreamTest, APeerThatIsAwayIsUnavailable) {
  server_->Shutdown(std::chrono::system_clock::now());
  Run([&]() -> Task<void> {
    const auto stream = Open(In(seconds(5)));
    EXPECT_EQ((co_await stream->Read()).status().code(),
              absl::StatusCode::kUnavailable);
  });
}

}  // namespace
}  // namespace kyc::async
