// Answers that are read while they come.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "services/async/http_client.h"
#include "services/async/http_stub_for_test.h"

namespace kyc::async {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;

constexpr milliseconds kPatience{20'000};

// Sends one answer and counts what the client's side has taken of it.
class CountingServer {
 public:
  explicit CountingServer(std::string bytes) : bytes_(std::move(bytes)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
    ::listen(listener_, 1);
    socklen_t size = sizeof(address);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { Serve(); });
  }
  ~CountingServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }

  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(port_) + "/";
  }
  size_t sent() const { return sent_; }
  // Whether the client has broken the connection off.
  bool broken() const { return broken_; }

  // Waits until nothing more is taken for a while.
  size_t WaitForStandstill() const {
    size_t last = 0;
    auto since = steady_clock::now();
    const auto end = since + kPatience;
    while (steady_clock::now() < end) {
      if (sent_ != last) {
        last = sent_;
        since = steady_clock::now();
      } else if (last > 0 && steady_clock::now() - since > seconds(1)) {
        break;
      }
      std::this_thread::sleep_for(milliseconds(20));
    }
    return last;
  }

 private:
  void Serve() {
    const int fd = ::accept(listener_, nullptr, nullptr);
    if (fd < 0) return;
    std::string request;
    char buffer[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t n = ::recv(fd, buffer, sizeof(buffer), 0);
      if (n <= 0) break;
      request.append(buffer, n);
    }
    while (sent_ < bytes_.size()) {
      const ssize_t n = ::send(fd, bytes_.data() + sent_,
                               std::min<size_t>(bytes_.size() - sent_, 16384),
                               MSG_NOSIGNAL);
      if (n <= 0) {
        broken_ = true;
        break;
      }
      sent_ += n;
    }
    ::close(fd);
  }

  const std::string bytes_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<size_t> sent_ = 0;
  std::atomic<bool> broken_ = false;
  std::thread thread_;
};

using Opened = std::shared_ptr<absl::StatusOr<BodyStream>>;
using Piece = absl::StatusOr<std::string>;

Task<void> OpenInto(HttpClient& client, ClientRequest request,
                    std::shared_ptr<std::promise<Opened>> promise) {
  promise->set_value(std::make_shared<absl::StatusOr<BodyStream>>(
      co_await client.Open(std::move(request))));
}

Task<void> ReadInto(Opened stream, milliseconds idle,
                    std::shared_ptr<std::promise<Piece>> promise) {
  promise->set_value(co_await (*stream)->Read(idle));
}

Task<void> LetGo(Opened stream, std::shared_ptr<std::promise<void>> promise) {
  *stream = absl::CancelledError();
  promise->set_value();
  co_return;
}

class HttpStreamTest : public ::testing::Test {
 protected:
  HttpStreamTest() {
    runtime_.emplace(1);
    client_.emplace(runtime_->loop(0), HttpClient::Options());
    runtime_->Start();
  }
  ~HttpStreamTest() override {
    if (stream_) Release();
    runtime_->Stop();
    client_.reset();
  }

  absl::Status Open(const std::string& url, milliseconds timeout = kPatience) {
    auto promise = std::make_shared<std::promise<Opened>>();
    ClientRequest request;
    request.url = url;
    request.timeout = timeout;
    auto future = promise->get_future();
    runtime_->loop(0).Spawn(OpenInto(*client_, request, promise));
    stream_ = future.get();
    return stream_->status();
  }
  Piece Read(milliseconds idle = kPatience) {
    auto promise = std::make_shared<std::promise<Piece>>();
    auto future = promise->get_future();
    runtime_->loop(0).Spawn(ReadInto(stream_, idle, promise));
    return future.get();
  }
  absl::StatusOr<std::string> ReadAll() {
    std::string all;
    while (true) {
      Piece piece = Read();
      if (!piece.ok()) return piece.status();
      if (piece->empty()) return all;
      EXPECT_LE(piece->size(), BodyStream::kMaxPiece);
      all += *piece;
    }
  }
  // What the destructor of whoever reads does, on the loop.
  void Release() {
    auto promise = std::make_shared<std::promise<void>>();
    auto future = promise->get_future();
    runtime_->loop(0).Spawn(LetGo(stream_, promise));
    future.get();
    stream_.reset();
  }

  HttpStub stub_;
  std::optional<Runtime> runtime_;
  std::optional<HttpClient> client_;
  Opened stream_;
};

