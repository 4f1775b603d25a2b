#include "services/async/redis.h"

#include <openssl/evp.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <deque>
#include <optional>
#include <utility>

#include "services/async/redis_connection.h"
#include "services/async/redis_wire.h"
#include "services/async/waiter.h"
#include "services/base/metrics.h"

namespace kyc::async {
namespace {

using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

base::Counter* CommandCounter(const char* result) {
  return base::GetCounter("kyc_redis_commands_total",
                          "Commands sent to Redis, by how they ended.",
                          {{"result", result}});
}

struct CommandMetrics {
  base::Counter* ok = CommandCounter("ok");
  base::Counter* error = CommandCounter("error");  // An error reply.
  base::Counter* timeout = CommandCounter("timeout");
  base::Counter* unavailable = CommandCounter("unavailable");
};

CommandMetrics& Metrics() {
  static CommandMetrics metrics;
  return metrics;
}

// A whole number in decimal, without sign or leading blanks.
std::optional<int> ParseNumber(std::string_view text, int max) {
  int value = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end || value < 0 || value > max ||
      text.front() == '-') {
    return std::nullopt;
  }
  return value;
}

bool ConsumePrefix(std::string_view prefix, std::string_view* text) {
  if (text->substr(0, prefix.size()) != prefix) return false;
  text->remove_prefix(prefix.size());
  return true;
}

constexpr int kMaxDatabase = 9999;

absl::StatusOr<RedisOptions> ParseUnix(std::string_view rest) {
  RedisOptions options;
  const size_t question = rest.find('?');
  options.unix_path = rest.substr(0, question);
  if (options.unix_path.empty() || options.unix_path.front() != '/') {
    return absl::InvalidArgumentError("redis URL: unix: needs a full path");
  }
  if (question == std::string_view::npos) return options;
  std::string_view query = rest.substr(question + 1);
  const auto database = ConsumePrefix("db=", &query)
                            ? ParseNumber(query, kMaxDatabase)
                            : std::nullopt;
  if (!database) return absl::InvalidArgumentError("redis URL: bad ?db=");
  options.database = *database;
  return options;
}

absl::StatusOr<RedisOptions> ParseTcp(std::string_view rest) {
  RedisOptions options;
  const size_t slash = rest.find('/');
  std::string_view authority = rest.substr(0, slash);
  if (authority.find_first_of("?# ") != std::string_view::npos) {
    return absl::InvalidArgumentError("redis URL: bad host");
  }
  if (slash != std::string_view::npos && slash + 1 < rest.size()) {
    const auto database = ParseNumber(rest.substr(slash + 1), kMaxDatabase);
    if (!database) return absl::InvalidArgumentError("redis URL: bad database");
    options.database = *database;
  }
  std::optional<std::string_view> port;
  if (ConsumePrefix("[", &authority)) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) {
      return absl::InvalidArgumentError("redis URL: bad host");
    }
    options.host = authority.substr(0, end);
    authority.remove_prefix(end + 1);
    if (ConsumePrefix(":", &authority)) {
      port = authority;
    } else if (!authority.empty()) {
      return absl::InvalidArgumentError("redis URL: bad host");
    }
  } else {
    const size_t colon = authority.find(':');
    options.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon + 1);
  }
  if (options.host.empty()) {
    return absl::InvalidArgumentError("redis URL: no host");
  }
  if (port) {
    const auto number = ParseNumber(*port, 65535);
    if (!number || *number == 0) {
      return absl::InvalidArgumentError("redis URL: bad port");
    }
    options.port = *number;
  }
  return options;
}

template <typename Words>
void AppendCommand(const Words& words, std::string* out) {
  AppendArrayHeader(words.size(), out);
  for (const auto& word : words) AppendBulkString(word, out);
}

template <typename Words>
std::string EncodeCommand(const Words& words) {
  size_t size = 16;
  for (const auto& word : words) size += word.size() + 16;
  std::string bytes;
  bytes.reserve(size);
  AppendCommand(words, &bytes);
  return bytes;
}

}  // namespace

