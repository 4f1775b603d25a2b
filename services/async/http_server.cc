#include "services/async/http_server.h"

#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "services/async/http_connection.h"
#include "services/async/http_listen.h"
#include "services/base/log.h"
#include "services/base/status_macros.h"

namespace kyc::async {
namespace {

namespace asio = boost::asio;

constexpr auto kToken = asio::as_tuple(asio::deferred);
using Clock = std::chrono::steady_clock;
using Acceptor = asio::basic_socket_acceptor<asio::generic::stream_protocol>;

// How late a connection may be found to be over its time.
constexpr std::chrono::milliseconds kSweepInterval{500};
// When the system has no descriptors or memory for another connection.
constexpr std::chrono::milliseconds kAcceptBackOff{100};
constexpr std::chrono::seconds kAcceptLogInterval{10};
// For the loops to notice that connections were cut.
constexpr std::chrono::seconds kCutLimit{2};

struct LoopServer : HttpLoopPart {
  explicit LoopServer(Loop& on)
      : HttpLoopPart(on), sweep(on.context()), acceptor(on.context()) {}

  asio::steady_timer sweep;
  bool stopped = false;
  Acceptor acceptor;  // Not open where another loop accepts for this one.
};

}  // namespace

std::string_view ServerRequest::path() const {
  return target().substr(0, target().find('?'));
}

std::string_view ServerRequest::query() const {
  const std::string_view text = target();
  const size_t mark = text.find('?');
  return mark == std::string_view::npos ? std::string_view()
                                        : text.substr(mark + 1);
}

// Shared by the server's coroutines, which may outlive the HttpServer.
class HttpServer::Impl : public HttpServerState {
 public:
  Impl(Runtime& runtime, HttpServerOptions server_options,
       HttpHandler server_handler, HttpErrorRenderer server_render_error)
      : HttpServerState(std::move(server_options), std::move(server_handler),
                        std::move(server_render_error)) {
    for (int i = 0; i < runtime.size(); ++i) {
      loops_.push_back(std::make_unique<LoopServer>(runtime.loop(i)));
    }
  }

  static absl::Status Start(const std::shared_ptr<Impl>& self);
  static void Drain(const std::shared_ptr<Impl>& self,
                    std::chrono::milliseconds limit);
  int port() const { return port_; }

 private:
  static Task<void> Accept(std::shared_ptr<Impl> self, LoopServer& here,
                           LiveToken token);
  static Task<void> Sweep(std::shared_ptr<Impl> self, LoopServer& here);
  static void Open(const std::shared_ptr<Impl>& self, LoopServer& here,
                   HttpConnection::Socket socket,
                   const HttpConnection::Endpoint& peer);
  void RemoveSocketFile();
  bool WaitUntilEnded(Clock::time_point time);

