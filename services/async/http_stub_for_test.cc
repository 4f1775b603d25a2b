#include "services/async/http_stub_for_test.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

namespace kyc::async {
namespace {

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(n);
  }
  return true;
}

}  // namespace

StubAnswer StubAnswer::Close() {
  StubAnswer answer;
  answer.status = 0;
  answer.close = true;
  return answer;
}

StubAnswer StubAnswer::Hang() {
  StubAnswer answer;
  answer.hang = true;
  return answer;
}

StubAnswer StubAnswer::Raw(std::string bytes) {
  StubAnswer answer;
  answer.raw = std::move(bytes);
  answer.close = true;
  return answer;
}

std::string StubRequest::Header(std::string_view name) const {
  const std::string_view head =
      std::string_view(raw).substr(0, raw.find("\r\n\r\n") + 2);
  size_t at = head.find("\r\n") + 2;
  while (at < head.size()) {
    const std::string_view line = head.substr(at, head.find("\r\n", at) - at);
    const size_t colon = line.find(':');
    if (colon == name.size() &&
        strncasecmp(line.data(), name.data(), colon) == 0) {
      return std::string(Trim(line.substr(colon + 1)));
    }
    at += line.size() + 2;
  }
  return "";
}

HttpStub::HttpStub() {
  handler_ = [](const StubRequest&) {
    StubAnswer answer;
    answer.body = "{}";
    return answer;
  };
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  auto* const raw = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listener_, raw, size) != 0 || ::listen(listener_, 512) != 0 ||
      ::getsockname(listener_, raw, &size) != 0) {
    std::abort();
  }
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

HttpStub::~HttpStub() {
  std::vector<std::thread> servers;
  {
    base::MutexLock lock(&mutex_);
    stopping_ = true;
    ::shutdown(listener_, SHUT_RDWR);
    for (int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  acceptor_.join();
  {
    base::MutexLock lock(&mutex_);
    servers = std::move(servers_);
  }
  for (std::thread& server : servers) server.join();
  ::close(listener_);
}

std::string HttpStub::url() const {
  return "http://127.0.0.1:" + std::to_string(port_);
}

void HttpStub::Push(StubAnswer answer) {
  base::MutexLock lock(&mutex_);
  script_.push_back(std::move(answer));
}

void HttpStub::SetHandler(
    std::function<StubAnswer(const StubRequest&)> handler) {
  base::MutexLock lock(&mutex_);
  handler_ = std::move(handler);
}

std::vector<StubRequest> HttpStub::requests() const {
  base::MutexLock lock(&mutex_);
  return requests_;
}

int HttpStub::connections() const {
  base::MutexLock lock(&mutex_);
  return connections_;
}

int HttpStub::open_connections() const {
  base::MutexLock lock(&mutex_);
  return static_cast<int>(open_.size());
}

void HttpStub::Accept() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    base::MutexLock lock(&mutex_);
    if (stopping_) {
      ::close(fd);
      return;
    }
    const int connection = ++connections_;
    open_.push_back(fd);
    servers_.emplace_back([this, fd, connection] { Serve(fd, connection); });
  }
}

void HttpStub::Serve(int fd, int connection) {
  std::string buffer;
  for (;;) {
    StubRequest request;
    request.connection = connection;
    if (!Read(fd, buffer, request)) break;
    const StubAnswer answer = Take(request);
    if (!Answer(fd, answer) || answer.close) break;
  }
  base::MutexLock lock(&mutex_);
  open_.erase(std::find(open_.begin(), open_.end(), fd));
  ::close(fd);
}

bool HttpStub::Read(int fd, std::string& buffer, StubRequest& request) {
  size_t need = std::string::npos;  // Of the whole request, once known.
  for (;;) {
    if (need == std::string::npos) {
      const size_t end = buffer.find("\r\n\r\n");
      if (end != std::string::npos) {
        request.raw = buffer.substr(0, end + 4);
        need =
            end + 4 +
            std::strtoul(request.Header("content-length").c_str(), nullptr, 10);
      }
    }
    if (need != std::string::npos && buffer.size() >= need) break;
    char bytes[16384];
    const ssize_t n = ::recv(fd, bytes, sizeof(bytes), 0);
    if (n <= 0) return false;
    buffer.append(bytes, n);
  }
  const size_t head = request.raw.size();
  request.raw = buffer.substr(0, need);
  request.body = buffer.substr(head, need - head);
  buffer.erase(0, need);
  const std::string line = request.raw.substr(0, request.raw.find("\r\n"));
  const size_t space = line.find(' ');
  request.method = line.substr(0, space);
  request.target = line.substr(space + 1, line.rfind(' ') - space - 1);
  return true;
}

StubAnswer HttpStub::Take(const StubRequest& request) {
  std::function<StubAnswer(const StubRequest&)> handler;
  {
    base::MutexLock lock(&mutex_);
    requests_.push_back(request);
    if (!script_.empty()) {
      StubAnswer answer = std::move(script_.front());
      script_.pop_front();
      return answer;
    }
    handler = handler_;
  }
  return handler(request);
}

bool HttpStub::Answer(int fd, const StubAnswer& answer) {
  if (answer.hang || answer.delay.count() > 0) {
    // Waits for time to pass, or the client to go.
    pollfd waited{fd, POLLRDHUP, 0};
    const int timeout =
        answer.hang ? -1 : static_cast<int>(answer.delay.count());
    if (::poll(&waited, 1, timeout) != 0) return false;
  }
  if (!answer.raw.empty()) return SendAll(fd, answer.raw);
  if (answer.status == 0) return true;
  std::string head = "HTTP/1.1 " + std::to_string(answer.status) + " Stub\r\n";
  for (const auto& [name, value] : answer.headers) {
    head.append(name).append(": ").append(value).append("\r\n");
  }
  head += "Content-Length: " + std::to_string(answer.body.size()) + "\r\n\r\n";
  return SendAll(fd, head + answer.body);
}

}  // namespace kyc::async
