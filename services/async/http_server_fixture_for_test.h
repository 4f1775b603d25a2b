// A server to test, and a client of raw sockets that knows no HTTP library.
#ifndef KYC_SERVICES_ASYNC_HTTP_SERVER_FIXTURE_FOR_TEST_H_
#define KYC_SERVICES_ASYNC_HTTP_SERVER_FIXTURE_FOR_TEST_H_

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "services/async/http_server.h"
#include "services/base/error.h"

namespace kyc::async::http_test {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

constexpr milliseconds kPatience{5000};

// An answer as a client reads it.
struct Answer {
  int status = 0;
  std::string head;
  std::string body;

  bool Has(const std::string& text) const {
    return head.find(text) != std::string::npos;
  }
};

// A raw socket.
class Client {
 public:
  explicit Client(int port) {
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connected_ =
        connect(fd_, reinterpret_cast<sockaddr*>(&name), sizeof(name)) == 0;
  }
  explicit Client(const std::string& path) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::strncpy(name.sun_path, path.c_str(), sizeof(name.sun_path) - 1);
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    connected_ =
        connect(fd_, reinterpret_cast<sockaddr*>(&name), sizeof(name)) == 0;
  }
  ~Client() { close(fd_); }
  Client(const Client&) = delete;

  bool connected() const { return connected_; }
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;  // Closed: what was answered tells.
      bytes.remove_prefix(n);
    }
  }
  void HalfClose() { shutdown(fd_, SHUT_WR); }

  // The next answer; status 0 if the connection ended or nothing came.
  Answer Read(bool to_head = false) {
    Answer answer;
    size_t end = 0;
    while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
      if (!Fill(kPatience)) return answer;
    }
    answer.head = unread_.substr(0, end + 2);
    unread_.erase(0, end + 4);
    answer.status = std::stoi(answer.head.substr(9, 3));
    const std::string name = "Content-Length: ";
    const size_t at = answer.head.find(name);
    const size_t size = at == std::string::npos || to_head
                            ? 0
                            : std::stoul(answer.head.substr(at + name.size()));
    while (unread_.size() < size) {
      if (!Fill(kPatience)) return Answer();
    }
    answer.body = unread_.substr(0, size);
    unread_.erase(0, size);
    return answer;
  }
  Answer Ask(std::string_view bytes) {
    Send(bytes);
    return Read();
  }
  // Everything up to the connection's end.
  std::string Rest() {
    while (Fill(kPatience)) {
    }
    return std::exchange(unread_, {});
  }
  // The next bytes up to `text`, which is among them.
  std::string ReadUpTo(std::string_view text) {
    size_t at = 0;
    while ((at = unread_.find(text)) == std::string::npos) {
      if (!Fill(kPatience)) return {};
    }
    std::string bytes = unread_.substr(0, at + text.size());
    unread_.erase(0, bytes.size());
    return bytes;
  }
  // Whether the server ends the connection, with no byte more.
  bool Ends() { return unread_.empty() && !Fill(kPatience) && ended_; }
  // Whether nothing comes for `time`.
  bool Silent(milliseconds time) {
    return unread_.empty() && !Fill(time) && !ended_;
  }

 private:
  bool Fill(milliseconds time) {
    pollfd wait{fd_, POLLIN, 0};
    if (poll(&wait, 1, static_cast<int>(time.count())) <= 0) return false;
    char bytes[65536];
    const ssize_t n = recv(fd_, bytes, sizeof(bytes), 0);
    if (n <= 0) {
      ended_ = true;
      return false;
    }
    unread_.append(bytes, n);
    return true;
  }

  int fd_ = -1;
  bool connected_ = false;
  bool ended_ = false;
  std::string unread_;
};

// What the handler shares with the test.
struct Shared {
  std::atomic<bool> release{false};
  std::atomic<int> waiting{0};
  std::atomic<int> finished{0};
  std::atomic<int> served{0};
  std::atomic<uint64_t> loops{0};  // A bit for each loop that served.
  std::atomic<int> pieces{0};      // Asked of streams.
  std::atomic<int> sources{0};     // Of streams that live.
};

// A body of as many pieces as asked for, then an end of some kind.
class TestSource final : public BodySource {
 public:
  TestSource(std::shared_ptr<Shared> shared, int pieces, size_t size,
             std::string end)
      : shared_(std::move(shared)), left_(pieces), size_(size), end_(end) {
    ++shared_->sources;
  }
  ~TestSource() override { --shared_->sources; }

  Task<absl::StatusOr<std::string>> Next() override {
    ++shared_->pieces;
    co_await Sleep(milliseconds(1));
    if (left_-- > 0) co_return std::string(size_, 'x');
    if (end_ == "fail") co_return absl::UnavailableError("gone");
    if (end_ == "throw") throw std::runtime_error("secret");
    co_return std::string();
  }

 private:
  const std::shared_ptr<Shared> shared_;
  int left_;
  const size_t size_;
  const std::string end_;
};

inline void RenderError(v1::ErrorReason reason, std::string_view path,
                        ServerResponse& response) {
  response.status = base::LookUpError(reason).http_status;
  response.content_type = "application/problem+json";
  response.body = v1::ErrorReason_Name(reason) + " " + std::string(path);
}