  std::vector<std::unique_ptr<LoopServer>> loops_;
  bool started_ = false;
  int port_ = 0;
  std::string unix_path_;
  size_t next_loop_ = 0;  // For a unix socket; the accepting loop's.
};

absl::Status HttpServer::Impl::Start(const std::shared_ptr<Impl>& self) {
  ASSIGN_OR_RETURN(
      const Listening listening,
      Listen(self->options.listen, static_cast<int>(self->loops_.size())));
  self->started_ = true;
  self->port_ = listening.port;
  self->unix_path_ = listening.unix_path;
  for (size_t i = 0; i < listening.sockets.size(); ++i) {
    boost::system::error_code ec;
    self->loops_[i]->acceptor.assign(
        asio::generic::stream_protocol(listening.family, 0),
        listening.sockets[i], ec);
    if (ec) {
      for (; i < listening.sockets.size(); ++i) close(listening.sockets[i]);
      return absl::InternalError("cannot listen on " + self->options.listen +
                                 ": " + ec.message());
    }
  }
  for (const auto& loop : self->loops_) {
    loop->loop.Spawn(Sweep(self, *loop));
    if (loop->acceptor.is_open()) {
      loop->loop.Spawn(Accept(self, *loop, LiveToken(self)));
    }
  }
  return absl::OkStatus();
}

Task<void> HttpServer::Impl::Accept(std::shared_ptr<Impl> self,
                                    LoopServer& here, LiveToken token) {
  Clock::time_point last_log;
  while (!self->draining) {
    LoopServer& there =
        self->unix_path_.empty()
            ? here
            : *self->loops_[self->next_loop_++ % self->loops_.size()];
    HttpConnection::Socket socket(there.loop.context());
    HttpConnection::Endpoint peer;
    const auto [ec] = co_await here.acceptor.async_accept(socket, peer, kToken);
    if (!here.acceptor.is_open()) break;
    if (ec == asio::error::connection_aborted) continue;
    if (ec) {
      if (Clock::now() - last_log > kAcceptLogInterval) {
        last_log = Clock::now();
        base::LogWarning("cannot accept a connection",
                         {{"error", ec.message()}});
      }
      co_await Sleep(kAcceptBackOff);
      continue;
    }
    if (&there == &here) {
      Open(self, here, std::move(socket), peer);
      continue;
    }
    // Shared, as a std::function must be copyable.
    auto handed = std::make_shared<HttpConnection::Socket>(std::move(socket));
    there.loop.Post([self, &there, handed, peer] {
      Open(self, there, std::move(*handed), peer);
    });
  }
}

void HttpServer::Impl::Open(const std::shared_ptr<Impl>& self, LoopServer& here,
                            HttpConnection::Socket socket,
                            const HttpConnection::Endpoint& peer) {
  const int limit = self->options.max_connections;
  const int open = self->open;
  // Refusing takes a connection for a moment; that too has an end.
  if (self->draining || open >= limit + limit / 8 + 64) return;
  auto connection =
      std::make_shared<HttpConnection>(self, here, std::move(socket), peer);
  here.loop.Spawn(HttpConnection::Serve(std::move(connection), open >= limit));
}

Task<void> HttpServer::Impl::Sweep(std::shared_ptr<Impl> self,
                                   LoopServer& here) {
  // `self` keeps `here`.
  while (!here.stopped) {
    here.sweep.expires_after(kSweepInterval);
    co_await here.sweep.async_wait(kToken);
    const Clock::time_point now = Clock::now();
    for (HttpConnection* connection : here.connections) connection->Sweep(now);
  }
}

bool HttpServer::Impl::WaitUntilEnded(Clock::time_point time) {
  base::MutexLock lock(&mutex);
  while (live > 0) {
    if (!changed.WaitUntil(&mutex, time) && Clock::now() >= time) break;
  }
  return live == 0;
}

void HttpServer::Impl::Drain(const std::shared_ptr<Impl>& self,
                             std::chrono::milliseconds limit) {
  if (!self->started_ || self->draining.exchange(true)) return;
  // Nothing of it runs any more, and nothing must be left in a dead queue.
  if (self->loops_[0]->loop.context().stopped())
    return self->RemoveSocketFile();
  const Clock::time_point end = Clock::now() + limit;
  for (const auto& loop : self->loops_) {
    loop->loop.Post([self, &here = *loop] {
      boost::system::error_code ec;
      here.acceptor.close(ec);
      for (HttpConnection* connection : here.connections) {
        connection->CloseIfIdle();
      }
    });
  }
  const bool ended = self->WaitUntilEnded(end);
  for (const auto& loop : self->loops_) {
    loop->loop.Post([self, &here = *loop] {
      here.stopped = true;
      here.sweep.cancel();
      for (HttpConnection* connection : here.connections) connection->Cut();
    });
  }
  if (!ended) self->WaitUntilEnded(Clock::now() + kCutLimit);
  self->RemoveSocketFile();
}

void HttpServer::Impl::RemoveSocketFile() {
  if (!unix_path_.empty()) unlink(unix_path_.c_str());
}

HttpServer::HttpServer(Runtime& runtime, HttpServerOptions options,
                       HttpHandler handler, HttpErrorRenderer render_error)
    : impl_(std::make_shared<Impl>(runtime, std::move(options),
                                   std::move(handler),
                                   std::move(render_error))) {}

HttpServer::~HttpServer() { Drain(std::chrono::milliseconds(0)); }

absl::Status HttpServer::Start() { return Impl::Start(impl_); }

int HttpServer::port() const { return impl_->port(); }

void HttpServer::Drain(std::chrono::milliseconds limit) {
  Impl::Drain(impl_, limit);
}

}  // namespace kyc::async