absl::StatusOr<RedisOptions> RedisOptions::Parse(std::string_view url) {
  // A URL stands in flags and in `ps`; its text is not repeated in errors.
  if (url.find('@') != std::string_view::npos) {
    return absl::InvalidArgumentError(
        "redis URL: user and password do not belong there");
  }
  if (ConsumePrefix("unix:", &url)) return ParseUnix(url);
  if (ConsumePrefix("redis://", &url)) return ParseTcp(url);
  return absl::InvalidArgumentError(
      "redis URL: neither redis://host[:port][/database] nor "
      "unix:/path[?db=N]");
}

RedisScript::RedisScript(std::string source) : source_(std::move(source)) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(source_.data(), source_.size(), digest, &size, EVP_sha1(),
             nullptr);
  static constexpr char kHex[] = "0123456789abcdef";
  for (unsigned int i = 0; i < size; ++i) {
    sha1_.push_back(kHex[digest[i] >> 4]);
    sha1_.push_back(kHex[digest[i] & 15]);
  }
}

void RedisBatch::Add(std::initializer_list<std::string_view> words) {
  AppendCommand(words, &bytes_);
  ++size_;
}

void RedisBatch::Add(const std::vector<std::string_view>& words) {
  AppendCommand(words, &bytes_);
  ++size_;
}

void RedisBatch::Add(const std::vector<std::string>& words) {
  AppendCommand(words, &bytes_);
  ++size_;
}