inline void Fail(const absl::Status& status, ServerResponse& response) {
  RenderError(base::ReasonOf(status), "", response);
}

// Echoes what it is asked for; some paths do other things.
inline Task<void> Handle(std::shared_ptr<Shared> shared, Loop& loop,
                         ServerRequest& request, ServerResponse& response) {
  shared->loops |= uint64_t{1} << loop.index();
  ++shared->served;
  const std::string path(request.path());
  if (path == "/throw") throw std::runtime_error("secret");
  if (path == "/status") {
    response.status = std::stoi(std::string(request.query()));
    co_return;
  }
  if (path == "/close") response.close = true;
  if (path == "/unread") {
    response.body = "unread";
    co_return;
  }
  if (path == "/wait") {
    ++shared->waiting;
    while (!shared->release) co_await Sleep(milliseconds(2));
    ++shared->finished;
  }
  if (path == "/large") {
    response.body.assign(std::stoul(std::string(request.query())), 'x');
    co_return;
  }
  if (path == "/stream") {
    // /stream?PIECES&SIZE&CONTENT_LENGTH&END
    std::istringstream query{std::string(request.query())};
    std::string pieces, size, length, end;
    std::getline(query, pieces, '&');
    std::getline(query, size, '&');
    std::getline(query, length, '&');
    std::getline(query, end, '&');
    response.content_type = "image/jpeg";
    response.stream = std::make_unique<TestSource>(shared, std::stoi(pieces),
                                                   std::stoul(size), end);
    if (!length.empty()) response.stream_size = std::stoull(length);
    co_return;
  }
  if (path == "/headers") {
    response.headers = {{"X-Good", "good"},
                        {"X-Bad", "a\r\nX-Injected: 1"},
                        {"Content-Length", "77"},
                        {"Connection", "upgrade"}};
    response.content_type = "text/plain";
    response.body = std::string(request.Header("x-one").value_or("none"));
    for (const auto value : request.Headers("x-many")) {
      response.body += "," + std::string(value);
    }
    co_return;
  }
  if (path == "/some") {
    while (true) {
      const auto piece = co_await request.ReadSome(7);
      if (!piece.ok()) {
        Fail(piece.status(), response);
        co_return;
      }
      if (piece->empty()) co_return;
      response.body += *piece + "|";
    }
  }
  const auto body = co_await request.ReadBody(100000);
  if (!body.ok()) {
    Fail(body.status(), response);
    co_return;
  }
  // The head still stands after the body has been read.
  response.body = std::string(request.method()) + " " +
                  std::string(request.target()) + " " +
                  std::string(request.peer_address()) + " " + *body;
}

inline std::string Get(const std::string& target,
                       const std::string& fields = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

inline std::string Post(const std::string& target, const std::string& fields,
                        const std::string& body) {
  return "POST " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}

inline std::string Chunked(const std::string& target, const std::string& body) {
  return Post(target, "Transfer-Encoding: chunked\r\n", body);
}

inline std::string Sized(const std::string& target, const std::string& body) {
  return Post(target, "Content-Length: " + std::to_string(body.size()) + "\r\n",
              body);
}

class HttpServerTest : public testing::Test {
 protected:
  void Start(HttpServerOptions options = {}, int threads = 2) {
    if (options.listen.empty()) options.listen = "127.0.0.1:0";
    runtime_ = std::make_unique<Runtime>(threads);
    server_ = std::make_unique<HttpServer>(
        *runtime_, options,
        [shared = shared_](Loop& loop, ServerRequest& request,
                           ServerResponse& response) {
          return Handle(shared, loop, request, response);
        },
        RenderError);
    const absl::Status status = server_->Start();
    ASSERT_TRUE(status.ok()) << status;
    runtime_->Start();
  }
  ~HttpServerTest() override {
    shared_->release = true;
    server_.reset();
    if (runtime_ != nullptr) runtime_->Stop();
  }

  void Await(const std::function<bool()>& condition) {
    const auto end = Clock::now() + kPatience;
    while (!condition() && Clock::now() < end) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    ASSERT_TRUE(condition());
  }
  // What one request on a connection of its own is answered with. Expects
  // the connection to end after it where `closes`.
  Answer AskOnce(std::string_view bytes, bool closes) {
    Client client(server_->port());
    Answer answer = client.Ask(bytes);
    if (closes) {
      EXPECT_TRUE(answer.Has("Connection: close\r\n")) << answer.head;
      EXPECT_TRUE(client.Ends()) << bytes.substr(0, 200);
    }
    return answer;
  }
  void ExpectRefused(const std::string& bytes, int status = 400) {
    const Answer answer = AskOnce(bytes, /*closes=*/true);
    EXPECT_EQ(answer.status, status) << bytes.substr(0, 200);
    EXPECT_TRUE(answer.Has("Content-Type: application/problem+json\r\n"));
    EXPECT_EQ(shared_->served, 0) << bytes.substr(0, 200);
  }

  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::unique_ptr<Runtime> runtime_;
  std::unique_ptr<HttpServer> server_;
};

}  // namespace kyc::async::http_test

#endif  // KYC_SERVICES_ASYNC_HTTP_SERVER_FIXTURE_FOR_TEST_H_
