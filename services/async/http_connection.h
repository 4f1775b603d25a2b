// One client's connection. Internal to the HTTP server.
#ifndef KYC_SERVICES_ASYNC_HTTP_CONNECTION_H_
#define KYC_SERVICES_ASYNC_HTTP_CONNECTION_H_

#include <atomic>
#include <boost/asio/generic/stream_protocol.hpp>
#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "services/async/http_parser.h"
#include "services/async/http_response.h"
#include "services/async/http_server.h"
#include "services/async/loop.h"
#include "services/async/read_buffer.h"
#include "services/async/task.h"
#include "services/base/metrics.h"
#include "services/base/mutex.h"

namespace kyc::async {

class HttpConnection;

// What every part of one server shares. Constant but for what is atomic or
// guarded.
struct HttpServerState {
  HttpServerState(HttpServerOptions server_options, HttpHandler server_handler,
                  HttpErrorRenderer server_render_error);

  const HttpServerOptions options;
  const HttpLimits limits;
  const HttpHandler handler;
  const HttpErrorRenderer render_error;

  std::atomic<bool> draining{false};
  std::atomic<int> open{0};            // Connections.
  std::atomic<size_t> body_memory{0};  // See max_body_memory.
  base::Gauge* const open_gauge;
  base::Counter* const opened;

  base::Mutex mutex;
  base::CondVar changed;
  int live ABSL_GUARDED_BY(mutex) = 0;
};

// Counts as something that Drain waits for, until released or destroyed.
class LiveToken {
 public:
  explicit LiveToken(std::shared_ptr<HttpServerState> state);
  LiveToken(LiveToken&&) = default;
  LiveToken& operator=(LiveToken&&) = delete;
  ~LiveToken() { Release(); }
  void Release();

 private:
  std::shared_ptr<HttpServerState> state_;
};

// What the connections of one loop share.
struct HttpLoopPart {
  explicit HttpLoopPart(Loop& on) : loop(on) {}

  Loop& loop;
  std::list<HttpConnection*> connections;
  HttpDate date;
};

// Lives on its loop's thread, owned by the coroutine Serve.
class HttpConnection final : private ServerRequest {
 public:
  using Socket = boost::asio::generic::stream_protocol::socket;
  using Endpoint = boost::asio::generic::stream_protocol::endpoint;
  using Clock = std::chrono::steady_clock;

  // `part` must outlive it; `state` keeps it.
  HttpConnection(std::shared_ptr<HttpServerState> state, HttpLoopPart& part,
                 Socket socket, const Endpoint& peer);
  ~HttpConnection() override;
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // Serves requests until the connection ends. `refuse`: answers 503 at once
  // instead.
  static Task<void> Serve(std::shared_ptr<HttpConnection> self, bool refuse);

  // The loop's sweep, twice a second or so: ends a wait that has reached its
  // deadline, and sends answers held back for a handler that takes long.
  void Sweep(Clock::time_point now);
  // Ends the wait for a next request, if that is what it does.
  void CloseIfIdle();
  // Closes the socket under whatever is going on; Drain no longer waits.
  void Cut();

 private:
  enum class Filled { kSome, kEnd, kTimeout };
  // After a request: serve another, end in good order, or end at once, as
  // there is nothing to send or nobody to take it.
  enum class Next { kRequest, kFinish, kClose };
  enum class Written { kAll, kBlocked, kFailed };

  // ServerRequest.
  std::string_view method() const override { return head_.method; }
  std::string_view target() const override { return head_.target; }
  std::optional<std::string_view> Header(std::string_view name) const override;
  std::vector<std::string_view> Headers(std::string_view name) const override;
  std::string_view peer_address() const override { return peer_address_; }
  std::optional<uint64_t> content_length() const override {
    return head_.content_length;
  }
  bool has_body() const override { return head_.has_body; }
  Task<absl::StatusOr<std::string>> ReadBody(size_t max_bytes) override;
  Task<absl::StatusOr<std::string>> ReadSome(size_t max_bytes) override;
  void SetBodyTimeout(std::chrono::milliseconds timeout) override {
    body_timeout_ = timeout;
  }

  Task<Next> ServeRequest();
  Task<Next> RunHandler();

  RequestParser::Progress ParseHead();
  Clock::time_point HeadDeadline();
  // Reads more. What is to be written is written first: no client waits for
  // an answer that waits for the client.
  Task<Filled> Fill(Clock::time_point deadline, size_t room);
  Task<bool> Flush();
  // Sends the pieces of a streamed body, whose head is in `out_`. False when
  // it was not sent whole.
  Task<bool> SendStream(ServerResponse& response, bool chunked);
  Task<absl::StatusOr<std::string>> NextPiece(BodySource& source);
  // Ends the connection in a way that no client takes for the body's end.
  void Reset();
  Written TryWrite();

  // Appends at most `room` bytes of the body to `sink` (null: to nothing),
  // waiting for more only while there are none. OK with nothing appended is
  // the end.
  Task<absl::Status> ReadPiece(std::string* sink, size_t room);
  // Counts `bytes` of this request's body as held; false when that is more
  // than all requests together may. Zero gives back what is held.
  bool HoldBody(size_t bytes);
  Clock::time_point BodyDeadline(Clock::time_point now) const;
  bool DrainsQuickly() const;
  Task<bool> DrainBody();

  void AnswerError(v1::ErrorReason reason);
  ResponseFraming Framing(bool keep_alive) const;
  void Answer(const ServerResponse& response, bool keep_alive);
  Clock::time_point WriteDeadline(Clock::time_point now) const;
  Task<void> Finish();

  const std::shared_ptr<HttpServerState> state_;
  HttpLoopPart& part_;
  std::list<HttpConnection*>::iterator place_;
  LiveToken token_;
  Socket socket_;
  const std::string peer_address_;

  ReadBuffer buffer_;
  RequestHead head_;
  std::optional<RequestParser> parser_;

  std::string out_;  // To be written from sent_ on.
  size_t sent_ = 0;

  Clock::time_point deadline_ = Clock::time_point::max();  // Of the wait.
  bool expired_ = false;
  bool is_idle_ = false;     // Waits for a request's first byte.
  bool in_handler_ = false;  // And so `out_` may wait for long.
  bool is_broken_ = false;   // Nothing can be written any more.

  Clock::time_point head_started_;  // Zero: not yet.
  bool body_done_ = true;
  bool continue_due_ = false;
  absl::Status body_error_;
  uint64_t body_bytes_ = 0;     // Decoded.
  uint64_t body_received_ = 0;  // As they came.
  size_t body_held_ = 0;        // Of state_->body_memory.
  Clock::duration body_waited_{};
  Clock::duration body_timeout_{};
  // Of the streamed body being sent; none: `streaming_` is false.
  bool streaming_ = false;
  uint64_t stream_sent_ = 0;
  Clock::duration stream_waited_{};
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_HTTP_CONNECTION_H_
