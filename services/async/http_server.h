// HTTP/1.1 server over Boost.Beast's parser: what the gateway, the admin
// ports and the sandbox provider listen with.
//
// One acceptor per loop (SO_REUSEPORT; a unix socket has one, which deals its
// connections out), a connection stays on its loop. Keep-alive, pipelining
// (answers in order), chunked requests, Expect: 100-continue, HTTP/1.0.
// Malformed requests are answered through the same error renderer as everything
// else, then the connection closes.
#ifndef KYC_SERVICES_ASYNC_HTTP_SERVER_H_
#define KYC_SERVICES_ASYNC_HTTP_SERVER_H_

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "kyc/v1/errors.pb.h"
#include "services/async/loop.h"
#include "services/async/task.h"

namespace kyc::async {

// One request, whose head has been read. Valid during its handler. Views
// point into the connection's buffer.
class ServerRequest {
 public:
  virtual ~ServerRequest() = default;

  virtual std::string_view method() const = 0;  // "GET"
  // In origin form, "/v0/a%20b?x=1", also where the request had a whole URL;
  // "*" only with OPTIONS, "host:port" only with CONNECT.
  virtual std::string_view target() const = 0;
  std::string_view path() const;   // "/v0/a%20b", not decoded.
  std::string_view query() const;  // "x=1" or ""
  // The first field of that name (any case), or nullopt.
  virtual std::optional<std::string_view> Header(
      std::string_view name) const = 0;
  // Every field of that name.
  virtual std::vector<std::string_view> Headers(
      std::string_view name) const = 0;
  // The peer's address, without port; "unix" for a local socket.
  virtual std::string_view peer_address() const = 0;
  // Content-Length where there is one.
  virtual std::optional<uint64_t> content_length() const = 0;
  virtual bool has_body() const = 0;

  // The whole body. RESOURCE_EXHAUSTED (ERROR_REASON_BODY_TOO_LARGE) over
  // `max_bytes`, UNAVAILABLE (ERROR_REASON_UNAVAILABLE) while the bodies of
  // all requests together take all they may, DEADLINE_EXCEEDED
  // (ERROR_REASON_REQUEST_TIMEOUT) when the client is too slow,
  // INVALID_ARGUMENT (ERROR_REASON_BAD_REQUEST) when it is broken; return these
  // as they are. A body the handler does not read is drained up to a bound,
  // then the connection closes.
  virtual Task<absl::StatusOr<std::string>> ReadBody(size_t max_bytes) = 0;
  // The next piece, at most `max_bytes`; empty at the end. Same errors but
  // for the size.
  virtual Task<absl::StatusOr<std::string>> ReadSome(size_t max_bytes) = 0;
  // What HttpServerOptions::body_timeout says, for this body alone. Before
  // the first read.
  virtual void SetBodyTimeout(std::chrono::milliseconds timeout) = 0;
};

// A body that is sent piece by piece, as what makes it delivers: for what is
// too large to be held whole. One piece is asked for when the one before has
// gone, so that a client that reads slowly slows down its source alone, and a
// connection holds no more than one piece.
class BodySource {
 public:
  virtual ~BodySource() = default;
  // The next piece; empty at the end. On the connection's loop. An error (or
  // an exception) cuts the connection, which is how a client sees that it has
  // not got all. The source bounds its own waits.
  virtual Task<absl::StatusOr<std::string>> Next() = 0;
};

// The answer, filled by the handler. Content-Length, Date and Connection are
// the server's. Header values with CR, LF or NUL are dropped, not sent.
struct ServerResponse {
  int status = 200;
  std::vector<std::pair<std::string_view, std::string>> headers;
  std::string_view content_type = "application/json";  // A literal.
  std::string body;
  // Instead of `body`. Destroyed with the answer's end, however that comes.
  std::unique_ptr<BodySource> stream;
  // What the stream's pieces are together: its Content-Length. More or less
  // than that cuts the connection. Not known: the answer is chunked.
  std::optional<uint64_t> stream_size;
  bool close = false;  // Close the connection after this answer.
};

// Runs on the connection's loop. An exception that leaves it is logged and
// answered with ERROR_REASON_INTERNAL, as is a status outside 200..599.
using HttpHandler = std::function<Task<void>(Loop& loop, ServerRequest& request,
                                             ServerResponse& response)>;
// Renders an error that the server itself found (bad request, timeout,
// head too large). `path` is "" where it could not be read.
using HttpErrorRenderer = std::function<void(
    v1::ErrorReason reason, std::string_view path, ServerResponse& response)>;

struct HttpServerOptions {
  std::string listen;  // host:port or unix:/path
  size_t max_request_line = 8192;
  size_t max_header_bytes = 16384;
  int max_header_fields = 100;
  int max_connections = 10000;  // Over all loops; more are answered 503.
  // Of all bodies that ReadBody holds at the same time, until their requests
  // are answered: what senders nobody has looked at yet may take of memory.
  size_t max_body_memory = 256 << 20;
  std::chrono::seconds head_timeout{10};  // First byte to end of head.
  // Without any progress; as a whole a body may take this much longer than
  // it does at 1 KiB/s.
  std::chrono::seconds body_timeout{30};
  std::chrono::seconds idle_timeout{75};  // Between requests.
  // Without any progress; as a whole a streamed body may wait for its client
  // this much longer than it takes at 1 KiB/s.
  std::chrono::seconds write_timeout{30};
};

// Start and Drain from the thread that owns the server, not from a loop.
// Destroy it before the Runtime; the handler must outlive the loops' run, as
// requests cut by Drain still end in it.
class HttpServer {
 public:
  // A server on every loop of the runtime.
  HttpServer(Runtime& runtime, HttpServerOptions options, HttpHandler handler,
             HttpErrorRenderer render_error);
  ~HttpServer();

  // Binds and listens. The message names the address.
  absl::Status Start();
  // The port bound (useful with port 0); 0 for a unix socket.
  int port() const;
  // Stops accepting, lets requests in flight end (their answers say
  // `Connection: close`), closes idle connections; whatever is left after
  // `limit` is cut. Returns when no connection is left; a handler still at
  // work then finishes without anybody to answer. Once; the destructor does
  // it with a limit of 0 where it was not done.
  void Drain(std::chrono::milliseconds limit);

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_HTTP_SERVER_H_
