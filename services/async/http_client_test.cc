#include "services/async/http_client.h"

#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netdb.h>

#include <atomic>
#include <cstring>
#include <future>
#include <memory>
#include <optional>
#include <thread>

#include "services/async/http_stub_for_test.h"

// The name "rebind.test" means a public address the first time and this
// machine ever after: what an attacker's name server answers a client that
// looks a name up to check it and again to use it. libcurl resolves through
// this function as if it were the C library's.
static std::atomic<int> look_ups{0};

extern "C" int getaddrinfo(const char* name, const char* service,
                           const addrinfo* hints, addrinfo** result) {
  static const auto real = reinterpret_cast<decltype(&::getaddrinfo)>(
      dlsym(RTLD_NEXT, "getaddrinfo"));
  if (name != nullptr && std::strcmp(name, "rebind.test") == 0) {
    // Of TEST-NET-3, where nobody answers.
    name = look_ups.fetch_add(1) == 0 ? "203.0.113.7" : "127.0.0.1";
  }
  return real(name, service, hints, result);
}

namespace kyc::async {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Result = absl::StatusOr<ClientResponse>;

bool NotSent(const Result& result) {
  return result.status().GetPayload(kNotSentPayload).has_value();
}

Task<void> SendInto(HttpClient& client, ClientRequest request,
                    std::shared_ptr<std::promise<Result>> promise) {
  promise->set_value(co_await client.Send(std::move(request)));
}

class HttpClientTest : public ::testing::Test {
 protected:
  HttpClientTest() { Launch({}); }
  ~HttpClientTest() override {
    runtime_->Stop();
    client_.reset();
  }

  void Launch(HttpClient::Options options) {
    if (runtime_) runtime_->Stop();
    client_.reset();
    runtime_.emplace(1);
    client_.emplace(runtime_->loop(0), options);
    runtime_->Start();
  }

  std::future<Result> Start(ClientRequest request) {
    auto promise = std::make_shared<std::promise<Result>>();
    std::future<Result> future = promise->get_future();
    runtime_->loop(0).Post([this, request, promise] {
      runtime_->loop(0).Spawn(SendInto(*client_, request, promise));
    });
    return future;
  }
  Result Send(ClientRequest request) { return Start(request).get(); }

  ClientRequest Get(const std::string& target) {
    ClientRequest request;
    request.url = stub_.url() + target;
    return request;
  }
  ClientRequest Post(const std::string& target, std::string body) {
    ClientRequest request = Get(target);
    request.method = "POST";
    request.body = std::move(body);
    return request;
  }

