// Requests and their answers.
#include <string>
#include <thread>
#include <vector>

#include "services/async/http_server_fixture_for_test.h"

namespace kyc::async::http_test {
namespace {

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

}  // namespace
}  // namespace kyc::async::http_test