// Commands go to `waiting_` until the connection is ready, then to
// `in_flight_`, whose order is that of the replies.
class Redis::Impl : public RedisConnection::Listener,
                    public std::enable_shared_from_this<Impl> {
 public:
  // Who waits for replies. Shared with the waiting coroutine, so that either
  // may go first.
  struct Call {
    explicit Call(Loop& loop) : waiter(loop) {}
    virtual ~Call() = default;
    virtual void Put(absl::StatusOr<RedisReply> reply) = 0;
    Waiter waiter;
  };
  struct OneCall : Call {
    using Call::Call;
    void Put(absl::StatusOr<RedisReply> r) override { reply = std::move(r); }
    absl::StatusOr<RedisReply> reply;
  };
  struct ManyCall : Call {
    using Call::Call;
    void Put(absl::StatusOr<RedisReply> r) override {
      replies.push_back(std::move(r));
    }
    std::vector<absl::StatusOr<RedisReply>> replies;
  };

  Impl(Loop& loop, RedisOptions options)
      : loop_(loop),
        options_(std::move(options)),
        connection_(
            std::make_shared<RedisConnection>(loop.context(), options_, this)),
        timer_(loop.context()) {
    Metrics();  // Shown from the start.
    connection_->Start();
  }

  void Close() {
    connection_->Close();
    timer_.cancel();
    const auto status = absl::UnavailableError("connection closed");
    for (Entry& entry : waiting_) Fail(entry, status);
    for (Entry& entry : in_flight_) Fail(entry, status);
  }

  bool connected() const { return connection_->ready(); }

  Task<absl::StatusOr<RedisReply>> One(std::string bytes,
                                       milliseconds timeout) {
    const auto call = std::make_shared<OneCall>(loop_);
    Send(std::move(bytes), 1, call, timeout);
    co_await call->waiter.Wait();
    co_return std::move(call->reply);
  }

  Task<std::vector<absl::StatusOr<RedisReply>>> Many(std::string bytes,
                                                     size_t count) {
    const auto call = std::make_shared<ManyCall>(loop_);
    call->replies.reserve(count);
    Send(std::move(bytes), count, call, options_.command_timeout);
    co_await call->waiter.Wait();
    co_return std::move(call->replies);
  }

  const RedisOptions& options() const { return options_; }

 private:
  using Time = steady_clock::time_point;

  struct Entry {
    std::shared_ptr<Call> call;  // nullptr: nobody waits any more.
    size_t left;                 // Replies still to come.
    Time deadline;
    Time sent;          // In `in_flight_`.
    std::string bytes;  // In `waiting_`.
  };

  // Not a coroutine, so `call` may be completed at once.
  void Send(std::string bytes, size_t count, std::shared_ptr<Call> call,
            milliseconds timeout) {
    const Time now = steady_clock::now();
    Entry entry{std::move(call), count, now + timeout, now, {}};
    if (count == 0) return entry.call->waiter.Resume();
    if (outstanding_ + count > options_.max_in_flight) {
      return Fail(entry, absl::UnavailableError("too many in flight"));
    }
    outstanding_ += count;
    Arm(entry.deadline);
    if (connection_->ready()) {
      in_flight_.push_back(std::move(entry));
      connection_->Send(std::move(bytes));
    } else {
      entry.bytes = std::move(bytes);
      waiting_.push_back(std::move(entry));
      connection_->Hurry();
    }
  }

  void OnReady() override {
    const Time now = steady_clock::now();
    while (!waiting_.empty()) {
      Entry entry = std::move(waiting_.front());
      waiting_.pop_front();
      connection_->Send(std::move(entry.bytes));
      entry.bytes = std::string();
      entry.sent = now;
      in_flight_.push_back(std::move(entry));
    }
  }

  void OnReply(RedisReply reply) override {
    if (in_flight_.empty()) {
      return connection_->Drop("a reply to no command");
    }
    if (reply.type == RedisReply::Type::kError &&
        MeansOutOfStep(reply.text)) {
      return connection_->Drop("a command was not understood");
    }
    Entry& entry = in_flight_.front();
    --outstanding_;
    std::shared_ptr<Call> call = entry.call;
    const bool last = --entry.left == 0;
    if (last) in_flight_.pop_front();
    if (call == nullptr) return;
    if (reply.type == RedisReply::Type::kError) {
      Metrics().error->Add();
      call->Put(StatusOfErrorReply(reply.text));
    } else {
      Metrics().ok->Add();
      call->Put(std::move(reply));
    }
    // May destroy this.
    if (last) call->waiter.ResumeNow();
  }

  void OnDown(bool was_ready) override {
    for (Entry& entry : in_flight_) {
      outstanding_ -= entry.left;
      Fail(entry, absl::UnavailableError("connection lost"));
    }
    in_flight_.clear();
    if (was_ready) return;
    for (Entry& entry : waiting_) {
      outstanding_ -= entry.left;
      Fail(entry, absl::UnavailableError("not connected"));
    }
    waiting_.clear();
  }

  // Gives an error for what is left. Runs nobody's code in here.
  void Fail(Entry& entry, const absl::Status& status) {
    if (entry.call == nullptr) return;
    (absl::IsDeadlineExceeded(status) ? Metrics().timeout
                                      : Metrics().unavailable)
        ->Add(entry.left);
    for (size_t i = 0; i < entry.left; ++i) entry.call->Put(status);
    entry.call->waiter.Resume();
    entry.call.reset();
  }

  // One timer serves all commands: it stands at the earliest limit, or before
  // it. Under load it fires about once per time limit, not per command.
  void Arm(Time when) {
    if (when >= armed_) return;
    armed_ = when;
    timer_.expires_at(when);
    timer_.async_wait([weak = weak_from_this()](error_code error) {
      const auto self = weak.lock();
      if (self != nullptr && !error) self->OnTimer();
    });
  }

  void OnTimer() {
    armed_ = Time::max();
    const Time now = steady_clock::now();
    const auto late = absl::DeadlineExceededError("no reply in time");
    Time next = Time::max();
    for (Entry& entry : in_flight_) {
      if (entry.call == nullptr) continue;
      if (entry.deadline <= now) {
        Fail(entry, late);  // The entry stays: its reply may still come.
      } else {
        next = std::min(next, entry.deadline);
      }
    }
    std::erase_if(waiting_, [&](Entry& entry) {
      if (entry.deadline > now) {
        next = std::min(next, entry.deadline);
        return false;
      }
      Fail(entry, late);
      outstanding_ -= entry.left;
      return true;
    });
    if (!in_flight_.empty() && in_flight_.front().call == nullptr) {
      const Time silent_since =
          std::max(in_flight_.front().sent, connection_->last_read());
      const Time give_up = silent_since + 2 * options_.command_timeout;
      if (now >= give_up) {
        connection_->Drop("no reply in time");
      } else {
        next = std::min(next, give_up);
      }
    }
    // A little later than the limit: limits close together share one turn.
    if (next != Time::max()) Arm(next + milliseconds(1));
  }

  Loop& loop_;
  const RedisOptions options_;
  const std::shared_ptr<RedisConnection> connection_;
  boost::asio::steady_timer timer_;
  Time armed_ = Time::max();
  std::deque<Entry> waiting_;
  std::deque<Entry> in_flight_;
  size_t outstanding_ = 0;  // Replies due to both.
};

