// Answers whose body is streamed.
#include <string>

#include "services/async/http_server_fixture_for_test.h"

namespace kyc::async::http_test {
namespace {

TEST_F(HttpServerTest, AStreamOfKnownSizeHasAContentLength) {
  Start();
  Client client(server_->port());
  const Answer answer = client.Ask(Get("/stream?3&1000&3000"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_TRUE(answer.Has("Content-Type: image/jpeg\r\n")) << answer.head;
  EXPECT_TRUE(answer.Has("Content-Length: 3000\r\n")) << answer.head;
  EXPECT_FALSE(answer.Has("Transfer-Encoding")) << answer.head;
  EXPECT_EQ(answer.body, std::string(3000, 'x'));
  // The connection goes on, and the source is gone.
  EXPECT_EQ(client.Ask(Get("/one")).body, "GET /one 127.0.0.1 ");
  EXPECT_EQ(shared_->sources, 0);
  EXPECT_EQ(client.Ask(Get("/stream?0&0&0")).body, "");
  EXPECT_EQ(client.Ask(Get("/one")).status, 200);
}

TEST_F(HttpServerTest, AStreamOfUnknownSizeIsChunked) {
  Start();
  Client client(server_->port());
  client.Send(Get("/stream?2&20&") + Get("/one"));
  const std::string head = client.ReadUpTo("\r\n\r\n");
  EXPECT_NE(head.find("Transfer-Encoding: chunked\r\n"), std::string::npos);
  EXPECT_EQ(head.find("Content-Length"), std::string::npos) << head;
  const std::string piece = "14\r\n" + std::string(20, 'x') + "\r\n";
  EXPECT_EQ(client.ReadUpTo("0\r\n\r\n"), piece + piece + "0\r\n\r\n");
  EXPECT_EQ(client.Read().body, "GET /one 127.0.0.1 ");
}

TEST_F(HttpServerTest, AnOldClientsStreamEndsWithTheConnection) {
  Start();
  Client client(server_->port());
  client.Send("GET /stream?2&20& HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const std::string head = client.ReadUpTo("\r\n\r\n");
  EXPECT_NE(head.find("Connection: close\r\n"), std::string::npos) << head;
  EXPECT_EQ(head.find("Transfer-Encoding"), std::string::npos) << head;
  EXPECT_EQ(client.Rest(), std::string(40, 'x'));
}

TEST_F(HttpServerTest, HeadAsksForNoPiece) {
  Start();
  Client client(server_->port());
  client.Send("HEAD /stream?2&20&40 HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(client.Read(/*to_head=*/true).Has("Content-Length: 40\r\n"));
  client.Send("HEAD /stream?2&20& HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(
      client.Read(/*to_head=*/true).Has("Transfer-Encoding: chunked\r\n"));
  EXPECT_EQ(client.Ask(Get("/one")).status, 200);
  EXPECT_EQ(shared_->pieces, 0);
  EXPECT_EQ(shared_->sources, 0);
}

TEST_F(HttpServerTest, WhatIsNotWholeIsNotTakenForWhole) {
  Start();
  for (const char* target :
       {"/stream?2&20&&fail", "/stream?2&20&&throw", "/stream?2&20&40&fail",
        "/stream?2&20&41&", "/stream?2&20&39&", "/stream?2&20&0&"}) {
    Client client(server_->port());
    client.Send(Get(target) + Get("/one"));
    const std::string rest = client.Rest();
    EXPECT_EQ(rest.find("\r\n0\r\n\r\n"), std::string::npos) << target;
    EXPECT_EQ(rest.find("/one"), std::string::npos) << target;
    EXPECT_EQ(rest.find("secret"), std::string::npos) << target;
    // Never more than announced.
    const size_t sent = rest.size() - rest.find("\r\n\r\n");
    EXPECT_LE(sent, 4 + 60u) << target;
  }
  Await([&] { return shared_->sources == 0; });
  EXPECT_EQ(AskOnce(Get("/one"), false).status, 200);
}

TEST_F(HttpServerTest, AClientThatDoesNotReadHoldsBackItsSourceAlone) {
  HttpServerOptions options;
  options.write_timeout = seconds(2);
  Start(options, /*threads=*/1);
  constexpr int kPieces = 10000;  // Of 64 KiB: more than sockets hold.
  Client stalled(server_->port());
  stalled.Send(Get("/stream?10000&65536&"));
  Await([&] { return shared_->pieces > 0; });
  int before = -1;
  while (before != shared_->pieces) {
    before = shared_->pieces;
    std::this_thread::sleep_for(milliseconds(100));
    EXPECT_EQ(AskOnce(Get("/stream?3&65536&196608"), false).body.size(),
              196608u);
    before += 4;  // Those of this very answer.
  }
  EXPECT_LT(shared_->pieces, kPieces / 4);
  // In the end it is cut, and its source goes with it.
  Await([&] { return shared_->sources == 0; });
  EXPECT_LT(shared_->pieces, kPieces / 4);
  EXPECT_EQ(AskOnce(Get("/one"), false).status, 200);
}

TEST_F(HttpServerTest, AClientThatLeavesEndsItsSource) {
  Start();
  {
    Client gone(server_->port());
    gone.Send(Get("/stream?1000000&65536&"));
    Await([&] { return shared_->pieces > 3; });
  }
  Await([&] { return shared_->sources == 0; });
  EXPECT_LT(shared_->pieces, 10000);
}

TEST_F(HttpServerTest, DrainCutsAStreamThatDoesNotEnd) {
  Start();
  Client client(server_->port());
  client.Send(Get("/stream?1000000&10&"));
  Await([&] { return shared_->pieces > 3; });
  const auto start = Clock::now();
  server_->Drain(milliseconds(300));
  EXPECT_GE(Clock::now() - start, milliseconds(300));
  Await([&] { return shared_->sources == 0; });
}

}  // namespace
}  // namespace kyc::async::http_test