  HttpStub stub_;
  std::optional<Runtime> runtime_;
  std::optional<HttpClient> client_;
};

TEST_F(HttpClientTest, SendsExactlyWhatItIsGiven) {
  const std::string target = "/a%2Fb/../%7C;id=%c3%A9/x?level=a%20b+c&e=";
  ClientRequest request = Post(target, std::string("a\0b\r\n--c\xff", 9));
  request.headers = {{"X-One", "1"}, {"Content-Type", "application/json"}};
  const Result result = Send(request);
  ASSERT_TRUE(result.ok()) << result.status();
  const std::vector<StubRequest> requests = stub_.requests();
  ASSERT_EQ(requests.size(), 1u);
  EXPECT_EQ(requests[0].raw.substr(0, requests[0].raw.find("\r\n")),
            "POST " + target + " HTTP/1.1");
  EXPECT_EQ(requests[0].body, request.body);
  EXPECT_EQ(requests[0].Header("content-length"), "9");
  EXPECT_EQ(requests[0].Header("x-one"), "1");
  EXPECT_EQ(requests[0].Header("content-type"), "application/json");
  EXPECT_EQ(requests[0].Header("expect"), "");
  EXPECT_EQ(requests[0].Header("accept-encoding"), "");
}

TEST_F(HttpClientTest, LargeBodiesNeedNoPermission) {
  const std::string body(3 << 20, 'x');
  ASSERT_TRUE(Send(Post("/", body)).ok());
  EXPECT_EQ(stub_.requests()[0].body, body);
  EXPECT_EQ(stub_.requests()[0].Header("expect"), "");
}

TEST_F(HttpClientTest, MethodsWithAndWithoutBody) {
  for (const char* method : {"GET", "POST", "PUT", "PATCH", "DELETE"}) {
    ClientRequest request = Get("/");
    request.method = method;
    ASSERT_TRUE(Send(request).ok()) << method;
    const StubRequest seen = stub_.requests().back();
    EXPECT_EQ(seen.method, method);
    EXPECT_EQ(seen.body, "");
    EXPECT_EQ(seen.Header("transfer-encoding"), "");
    EXPECT_EQ(seen.Header("content-type"), "");
  }
  ClientRequest request = Get("/");
  request.method = "DELETE";
  request.body = "x";
  ASSERT_TRUE(Send(request).ok());
  EXPECT_EQ(stub_.requests().back().method, "DELETE");
  EXPECT_EQ(stub_.requests().back().body, "x");
}

TEST_F(HttpClientTest, AnyStatusIsAnAnswer) {
  StubAnswer answer;
  answer.status = 503;
  answer.headers = {{"X-Image-Id", " 12 "}, {"Set-A", "1"}, {"set-a", "2"}};
  answer.body = "sorry";
  stub_.Push(answer);
  const Result result = Send(Get("/"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->status, 503);
  EXPECT_EQ(result->body, "sorry");
  EXPECT_EQ(result->Header("x-image-id"), "12");
  EXPECT_EQ(result->Header("set-a"), "1");
  EXPECT_EQ(result->Header("none"), "");
}

TEST_F(HttpClientTest, RedirectsAreNotFollowed) {
  StubAnswer answer;
  answer.status = 302;
  answer.headers = {{"Location", stub_.url() + "/elsewhere"}};
  stub_.Push(answer);
  const Result result = Send(Get("/"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->status, 302);
  EXPECT_EQ(stub_.requests().size(), 1u);
}

TEST_F(HttpClientTest, InterimAnswersAreSkipped) {
  stub_.Push(
      StubAnswer::Raw("HTTP/1.1 103 Early Hints\r\nX-Early: 1\r\n\r\n"
                      "HTTP/1.1 200 OK\r\nX-Late: 2\r\n"
                      "Content-Length: 2\r\n\r\nok"));
  const Result result = Send(Get("/"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->status, 200);
  EXPECT_EQ(result->Header("x-early"), "");
  EXPECT_EQ(result->Header("x-late"), "2");
  EXPECT_EQ(result->body, "ok");
}

TEST_F(HttpClientTest, TrailersAreNoHeaders) {
  stub_.Push(StubAnswer::Raw(
      "HTTP/1.1 200 OK\r\nX-Head: 1\r\nTransfer-Encoding: chunked\r\n\r\n"
      "2\r\nok\r\n0\r\nHTTP/1.1 500: no\r\nX-Trailer: 2\r\n\r\n"));
  const Result result = Send(Get("/"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->status, 200);
  EXPECT_EQ(result->Header("x-head"), "1");
  EXPECT_EQ(result->Header("x-trailer"), "");
  EXPECT_EQ(result->body, "ok");
}

TEST_F(HttpClientTest, CompressedAnswersAreNotUnpacked) {
  StubAnswer answer;
  answer.headers = {{"Content-Encoding", "gzip"}};
  answer.body = "not gzip at all";
  stub_.Push(answer);
  const Result result = Send(Get("/"));
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->body, "not gzip at all");
}

TEST_F(HttpClientTest, KeepsItsConnection) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Send(Get("/")).ok());
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Send(Post("/", "x")).ok());
  EXPECT_EQ(stub_.connections(), 1);
}

TEST_F(HttpClientTest, ManyAtOnceWithinTheConnectionsAllowed) {
  HttpClient::Options options;
  options.max_connections_per_host = 8;
  Launch(options);
  stub_.SetHandler([](const StubRequest& request) {
    StubAnswer answer;
    answer.delay = milliseconds(5);
    answer.body = request.target;
    return answer;
  });
  std::vector<std::future<Result>> results;
  for (int i = 0; i < 100; ++i) {
    results.push_back(Start(Get("/" + std::to_string(i))));
  }
  for (int i = 0; i < 100; ++i) {
    const Result result = results[i].get();
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->body, "/" + std::to_string(i));
  }
  EXPECT_LE(stub_.connections(), 8);
}