Redis::Redis(Loop& loop, RedisOptions options)
    : impl_(std::make_shared<Impl>(loop, std::move(options))) {}

Redis::~Redis() { impl_->Close(); }

bool Redis::connected() const { return impl_->connected(); }

Task<absl::StatusOr<RedisReply>> Redis::Command(std::vector<std::string> args) {
  return impl_->One(EncodeCommand(args), impl_->options().command_timeout);
}

Task<absl::StatusOr<RedisReply>> Redis::Command(std::vector<std::string> args,
                                                milliseconds timeout) {
  return impl_->One(EncodeCommand(args), timeout);
}

Task<std::vector<absl::StatusOr<RedisReply>>> Redis::CommandMany(
    RedisBatch batch) {
  return impl_->Many(std::move(batch.bytes_), batch.size_);
}

Task<std::vector<absl::StatusOr<RedisReply>>> Redis::Transaction(
    RedisBatch batch) {
  const size_t count = batch.size_;
  if (count < 2) co_return co_await CommandMany(std::move(batch));
  RedisBatch whole;
  whole.Reserve(batch.bytes_.size() + 64);
  whole.Add({"MULTI"});
  whole.bytes_.append(batch.bytes_);
  whole.Add({"EXEC"});
  auto replies = co_await impl_->Many(std::move(whole.bytes_), count + 2);
  absl::StatusOr<RedisReply> done = std::move(replies.back());
  // Those that were refused say why; the others fell with them.
  replies.erase(replies.begin());
  replies.pop_back();
  for (size_t i = 0; i < count; ++i) {
    if (!replies[i].ok()) continue;
    if (!done.ok()) {
      replies[i] = done.status();
    } else if (done->elements.size() != count) {
      replies[i] = absl::InternalError("EXEC");
    } else if (RedisReply& reply = done->elements[i];
               reply.type == RedisReply::Type::kError) {
      replies[i] = StatusOfErrorReply(reply.text);
    } else {
      replies[i] = std::move(reply);
    }
  }
  co_return replies;
}

Task<absl::StatusOr<RedisReply>> Redis::Eval(const RedisScript& script,
                                             std::vector<std::string> keys,
                                             std::vector<std::string> args) {
  const std::string key_count = std::to_string(keys.size());
  std::vector<std::string_view> words = {"EVALSHA", script.sha1(), key_count};
  words.insert(words.end(), keys.begin(), keys.end());
  words.insert(words.end(), args.begin(), args.end());
  const milliseconds timeout = impl_->options().command_timeout;
  absl::StatusOr<RedisReply> reply =
      co_await impl_->One(EncodeCommand(words), timeout);
  if (reply.status().message() != "NOSCRIPT") co_return reply;
  // A server that was restarted, or never saw the script; EVAL teaches it.
  words[0] = "EVAL";
  words[1] = script.source();
  co_return co_await impl_->One(EncodeCommand(words), timeout);
}

}  // namespace kyc::async
