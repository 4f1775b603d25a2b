// Connections and the server: their time limits, their ends, their number.
#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "services/async/http_server_fixture_for_test.h"
#include "services/base/metrics.h"

namespace kyc::async::http_test {
namespace {

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

TEST_F(HttpServerTest, BoundsTheMemoryOfAllBodies) {
  HttpServerOptions options;
  options.max_body_memory = 50000;
  Start(options);
  const std::string small = Sized("/", std::string(20000, 'x'));
  const std::string large = Sized("/", std::string(80000, 'x'));
  // What an answered request held is free again.
  for (int i = 0; i < 5; ++i) {
    Client client(server_->port());
    for (int j = 0; j < 5; ++j) EXPECT_EQ(client.Ask(small).status, 200);
    const Answer answer = client.Ask(large);
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.body, "ERROR_REASON_UNAVAILABLE ");
  }
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
  // Not TempDir(): the path of a unix socket must be short.
  const std::string path =
      std::string("/tmp/kyc_http_test_") + std::to_string(getpid()) + ".sock";
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
  const std::string path =
      std::string("/tmp/kyc_http_dead_") + std::to_string(getpid()) + ".sock";
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
}  // namespace kyc::async::http_test
