#include "services/base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <type_traits>
#include <vector>

#include "services/base/json.h"
#include "services/base/metrics.h"
#include "services/base/secret.h"
#include "services/base/trace.h"

namespace kyc::base {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;

static_assert(!std::is_constructible_v<LogField, const char*, Secret>);
static_assert(!std::is_constructible_v<LogField, const char*, Pii>);

// Makes stderr a pipe while it lives.
class StderrPipe {
 public:
  StderrPipe() : saved_(dup(STDERR_FILENO)) {
    int ends[2];
    EXPECT_EQ(pipe(ends), 0);
    read_end_ = ends[0];
    dup2(ends[1], STDERR_FILENO);
    close(ends[1]);
  }
  ~StderrPipe() {
    dup2(saved_, STDERR_FILENO);
    close(saved_);
    close(read_end_);
  }

  // What is in the pipe, until it has been quiet for `quiet_ms`.
  std::string Read(int quiet_ms = 0) {
    std::string text;
    char buffer[4096];
    pollfd wait = {.fd = read_end_, .events = POLLIN, .revents = 0};
    while (poll(&wait, 1, quiet_ms) == 1) {
      const ssize_t n = read(read_end_, buffer, sizeof(buffer));
      if (n <= 0) break;
      text.append(buffer, static_cast<size_t>(n));
    }
    return text;
  }

 private:
  const int saved_;
  int read_end_ = -1;
};

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  size_t begin = 0;
  for (size_t end; (end = text.find('\n', begin)) != text.npos;
       begin = end + 1) {
    lines.push_back(text.substr(begin, end - begin));
  }
  EXPECT_EQ(begin, text.size()) << "a line without its end";
  return lines;
}

TEST(Log, WritesOneJsonObjectPerLine) {
  const TraceContext trace = TraceContext::Start();
  StderrPipe pipe;
  StartLogging("kyc", LogLevel::kInfo);
  LogInfo("applicant created",
          {{"user_id", "usr_1"}, {"tries", 3}, {"size", uint16_t{65535}}},
          &trace);
  LogError("line\nbreak \"quoted\" \x01 \xff");
  StopLogging();
  const std::vector<std::string> lines = Lines(pipe.Read());
  ASSERT_EQ(lines.size(), 2u);

  const auto first = JsonDocument::Parse(lines[0]);
  ASSERT_TRUE(first.ok()) << lines[0];
  EXPECT_THAT(first->root()["ts"].StringOr(""),
              MatchesRegex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:"
                           "[0-9]{2}\\.[0-9]{3}Z"));
  EXPECT_EQ(first->root()["level"].AsString(), "info");
  EXPECT_EQ(first->root()["service"].AsString(), "kyc");
  EXPECT_EQ(first->root()["msg"].AsString(), "applicant created");
  EXPECT_EQ(first->root()["trace_id"].AsString(), trace.trace_id());
  EXPECT_EQ(first->root()["span_id"].AsString(), trace.span_id());
  EXPECT_EQ(first->root()["user_id"].AsString(), "usr_1");
  EXPECT_EQ(first->root()["tries"].AsInt(), 3);
  EXPECT_EQ(first->root()["size"].AsInt(), 65535);

  const auto second = JsonDocument::Parse(lines[1]);
  ASSERT_TRUE(second.ok()) << lines[1];
  EXPECT_EQ(second->root()["level"].AsString(), "error");
  EXPECT_EQ(second->root()["msg"].AsString(),
            "line\nbreak \"quoted\" \x01 \xEF\xBF\xBD");
  EXPECT_FALSE(second->root()["trace_id"].exists());
}

TEST(Log, LeavesOutLowerLevels) {
  StderrPipe pipe;
  StartLogging("kyc", LogLevel::kWarning);
  Log(LogLevel::kDebug, "one");
  LogInfo("two");
  LogWarning("three");
  LogError("four");
  StopLogging();
  const std::string text = pipe.Read();
  EXPECT_THAT(text, Not(HasSubstr("\"one\"")));
  EXPECT_THAT(text, Not(HasSubstr("\"two\"")));
  EXPECT_THAT(text, HasSubstr("\"warning\""));
  EXPECT_THAT(text, HasSubstr("\"four\""));
}

TEST(Log, WritesDirectlyWhileThereIsNoWriter) {
  StderrPipe pipe;
  LogInfo("before");
  EXPECT_THAT(pipe.Read(), HasSubstr("\"msg\":\"before\"}\n"));
  StartLogging("kyc", LogLevel::kInfo);
  StopLogging();
  StopLogging();
  LogInfo("after");
  EXPECT_THAT(pipe.Read(), HasSubstr("\"msg\":\"after\"}\n"));
}

TEST(Log, DoesNotWaitForMoreLines) {
  StderrPipe pipe;
  StartLogging("kyc", LogLevel::kInfo);
  LogInfo("alone");
  EXPECT_THAT(pipe.Read(2000), HasSubstr("\"alone\""));
  StopLogging();
}

TEST(Log, KeepsLinesWholeAndInOrderPerThread) {
  constexpr int kThreads = 4;
  constexpr int kLines = 500;
  StderrPipe pipe;
  StartLogging("kyc", LogLevel::kInfo);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < kLines; ++i) LogInfo("x", {{"t", t}, {"i", i}});
    });
  }
  std::string text;
  std::thread reader([&] { text = pipe.Read(1000); });
  for (std::thread& thread : threads) thread.join();
  StopLogging();
  reader.join();
  std::vector<int64_t> next(kThreads);
  for (const std::string& line : Lines(text)) {
    const auto json = JsonDocument::Parse(line);
    ASSERT_TRUE(json.ok()) << line;
    const int64_t t = json->root()["t"].AsInt().value();
    EXPECT_EQ(json->root()["i"].AsInt(), next[t]++);
  }
  EXPECT_EQ(next, std::vector<int64_t>(kThreads, kLines));
}

TEST(Log, DropsTheOldestLinesRatherThanWait) {
  constexpr int kLines = 20000;  // Far more than ring and pipe hold.
  StderrPipe pipe;
  StartLogging("kyc", LogLevel::kInfo);
  const auto begin = std::chrono::steady_clock::now();
  // Nobody reads the pipe meanwhile.
  for (int i = 0; i < kLines; ++i) LogInfo("x", {{"i", i}});
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_THAT(RenderMetrics(), Not(HasSubstr("kyc_log_dropped_total 0\n")));

  std::string text;
  std::thread reader([&] { text = pipe.Read(1000); });
  StopLogging();
  reader.join();
  const std::vector<std::string> lines = Lines(text);
  ASSERT_FALSE(lines.empty());
  EXPECT_LT(lines.size(), static_cast<size_t>(kLines));
  EXPECT_THAT(lines.back(), HasSubstr("\"i\":19999}"));
  const std::string dropped =
      "kyc_log_dropped_total " + std::to_string(kLines - lines.size()) + "\n";
  EXPECT_THAT(RenderMetrics(), HasSubstr(dropped));
}

}  // namespace
}  // namespace kyc::base