TEST_F(HttpClientTest, SilenceEndsInTime) {
  stub_.Push(StubAnswer::Hang());
  ClientRequest request = Get("/");
  request.timeout = milliseconds(150);
  const auto start = steady_clock::now();
  const Result result = Send(request);
  const auto took = steady_clock::now() - start;
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(NotSent(result));
  EXPECT_GE(took, milliseconds(140));
  EXPECT_LT(took, milliseconds(350));
  // And the next one is served, on another connection.
  EXPECT_TRUE(Send(Get("/")).ok());
}

TEST_F(HttpClientTest, ABodyThatStopsEndsInTimeToo) {
  StubAnswer half =
      StubAnswer::Raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
  half.close = false;
  stub_.Push(half);
  ClientRequest request = Get("/");
  request.timeout = milliseconds(150);
  EXPECT_EQ(Send(request).status().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST_F(HttpClientTest, NoTimeNoRequest) {
  ClientRequest request = Get("/");
  request.timeout = milliseconds(0);
  const Result result = Send(request);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(NotSent(result));
  EXPECT_EQ(stub_.connections(), 0);
}

TEST_F(HttpClientTest, BrokenAnswers) {
  stub_.Push(
      StubAnswer::Raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"));
  Result result = Send(Get("/"));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(NotSent(result));

  stub_.Push(StubAnswer::Raw("SSH-2.0-OpenSSH_9.2\r\n"));
  result = Send(Get("/"));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kInternal)
      << result.status();

  stub_.Push(StubAnswer::Close());
  result = Send(Get("/"));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(NotSent(result));
}

TEST_F(HttpClientTest, NobodyThere) {
  int port;
  {
    HttpStub gone;
    port = gone.port();
  }
  ClientRequest request;
  request.url = "http://127.0.0.1:" + std::to_string(port) + "/x?secret=1";
  Result result = Send(request);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(NotSent(result));
  EXPECT_THAT(std::string(result.status().message()),
              ::testing::Not(::testing::HasSubstr("secret")));

  request.url = "http://no-such-host.invalid/";
  result = Send(request);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(NotSent(result));

  // A server that does not speak TLS.
  request.url = "https://127.0.0.1:" + std::to_string(stub_.port()) + "/";
  request.timeout = milliseconds(300);
  stub_.SetHandler([](const StubRequest&) { return StubAnswer::Close(); });
  result = Send(request);
  EXPECT_FALSE(result.ok());
  EXPECT_TRUE(NotSent(result)) << result.status();
}

TEST_F(HttpClientTest, AnswersAreBounded) {
  StubAnswer big;
  big.body = std::string(8 << 20, 'x');
  stub_.Push(big);
  ClientRequest request = Get("/");
  request.max_response_bytes = 100000;
  Result result = Send(request);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kResourceExhausted);

  StubAnswer exact;
  exact.body = std::string(100000, 'x');
  stub_.Push(exact);
  result = Send(request);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->body.size(), 100000u);

  StubAnswer head;
  for (int i = 0; i < 100; ++i) {
    head.headers.emplace_back("X-Long", std::string(1000, 'h'));
  }
  stub_.Push(head);
  result = Send(request);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(HttpClientTest, ABodyIsNeverSentTwice) {
  ASSERT_TRUE(Send(Get("/")).ok());
  // The kept connection takes the request and closes without an answer.
  stub_.Push(StubAnswer::Close());
  const Result result = Send(Post("/once", "x"));
  EXPECT_EQ(result.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_FALSE(NotSent(result));
  EXPECT_EQ(stub_.requests().size(), 2u);
}

TEST_F(HttpClientTest, WhatCannotBeSentIsRefused) {
  ClientRequest newline = Get("/");
  newline.headers = {{"X-A", "1\r\nX-B: 2"}};
  ClientRequest name = Get("/");
  name.headers = {{"X A", "1"}};
  ClientRequest method = Get("/");
  method.method = "GET /x";
  const auto to = [](const std::string& url) {
    ClientRequest request;
    request.url = url;
    return request;
  };
  for (const ClientRequest& request :
       {newline, name, method, Get("/a b"), Get("/a#b"), Get("/a\nb"), to(""),
        to("file:///etc/passwd"), to("ftp://127.0.0.1/"),
        to("http://user@127.0.0.1/"), to("http://user:password@127.0.0.1?q")}) {
    EXPECT_EQ(Send(request).status().code(),
              absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(stub_.connections(), 0);
  EXPECT_TRUE(Send(Get("/@?a@b")).ok());
}

TEST_F(HttpClientTest, RequestsOutliveTheClient) {
  StubAnswer slow;
  slow.delay = milliseconds(100);
  slow.body = "late";
  stub_.Push(slow);
  std::future<Result> result = Start(Get("/"));
  std::promise<void> gone;
  runtime_->loop(0).Post([this, &gone] {
    client_.reset();
    gone.set_value();
  });
  gone.get_future().get();
  const Result answer = result.get();
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->body, "late");
}

TEST_F(HttpClientTest, ADestroyedCoroutineTakesItsRequestWithIt) {
  stub_.Push(StubAnswer::Hang());
  std::future<Result> result = Start(Get("/"));
  const auto limit = steady_clock::now() + std::chrono::seconds(5);
  while (stub_.requests().empty() && steady_clock::now() < limit) {
    std::this_thread::sleep_for(milliseconds(2));
  }
  ASSERT_EQ(stub_.requests().size(), 1u);
  runtime_->Stop();
  client_.reset();
  EXPECT_THROW((void)result.get(), std::future_error);
  while (stub_.open_connections() > 0 && steady_clock::now() < limit) {
    std::this_thread::sleep_for(milliseconds(2));
  }
  EXPECT_EQ(stub_.open_connections(), 0);
}

TEST_F(HttpClientTest, UnwantedBodiesAreNotKeptAndNeverTooLarge) {
  for (const size_t size : {size_t{0}, size_t{1000}, size_t{3} << 20}) {
    StubAnswer answer;
    answer.status = 202;
    answer.headers = {{"X-One", "1"}};
    answer.body = std::string(size, 'x');
    stub_.Push(answer);
    ClientRequest request = Post("/", "body");
    request.discard_body = true;
    request.max_response_bytes = 64 * 1024;
    const Result result = Send(request);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->status, 202);
    EXPECT_EQ(result->Header("x-one"), "1");
    EXPECT_EQ(result->body, "");
  }
}

class AddressPolicyOfClientTest : public HttpClientTest {
 protected:
  AddressPolicyOfClientTest() {
    Launch({.connect_timeout = milliseconds(200),
            .addresses = AddressPolicy::kPublic});
  }
  Result SendTo(const std::string& host) {
    ClientRequest request;
    request.url = "http://" + host + ":" + std::to_string(stub_.port()) + "/";
    return Send(request);
  }
};

TEST_F(AddressPolicyOfClientTest, NoFormOfALocalAddressIsConnectedTo) {
  for (const char* host :
       {"127.0.0.1", "localhost", "127.1", "127.9.9.9", "2130706433",
        "0x7f000001", "0177.0.0.1", "0x7f.1", "0.0.0.0", "0", "[::1]", "[::]",
        "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]"}) {
    const Result result = SendTo(host);
    EXPECT_TRUE(absl::IsPermissionDenied(result.status()))
        << host << ": " << result.status();
    EXPECT_TRUE(NotSent(result)) << host;
  }
  EXPECT_EQ(stub_.connections(), 0);
}

TEST_F(AddressPolicyOfClientTest, ANameThatChangesItsMeaningDoesNotGetThrough) {
  look_ups = 0;
  addrinfo* checked = nullptr;
  ASSERT_EQ(getaddrinfo("rebind.test", nullptr, nullptr, &checked), 0);
  freeaddrinfo(checked);
  const Result result = SendTo("rebind.test");
  EXPECT_TRUE(absl::IsPermissionDenied(result.status())) << result.status();
  EXPECT_GE(look_ups, 2);
  EXPECT_EQ(stub_.connections(), 0);
}

TEST_F(AddressPolicyOfClientTest, LoopbackMayBeAllowed) {
  Launch({.addresses = AddressPolicy::kPublicOrLoopback});
  EXPECT_TRUE(SendTo("127.0.0.1").ok());
  EXPECT_TRUE(SendTo("localhost").ok());
  EXPECT_TRUE(absl::IsPermissionDenied(SendTo("0.0.0.0").status()));
  EXPECT_TRUE(absl::IsPermissionDenied(SendTo("169.254.169.254").status()));
  StubAnswer away;
  away.status = 302;
  away.headers = {{"Location", "http://169.254.169.254/latest/meta-data"}};
  stub_.Push(away);
  const Result result = SendTo("127.0.0.1");
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(result->status, 302);
}

}  // namespace
}  // namespace kyc::async
