#include "services/async/redis_connection.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/error.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <utility>

#include "services/base/log.h"
#include "services/base/metrics.h"

namespace kyc::async {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kFirstBackoff{50};
constexpr milliseconds kLastBackoff{2000};
constexpr milliseconds kHurriedBackoff{100};
// An output buffer that grew beyond this is given back.
constexpr size_t kKeptOutput = 1 << 20;
constexpr std::string_view kClientName = "kyc";
// sockaddr_un's, less the terminating zero.
constexpr size_t kMaxUnixPath = 107;

base::Gauge* ConnectedGauge() {
  static base::Gauge* const gauge = base::GetGauge(
      "kyc_redis_connected", "Connections to Redis that are ready.");
  return gauge;
}

}  // namespace

template <typename F>
auto RedisConnection::OfThisEpoch(F handler) {
  return [self = shared_from_this(), epoch = epoch_,
          handler = std::move(handler)](auto&&... args) mutable {
    if (epoch == self->epoch_) {
      handler(std::forward<decltype(args)>(args)...);
    }
  };
}

RedisConnection::RedisConnection(asio::io_context& context,
                                 RedisOptions options, Listener* listener)
    : options_(std::move(options)),
      listener_(listener),
      context_(context),
      resolver_(context),
      socket_(context),
      timer_(context),
      backoff_(kFirstBackoff),
      random_(std::random_device()()) {
  ConnectedGauge();  // Shown from the start.
}

void RedisConnection::Start() {
  asio::post(context_, OfThisEpoch([this] { Attempt(); }));
}

void RedisConnection::Close() {
  if (ready()) ConnectedGauge()->Add(-1);
  listener_ = nullptr;
  state_ = State::kClosed;
  ++epoch_;
  resolver_.cancel();
  timer_.cancel();
  error_code ignored;
  socket_.close(ignored);
}

void RedisConnection::Attempt() {
  state_ = State::kConnecting;
  ++epoch_;
  timer_.expires_after(options_.connect_timeout);
  timer_.async_wait(OfThisEpoch([this](error_code error) {
    if (!error && !ready()) Down("no answer in time");
  }));
  Resolve();
}

void RedisConnection::Resolve() {
  endpoints_.clear();
  if (!options_.unix_path.empty()) {
    if (options_.unix_path.size() > kMaxUnixPath) return Down("path too long");
    endpoints_.emplace_back(
        asio::local::stream_protocol::endpoint(options_.unix_path));
    return Connect(0);
  }
  const auto port = static_cast<uint16_t>(options_.port);
  error_code not_numeric;
  const auto address = asio::ip::make_address(options_.host, not_numeric);
  if (!not_numeric) {
    endpoints_.emplace_back(asio::ip::tcp::endpoint(address, port));
    return Connect(0);
  }
  resolver_.async_resolve(
      options_.host, std::to_string(port),
      OfThisEpoch([this](error_code error,
                         const asio::ip::tcp::resolver::results_type& found) {
        if (error) return Down("name not resolved");
        for (const auto& entry : found) {
          endpoints_.emplace_back(entry.endpoint());
        }
        Connect(0);
      }));
}

void RedisConnection::Connect(size_t index) {
  if (index >= endpoints_.size()) return Down("not reached");
  error_code ignored;
  socket_.close(ignored);
  socket_.async_connect(
      endpoints_[index], OfThisEpoch([this, index](error_code error) {
        if (error) return Connect(index + 1);
        if (options_.unix_path.empty()) {
          error_code ignored;
          socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
        }
        Greet();
      }));
}

void RedisConnection::Greet() {
  error_code error;
  socket_.non_blocking(true, error);
  if (error) return Down("socket");
  state_ = State::kGreeting;
  reader_.Reset();
  out_.clear();
  greeting_.clear();
  greeted_ = 0;
  const auto say = [this](std::initializer_list<std::string_view> words,
                          bool must_be_good) {
    AppendArrayHeader(words.size(), &out_);
    for (std::string_view word : words) AppendBulkString(word, &out_);
    greeting_.push_back(must_be_good);
  };
  if (!options_.password.empty()) {
    say({"AUTH", options_.password.Reveal()}, true);
  }
  if (options_.database != 0) {
    say({"SELECT", std::to_string(options_.database)}, true);
  }
  // For the operator's CLIENT LIST; its refusal does no harm.
  say({"CLIENT", "SETNAME", kClientName}, false);
  Read();
  Flush();
}

