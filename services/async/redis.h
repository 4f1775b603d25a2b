// Redis as coroutines: Asio moves the bytes, hiredis parses the replies.
//
// One connection per loop, made and remade by itself. Commands of one loop
// turn leave in one write. Each has a time limit of its own; a reply that
// comes after it is dropped. A server that stays silent for two time limits
// is left and connected to again.
#ifndef KYC_SERVICES_ASYNC_REDIS_H_
#define KYC_SERVICES_ASYNC_REDIS_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/async/loop.h"
#include "services/async/redis_reply.h"
#include "services/async/task.h"
#include "services/base/secret.h"

namespace kyc::async {

// A Lua script: EVALSHA, and EVAL where the server does not know it yet.
class RedisScript {
 public:
  explicit RedisScript(std::string source);
  const std::string& source() const { return source_; }
  // SHA-1 of the source in lower-case hex: the name Redis gives it.
  const std::string& sha1() const { return sha1_; }

 private:
  std::string source_;
  std::string sha1_;
};

// Commands that travel together. Add copies the words, which may hold any
// bytes. A value.
class RedisBatch {
 public:
  void Add(std::initializer_list<std::string_view> words);
  void Add(const std::vector<std::string_view>& words);
  void Add(const std::vector<std::string>& words);
  // Makes room for commands of `bytes` bytes in all.
  void Reserve(size_t bytes) { bytes_.reserve(bytes); }
  size_t size() const { return size_; }

 private:
  friend class Redis;
  std::string bytes_;  // As they go to the server.
  size_t size_ = 0;
};

struct RedisOptions {
  std::string host = "127.0.0.1";
  int port = 6379;
  std::string unix_path;  // Used instead of host and port when set.
  int database = 0;
  base::Secret password;  // AUTH when not empty.
  std::chrono::milliseconds connect_timeout{1000};
  std::chrono::milliseconds command_timeout{1500};
  // Commands waiting for replies; one more fails at once with UNAVAILABLE.
  size_t max_in_flight = 20000;

  // redis://host[:port][/database] or unix:/path[?db=N]. INVALID_ARGUMENT
  // also for a URL with a password in it.
  static absl::StatusOr<RedisOptions> Parse(std::string_view url);
};

// A connection of one loop. Every call on the loop's thread; destroy it
// there (commands under way end with UNAVAILABLE), or after the loop has
// stopped. What a call returns is to be awaited at once.
class Redis {
 public:
  // Starts to connect, on the loop. Commands given before it is connected
  // wait for it within their time limit, and end with UNAVAILABLE when the
  // attempt fails. Reconnects with back-off (50 ms to 2 s, jitter); a command
  // brings the next attempt forward to 100 ms after the last.
  Redis(Loop& loop, RedisOptions options);
  ~Redis();

  // Sends one command. Errors:
  //   UNAVAILABLE        not connected, connection lost, too many in flight,
  //                      LOADING, READONLY, OOM, MISCONF, BUSY, NOREPLICAS,
  //                      MASTERDOWN, CLUSTERDOWN, TRYAGAIN or EXECABORT: try
  //                      later.
  //                      A lost connection leaves open whether it was done.
  //                      It is given up when the server did not understand
  //                      a command: replies may be out of step with commands.
  //   DEADLINE_EXCEEDED  no reply in time; it may have been done.
  //   INTERNAL           any other error reply (WRONGTYPE, …).
  //   NOT_FOUND          NOGROUP.
  // Messages hold the error's first word only, never arguments.
  Task<absl::StatusOr<RedisReply>> Command(std::vector<std::string> args);
  // The same with another time limit.
  Task<absl::StatusOr<RedisReply>> Command(std::vector<std::string> args,
                                           std::chrono::milliseconds timeout);
  // Sends all commands and waits for all replies, which come in the order of
  // the commands, each with errors of its own as above. The time limit holds
  // for the batch; what has come by then is kept.
  Task<std::vector<absl::StatusOr<RedisReply>>> CommandMany(RedisBatch batch);
  // Sends all commands as one MULTI and EXEC: all are done, with nothing between
  // them, or none is; and one write to the append-only file holds them all. A
  // command that fails when it is done has an error of its own, as above. Where
  // Redis refuses one beforehand that one has the error, and the others have
  // UNAVAILABLE (EXECABORT). Without a reply in time, or with the connection
  // lost, all fail, and it is open whether they were done. On Redis Cluster the
  // keys of all must be of one slot.
  Task<std::vector<absl::StatusOr<RedisReply>>> Transaction(RedisBatch batch);
  // Runs a script, which outlives the call. Error replies the script makes
  // itself come as INTERNAL with their whole first word.
  Task<absl::StatusOr<RedisReply>> Eval(const RedisScript& script,
                                        std::vector<std::string> keys,
                                        std::vector<std::string> args);

  // Whether commands can be sent now.
  bool connected() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

// Listens on Pub/Sub channels over a connection of its own. Same threading.
class RedisSubscriber {
 public:
  // `on_message(channel, payload)` and `on_connected()` (after each connect,
  // when subscriptions stand again: messages in between are lost, so re-read
  // what you mirror) are called on the loop.
  RedisSubscriber(
      Loop& loop, RedisOptions options, std::vector<std::string> channels,
      std::function<void(std::string_view, std::string_view)> on_message,
      std::function<void()> on_connected);
  ~RedisSubscriber();

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_REDIS_H_
