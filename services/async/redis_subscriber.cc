#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <utility>

#include "services/async/redis.h"
#include "services/async/redis_connection.h"
#include "services/async/redis_wire.h"

namespace kyc::async {
namespace {

// A connection that says nothing for two of these is frozen.
constexpr std::chrono::seconds kPingInterval{15};

}  // namespace

class RedisSubscriber::Impl : public RedisConnection::Listener,
                              public std::enable_shared_from_this<Impl> {
 public:
  Impl(Loop& loop, RedisOptions options, std::vector<std::string> channels,
       std::function<void(std::string_view, std::string_view)> on_message,
       std::function<void()> on_connected)
      : channels_(std::move(channels)),
        on_message_(std::move(on_message)),
        on_connected_(std::move(on_connected)),
        connection_(std::make_shared<RedisConnection>(
            loop.context(), std::move(options), this)),
        timer_(loop.context()) {
    connection_->Start();
  }

  void Close() {
    connection_->Close();
    timer_.cancel();
  }

 private:
  void OnReady() override {
    confirmed_ = 0;
    Say("SUBSCRIBE", channels_);
    heard_ = true;
    WatchSilence();
  }

  // ["subscribe", channel, n], ["message", channel, payload] or
  // ["pong", ""].
  void OnReply(RedisReply reply) override {
    const auto self = shared_from_this();  // A callback may end us.
    heard_ = true;
    if (reply.type == RedisReply::Type::kError) {
      return connection_->Drop(FirstWord(reply.text));
    }
    if (reply.elements.size() != 3) return;
    const std::string& kind = reply.elements[0].text;
    if (kind == "message") {
      on_message_(reply.elements[1].text, reply.elements[2].text);
    } else if (kind == "subscribe" && ++confirmed_ == channels_.size()) {
      on_connected_();
    }
  }

  void OnDown(bool) override { timer_.cancel(); }

  void Say(std::string_view command, const std::vector<std::string>& words) {
    std::string bytes;
    AppendArrayHeader(words.size() + 1, &bytes);
    AppendBulkString(command, &bytes);
    for (const std::string& word : words) AppendBulkString(word, &bytes);
    connection_->Send(std::move(bytes));
  }

  void WatchSilence() {
    timer_.expires_after(kPingInterval);
    timer_.async_wait(
        [weak = weak_from_this()](boost::system::error_code error) {
          const auto self = weak.lock();
          if (self == nullptr || error || !self->connection_->ready()) return;
          if (!std::exchange(self->heard_, false)) {
            return self->connection_->Drop("no reply in time");
          }
          self->Say("PING", {});
          self->WatchSilence();
        });
  }

  const std::vector<std::string> channels_;
  const std::function<void(std::string_view, std::string_view)> on_message_;
  const std::function<void()> on_connected_;
  const std::shared_ptr<RedisConnection> connection_;
  boost::asio::steady_timer timer_;
  size_t confirmed_ = 0;
  bool heard_ = false;  // Since the last ping.
};

RedisSubscriber::RedisSubscriber(
    Loop& loop, RedisOptions options, std::vector<std::string> channels,
    std::function<void(std::string_view, std::string_view)> on_message,
    std::function<void()> on_connected)
    : impl_(std::make_shared<Impl>(loop, std::move(options),
                                   std::move(channels), std::move(on_message),
                                   std::move(on_connected))) {}

RedisSubscriber::~RedisSubscriber() { impl_->Close(); }

}  // namespace kyc::async
