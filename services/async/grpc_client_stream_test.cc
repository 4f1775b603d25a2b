// Client streams, both sides, over a real server on a unix socket.
#include "services/async/grpc_client_stream.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <string>

#include "kyc/v1/kyc_service.grpc.pb.h"
#include "services/async/grpc_server_read_stream.h"
#include "services/async/grpc_stream_for_test.h"
#include "services/base/error.h"
#include "services/base/metrics.h"

namespace kyc::async {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

using Request = v1::UploadDocumentRequest;
using Response = v1::UploadDocumentResponse;
using Reader = StreamReader<Request>;
using Handler =
    std::function<Task<absl::Status>(CallContext, Reader&, Response*)>;
using Stream = ClientStream<Request, Response>;

class KycService final : public v1::KycService::CallbackService {
 public:
  explicit KycService(Loop& loop) : loop_(loop) {}

  grpc::ServerReadReactor<Request>* UploadDocument(
      grpc::CallbackServerContext* rpc, Response* response) override {
    return RunClientStream<Request>(
        rpc, loop_, "KycService/UploadDocument",
        [this, response](CallContext context, Reader& reader) {
          return handler(context, reader, response);
        });
  }

  Handler handler;

 private:
  Loop& loop_;
};

Request Chunk(std::string bytes) {
  Request request;
  request.set_chunk(std::move(bytes));
  return request;
}

class ClientStreamTest : public GrpcStreamTest<KycService> {
 protected:
  Stream::Call::Starter Start() {
    return [this](auto* rpc, auto* response, auto* reactor) {
      stub_->async()->UploadDocument(rpc, response, reactor);
    };
  }
};

TEST_F(ClientStreamTest, EveryMessageArrivesInOrderAndTheAnswerComesBack) {
  CallContext seen;
  bool on_loop = false;
  std::string received;
  service_.handler = [&](CallContext context, Reader& reader,
                         Response* response) -> Task<absl::Status> {
    seen = context;
    while (true) {
      auto message = co_await reader.Read();
      if (!message.ok()) co_return message.status();
      if (!*message) break;
      received += (*message)->chunk();
    }
    on_loop = server_loop_.RunsHere();
    response->set_image_id("img_1");
    co_return absl::OkStatus();
  };
  const CallContext sent = In(seconds(10));
  std::string expected;
  Run([&]() -> Task<void> {
    Stream stream(sent, "KycService/UploadDocument", Start());
    for (int i = 0; i < 200; ++i) {
      std::string bytes(64 * 1024, static_cast<char>('a' + i % 26));
      expected += bytes;
      const absl::Status written = co_await stream.Write(Chunk(bytes));
      EXPECT_TRUE(written.ok()) << written;
    }
    const absl::StatusOr<Response> response = co_await stream.Finish();
    EXPECT_TRUE(response.ok()) << response.status();
    EXPECT_EQ(response->image_id(), "img_1");
    EXPECT_TRUE(client_loop_.RunsHere());
  });
  EXPECT_TRUE(on_loop);
  EXPECT_TRUE(received == expected);
  EXPECT_EQ(seen.trace.trace_id(), sent.trace.trace_id());
  EXPECT_LT(std::chrono::abs(seen.deadline - sent.deadline), milliseconds(500));
  const std::string metrics = base::RenderMetrics();
  for (const char* line : {"kyc_rpc_server_requests_total{code=\"OK\","
                           "method=\"KycService/UploadDocument\"}",
                           "kyc_rpc_client_requests_total{code=\"OK\","
                           "method=\"KycService/UploadDocument\"}"}) {
    EXPECT_NE(metrics.find(line), std::string::npos) << line;
  }
}

TEST_F(ClientStreamTest, AStreamMayBeEmpty) {
  bool empty = false;
  service_.handler = [&](CallContext, Reader& reader,
                         Response*) -> Task<absl::Status> {
    const auto first = co_await reader.Read();
    const auto second = co_await reader.Read();
    empty = first.ok() && !*first && second.ok() && !*second;
    co_return absl::OkStatus();
  };
  Run([&]() -> Task<void> {
    Stream stream(In(seconds(10)), "KycService/UploadDocument", Start());
    EXPECT_TRUE((co_await stream.Finish()).ok());
  });
  EXPECT_TRUE(empty);
}

TEST_F(ClientStreamTest, AClientIsNoFasterThanItsReader) {
  std::atomic<bool> go = false;
  service_.handler = [&](CallContext, Reader& reader,
                         Response*) -> Task<absl::Status> {
    while (!go) co_await Sleep(milliseconds(2));
    while (true) {
      auto message = co_await reader.Read();
      if (!message.ok()) co_return message.status();
      if (!*message) co_return absl::OkStatus();
    }
  };
  std::atomic<int> written = 0;
  std::atomic<bool> ended = false;
  // What gRPC keeps in flight is far less than this.
  constexpr int kChunks = 1000;
  std::function<Task<void>()> body = [&]() -> Task<void> {
    Stream stream(In(seconds(20)), "KycService/UploadDocument", Start());
    for (int i = 0; i < kChunks; ++i) {
      const absl::Status status =
          co_await stream.Write(Chunk(std::string(64 * 1024, 'x')));
      if (!status.ok()) break;
      ++written;
    }
    EXPECT_TRUE((co_await stream.Finish()).ok());
    ended = true;
  };
  client_loop_.Post([&] { client_loop_.Spawn(body()); });
  WaitFor([&] { return written > 0; });
  WaitForRest(written, milliseconds(100));
  EXPECT_LT(written, kChunks / 4);
  go = true;
  WaitFor([&] { return ended.load(); });
  EXPECT_EQ(written, kChunks);
}

TEST_F(ClientStreamTest, AnEarlyAnswerReachesAClientThatStillWrites) {
  const absl::Status answers[] = {
      base::Error(v1::ERROR_REASON_APPLICANT_NOT_FOUND),
      base::Error(v1::ERROR_REASON_UNAVAILABLE, "busy",
                  {.retry_after = seconds(1)}),
      absl::OkStatus()};
  for (const absl::Status& answer : answers) {
    service_.handler = [&](CallContext, Reader& reader,
                           Response* response) -> Task<absl::Status> {
      const auto first = co_await reader.Read();
      EXPECT_TRUE(first.ok() && *first);
      response->set_image_id("early");
      co_return answer;
    };
    Run([&]() -> Task<void> {
      Stream stream(In(seconds(10)), "KycService/UploadDocument", Start());
      absl::Status written;
      for (int i = 0; i < 1000 && written.ok(); ++i) {
        written = co_await stream.Write(Chunk(std::string(64 * 1024, 'x')));
      }
      const auto response = co_await stream.Finish();
      EXPECT_EQ(base::ReasonOf(response.status()), base::ReasonOf(answer));
      EXPECT_EQ(base::ExtrasOf(response.status()).retry_after,
                base::ExtrasOf(answer).retry_after);
      EXPECT_EQ(written, response.status());
      if (answer.ok()) {
        EXPECT_EQ(response->image_id(), "early");
      }
    });
  }
}

TEST_F(ClientStreamTest, AStreamThatIsDroppedIsCancelled) {
  std::atomic<int> messages = 0;
  std::atomic<bool> ended = false;
  service_.handler = [&](CallContext, Reader& reader,
                         Response*) -> Task<absl::Status> {
    while (true) {
      auto message = co_await reader.Read();
      if (!message.ok() || !*message) break;
      ++messages;
    }
    ended = true;
    co_return absl::OkStatus();
  };
  Run([&]() -> Task<void> {
    Stream stream(In(seconds(30)), "KycService/UploadDocument", Start());
    EXPECT_TRUE((co_await stream.Write(Chunk("x"))).ok());
    while (messages == 0) co_await Sleep(milliseconds(1));
    EXPECT_FALSE(ended);
  });
  WaitFor([&] { return ended.load(); });
}

TEST_F(ClientStreamTest, DroppedInTheMiddleOfAWrite) {
  // Nobody reads, so that a write is under way when Runtime::Stop destroys
  // the coroutine.
  service_.handler = [&](CallContext context, Reader&,
                         Response*) -> Task<absl::Status> {
    co_await Sleep(context.Remaining(seconds(30)));
    co_return absl::OkStatus();
  };
  std::atomic<int> begun = 0;
  std::function<Task<void>()> body = [&]() -> Task<void> {
    Stream stream(In(seconds(30)), "KycService/UploadDocument", Start());
    while (true) {
      ++begun;
      if (!(co_await stream.Write(Chunk(std::string(64 * 1024, 'x')))).ok()) {
        break;
      }
    }
  };
  client_loop_.Post([&] { client_loop_.Spawn(body()); });
  WaitFor([&] { return begun > 0; });
  WaitForRest(begun, milliseconds(50));
  const auto start = steady_clock::now();
  runtime_.Stop();
  EXPECT_LT(steady_clock::now() - start, seconds(2));
}

TEST_F(ClientStreamTest, DeadlinesEndBothSides) {
  std::promise<absl::Status> seen;
  service_.handler = [&](CallContext, Reader& reader,
                         Response*) -> Task<absl::Status> {
    absl::Status end;
    while (end.ok()) {
      auto message = co_await reader.Read();
      if (!message.ok())
        end = message.status();
      else if (!*message)
        end = absl::CancelledError("end");
    }
    seen.set_value(end);
    co_return end;
  };
  Run([&]() -> Task<void> {
    Stream stream(In(milliseconds(200)), "KycService/UploadDocument", Start());
    EXPECT_TRUE((co_await stream.Write(Chunk("x"))).ok());
    co_await Sleep(milliseconds(400));
    EXPECT_EQ((co_await stream.Finish()).status().code(),
              absl::StatusCode::kDeadlineExceeded);
  });
  auto end = seen.get_future();
  ASSERT_EQ(end.wait_for(seconds(10)), std::future_status::ready);
  EXPECT_FALSE(end.get().ok());
  Run([&]() -> Task<void> {
    Stream late(In(milliseconds(-1)), "KycService/UploadDocument", Start());
    EXPECT_EQ((co_await late.Write(Chunk("x"))).code(),
              absl::StatusCode::kDeadlineExceeded);
    EXPECT_EQ((co_await late.Finish()).status().code(),
              absl::StatusCode::kDeadlineExceeded);
  });
}

TEST_F(ClientStreamTest, APeerThatIsAwayIsUnavailable) {
  server_->Shutdown(std::chrono::system_clock::now());
  Run([&]() -> Task<void> {
    Stream stream(In(seconds(5)), "KycService/UploadDocument", Start());
    absl::Status written;
    for (int i = 0; i < 1000 && written.ok(); ++i) {
      written = co_await stream.Write(Chunk(std::string(64 * 1024, 'x')));
    }
    EXPECT_EQ(written.code(), absl::StatusCode::kUnavailable) << written;
    EXPECT_EQ((co_await stream.Finish()).status(), written);
  });
}

}  // namespace
}  // namespace kyc::async