std::string Pattern(size_t size) {
  std::string bytes(size, '\0');
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(i * 7 >> 3);
  return bytes;
}

TEST_F(HttpStreamTest, GivesTheHeadAndThenEveryByte) {
  StubAnswer answer;
  answer.headers = {{"Content-Type", "image/png"}};
  answer.body = Pattern(3'000'000);
  stub_.Push(answer);
  ASSERT_TRUE(Open(stub_.url() + "/image").ok());
  EXPECT_EQ((*stream_)->head().status, 200);
  EXPECT_EQ((*stream_)->head().Header("content-type"), "image/png");
  EXPECT_EQ((*stream_)->head().Header("content-length"), "3000000");
  const auto all = ReadAll();
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_TRUE(*all == answer.body);
  EXPECT_EQ(Read().value(), "");
  Release();
  // The connection is as good as after any other answer.
  stub_.Push(answer);
  ASSERT_TRUE(Open(stub_.url() + "/image").ok());
  EXPECT_EQ(stub_.connections(), 1);
}

TEST_F(HttpStreamTest, AnEmptyBodyIsOne) {
  StubAnswer answer;
  answer.status = 404;
  stub_.Push(answer);
  ASSERT_TRUE(Open(stub_.url() + "/").ok());
  EXPECT_EQ((*stream_)->head().status, 404);
  EXPECT_EQ(ReadAll().value(), "");
}

TEST_F(HttpStreamTest, AReaderThatStallsHoldsTheSenderUp) {
  constexpr size_t kSize = 64 << 20;
  const std::string body = Pattern(kSize);
  CountingServer server("HTTP/1.1 200 OK\r\nContent-Length: " +
                        std::to_string(kSize) + "\r\n\r\n" + body);
  ASSERT_TRUE(Open(server.url()).ok());
  // What the kernel's buffers take and our window, not the body.
  EXPECT_LT(server.WaitForStandstill(), kSize / 2);
  const auto all = ReadAll();
  ASSERT_TRUE(all.ok()) << all.status();
  EXPECT_TRUE(*all == body);
}

TEST_F(HttpStreamTest, AReaderThatGoesBreaksTheConnectionOff) {
  constexpr size_t kSize = 64 << 20;
  CountingServer server("HTTP/1.1 200 OK\r\nContent-Length: " +
                        std::to_string(kSize) + "\r\n\r\n" + Pattern(kSize));
  ASSERT_TRUE(Open(server.url()).ok());
  ASSERT_TRUE(Read().ok());
  Release();
  const auto end = steady_clock::now() + kPatience;
  while (!server.broken() && steady_clock::now() < end) {
    std::this_thread::sleep_for(milliseconds(10));
  }
  EXPECT_TRUE(server.broken());
}

TEST_F(HttpStreamTest, ABodyThatEndsTooEarlyIsAnError) {
  stub_.Push(StubAnswer::Raw(
      "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"));
  ASSERT_TRUE(Open(stub_.url() + "/").ok());
  EXPECT_EQ(Read().value(), "only this");
  EXPECT_TRUE(absl::IsUnavailable(Read().status()));
  EXPECT_TRUE(absl::IsUnavailable(Read().status()));
}

TEST_F(HttpStreamTest, ASenderThatStopsIsGivenUp) {
  StubAnswer answer =
      StubAnswer::Raw("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly");
  answer.close = false;
  stub_.Push(answer);
  ASSERT_TRUE(Open(stub_.url() + "/").ok());
  EXPECT_EQ(Read().value(), "only");
  EXPECT_TRUE(absl::IsDeadlineExceeded(Read(milliseconds(50)).status()));
}

TEST_F(HttpStreamTest, WithoutAnAnswerThereIsNoStream) {
  stub_.Push(StubAnswer::Hang());
  EXPECT_TRUE(absl::IsDeadlineExceeded(
      Open(stub_.url() + "/", milliseconds(100))));
  stub_.Push(StubAnswer::Close());
  EXPECT_TRUE(absl::IsUnavailable(Open(stub_.url() + "/")));
  EXPECT_TRUE(absl::IsInvalidArgument(Open("ftp://127.0.0.1/ ")));
  EXPECT_TRUE(
      absl::IsDeadlineExceeded(Open(stub_.url() + "/", milliseconds(0))));
}

}  // namespace
}  // namespace kyc::async