void RedisConnection::OnGreetingReply(const RedisReply& reply) {
  const bool must_be_good = greeting_[greeted_++];
  if (reply.type == RedisReply::Type::kError) {
    const std::string_view word = FirstWord(reply.text);
    if (must_be_good || word == "NOAUTH") return Down(word);
  }
  if (greeted_ < greeting_.size()) return;
  state_ = State::kReady;
  timer_.cancel();
  backoff_ = kFirstBackoff;
  ConnectedGauge()->Add(1);
  if (std::exchange(told_, false)) base::LogInfo("redis connected again");
  listener_->OnReady();
}

void RedisConnection::Send(std::string bytes) {
  if (out_.empty()) {
    out_ = std::move(bytes);
  } else {
    out_.append(bytes);
  }
  if (flush_due_ || write_under_way_) return;
  flush_due_ = true;
  // Behind what this turn still runs, whose commands then go along.
  asio::post(context_, OfThisEpoch([this] { Flush(); }));
}

void RedisConnection::Flush() {
  flush_due_ = false;
  if (out_.empty()) return;
  error_code error;
  const size_t written = socket_.write_some(asio::buffer(out_), error);
  if (error && error != asio::error::would_block) return Down("write failed");
  if (written == out_.size()) {
    out_.clear();
    if (out_.capacity() > kKeptOutput) out_.shrink_to_fit();
    return;
  }
  write_under_way_ = true;
  writing_.swap(out_);
  out_.clear();
  asio::async_write(socket_, asio::buffer(writing_) + written,
                    OfThisEpoch([this](error_code error, size_t) {
                      write_under_way_ = false;
                      if (error) return Down("write failed");
                      writing_ = std::string();
                      Flush();
                    }));
}

void RedisConnection::Read() {
  socket_.async_read_some(asio::buffer(in_),
                          OfThisEpoch([this](error_code error, size_t size) {
                            if (error) return Down("connection closed");
                            Consume(size);
                          }));
}

void RedisConnection::Consume(size_t size) {
  last_read_ = steady_clock::now();
  reader_.Feed({in_.data(), size});
  const uint64_t epoch = epoch_;
  RedisReply reply;
  for (;;) {
    const auto result = reader_.Next(&reply);
    if (result == RedisReplyReader::Result::kBroken) {
      return Down("not the redis protocol");
    }
    if (result == RedisReplyReader::Result::kNeedMore) break;
    if (state_ == State::kGreeting) {
      OnGreetingReply(reply);
    } else {
      listener_->OnReply(std::move(reply));
    }
    if (epoch != epoch_) return;  // Closed or dropped meanwhile.
  }
  Read();
}

void RedisConnection::Down(std::string_view why) {
  const bool was_ready = ready();
  ++epoch_;
  state_ = State::kWaiting;
  resolver_.cancel();
  error_code ignored;
  socket_.close(ignored);
  out_ = std::string();
  flush_due_ = write_under_way_ = false;
  went_down_ = steady_clock::now();
  if (was_ready) ConnectedGauge()->Add(-1);
  if (!std::exchange(told_, true)) {
    base::LogWarning(
        was_ready ? "redis connection lost" : "redis not connected",
        {{"reason", why},
         {"host",
          options_.unix_path.empty() ? options_.host : options_.unix_path},
         {"port", options_.port}});
  }
  std::uniform_int_distribution<int64_t> jitter(backoff_.count() / 2,
                                                backoff_.count());
  Wait(went_down_ + milliseconds(jitter(random_)));
  backoff_ = std::min(backoff_ * 2, kLastBackoff);
  listener_->OnDown(was_ready);
}

void RedisConnection::Hurry() {
  const auto soon = went_down_ + kHurriedBackoff;
  if (state_ == State::kWaiting && timer_.expiry() > soon) Wait(soon);
}

void RedisConnection::Wait(steady_clock::time_point until) {
  timer_.expires_at(until);
  timer_.async_wait(OfThisEpoch([this](error_code error) {
    if (!error) Attempt();
  }));
}

}  // namespace kyc::async
