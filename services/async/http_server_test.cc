#include "services/async/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "services/base/error.h"
#include "services/base/metrics.h"

namespace kyc::async {
namespace {

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
};

void RenderError(v1::ErrorReason reason, std::string_view path,
                 ServerResponse& response) {
  response.status = base::LookUpError(reason).http_status;
  response.content_type = "application/problem+json";
  response.body = v1::ErrorReason_Name(reason) + " " + std::string(path);
}

void Fail(const absl::Status& status, ServerResponse& response) {
  RenderError(base::ReasonOf(status), "", response);
}

// Echoes what it is asked for; some paths do other things.
Task<void> Handle(std::shared_ptr<Shared> shared, Loop& loop,
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

std::string Get(const std::string& target, const std::string& fields = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

std::string Post(const std::string& target, const std::string& fields,
                 const std::string& body) {
  return "POST " + target + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n" + body;
}

std::string Chunked(const std::string& target, const std::string& body) {
  return Post(target, "Transfer-Encoding: chunked\r\n", body);
}

std::string Sized(const std::string& target, const std::string& body) {
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

TEST_F(HttpServerTest, AnswersWithItsOwnFraming) {
  Start();
  Client client(server_->port());
  const Answer answer = client.Ask(Get("/a%20b?x=1"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "GET /a%20b?x=1 127.0.0.1 ");
  EXPECT_EQ(answer.head.substr(0, 17), "HTTP/1.1 200 OK\r\n");
  EXPECT_TRUE(answer.Has("\r\nContent-Type: application/json\r\n"));
  EXPECT_TRUE(answer.Has("\r\nDate: ")) << answer.head;
  EXPECT_TRUE(answer.Has(" GMT\r\n"));
  EXPECT_FALSE(answer.Has("Server:"));
  EXPECT_FALSE(answer.Has("Connection:"));
}

TEST_F(HttpServerTest, KeepsConnectionsAlive) {
  Start();
  Client client(server_->port());
  for (int i = 0; i < 50; ++i) {
    const std::string target = "/" + std::to_string(i);
    EXPECT_EQ(client.Ask(Get(target)).body, "GET " + target + " 127.0.0.1 ");
  }
  const Answer last = client.Ask(Get("/", "Connection: close\r\n"));
  EXPECT_TRUE(last.Has("Connection: close\r\n"));
  EXPECT_TRUE(client.Ends());
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  Start();
  Client client(server_->port());
  std::string requests;
  for (int i = 0; i < 100; ++i) {
    const std::string target = "/" + std::to_string(i);
    requests += i % 3 == 0   ? Get(target)
                : i % 3 == 1 ? Sized(target, std::string(i * 10, 'b'))
                             : Chunked(target, "3\r\nabc\r\n0\r\n\r\n");
  }
  client.Send(requests);
  for (int i = 0; i < 100; ++i) {
    const std::string target = "/" + std::to_string(i) + " 127.0.0.1 ";
    const std::string expected =
        i % 3 == 0   ? "GET " + target
        : i % 3 == 1 ? "POST " + target + std::string(i * 10, 'b')
                     : "POST " + target + "abc";
    ASSERT_EQ(client.Read().body, expected);
  }
}

TEST_F(HttpServerTest, PipelinedAnswersLargerThanTheSocketTakes) {
  Start();
  Client client(server_->port());
  std::string requests;
  for (int i = 0; i < 20; ++i) requests += Get("/large?1000000");
  client.Send(requests);
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(client.Read().body.size(), 1000000u);
  }
}

TEST_F(HttpServerTest, AnswersHeldBackDoNotWaitForASlowHandler) {
  Start();
  Client client(server_->port());
  client.Send(Get("/first") + Get("/wait"));
  EXPECT_EQ(client.Read().body, "GET /first 127.0.0.1 ");
  EXPECT_EQ(shared_->finished, 0);
  shared_->release = true;
  EXPECT_EQ(client.Read().body, "GET /wait 127.0.0.1 ");
}

TEST_F(HttpServerTest, ReadsRequestsByteByByte) {
  Start();
  Client client(server_->port());
  const std::string requests = "\r\n\r\n" + Get("/one", "X-One: 1\r\n") +
                               Sized("/two", "body") +
                               Chunked("/three",
                                       "2;a=\"b\"\r\nab\r\n1\r\nc\r\n"
                                       "0\r\nTrailer: x\r\n\r\n") +
                               Get("/four");
  for (const char c : requests) {
    client.Send({&c, 1});
    std::this_thread::yield();
  }
  EXPECT_EQ(client.Read().body, "GET /one 127.0.0.1 ");
  EXPECT_EQ(client.Read().body, "POST /two 127.0.0.1 body");
  EXPECT_EQ(client.Read().body, "POST /three 127.0.0.1 abc");
  EXPECT_EQ(client.Read().body, "GET /four 127.0.0.1 ");
}

TEST_F(HttpServerTest, FindsFieldsInAnyCaseAndGuardsItsOwn) {
  Start();
  Client client(server_->port());
  const Answer answer = client.Ask(Get(
      "/headers", "x-ONE: \t one \r\nX-Many: a\r\nx-many:b\r\nX-many:\r\n"));
  EXPECT_EQ(answer.body, "one,a,b,");
  EXPECT_TRUE(answer.Has("Content-Type: text/plain\r\n"));
  EXPECT_TRUE(answer.Has("X-Good: good\r\n"));
  EXPECT_FALSE(answer.Has("X-Bad"));
  EXPECT_FALSE(answer.Has("X-Injected"));
  EXPECT_FALSE(answer.Has("77"));
  EXPECT_FALSE(answer.Has("upgrade"));
}

TEST_F(HttpServerTest, StatusesWithoutBody) {
  Start();
  Client client(server_->port());
  const Answer none = client.Ask(Get("/status?204"));
  EXPECT_EQ(none.status, 204);
  EXPECT_FALSE(none.Has("Content-Length"));
  const Answer empty = client.Ask(Get("/status?200"));
  EXPECT_TRUE(empty.Has("Content-Length: 0\r\n"));
  EXPECT_FALSE(empty.Has("Content-Type"));
  EXPECT_EQ(client.Ask(Get("/status?418")).status, 418);
  EXPECT_EQ(client.Ask(Get("/status?101")).status, 500);
}

TEST_F(HttpServerTest, HeadHasTheLengthButNotTheBody) {
  Start();
  Client client(server_->port());
  client.Send("HEAD /large?123 HTTP/1.1\r\nHost: a\r\n\r\n" + Get("/next"));
  const Answer head = client.Read(/*to_head=*/true);
  EXPECT_EQ(head.status, 200);
  EXPECT_TRUE(head.Has("Content-Length: 123\r\n"));
  EXPECT_EQ(client.Read().body, "GET /next 127.0.0.1 ");
}

TEST_F(HttpServerTest, SpeaksHttp10) {
  Start();
  EXPECT_EQ(AskOnce("GET /x HTTP/1.0\r\n\r\n", true).body, "GET /x 127.0.0.1 ");
  Client client(server_->port());
  const std::string kept = "GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  EXPECT_TRUE(client.Ask(kept).Has("Connection: keep-alive\r\n"));
  EXPECT_EQ(client.Ask(kept).status, 200);
}

TEST_F(HttpServerTest, TakesTheTargetsThatHttpKnows) {
  Start();
  EXPECT_EQ(AskOnce(Get("http://h.example:1/p?q"), false).body,
            "GET /p?q 127.0.0.1 ");
  EXPECT_EQ(AskOnce(Get("HTTPS://h.example"), false).body, "GET / 127.0.0.1 ");
  EXPECT_EQ(AskOnce("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", false).body,
            "OPTIONS * 127.0.0.1 ");
  EXPECT_EQ(AskOnce("CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", true).body,
            "CONNECT a:1 127.0.0.1 ");
  EXPECT_EQ(AskOnce("TRACE / HTTP/1.1\r\nHost: a\r\n\r\n", false).body,
            "TRACE / 127.0.0.1 ");
}

TEST_F(HttpServerTest, RefusesMalformedRequests) {
  Start();
  const std::string line = "GET / HTTP/1.1\r\n";
  for (const std::string& bytes : std::vector<std::string>{
           "GET / HTTP/1.1\nHost: a\n\n",
           "GET / HTTP/1.1\r\nHost: a\n\r\n",
           "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
           "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
           "GET / HTTP/1.2\r\nHost: a\r\n\r\n",
           "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
           "GET /\r\n\r\n",
           "GET / http/1.1\r\nHost: a\r\n\r\n",
           "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
           "\x16\x03\x01\x02\x01\x03\x03",
           "G@T / HTTP/1.1\r\nHost: a\r\n\r\n",
           Get("no-slash"),
           Get("*"),
           Get("ftp://a/b"),
           Get("http:///b"),
           Get("/a#b"),
           Get("/\xc3\xa4"),
           line + "\r\n",
           line + "Host: a\r\nHost: a\r\n\r\n",
           line + "Host: a b\r\n\r\n",
           line + "Host: a/b\r\n\r\n",
           line + "Host: user@b\r\n\r\n",
           Get("/", "X : 1\r\n"),
           Get("/", " X: 1\r\n"),
           Get("/", "X: 1\r\n folded\r\n"),
           Get("/", "X:\r\n\tfolded\r\n"),
           Get("/", "X: a\rb\r\n"),
           Get("/", std::string("X: a\0b\r\n", 8)),
           Get("/", "X: a\x01\r\n"),
           Get("/", "X\r\n"),
           Get("/", ": a\r\n"),
           Get("/", "Expect: 200-ok\r\n"),
       }) {
    ExpectRefused(bytes);
  }
}

TEST_F(HttpServerTest, RefusesAmbiguousFraming) {
  Start();
  const std::string chunked = "Transfer-Encoding: chunked\r\n";
  for (const std::string& fields : std::vector<std::string>{
           "Content-Length: 3\r\n" + chunked,
           chunked + "Content-Length: 3\r\n",
           "Content-Length: 3\r\nContent-Length: 4\r\n",
           "Content-Length: 3, 4\r\n",
           "Content-Length: +3\r\n",
           "Content-Length: -3\r\n",
           "Content-Length: 0x3\r\n",
           "Content-Length: 3 3\r\n",
           "Content-Length:\r\n",
           "Content-Length: 18446744073709551616\r\n",
           "Transfer-Encoding: gzip\r\n",
           "Transfer-Encoding: gzip, chunked\r\n",
           "Transfer-Encoding: chunked, identity\r\n",
           "Transfer-Encoding: xchunked\r\n",
           "Transfer-Encoding:\r\n",
           "Transfer-Encoding: \x0b"
           "chunked\r\n",
           "Transfer-Encoding : chunked\r\n",
           chunked + chunked,
       }) {
    ExpectRefused(Post("/", fields, "0\r\n\r\n"));
  }
  ExpectRefused("POST / HTTP/1.0\r\n" + chunked + "\r\n0\r\n\r\n");
}

TEST_F(HttpServerTest, LimitsTheHead) {
  Start();
  const std::string target = "/" + std::string(8192 - 13, 'a');
  ASSERT_EQ(("GET " + target + " HTTP/1.1").size(), 8193u);
  EXPECT_EQ(AskOnce(Get(target.substr(0, target.size() - 1)), false).status,
            200);
  shared_->served = 0;
  ExpectRefused(Get(target), 414);
  ExpectRefused(std::string(9000, 'A'), 414);
  // "Host: a\r\n" and "X: …\r\n".
  const std::string value(16384 - 9 - 5, 'v');
  EXPECT_EQ(AskOnce(Get("/", "X: " + value + "\r\n"), false).status, 200);
  shared_->served = 0;
  ExpectRefused(Get("/", "X: " + value + "v\r\n"), 431);
  ExpectRefused("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(17000, 'v'),
                431);
  std::string fields;
  for (int i = 0; i < 99; ++i) fields += "a: b\r\n";
  EXPECT_EQ(AskOnce(Get("/", fields), false).status, 200);
  shared_->served = 0;
  ExpectRefused(Get("/", fields + "a: b\r\n"), 431);
}

TEST_F(HttpServerTest, DecodesChunks) {
  Start();
  Client client(server_->port());
  EXPECT_EQ(client
                .Ask(Chunked("/some",
                             "A;x=1\r\n0123456789\r\n00a ; y\r\n"
                             "abcdefghij\r\n0;last\r\nT: 1\r\n\r\n"))
                .body,
            "0123456|789abcd|efghij|");
  const std::string chunk = "2710\r\n" + std::string(10000, 'z') + "\r\n";
  EXPECT_EQ(client.Ask(Chunked("/", chunk + chunk + chunk + "0\r\n\r\n")).body,
            "POST / 127.0.0.1 " + std::string(30000, 'z'));
  EXPECT_EQ(client.Ask(Chunked("/", "0\r\n\r\n")).body, "POST / 127.0.0.1 ");
}

TEST_F(HttpServerTest, RefusesBrokenChunks) {
  Start();
  std::string extended;
  for (int i = 0; i < 10; ++i) {
    extended += "1;" + std::string(2000, 'e') + "\r\nx\r\n";
  }
  for (const std::string& body : std::vector<std::string>{
           "x\r\n\r\n",
           "\r\n0\r\n\r\n",
           "-1\r\nx\r\n0\r\n\r\n",
           "0x1\r\nx\r\n0\r\n\r\n",
           "1\nx\n0\n\n\r\n",
           "1\r\nxx\r\n0\r\n\r\n",
           "1;\x01\r\nx\r\n0\r\n\r\n",
           "1;a=\"\n\"\r\nx\r\n0\r\n\r\n",
           "10000000000000000\r\nx\r\n0\r\n\r\n",
           "0\r\nContent Length: 1\r\n\r\n",
           extended + "0\r\n\r\n",
           "1;" + std::string(20000, 'e'),
           "0\r\nT: " + std::string(20000, 't'),
       }) {
    const Answer answer = AskOnce(Chunked("/", body), /*closes=*/true);
    EXPECT_EQ(answer.body, "ERROR_REASON_BAD_REQUEST ") << body.substr(0, 100);
  }
}

TEST_F(HttpServerTest, RefusesLargeBodiesBeforeTheyCome) {
  Start();
  const Answer answer = AskOnce(Post("/",
                                     "Content-Length: 999999999\r\n"
                                     "Expect: 100-continue\r\n",
                                     ""),
                                /*closes=*/true);
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(AskOnce(Sized("/", std::string(100000, 'x')), false).status, 200);
}

TEST_F(HttpServerTest, RefusesLargeChunkedBodies) {
  Start();
  Client client(server_->port());
  const std::string chunk = "c350\r\n" + std::string(50000, 'x') + "\r\n";
  EXPECT_EQ(client.Ask(Chunked("/", chunk + chunk + "0\r\n\r\n")).status, 200);
  // A little over: the rest is drained and the connection goes on.
  EXPECT_EQ(
      client.Ask(Chunked("/", chunk + chunk + "1\r\nx\r\n0\r\n\r\n")).status,
      413);
  EXPECT_EQ(client.Ask(Get("/next")).status, 200);
}

TEST_F(HttpServerTest, AClientStillSendingGetsTheAnswer) {
  Start();
  Client client(server_->port());
  client.Send(Post("/unread", "Content-Length: 3000000\r\n", ""));
  std::thread sender([&] { client.Send(std::string(3000000, 'x')); });
  const Answer answer = client.Read();
  sender.join();
  EXPECT_EQ(answer.body, "unread");
  EXPECT_TRUE(answer.Has("Connection: close\r\n"));
}

TEST_F(HttpServerTest, DrainsSmallBodiesNobodyRead) {
  Start();
  Client client(server_->port());
  const std::string body(200000, 'x');
  EXPECT_EQ(client.Ask(Sized("/unread", body)).body, "unread");
  EXPECT_EQ(client.Ask(Chunked("/unread", "3\r\nabc\r\n0\r\n\r\n")).body,
            "unread");
  EXPECT_EQ(client.Ask(Get("/next")).status, 200);
  std::string endless = "40000\r\n" + std::string(0x40000, 'x') + "\r\n";
  client.Send(Chunked("/unread", endless + endless + "0\r\n\r\n"));
  EXPECT_EQ(client.Read().body, "unread");
  EXPECT_TRUE(client.Ends());
}

TEST_F(HttpServerTest, Sends100ContinueWhenTheBodyIsRead) {
  Start();
  const std::string fields = "Content-Length: 4\r\nExpect: 100-continue\r\n";
  Client client(server_->port());
  EXPECT_EQ(client.Ask(Post("/", fields, "")).status, 100);
  EXPECT_EQ(client.Ask("body").body, "POST / 127.0.0.1 body");
  // With the body there already nobody waits.
  EXPECT_EQ(client.Ask(Post("/", fields, "body")).status, 200);
  // Not read: not asked for, and it may or may not come.
  const Answer unread = client.Ask(Post("/unread", fields, ""));
  EXPECT_EQ(unread.body, "unread");
  EXPECT_TRUE(unread.Has("Connection: close\r\n"));
  EXPECT_TRUE(client.Ends());
}

TEST_F(HttpServerTest, ExceptionsAre500) {
  Start();
  const Answer answer = AskOnce(Get("/throw"), /*closes=*/true);
  EXPECT_EQ(answer.status, 500);
  EXPECT_EQ(answer.body, "ERROR_REASON_INTERNAL /throw");
}

TEST_F(HttpServerTest, HandlersMayClose) {
  Start();
  EXPECT_EQ(AskOnce(Get("/close") + Get("/close"), /*closes=*/true).status,
            200);
  EXPECT_EQ(shared_->served, 1);
}

TEST_F(HttpServerTest, AHalfClosedClientGetsItsAnswer) {
  Start();
  Client client(server_->port());
  client.Send(Get("/one") + Get("/wait"));
  client.HalfClose();
  shared_->release = true;
  EXPECT_EQ(client.Read().body, "GET /one 127.0.0.1 ");
  EXPECT_EQ(client.Read().body, "GET /wait 127.0.0.1 ");
  EXPECT_TRUE(client.Ends());
}

TEST_F(HttpServerTest, AClientThatLeavesHarmsNobody) {
  Start();
  {
    Client gone(server_->port());
    gone.Send(Get("/wait"));
    Await([&] { return shared_->waiting == 1; });
  }
  {
    Client half(server_->port());
    half.Send(Post("/", "Content-Length: 10\r\n", "half"));
  }
  shared_->release = true;
  Await([&] { return shared_->finished == 1; });
  EXPECT_EQ(AskOnce(Get("/"), false).status, 200);
}

TEST_F(HttpServerTest, GivesUpOnSlowClients) {
  HttpServerOptions options;
  options.head_timeout = seconds(1);
  options.body_timeout = seconds(1);
  options.idle_timeout = seconds(2);
  Start(options);
  const auto start = Clock::now();
  Client idle(server_->port());
  Client head(server_->port());
  head.Send("GET / HTTP/1.1\r\nHo");
  Client body(server_->port());
  body.Send(Post("/", "Content-Length: 10\r\n", "half"));
  Client drain(server_->port());
  drain.Send(Post("/unread", "Content-Length: 10\r\n", "half"));

  const Answer late_head = head.Read();
  EXPECT_EQ(late_head.body, "ERROR_REASON_REQUEST_TIMEOUT ");
  EXPECT_EQ(late_head.status, 408);
  EXPECT_TRUE(head.Ends());
  EXPECT_EQ(body.Read().status, 408);
  EXPECT_TRUE(body.Ends());
  EXPECT_EQ(drain.Read().body, "unread");
  EXPECT_TRUE(drain.Ends());
  EXPECT_TRUE(idle.Ends());
  EXPECT_GE(Clock::now() - start, seconds(2));
  EXPECT_LT(Clock::now() - start, seconds(5));
}

TEST_F(HttpServerTest, ADripOfBytesKeepsNoConnection) {
  HttpServerOptions options;
  options.head_timeout = seconds(1);
  options.body_timeout = seconds(1);
  Start(options);
  Client head(server_->port());
  Client body(server_->port());
  head.Send("GET / HTTP/1.1\r\nX: ");
  body.Send(Post("/", "Content-Length: 90000\r\n", ""));
  const auto start = Clock::now();
  bool head_over = false;
  bool body_over = false;
  while ((!head_over || !body_over) && Clock::now() - start < kPatience) {
    head.Send("x");
    body.Send("x");
    head_over = head_over || !head.Silent(milliseconds(20));
    body_over = body_over || !body.Silent(milliseconds(20));
  }
  EXPECT_TRUE(head_over);
  EXPECT_TRUE(body_over);
  EXPECT_GE(Clock::now() - start, milliseconds(900));
}

TEST_F(HttpServerTest, AClientThatReadsNothingIsCut) {
  HttpServerOptions options;
  options.write_timeout = seconds(1);
  Start(options);
  Client client(server_->port());
  std::string requests;
  for (int i = 0; i < 30; ++i) requests += Get("/large?1000000");
  client.Send(requests);
  // Once the client is known, it is waited for.
  Await([] {
    return base::RenderMetrics().find("kyc_http_connections 1") !=
           std::string::npos;
  });
  Await([] {
    return base::RenderMetrics().find("kyc_http_connections 0") !=
           std::string::npos;
  });
  int whole = 0;
  while (client.Read().status == 200) ++whole;
  EXPECT_LT(whole, 30);
}

TEST_F(HttpServerTest, RefusesConnectionsOverTheLimit) {
  HttpServerOptions options;
  options.max_connections = 2;
  Start(options);
  {
    Client one(server_->port());
    Client two(server_->port());
    EXPECT_EQ(one.Ask(Get("/")).status, 200);
    EXPECT_EQ(two.Ask(Get("/")).status, 200);
    Client three(server_->port());
    EXPECT_EQ(three.Ask(Get("/")).body, "ERROR_REASON_UNAVAILABLE ");
    EXPECT_TRUE(three.Ends());
    EXPECT_EQ(one.Ask(Get("/")).status, 200);
  }
  Await([&] { return AskOnce(Get("/"), false).status == 200; });
}

TEST_F(HttpServerTest, DrainLetsRequestsEnd) {
  Start();
  Client idle(server_->port());
  EXPECT_EQ(idle.Ask(Get("/")).status, 200);
  Client busy(server_->port());
  busy.Send(Get("/wait"));
  Await([&] { return shared_->waiting == 1; });
  const int port = server_->port();
  std::thread drain([&] { server_->Drain(seconds(10)); });
  EXPECT_TRUE(idle.Ends());
  Await([&] { return !Client(port).connected(); });
  shared_->release = true;
  const Answer answer = busy.Read();
  EXPECT_EQ(answer.body, "GET /wait 127.0.0.1 ");
  EXPECT_TRUE(answer.Has("Connection: close\r\n"));
  EXPECT_TRUE(busy.Ends());
  drain.join();
}

TEST_F(HttpServerTest, DrainCutsWhatDoesNotEnd) {
  Start();
  Client busy(server_->port());
  busy.Send(Get("/wait"));
  Await([&] { return shared_->waiting == 1; });
  Client half(server_->port());
  half.Send("GET / HT");
  const auto start = Clock::now();
  server_->Drain(milliseconds(200));
  const auto took = Clock::now() - start;
  EXPECT_GE(took, milliseconds(200));
  EXPECT_LT(took, milliseconds(1500));
  EXPECT_TRUE(busy.Ends());
  EXPECT_TRUE(half.Ends());
  EXPECT_EQ(shared_->finished, 0);
  // The handler outlives the server, and finds nobody to answer.
  server_.reset();
  shared_->release = true;
  Await([&] { return shared_->finished == 1; });
}

TEST_F(HttpServerTest, ServerMayGoAfterItsLoops) {
  Start();
  Client client(server_->port());
  client.Send(Get("/wait"));
  Await([&] { return shared_->waiting == 1; });
  runtime_->Stop();
  EXPECT_TRUE(client.Ends());
  server_.reset();
}

TEST_F(HttpServerTest, ServesAUnixSocketOnEveryLoop) {
  const std::string path = testing::TempDir() + "/kyc_http_test_" +
                           std::to_string(getpid()) + ".sock";
  HttpServerOptions options;
  options.listen = "unix:" + path;
  Start(options);
  EXPECT_EQ(server_->port(), 0);
  {
    Client one(path);
    Client two(path);
    EXPECT_EQ(one.Ask(Get("/")).body, "GET / unix ");
    EXPECT_EQ(two.Ask(Get("/")).body, "GET / unix ");
    EXPECT_EQ(shared_->loops, 3u);
  }
  // In use: refused, and the other goes on.
  Runtime other(1);
  HttpServer second(other, options, {}, RenderError);
  EXPECT_NE(std::string(second.Start().message()).find(path),
            std::string::npos);
  EXPECT_EQ(Client(path).Ask(Get("/")).status, 200);
  server_->Drain(seconds(2));
  EXPECT_NE(access(path.c_str(), F_OK), 0);
}

TEST_F(HttpServerTest, ReplacesTheSocketFileOfADeadServer) {
  const std::string path = testing::TempDir() + "/kyc_http_dead_" +
                           std::to_string(getpid()) + ".sock";
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  std::strncpy(name.sun_path, path.c_str(), sizeof(name.sun_path) - 1);
  const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(dead, reinterpret_cast<sockaddr*>(&name), sizeof(name)), 0);
  close(dead);
  HttpServerOptions options;
  options.listen = "unix:" + path;
  Start(options);
  EXPECT_EQ(Client(path).Ask(Get("/")).status, 200);
}

TEST_F(HttpServerTest, StartNamesWhatIsWrong) {
  Start();
  Runtime other(2);
  for (const std::string& listen :
       {"127.0.0.1:" + std::to_string(server_->port()),
        std::string("127.0.0.1"), std::string("127.0.0.1:"),
        std::string("127.0.0.1:99999"), std::string("unix:"),
        "unix:/" + std::string(200, 'p')}) {
    HttpServerOptions options;
    options.listen = listen;
    HttpServer server(other, options, {}, RenderError);
    const absl::Status status = server.Start();
    EXPECT_FALSE(status.ok()) << listen;
    EXPECT_NE(std::string(status.message()).find(listen), std::string::npos)
        << status;
  }
}

TEST_F(HttpServerTest, ManyClientsAtOnce) {
  Start();
  constexpr int kClients = 8;
  constexpr int kRequests = 200;
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < kClients; ++i) {
    threads.emplace_back([&, i] {
      std::unique_ptr<Client> client;
      for (int n = 0; n < kRequests; ++n) {
        if (n % 50 == 0) client = std::make_unique<Client>(server_->port());
        const std::string body = std::to_string(i * 1000 + n);
        if (client->Ask(Sized("/x", body)).body ==
            "POST /x 127.0.0.1 " + body) {
          ++good;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, kClients * kRequests);
}

}  // namespace
}  // namespace kyc::async
