// One connection to Redis that makes and remakes itself: what Redis and
// RedisSubscriber share. One loop's thread only.
#ifndef KYC_SERVICES_ASYNC_REDIS_CONNECTION_H_
#define KYC_SERVICES_ASYNC_REDIS_CONNECTION_H_

#include <array>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "services/async/redis.h"
#include "services/async/redis_wire.h"

namespace kyc::async {

// Held by its handlers in the loop, so it outlives Close until they are gone.
class RedisConnection : public std::enable_shared_from_this<RedisConnection> {
 public:
  // Any of these may call Close.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void OnReady() = 0;
    virtual void OnReply(RedisReply reply) = 0;
    // A connection was lost (`was_ready`), or an attempt to make one failed.
    virtual void OnDown(bool was_ready) = 0;
  };

  RedisConnection(boost::asio::io_context& context, RedisOptions options,
                  Listener* listener);

  // Starts to connect, from the loop; callable anywhere.
  void Start();
  // Ends everything; the listener is not called again.
  void Close();

  bool ready() const { return state_ == State::kReady; }
  // Sends bytes at the end of this turn of the loop. Only when ready.
  void Send(std::string bytes);
  // Someone waits: tries again soon, if between two attempts.
  void Hurry();
  // Leaves a connection that is of no use any more and makes a new one.
  void Drop(std::string_view why) { Down(why); }
  // When bytes last came.
  std::chrono::steady_clock::time_point last_read() const { return last_read_; }

 private:
  using Socket = boost::asio::generic::stream_protocol::socket;
  using Endpoint = boost::asio::generic::stream_protocol::endpoint;
  enum class State { kWaiting, kConnecting, kGreeting, kReady, kClosed };

  void Attempt();
  void Resolve();
  void Connect(size_t index);  // To endpoints_[index] and those after it.
  void Greet();                // AUTH, SELECT, CLIENT SETNAME.
  void OnGreetingReply(const RedisReply& reply);
  void Flush();
  void Read();
  void Consume(size_t size);
  void Down(std::string_view why);
  void Wait(std::chrono::steady_clock::time_point until);
  // Wraps a handler so that it runs only while this attempt's connection
  // lives.
  template <typename F>
  auto OfThisEpoch(F handler);

  const RedisOptions options_;
  Listener* listener_;  // nullptr once closed.
  State state_ = State::kWaiting;
  uint64_t epoch_ = 0;  // Counts attempts and losses.
  boost::asio::io_context& context_;
  boost::asio::ip::tcp::resolver resolver_;
  Socket socket_;
  boost::asio::steady_timer timer_;  // Limit of an attempt, or the back-off.
  std::vector<Endpoint> endpoints_;
  std::vector<bool> greeting_;  // Replies due; whether each must be good.
  size_t greeted_ = 0;

  std::chrono::milliseconds backoff_;
  std::chrono::steady_clock::time_point went_down_;
  bool told_ = false;  // Logged that it is down.
  std::minstd_rand random_;

  std::string out_;      // Not yet given to the socket.
  std::string writing_;  // What an unfinished write still needs.
  bool flush_due_ = false;
  bool write_under_way_ = false;
  std::array<char, 16 << 10> in_;
  RedisReplyReader reader_;
  std::chrono::steady_clock::time_point last_read_;
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_REDIS_CONNECTION_H_
