#include "services/async/redis.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "services/async/redis_for_test.h"

namespace kyc::async {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using Reply = absl::StatusOr<RedisReply>;
using Type = RedisReply::Type;

// A loop with its thread, and a way to call coroutines from the test's.
class LoopThread {
 public:
  LoopThread() : runtime_(1) { runtime_.Start(); }

  Loop& loop() { return runtime_.loop(0); }
  void Stop() { runtime_.Stop(); }

  template <typename T>
  T Run(std::function<Task<T>()> work) {
    std::optional<T> result;
    std::promise<void> done;
    loop().Post([&] { loop().Spawn(Fill(work, &result, &done)); });
    done.get_future().wait();
    return *std::move(result);
  }
  void OnLoop(std::function<void()> work) {
    std::promise<void> done;
    loop().Post([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }

 private:
  template <typename T>
  static Task<void> Fill(std::function<Task<T>()>& work,
                         std::optional<T>* result, std::promise<void>* done) {
    result->emplace(co_await work());
    done->set_value();
  }

  Runtime runtime_;
};

bool Eventually(const std::function<bool()>& condition,
                milliseconds limit = milliseconds(5000)) {
  const auto end = steady_clock::now() + limit;
  while (!condition()) {
    if (steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

class RedisTest : public testing::Test {
 protected:
  ~RedisTest() override {
    thread_.OnLoop([&] { redis_.reset(); });
  }

  void Connect(RedisOptions options) {
    thread_.OnLoop([&] {
      redis_ = std::make_unique<Redis>(thread_.loop(), std::move(options));
    });
  }
  bool Connected() {
    bool connected = false;
    thread_.OnLoop([&] { connected = redis_->connected(); });
    return connected;
  }
  Reply Command(std::vector<std::string> args) {
    return thread_.Run<Reply>([&] { return redis_->Command(args); });
  }
  Reply Command(std::vector<std::string> args, milliseconds limit) {
    return thread_.Run<Reply>([&] { return redis_->Command(args, limit); });
  }
  std::vector<Reply> Many(RedisBatch batch) {
    return thread_.Run<std::vector<Reply>>(
        [&] { return redis_->CommandMany(std::move(batch)); });
  }
  Reply Eval(const RedisScript& script, std::vector<std::string> keys,
             std::vector<std::string> args) {
    return thread_.Run<Reply>([&] { return redis_->Eval(script, keys, args); });
  }

  LoopThread thread_;
  std::unique_ptr<Redis> redis_;
};

std::string Code(const Reply& reply) {
  return reply.ok() ? "OK" : std::string(reply.status().ToString());
}

milliseconds Since(steady_clock::time_point start) {
  return std::chrono::duration_cast<milliseconds>(steady_clock::now() - start);
}

TEST(RedisOptionsTest, ParsesUrls) {
  const auto tcp = RedisOptions::Parse("redis://db.example:6380/3");
  ASSERT_TRUE(tcp.ok());
  EXPECT_EQ(tcp->host, "db.example");
  EXPECT_EQ(tcp->port, 6380);
  EXPECT_EQ(tcp->database, 3);
  const auto brief = RedisOptions::Parse("redis://localhost");
  ASSERT_TRUE(brief.ok());
  EXPECT_EQ(brief->port, 6379);
  EXPECT_EQ(brief->database, 0);
  EXPECT_TRUE(RedisOptions::Parse("redis://localhost/").ok());
  const auto v6 = RedisOptions::Parse("redis://[::1]:7000/1");
  ASSERT_TRUE(v6.ok());
  EXPECT_EQ(v6->host, "::1");
  EXPECT_EQ(v6->port, 7000);
  const auto local = RedisOptions::Parse("unix:/run/redis.sock?db=2");
  ASSERT_TRUE(local.ok());
  EXPECT_EQ(local->unix_path, "/run/redis.sock");
  EXPECT_EQ(local->database, 2);
}

TEST(RedisOptionsTest, RefusesWhatIsNoUrlWithoutRepeatingIt) {
  for (const char* url : {"",
                          "localhost:6379",
                          "http://h",
                          "rediss://h",
                          "redis://",
                          "redis://:6379",
                          "redis://h:0",
                          "redis://h:65536",
                          "redis://h:",
                          "redis://h:12x",
                          "redis://h:-1",
                          "redis://h/x",
                          "redis://h/-1",
                          "redis://h/1/2",
                          "redis://h?db=1",
                          "redis://[::1",
                          "redis://[::1]7",
                          "unix:",
                          "unix:relative",
                          "unix:/p?db=",
                          "unix:/p?db=x",
                          "unix:/p?x=1",
                          "redis://user:hunter2@h:1/0"}) {
    const auto options = RedisOptions::Parse(url);
    ASSERT_FALSE(options.ok()) << url;
    EXPECT_EQ(options.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(options.status().ToString().find("hunter2"), std::string::npos);
  }
}

TEST(RedisScriptTest, NameIsTheSha1OfTheSource) {
  EXPECT_EQ(RedisScript("return 1").sha1(),
            "e0e1f9fabfc9d4800c877a703b823ac0578ff8db");
}

TEST_F(RedisTest, RepliesOfEveryTypeAndAnyBytes) {
  RedisForTest server;
  for (const RedisOptions& options : {server.tcp_options(), server.options()}) {
    Connect(options);
    const Reply pong = Command({"PING"});
    ASSERT_TRUE(pong.ok()) << pong.status();
    EXPECT_EQ(pong->type, Type::kStatus);
    EXPECT_EQ(pong->text, "PONG");
    std::string bytes = "a\r\n$3\r\n";
    for (int i = 0; i < 256; ++i) bytes.push_back(static_cast<char>(i));
    ASSERT_TRUE(Command({"SET", bytes, bytes + bytes}).ok());
    const Reply value = Command({"GET", bytes});
    ASSERT_TRUE(value.ok());
    EXPECT_EQ(value->type, Type::kString);
    EXPECT_EQ(value->text, bytes + bytes);
    ASSERT_TRUE(Command({"SET", "empty", ""}).ok());
    EXPECT_EQ(Command({"GET", "empty"})->type, Type::kString);
    EXPECT_TRUE(Command({"GET", "nothing"})->is_nil());
    EXPECT_EQ(Command({"STRLEN", bytes})->integer,
              static_cast<int64_t>(2 * bytes.size()));
    const Reply array = Command(
        {"EVAL", "return {1, {'a', {}}, redis.error_reply('BAD thing')}", "0"});
    ASSERT_TRUE(array.ok());
    ASSERT_EQ(array->elements.size(), 3u);
    EXPECT_EQ(array->elements[0].integer, 1);
    EXPECT_EQ(array->elements[1].elements[0].text, "a");
    EXPECT_EQ(array->elements[1].elements[1].type, Type::kArray);
    EXPECT_EQ(array->elements[2].type, Type::kError);
    EXPECT_EQ(array->elements[2].text, "BAD thing");
    // Larger than every buffer on the way.
    const std::string large(3 << 20, 'x');
    ASSERT_TRUE(Command({"SET", "large", large}).ok());
    EXPECT_TRUE(Command({"GET", "large"})->text == large);
  }
}

Task<void> Increment(Redis& redis, int64_t expected, int* good, int* left,
                     std::promise<void>* done) {
  const Reply reply = co_await redis.Command({"INCR", "counter"});
  if (reply.ok() && reply->integer == expected) ++*good;
  if (--*left == 0) done->set_value();
}

TEST_F(RedisTest, TenThousandCommandsOfOneTurnTravelTogether) {
  RedisForTest server;
  Connect(server.tcp_options());
  ASSERT_TRUE(Command({"PING"}).ok());
  constexpr int kCount = 10000;
  int good = 0;
  int left = kCount;
  std::promise<void> done;
  thread_.loop().Post([&] {
    for (int i = 1; i <= kCount; ++i) {
      thread_.loop().Spawn(Increment(*redis_, i, &good, &left, &done));
    }
  });
  ASSERT_EQ(done.get_future().wait_for(std::chrono::seconds(10)),
            std::future_status::ready);
  EXPECT_EQ(good, kCount);
  // The server counts reads: far fewer than commands.
  const Reply info = Command({"INFO", "stats"});
  ASSERT_TRUE(info.ok());
  const std::string name = "total_reads_processed:";
  const size_t at = info->text.find(name);
  ASSERT_NE(at, std::string::npos);
  EXPECT_LT(std::stoi(info->text.substr(at + name.size())), 500);
}

TEST_F(RedisTest, BatchGivesRepliesInOrderWithErrorsOfTheirOwn) {
  RedisForTest server;
  Connect(server.options());
  RedisBatch batch;
  for (int i = 0; i < 1000; ++i) {
    batch.Add({"SET", "key" + std::to_string(i), std::to_string(i)});
  }
  batch.Add({"LPUSH", "key0", "x"});
  batch.Add(std::vector<std::string>{"GET", "key7"});
  const std::vector<Reply> replies = Many(std::move(batch));
  ASSERT_EQ(replies.size(), 1002u);
  for (int i = 0; i < 1000; ++i) ASSERT_TRUE(replies[i].ok());
  EXPECT_EQ(Code(replies[1000]), "INTERNAL: WRONGTYPE");
  EXPECT_EQ(replies[1001]->text, "7");
  EXPECT_TRUE(Many(RedisBatch()).empty());
}

TEST_F(RedisTest, TransactionsAreDoneWholeOrNotAtAll) {
  RedisForTest server;
  Connect(server.options());
  const auto run = [&](std::vector<std::vector<std::string>> commands) {
    RedisBatch batch;
    for (const auto& command : commands) batch.Add(command);
    return thread_.Run<std::vector<Reply>>(
        [&] { return redis_->Transaction(std::move(batch)); });
  };
  EXPECT_TRUE(run({}).empty());
  auto replies = run({{"SET", "t1", "1"}});
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0]->text, "OK");
  // An error of one that is done is its own.
  replies = run({{"INCR", "t1"}, {"LPUSH", "t1", "x"}, {"GET", "t1"}});
  ASSERT_EQ(replies.size(), 3u);
  EXPECT_EQ(replies[0]->integer, 2);
  EXPECT_EQ(replies[1].status(), absl::InternalError("WRONGTYPE"));
  EXPECT_EQ(replies[2]->text, "2");
  // One that is refused takes the others along.
  const auto refused = [&] {
    return run({{"GET", "t1"}, {"SET", "t2", "x"}, {"GET", "t1"}});
  };
  Command({"REPLICAOF", "127.0.0.1", "1"});
  replies = refused();
  Command({"REPLICAOF", "NO", "ONE"});
  ASSERT_EQ(replies.size(), 3u);
  EXPECT_EQ(replies[0].status(), absl::UnavailableError("EXECABORT"));
  EXPECT_EQ(replies[1].status(), absl::UnavailableError("READONLY"));
  EXPECT_EQ(replies[2].status(), absl::UnavailableError("EXECABORT"));
  Command({"CONFIG", "SET", "maxmemory", "1"});
  replies = refused();
  Command({"CONFIG", "SET", "maxmemory", "0"});
  ASSERT_EQ(replies.size(), 3u);
  for (const Reply& reply : replies) {
    EXPECT_EQ(reply.status(), absl::UnavailableError("OOM"));
  }
  replies = run({{"EXISTS", "t2"}, {"GET", "t1"}});
  EXPECT_EQ(replies[0]->integer, 0);
  EXPECT_EQ(replies[1]->text, "2");
}

TEST_F(RedisTest, ATransactionThatGetsNoReplyInTimeFailsAsOne) {
  RedisForTest server;
  RedisOptions options = server.options();
  options.command_timeout = milliseconds(200);
  Connect(options);
  ASSERT_TRUE(Command({"PING"}).ok());
  server.Freeze();
  RedisBatch batch;
  batch.Add({"SET", "a", "1"});
  batch.Add({"SET", "b", "1"});
  const auto replies = thread_.Run<std::vector<Reply>>(
      [&] { return redis_->Transaction(std::move(batch)); });
  server.Thaw();
  ASSERT_EQ(replies.size(), 2u);
  for (const Reply& reply : replies) {
    EXPECT_TRUE(absl::IsDeadlineExceeded(reply.status()));
  }
}

TEST_F(RedisTest, FrozenServerCostsTheTimeLimitAndRecovers) {
  RedisForTest server;
  RedisOptions options = server.tcp_options();
  options.command_timeout = milliseconds(300);
  Connect(options);
  ASSERT_TRUE(Command({"SET", "key", "first"}).ok());
  server.Freeze();
  auto start = steady_clock::now();
  EXPECT_EQ(Code(Command({"GET", "key"}, milliseconds(100))),
            "DEADLINE_EXCEEDED: no reply in time");
  EXPECT_LT(Since(start), milliseconds(250));
  RedisBatch batch;
  batch.Add({"SET", "key", "second"});
  batch.Add({"GET", "key"});
  const auto late = Many(std::move(batch));
  ASSERT_EQ(late.size(), 2u);
  EXPECT_EQ(late[1].status().code(), absl::StatusCode::kDeadlineExceeded);
  // Thawed in time: the late replies are dropped, and the next command gets
  // its own.
  server.Thaw();
  EXPECT_EQ(Command({"ECHO", "mine"}, milliseconds(2000))->text, "mine");
  // Frozen for longer, the connection is given up.
  server.Freeze();
  start = steady_clock::now();
  EXPECT_EQ(Command({"GET", "key"}).status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_TRUE(Eventually([&] { return !Connected(); }, milliseconds(1000)));
  EXPECT_GE(Since(start), milliseconds(500));
  server.Thaw();
  EXPECT_TRUE(Eventually([&] { return Connected(); }, milliseconds(4000)));
  EXPECT_EQ(Command({"GET", "key"})->text, "second");
}

TEST_F(RedisTest, BlockingCommandsHaveTheirOwnLimit) {
  RedisForTest server;
  RedisOptions options = server.options();
  options.command_timeout = milliseconds(50);
  Connect(options);
  ASSERT_TRUE(Command({"PING"}, milliseconds(2000)).ok());
  const Reply nothing = Command({"BLPOP", "queue", "0.4"}, milliseconds(3000));
  ASSERT_TRUE(nothing.ok()) << nothing.status();
  EXPECT_TRUE(nothing->is_nil());
}

TEST_F(RedisTest, DownFailsFastAndARestartIsFoundWithinTwoSeconds) {
  RedisForTest server({.append_only = true, .password = "", .arguments = {}});
  Connect(server.tcp_options());
  ASSERT_TRUE(Command({"SET", "key", "kept"}).ok());
  server.Kill();
  for (int i = 0; i < 10; ++i) {
    const auto start = steady_clock::now();
    EXPECT_EQ(Command({"GET", "key"}).status().code(),
              absl::StatusCode::kUnavailable);
    EXPECT_LT(Since(start), milliseconds(1000));
  }
  // Back-off without anybody waiting goes up to two seconds.
  EXPECT_FALSE(Connected());
  server.Restart();
  const auto start = steady_clock::now();
  ASSERT_TRUE(Eventually([&] { return Command({"GET", "key"}).ok(); }));
  EXPECT_LT(Since(start), milliseconds(2000));
  EXPECT_EQ(Command({"GET", "key"})->text, "kept");
}

TEST_F(RedisTest, NobodyThereFromTheStart) {
  RedisForTest server;
  const RedisOptions options = server.tcp_options();
  server.Kill();
  const auto start = steady_clock::now();
  Connect(options);
  EXPECT_EQ(Code(Command({"PING"})), "UNAVAILABLE: not connected");
  EXPECT_LT(Since(start), milliseconds(500));
  server.Restart();
  EXPECT_TRUE(Eventually([&] { return Connected(); }, milliseconds(3000)));
}

TEST_F(RedisTest, NamesAreResolved) {
  RedisForTest server;
  RedisOptions options = server.tcp_options();
  options.host = "localhost";
  Connect(options);
  EXPECT_TRUE(Command({"PING"}).ok());
  options.host = "no-such-host.invalid";
  thread_.OnLoop([&] { redis_.reset(); });
  Connect(options);
  EXPECT_EQ(Command({"PING"}).status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(RedisTest, ScriptsSurviveBeingForgotten) {
  RedisForTest server;
  Connect(server.options());
  const RedisScript script("return {KEYS[1], ARGV[1], ARGV[2]}");
  for (int i = 0; i < 3; ++i) {
    const Reply reply = Eval(script, {"k"}, {"a", "b"});
    ASSERT_TRUE(reply.ok()) << reply.status();
    ASSERT_EQ(reply->elements.size(), 3u);
    EXPECT_EQ(reply->elements[0].text, "k");
    EXPECT_EQ(reply->elements[2].text, "b");
    if (i == 1) {
      ASSERT_TRUE(Command({"SCRIPT", "FLUSH"}).ok());
    }
  }
  EXPECT_EQ(Code(Eval(RedisScript("return redis.error_reply('CONFLICT now')"),
                      {}, {})),
            "INTERNAL: CONFLICT");
}

TEST_F(RedisTest, ErrorRepliesKeepTheirFirstWordOnly) {
  RedisForTest server;
  Connect(server.options());
  ASSERT_TRUE(Command({"SET", "text", "secret"}).ok());
  EXPECT_EQ(Code(Command({"LPUSH", "text", "x"})), "INTERNAL: WRONGTYPE");
  EXPECT_EQ(
      Code(Command({"XREADGROUP", "GROUP", "g", "c", "STREAMS", "s", ">"})),
      "NOT_FOUND: NOGROUP");
  ASSERT_TRUE(Command({"REPLICAOF", "127.0.0.1", "1"}).ok());
  EXPECT_EQ(Code(Command({"SET", "a", "b"})), "UNAVAILABLE: READONLY");
  ASSERT_TRUE(Command({"REPLICAOF", "NO", "ONE"}).ok());
  ASSERT_TRUE(Command({"CONFIG", "SET", "maxmemory", "1"}).ok());
  EXPECT_EQ(Code(Command({"SET", "a", "b"})), "UNAVAILABLE: OOM");
  EXPECT_EQ(Code(Eval(RedisScript("return redis.call('SET', KEYS[1], 'b')"),
                      {"a"}, {})),
            "UNAVAILABLE: OOM");
}

// Redis takes bytes that are no array of words for lines, and answers each:
// one command, many replies, and those behind it would get each other's.
TEST_F(RedisTest, RepliesOutOfStepAreGivenToNobody) {
  RedisForTest server;
  Connect(server.options());
  ASSERT_TRUE(Command({"SET", "a", "of a"}).ok());
  for (const std::vector<std::string>& broken :
       {std::vector<std::string>{"NOSUCHCOMMAND", "secret"},
        std::vector<std::string>{"GET"}}) {
    RedisBatch batch;
    batch.Add({"GET", "a"});
    batch.Add(broken);
    batch.Add({"GET", "a"});
    batch.Add({"GET", "b"});
    const std::vector<Reply> replies = Many(std::move(batch));
    ASSERT_EQ(replies.size(), 4u);
    EXPECT_EQ(replies[0]->text, "of a");
    for (int i = 1; i < 4; ++i) {
      EXPECT_EQ(Code(replies[i]), "UNAVAILABLE: connection lost") << i;
    }
    EXPECT_TRUE(Eventually([&] {
      const Reply reply = Command({"GET", "a"});
      return reply.ok() && reply->text == "of a";
    }));
  }
}

TEST_F(RedisTest, PasswordAndDatabase) {
  RedisForTest server(
      {.append_only = false, .password = "open sesame", .arguments = {}});
  RedisOptions options = server.tcp_options();
  options.database = 3;
  Connect(options);
  ASSERT_TRUE(Command({"SET", "key", "three"}).ok());
  const Reply client = Command({"CLIENT", "INFO"});
  ASSERT_TRUE(client.ok());
  EXPECT_NE(client->text.find(" db=3 "), std::string::npos);
  EXPECT_NE(client->text.find(" name=kyc "), std::string::npos);
  for (const char* wrong : {"", "wrong"}) {
    options.password = base::Secret(wrong);
    thread_.OnLoop([&] { redis_.reset(); });
    Connect(options);
    EXPECT_EQ(Code(Command({"GET", "key"})), "UNAVAILABLE: not connected");
    EXPECT_FALSE(Connected());
  }
}

TEST_F(RedisTest, MoreThanTheLimitInFlightFailsAtOnce) {
  RedisForTest server;
  RedisOptions options = server.options();
  options.max_in_flight = 10;
  Connect(options);
  RedisBatch fits;
  for (int i = 0; i < 10; ++i) fits.Add({"PING"});
  EXPECT_TRUE(Many(fits).back().ok());
  fits.Add({"PING"});
  EXPECT_EQ(Code(Many(fits).front()), "UNAVAILABLE: too many in flight");
  EXPECT_TRUE(Command({"PING"}).ok());
}

Task<void> Expect(Redis& redis, std::atomic<int>* unavailable) {
  const Reply reply =
      co_await redis.Command({"BLPOP", "queue", "0"}, milliseconds(60000));
  if (absl::IsUnavailable(reply.status())) ++*unavailable;
}

TEST_F(RedisTest, DestroyedWithCommandsInFlightEndsThem) {
  RedisForTest server;
  Connect(server.options());
  ASSERT_TRUE(Command({"PING"}).ok());
  std::atomic<int> unavailable = 0;
  thread_.OnLoop([&] {
    for (int i = 0; i < 100; ++i) {
      thread_.loop().Spawn(Expect(*redis_, &unavailable));
    }
  });
  ASSERT_TRUE(Command({"CLIENT", "SETNAME", "x"}, milliseconds(1)).status() ==
              absl::DeadlineExceededError("no reply in time"));
  thread_.OnLoop([&] { redis_.reset(); });
  EXPECT_TRUE(Eventually([&] { return unavailable == 100; }));
}

struct CountsItsEnd {
  std::atomic<int>* ended;
  ~CountsItsEnd() { ++*ended; }
};

Task<void> WaitForever(Redis& redis, std::atomic<int>* ended) {
  CountsItsEnd counts{ended};
  (void)co_await redis.Command({"BLPOP", "queue", "0"}, milliseconds(60000));
}

TEST(RedisShutdownTest, StoppingTheLoopDestroysWhoWaits) {
  RedisForTest server;
  std::atomic<int> ended = 0;
  LoopThread thread;
  std::unique_ptr<Redis> redis;
  thread.OnLoop([&] {
    redis = std::make_unique<Redis>(thread.loop(), server.options());
    for (int i = 0; i < 100; ++i) {
      thread.loop().Spawn(WaitForever(*redis, &ended));
    }
  });
  ASSERT_EQ(ended, 0);
  thread.Stop();
  EXPECT_EQ(ended, 100);
  redis.reset();
}

TEST_F(RedisTest, SubscriberHearsAndComesBack) {
  RedisForTest server;
  Connect(server.options());
  std::atomic<int> connected = 0;
  std::atomic<int> heard = 0;
  std::string last;
  std::unique_ptr<RedisSubscriber> subscriber;
  thread_.OnLoop([&] {
    subscriber = std::make_unique<RedisSubscriber>(
        thread_.loop(), server.options(),
        std::vector<std::string>{"news", "other"},
        [&](std::string_view channel, std::string_view payload) {
          last = std::string(channel) + "=" + std::string(payload);
          ++heard;
        },
        [&] { ++connected; });
  });
  ASSERT_TRUE(Eventually([&] { return connected == 1; }));
  ASSERT_EQ(Command({"PUBLISH", "news", std::string("a\0b", 3)})->integer, 1);
  ASSERT_TRUE(Eventually([&] { return heard == 1; }));
  thread_.OnLoop([&] { EXPECT_EQ(last, std::string("news=a\0b", 8)); });
  EXPECT_EQ(Command({"PUBLISH", "elsewhere", "x"})->integer, 0);
  server.Restart();
  ASSERT_TRUE(Eventually([&] { return connected == 2; }));
  ASSERT_TRUE(Eventually([&] { return Command({"PING"}).ok(); }));
  ASSERT_EQ(Command({"PUBLISH", "other", "y"})->integer, 1);
  EXPECT_TRUE(Eventually([&] { return heard == 2; }));
  thread_.OnLoop([&] { subscriber.reset(); });
}

}  // namespace
}  // namespace kyc::async
