#include "services/async/http_connection.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <limits>
#include <typeinfo>
#include <utility>

#include "services/base/error.h"
#include "services/base/log.h"

namespace kyc::async {
namespace {

namespace asio = boost::asio;

constexpr auto kToken = asio::as_tuple(asio::deferred);

// Answers to pipelined requests leave together up to this size.
constexpr size_t kMaxHeldBack = 64 * 1024;
// An answer's memory above this is given back.
constexpr size_t kMaxKeptOut = 256 * 1024;
// What is read of a body that the handler did not want.
constexpr uint64_t kMaxDrained = 256 * 1024;
// A streamed body may wait for its client `write_timeout` longer than it takes
// at this rate.
constexpr uint64_t kMinStreamBytesPerSecond = 1024;
// How long a closing connection waits for the client to take the answer.
constexpr std::chrono::seconds kLinger{5};
// A body may take `body_timeout` longer than it does at this rate. Time that
// the handler takes between its reads does not count.
constexpr uint64_t kMinBodyBytesPerSecond = 1024;

constexpr size_t kHeadRoom = 1024;
constexpr size_t kBodyRoom = 16 * 1024;
constexpr size_t kLargeBodyRoom = 128 * 1024;

std::string AddressOf(const HttpConnection::Endpoint& endpoint) {
  char text[INET6_ADDRSTRLEN] = {};
  if (endpoint.data()->sa_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(endpoint.data());
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
  } else if (endpoint.data()->sa_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(endpoint.data());
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
  } else {
    return "unix";
  }
  constexpr std::string_view kMapped = "::ffff:";
  const std::string_view address = text;
  const bool is_mapped = address.substr(0, kMapped.size()) == kMapped &&
                         address.find('.') != std::string_view::npos;
  return std::string(is_mapped ? address.substr(kMapped.size()) : address);
}

v1::ErrorReason ReasonOf(RequestParser::Progress progress) {
  switch (progress) {
    case RequestParser::Progress::kLineTooLong:
      return v1::ERROR_REASON_TARGET_TOO_LONG;
    case RequestParser::Progress::kHeadTooLarge:
      return v1::ERROR_REASON_HEADERS_TOO_LARGE;
    default:
      return v1::ERROR_REASON_BAD_REQUEST;
  }
}

}  // namespace

HttpServerState::HttpServerState(HttpServerOptions server_options,
                                 HttpHandler server_handler,
                                 HttpErrorRenderer server_render_error)
    : options(std::move(server_options)),
      limits{options.max_request_line, options.max_header_bytes,
             static_cast<size_t>(options.max_header_fields)},
      handler(std::move(server_handler)),
      render_error(std::move(server_render_error)),
      open_gauge(base::GetGauge("kyc_http_connections",
                                "Open HTTP connections of clients.")),
      opened(base::GetCounter("kyc_http_connections_total",
                              "HTTP connections accepted from clients.")) {}

LiveToken::LiveToken(std::shared_ptr<HttpServerState> state)
    : state_(std::move(state)) {
  base::MutexLock lock(&state_->mutex);
  ++state_->live;
}

void LiveToken::Release() {
  const std::shared_ptr<HttpServerState> state = std::move(state_);
  if (state == nullptr) return;
  base::MutexLock lock(&state->mutex);
  if (--state->live == 0) state->changed.NotifyAll();
}

HttpConnection::HttpConnection(std::shared_ptr<HttpServerState> state,
                               HttpLoopPart& part, Socket socket,
                               const Endpoint& peer)
    : state_(std::move(state)),
      part_(part),
      place_(part.connections.insert(part.connections.end(), this)),
      token_(state_),
      socket_(std::move(socket)),
      peer_address_(AddressOf(peer)) {
  ++state_->open;
  state_->open_gauge->Add(1);
  state_->opened->Add();
  boost::system::error_code ec;
  socket_.non_blocking(true, ec);  // For TryWrite.
  is_broken_ = ec.failed();
}

HttpConnection::~HttpConnection() {
  HoldBody(0);
  part_.connections.erase(place_);
  --state_->open;
  state_->open_gauge->Add(-1);
}

Task<void> HttpConnection::Serve(std::shared_ptr<HttpConnection> self,
                                 bool refuse) {
  if (refuse) {
    self->AnswerError(v1::ERROR_REASON_UNAVAILABLE);
  } else {
    Next next = Next::kRequest;
    while (next == Next::kRequest) next = co_await self->ServeRequest();
    if (next == Next::kClose) co_return;
  }
  co_await self->Finish();
}

void HttpConnection::Sweep(Clock::time_point now) {
  if (deadline_ <= now) {
    deadline_ = Clock::time_point::max();
    expired_ = true;
    boost::system::error_code ec;
    socket_.cancel(ec);
  } else if (in_handler_ && !out_.empty()) {
    TryWrite();  // What fails here fails again where it is looked at.
  }
}

void HttpConnection::CloseIfIdle() {
  // With something to write left, Fill sees to it itself.
  if (is_idle_ && out_.empty()) Sweep(Clock::time_point::max());
}

void HttpConnection::Cut() {
  boost::system::error_code ec;
  socket_.close(ec);
  is_broken_ = true;
  token_.Release();
}

Task<HttpConnection::Next> HttpConnection::ServeRequest() {
  buffer_.Unpin();
  head_started_ = {};
  parser_.emplace(state_->limits, &head_);
  RequestParser::Progress progress = ParseHead();
  while (progress == RequestParser::Progress::kNeedMore) {
    const Filled filled = co_await Fill(HeadDeadline(), kHeadRoom);
    is_idle_ = false;
    if (filled == Filled::kTimeout && !buffer_.empty()) {
      AnswerError(v1::ERROR_REASON_REQUEST_TIMEOUT);
      co_return Next::kFinish;
    }
    if (filled != Filled::kSome) co_return Next::kClose;
    progress = ParseHead();
  }
  if (progress != RequestParser::Progress::kDone) {
    AnswerError(ReasonOf(progress));
    co_return Next::kFinish;
  }
  co_return co_await RunHandler();
}

RequestParser::Progress HttpConnection::ParseHead() {
  // RFC 9112, 2.2: empty lines before a request are not part of it.
  while (buffer_.data().substr(0, 2) == "\r\n") buffer_.Consume(2);
  if (buffer_.empty() || buffer_.data() == "\r") {
    return RequestParser::Progress::kNeedMore;
  }
  size_t size = 0;
  const auto progress = parser_->ParseHead(buffer_.data(), &size);
  if (progress == RequestParser::Progress::kDone) {
    buffer_.Pin();
    buffer_.Consume(size);
  }
  return progress;
}

HttpConnection::Clock::time_point HttpConnection::HeadDeadline() {
  const Clock::time_point now = Clock::now();
  if (head_started_ == Clock::time_point()) {
    is_idle_ = buffer_.empty();
    if (is_idle_) return now + state_->options.idle_timeout;
    head_started_ = now;
  }
  return head_started_ + state_->options.head_timeout;
}

Task<HttpConnection::Next> HttpConnection::RunHandler() {
  body_done_ = !head_.has_body;
  continue_due_ = head_.has_body && head_.expects_continue;
  body_error_ = absl::OkStatus();
  body_bytes_ = body_received_ = 0;
  body_waited_ = {};
  body_timeout_ = state_->options.body_timeout;

  ServerResponse response;
  bool failed = false;
  in_handler_ = true;
  try {
    co_await state_->handler(part_.loop, *this, response);
  } catch (const std::exception& error) {
    // Its message may hold anything; its type does not.
    base::LogError("exception from an HTTP handler",
                   {{"type", typeid(error).name()}});
    failed = true;
  } catch (...) {
    base::LogError("exception from an HTTP handler");
    failed = true;
  }
  in_handler_ = false;
  HoldBody(0);
  if (!failed && (response.status < 200 || response.status > 599)) {
    base::LogError("HTTP handler without a status",
                   {{"status", response.status}});
    failed = true;
  }
  if (failed) {
    AnswerError(v1::ERROR_REASON_INTERNAL);
    co_return Next::kFinish;
  }

  bool keep_alive = head_.keep_alive && !response.close && !state_->draining &&
                    body_error_.ok() && (body_done_ || DrainsQuickly());
  const bool streamed = IsStreamed(response, Framing(keep_alive));
  const bool chunked = IsChunked(response, Framing(keep_alive));
  if (streamed && !chunked && !response.stream_size) keep_alive = false;
  Answer(response, keep_alive);
  if (streamed) {
    const bool sent = co_await SendStream(response, chunked);
    response.stream.reset();
    if (!sent) {
      Reset();
      co_return Next::kClose;
    }
  }
  if (!keep_alive) co_return Next::kFinish;
  if (!body_done_) {
    const bool drained = co_await DrainBody();
    if (!drained) co_return Next::kFinish;
  }
  if (out_.size() - sent_ >= kMaxHeldBack) {
    const bool flushed = co_await Flush();
    if (!flushed) co_return Next::kClose;
  }
  co_return is_broken_ ? Next::kClose : Next::kRequest;
}

Task<HttpConnection::Filled> HttpConnection::Fill(Clock::time_point deadline,
                                                  size_t room) {
  if (!out_.empty()) {
    const bool flushed = co_await Flush();
    if (!flushed) co_return Filled::kEnd;
  }
  if (is_broken_ || (is_idle_ && state_->draining)) co_return Filled::kEnd;
  const std::span<char> space = buffer_.Room(room);
  deadline_ = deadline;
  const auto [ec, size] = co_await socket_.async_read_some(
      asio::buffer(space.data(), space.size()), kToken);
  deadline_ = Clock::time_point::max();
  const bool expired = std::exchange(expired_, false);
  if (size > 0) {
    buffer_.Commit(size);
    co_return Filled::kSome;
  }
  co_return expired ? Filled::kTimeout : Filled::kEnd;
}

Task<bool> HttpConnection::Flush() {
  Written written = TryWrite();
  while (written == Written::kBlocked) {
    const Clock::time_point start = Clock::now();
    deadline_ = WriteDeadline(start);
    const auto [ec] = co_await socket_.async_wait(Socket::wait_write, kToken);
    deadline_ = Clock::time_point::max();
    stream_waited_ += Clock::now() - start;
    if (ec || std::exchange(expired_, false)) is_broken_ = true;
    written = TryWrite();
  }
  co_return written == Written::kAll;
}

HttpConnection::Written HttpConnection::TryWrite() {
  while (!is_broken_ && sent_ < out_.size()) {
    boost::system::error_code ec;
    sent_ += socket_.write_some(
        asio::buffer(out_.data() + sent_, out_.size() - sent_), ec);
    if (ec == asio::error::would_block) return Written::kBlocked;
    if (ec) is_broken_ = true;
  }
  sent_ = 0;
  out_.clear();
  if (out_.capacity() > kMaxKeptOut) out_.shrink_to_fit();
  return is_broken_ ? Written::kFailed : Written::kAll;
}

HttpConnection::Clock::time_point HttpConnection::WriteDeadline(
    Clock::time_point now) const {
  const Clock::duration limit = state_->options.write_timeout;
  if (!streaming_) return now + limit;
  const Clock::duration earned = std::chrono::seconds(
      std::min<uint64_t>(stream_sent_ / kMinStreamBytesPerSecond, 1 << 20));
  return now + std::min(limit, limit + earned - stream_waited_);
}

Task<bool> HttpConnection::SendStream(ServerResponse& response, bool chunked) {
  streaming_ = true;
  stream_sent_ = 0;
  stream_waited_ = {};
  const uint64_t size =
      response.stream_size.value_or(std::numeric_limits<uint64_t>::max());
  bool whole = false;
  bool flushed = co_await Flush();
  while (flushed && !whole) {
    absl::StatusOr<std::string> piece = co_await NextPiece(*response.stream);
    if (!piece.ok() || piece->size() > size - stream_sent_) break;
    stream_sent_ += piece->size();
    whole = piece->empty();
    if (chunked) {
      AppendChunk(*piece, &out_);
    } else {
      out_ = *std::move(piece);
    }
    flushed = co_await Flush();
  }
  streaming_ = false;
  co_return whole&& flushed && (!response.stream_size || stream_sent_ == size);
}

Task<absl::StatusOr<std::string>> HttpConnection::NextPiece(
    BodySource& source) {
  try {
    co_return co_await source.Next();
  } catch (const std::exception& error) {
    base::LogError("exception from an HTTP body",
                   {{"type", typeid(error).name()}});
  } catch (...) {
    base::LogError("exception from an HTTP body");
  }
  co_return absl::InternalError("exception");
}

void HttpConnection::Reset() {
  boost::system::error_code ec;
  socket_.set_option(asio::socket_base::linger(true, 0), ec);
  socket_.close(ec);
}

Task<void> HttpConnection::Finish() {
  const bool flushed = co_await Flush();
  if (!flushed) co_return;
  // Closing with unread bytes resets the connection, and the client may lose
  // the answer: so read on for a while.
  boost::system::error_code ec;
  socket_.shutdown(Socket::shutdown_send, ec);
  if (ec) co_return;
  buffer_.Unpin();
  const Clock::time_point until = Clock::now() + kLinger;
  Filled filled = Filled::kSome;
  while (filled == Filled::kSome && Clock::now() < until) {
    buffer_.Clear();
    filled = co_await Fill(until, kHeadRoom);
  }
}

void HttpConnection::AnswerError(v1::ErrorReason reason) {
  ServerResponse response;
  const std::string_view path = head_.target.substr(0, head_.target.find('?'));
  state_->render_error(reason, path, response);
  Answer(response, /*keep_alive=*/false);
}

ResponseFraming HttpConnection::Framing(bool keep_alive) const {
  return {.request_version = head_.version,
          .keep_alive = keep_alive,
          .without_body = head_.method == "HEAD"};
}

void HttpConnection::Answer(const ServerResponse& response, bool keep_alive) {
  AppendResponse(response, Framing(keep_alive), part_.date.Now(), &out_);
}

std::optional<std::string_view> HttpConnection::Header(
    std::string_view name) const {
  for (const auto& field : head_.fields) {
    if (EqualsIgnoreCase(field.name, name)) return field.value;
  }
  return std::nullopt;
}

std::vector<std::string_view> HttpConnection::Headers(
    std::string_view name) const {
  std::vector<std::string_view> values;
  for (const auto& field : head_.fields) {
    if (EqualsIgnoreCase(field.name, name)) values.push_back(field.value);
  }
  return values;
}

Task<absl::StatusOr<std::string>> HttpConnection::ReadBody(size_t max_bytes) {
  if (head_.content_length.value_or(0) > max_bytes) {
    co_return base::Error(v1::ERROR_REASON_BODY_TOO_LARGE);
  }
  max_bytes = std::min(max_bytes, std::numeric_limits<size_t>::max() - 1);
  std::string body;
  // Most of what is announced also comes, but memory is given for what came.
  body.reserve(std::min<uint64_t>(head_.content_length.value_or(0), kHeadRoom));
  size_t before = 0;
  do {
    before = body.size();
    // One byte of room more than allowed, to see whether there is one.
    const size_t room = max_bytes + 1 - before;
    const absl::Status status = co_await ReadPiece(&body, room);
    if (!status.ok()) co_return status;
    if (body.size() > max_bytes) {
      co_return base::Error(v1::ERROR_REASON_BODY_TOO_LARGE);
    }
    if (!HoldBody(body.capacity())) {
      co_return base::Error(v1::ERROR_REASON_UNAVAILABLE, {},
                            {.retry_after = std::chrono::seconds(1)});
    }
  } while (body.size() > before);
  co_return body;
}

bool HttpConnection::HoldBody(size_t bytes) {
  // Wraps around where less is held than before.
  const size_t change = bytes - std::exchange(body_held_, bytes);
  if (change == 0) return true;
  return state_->body_memory.fetch_add(change, std::memory_order_relaxed) +
             change <=
         state_->options.max_body_memory;
}

Task<absl::StatusOr<std::string>> HttpConnection::ReadSome(size_t max_bytes) {
  std::string piece;
  const absl::Status status = co_await ReadPiece(&piece, max_bytes);
  if (!status.ok()) co_return status;
  co_return piece;
}

Task<absl::Status> HttpConnection::ReadPiece(std::string* sink, size_t room) {
  const uint64_t before = body_bytes_;
  while (!body_done_ && body_error_.ok()) {
    size_t consumed = 0;
    const size_t had = sink == nullptr ? 0 : sink->size();
    if (had == 0 && sink != nullptr) {
      sink->reserve(std::min(room, buffer_.data().size()));
    }
    const auto progress =
        parser_->DecodeBody(buffer_.data(), sink, room, &consumed);
    buffer_.Consume(consumed);
    body_received_ += consumed;
    body_bytes_ += sink == nullptr ? consumed : sink->size() - had;
    if (progress == RequestParser::Progress::kDone) body_done_ = true;
    if (progress == RequestParser::Progress::kBad) {
      body_error_ = base::Error(v1::ERROR_REASON_BAD_REQUEST);
    }
    if (progress != RequestParser::Progress::kNeedMore ||
        body_bytes_ > before) {
      break;
    }

    if (std::exchange(continue_due_, false) && buffer_.empty() &&
        body_received_ == 0) {
      out_.append("HTTP/1.1 100 Continue\r\n\r\n");
    }
    const bool is_large = head_.content_length.value_or(0) > kLargeBodyRoom;
    const Clock::time_point start = Clock::now();
    const Filled filled = co_await Fill(BodyDeadline(start),
                                        is_large ? kLargeBodyRoom : kBodyRoom);
    body_waited_ += Clock::now() - start;
    if (filled == Filled::kTimeout) {
      body_error_ = base::Error(v1::ERROR_REASON_REQUEST_TIMEOUT);
    } else if (filled == Filled::kEnd) {
      body_error_ = base::Error(v1::ERROR_REASON_BAD_REQUEST);
    }
  }
  co_return body_error_;
}

HttpConnection::Clock::time_point HttpConnection::BodyDeadline(
    Clock::time_point now) const {
  const Clock::duration limit = body_timeout_;
  const Clock::duration earned = std::chrono::seconds(
      std::min<uint64_t>(body_received_ / kMinBodyBytesPerSecond, 1 << 20));
  return now + std::min(limit, limit + earned - body_waited_);
}

// Whether reading the rest of the body is cheaper than a new connection.
bool HttpConnection::DrainsQuickly() const {
  // The client was not told to send it, so it may never come.
  if (continue_due_) return false;
  return !head_.content_length ||
         *head_.content_length - body_received_ <= kMaxDrained;
}

Task<bool> HttpConnection::DrainBody() {
  const uint64_t limit = body_received_ + kMaxDrained;
  while (!body_done_ && body_error_.ok() && body_received_ <= limit) {
    const absl::Status status = co_await ReadPiece(nullptr, kMaxDrained);
    if (!status.ok()) co_return false;
  }
  co_return body_done_;
}

}  // namespace kyc::async
