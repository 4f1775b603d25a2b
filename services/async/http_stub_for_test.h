// A web server for tests, on loopback: it answers by script and keeps every
// byte it was sent. Plain blocking sockets and threads, so that it shares no
// code with what it tests.
#ifndef KYC_SERVICES_ASYNC_HTTP_STUB_FOR_TEST_H_
#define KYC_SERVICES_ASYNC_HTTP_STUB_FOR_TEST_H_

#include <chrono>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "services/base/mutex.h"

namespace kyc::async {

// What the stub does with one request.
struct StubAnswer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // Sent with its Content-Length.
  // Sent in place of all the above, when not empty.
  std::string raw;
  std::chrono::milliseconds delay{0};  // Before anything else.
  bool hang = false;   // Never answers; waits until the client has gone.
  bool close = false;  // Closes the connection afterwards.

  // Closes without a byte.
  static StubAnswer Close();
  static StubAnswer Hang();
  static StubAnswer Raw(std::string bytes);
};

struct StubRequest {
  std::string raw;  // Every byte.
  std::string method;
  std::string target;
  std::string body;
  int connection = 0;  // Which accepted connection, from 1.

  // The first field of that name (any case), trimmed, or "".
  std::string Header(std::string_view name) const;
};

// Thread-safe. Takes Content-Length bodies only.
class HttpStub {
 public:
  // Listens on a free port of 127.0.0.1 from here on.
  HttpStub();
  ~HttpStub();
  HttpStub(const HttpStub&) = delete;
  HttpStub& operator=(const HttpStub&) = delete;

  int port() const { return port_; }
  std::string url() const;  // "http://127.0.0.1:<port>"

  // The next request without an answer of its own gets this one.
  void Push(StubAnswer answer);
  // Answers what has no answer pushed for it; 200 and "{}" at first.
  void SetHandler(std::function<StubAnswer(const StubRequest&)> handler);

  std::vector<StubRequest> requests() const;
  int connections() const;  // Accepted so far.
  int open_connections() const;

 private:
  void Accept();
  void Serve(int fd, int connection);
  // False when the client has gone or the stub stops.
  bool Read(int fd, std::string& buffer, StubRequest& request);
  bool Answer(int fd, const StubAnswer& answer);
  StubAnswer Take(const StubRequest& request);

  int listener_ = -1;
  int port_ = 0;

  mutable base::Mutex mutex_;
  std::deque<StubAnswer> script_ ABSL_GUARDED_BY(mutex_);
  std::function<StubAnswer(const StubRequest&)> handler_
      ABSL_GUARDED_BY(mutex_);
  std::vector<StubRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> open_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> servers_ ABSL_GUARDED_BY(mutex_);
  int connections_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::thread acceptor_;
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_HTTP_STUB_FOR_TEST_H_
