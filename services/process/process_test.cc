// Runs probe_for_test and looks at it from outside.
#include "services/process/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "services/base/json.h"

namespace kyc::process {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kProbe[] = "services/process/probe_for_test";
constexpr int kPatienceMs = 10'000;

struct Ended {
  int exit_code = -1;  // -1: not by exiting.
  std::string out;
  std::string err;
};

// One run of the probe, with only `variables` as its environment. Killed if
// it outlives this object.
class Probe {
 public:
  explicit Probe(std::vector<std::string> arguments,
                 std::vector<std::string> variables = {}) {
    arguments.insert(arguments.begin(), kProbe);
    int in[2];
    int out[2];
    int err[2];
    EXPECT_EQ(
        pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC) | pipe2(err, O_CLOEXEC),
        0);
    const std::vector<char*> argv = Pointers(arguments);
    const std::vector<char*> envp = Pointers(variables);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(in[0], STDIN_FILENO);
      dup2(out[1], STDOUT_FILENO);
      dup2(err[1], STDERR_FILENO);
      execve(kProbe, argv.data(), envp.data());
      _exit(127);
    }
    close(in[0]);
    close(out[1]);
    close(err[1]);
    in_ = in[1];
    out_ = out[0];
    err_ = err[0];
  }
  ~Probe() {
    if (pid_ > 0) {
      kill(pid_, SIGKILL);
      waitpid(pid_, nullptr, 0);
    }
    CloseInput();
    close(out_);
    close(err_);
  }

  pid_t pid() const { return pid_; }
  void Signal(int signal) const { kill(pid_, signal); }
  void CloseInput() {
    if (in_ >= 0) close(in_);
    in_ = -1;
  }

  // Waits for the line that says where the probe listens.
  bool Started() {
    while (admin_port == 0 && ReadMore(out_, out_text_)) {
      const size_t at = out_text_.find("admin=");
      if (at == out_text_.npos || out_text_.find('\n', at) == out_text_.npos) {
        continue;
      }
      sscanf(out_text_.c_str() + at, "admin=%d grpc=%d", &admin_port,
             &grpc_port);
    }
    return admin_port != 0;
  }

  // Waits for its end.
  Ended Wait() {
    Ended ended;
    while (ReadMore(out_, out_text_)) continue;
    while (ReadMore(err_, ended.err)) continue;
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    if (WIFEXITED(status)) ended.exit_code = WEXITSTATUS(status);
    ended.out = out_text_;
    return ended;
  }

  int admin_port = 0;
  int grpc_port = 0;

 private:
  static std::vector<char*> Pointers(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
  }

  static bool ReadMore(int fd, std::string& text) {
    pollfd wait = {.fd = fd, .events = POLLIN, .revents = 0};
    if (poll(&wait, 1, kPatienceMs) != 1) return false;
    char buffer[4096];
    const ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n <= 0) return false;
    text.append(buffer, static_cast<size_t>(n));
    return true;
  }

  pid_t pid_ = -1;
  int in_ = -1;
  int out_ = -1;
  int err_ = -1;
  std::string out_text_;
};

Ended RunProbe(std::vector<std::string> arguments,
               std::vector<std::string> variables = {}) {
  Probe probe(std::move(arguments), std::move(variables));
  return probe.Wait();
}

// The whole answer; empty if there was none.
std::string Http(int port, const std::string& request_line) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) ==
      0) {
    const std::string request =
        request_line + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    send(fd, request.data(), request.size(), MSG_NOSIGNAL);
    char buffer[4096];
    ssize_t n;
    while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0) {
      answer.append(buffer, static_cast<size_t>(n));
    }
  }
  close(fd);
  return answer;
}

// Asks for /readyz until its answer begins so, or patience ends.
std::string ReadyzUntil(int port, const std::string& begin) {
  std::string answer;
  for (int i = 0; i < kPatienceMs / 10; ++i) {
    answer = Http(port, "GET /readyz");
    if (answer.starts_with(begin)) break;
    usleep(10'000);
  }
  return answer;
}

TEST(Flags, DefaultsThenVariablesThenCommandLine) {
  EXPECT_EQ(RunProbe({"--check_config"}).out,
            "greeting=hello count=1 pause=5s polite=1\n");
  const Ended ended = RunProbe(
      {"--check_config", "--count=3"},
      {"KYC_COUNT=2", "KYC_GREETING=good day", "KYC_PAUSE=", "OTHER=1"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(ended.out, "greeting=good day count=3 pause=5s polite=1\n");
  EXPECT_EQ(RunProbe({}, {"KYC_CHECK_CONFIG=true"}).exit_code, 0);
}

TEST(Flags, TakesAbseilsSpellings) {
  EXPECT_EQ(RunProbe({"--check_config", "--count", "7", "-pause=250ms",
                      "--nopolite", "--greeting=a=b"})
                .out,
            "greeting=a=b count=7 pause=250ms polite=0\n");
  EXPECT_EQ(RunProbe({"--check_config", "--count=1", "--count=2", "--polite=0",
                      "--greeting="})
                .out,
            "greeting= count=2 pause=5s polite=0\n");
}

TEST(Flags, WrongOnesAreNamed) {
  const auto error_of = [](std::vector<std::string> arguments,
                           std::vector<std::string> variables = {}) {
    const Ended ended = RunProbe(std::move(arguments), std::move(variables));
    EXPECT_EQ(ended.exit_code, 2);
    EXPECT_EQ(ended.out, "");
    return ended.err;
  };
  EXPECT_THAT(error_of({"--greetng=x"}),
              AllOf(StartsWith("probe: --greetng: unknown flag"),
                    HasSubstr("did you mean --greeting?")));
  EXPECT_THAT(error_of({"--zzzzzzzz"}),
              AllOf(HasSubstr("--zzzzzzzz"), Not(HasSubstr("did you mean"))));
  EXPECT_THAT(error_of({"--count=many"}),
              AllOf(HasSubstr("--count"), HasSubstr("many")));
  EXPECT_THAT(error_of({"--count"}), HasSubstr("--count: a value is missing"));
  EXPECT_THAT(error_of({"--nocount"}), HasSubstr("--nocount"));
  EXPECT_THAT(error_of({"--flagfile=/etc/passwd"}), HasSubstr("--flagfile"));
  EXPECT_THAT(error_of({"--log_level=loud"}), HasSubstr("--log_level"));
  EXPECT_THAT(error_of({"extra"}), HasSubstr("extra"));
  EXPECT_THAT(error_of({"--", "--count=2"}), HasSubstr("--count=2"));
  EXPECT_THAT(error_of({}, {"KYC_COUNT=many"}), HasSubstr("KYC_COUNT"));
}

TEST(Flags, HelpAndVersion) {
  for (const char* flag : {"--help", "-h"}) {
    const Ended help = RunProbe({"--wrong", flag});
    EXPECT_EQ(help.exit_code, 0);
    EXPECT_THAT(
        help.out,
        AllOf(StartsWith("probe 0.1.0\n\nShows what a process does."),
              HasSubstr("--greeting (hello)  KYC_GREETING\n"),
              HasSubstr("a duration"), HasSubstr("--log_level (info)"),
              HasSubstr("--check_config (false)"), Not(HasSubstr("flagfile"))));
  }
  const Ended version = RunProbe({"--version"});
  EXPECT_EQ(version.exit_code, 0);
  EXPECT_EQ(version.out, "probe 0.1.0\n");
}

TEST(FailConfig, EndsWithTwoWhileThreadsRun) {
  const Ended ended = RunProbe({"--crash_with_config"});
  EXPECT_EQ(ended.exit_code, 2);
  EXPECT_THAT(ended.err, HasSubstr("--greeting: is too friendly\n"));
}

TEST(Process, PortInUseIsNamed) {
  Probe first({});
  ASSERT_TRUE(first.Started());
  const std::string grpc = "127.0.0.1:" + std::to_string(first.grpc_port);
  const Ended second = RunProbe({"--listen=" + grpc});
  EXPECT_EQ(second.exit_code, 2);
  EXPECT_THAT(second.err, HasSubstr("cannot listen on " + grpc));
}

// Everything on stderr is JSON, gRPC's own lines included.
TEST(Process, LogLinesAreJson) {
  Probe first({});
  ASSERT_TRUE(first.Started());
  Probe second({"--listen=127.0.0.1:" + std::to_string(first.grpc_port)});
  std::istringstream lines(second.Wait().err);
  bool grpc_said_something = false;
  std::vector<std::string> others;
  for (std::string line; std::getline(lines, line);) {
    const auto json = base::JsonDocument::Parse(line);
    if (!json.ok()) {
      others.push_back(line);
      continue;
    }
    EXPECT_EQ(json->root()["service"].AsString(), "probe");
    grpc_said_something |= json->root()["library"].AsString() == "grpc";
  }
  EXPECT_TRUE(grpc_said_something);
  // FailConfig's line is for a person at a terminal.
  ASSERT_EQ(others.size(), 1u);
  EXPECT_THAT(others[0], StartsWith("cannot listen on"));
}

TEST(AdminServer, AnswersAndDrains) {
  Probe probe({});
  ASSERT_TRUE(probe.Started());
  const std::string healthy = Http(probe.admin_port, "GET /healthz");
  EXPECT_THAT(healthy, StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(healthy.ends_with("\r\n\r\nok\n")) << healthy;

  const std::string ready = Http(probe.admin_port, "GET /readyz");
  EXPECT_THAT(ready, StartsWith("HTTP/1.1 200"));
  EXPECT_TRUE(
      ready.ends_with("\r\n\r\nready\nredis: ok\nkyc: down (not required)\n"))
      << ready;

  probe.Signal(SIGHUP);
  const std::string not_ready = ReadyzUntil(probe.admin_port, "HTTP/1.1 503");
  EXPECT_TRUE(not_ready.ends_with(
      "\r\n\r\nnot ready\nredis: down\nkyc: down (not required)\n"))
      << not_ready;
  probe.Signal(SIGHUP);
  EXPECT_THAT(ReadyzUntil(probe.admin_port, "HTTP/1.1 200"),
              HasSubstr("redis: ok"));

  probe.Signal(SIGTERM);
  EXPECT_THAT(ReadyzUntil(probe.admin_port, "HTTP/1.1 503"),
              AllOf(HasSubstr("not ready\n"), HasSubstr("redis: ok\n")));
  EXPECT_THAT(Http(probe.admin_port, "GET /healthz"),
              StartsWith("HTTP/1.1 200"));
  probe.CloseInput();
  const Ended ended = probe.Wait();
  EXPECT_EQ(ended.exit_code, 0);
  EXPECT_THAT(ended.err, HasSubstr("\"msg\":\"stopped\""));
}

TEST(AdminServer, InterruptEndsItToo) {
  Probe probe({});
  ASSERT_TRUE(probe.Started());
  probe.CloseInput();
  probe.Signal(SIGINT);
  EXPECT_EQ(probe.Wait().exit_code, 0);
}

TEST(AdminServer, ShowsMetrics) {
  Probe probe({});
  ASSERT_TRUE(probe.Started());
  const std::string metrics = Http(probe.admin_port, "GET /metrics");
  EXPECT_THAT(metrics, StartsWith("HTTP/1.1 200"));
  EXPECT_THAT(metrics, HasSubstr("text/plain; version=0.0.4"));
  EXPECT_THAT(metrics, HasSubstr("kyc_build_info{version=\"0.1.0\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("kyc_log_dropped_total 0\n"));
  const auto value_of = [&metrics](const std::string& name) {
    const size_t at = metrics.find("\n" + name + " ");
    EXPECT_NE(at, metrics.npos) << name;
    return at == metrics.npos ? 0.0
                              : std::stod(metrics.substr(at + name.size() + 2));
  };
  EXPECT_GT(value_of("process_resident_memory_bytes"), 1e6);
  EXPECT_LT(value_of("process_resident_memory_bytes"), 1e9);
  EXPECT_GT(value_of("process_open_fds"), 3);
  EXPECT_GT(value_of("process_cpu_seconds_total"), 0);
  const double now = static_cast<double>(time(nullptr));
  EXPECT_NEAR(value_of("process_start_time_seconds"), now, 30);
}

TEST(AdminServer, HasNothingElse) {
  Probe probe({});
  ASSERT_TRUE(probe.Started());
  const std::string missing = Http(probe.admin_port, "GET /debug");
  EXPECT_THAT(missing, StartsWith("HTTP/1.1 404"));
  EXPECT_THAT(missing, HasSubstr("application/problem+json"));
  EXPECT_THAT(missing, HasSubstr("\"status\":404"));
  EXPECT_THAT(Http(probe.admin_port, "POST /metrics"),
              AllOf(StartsWith("HTTP/1.1 405"), HasSubstr("Allow: GET, HEAD")));
}

// A core dump would hold secrets and personal data.
TEST(Process, LeavesNoCore) {
  Probe probe({});
  ASSERT_TRUE(probe.Started());
  std::ifstream limits("/proc/" + std::to_string(probe.pid()) + "/limits");
  std::stringstream text;
  text << limits.rdbuf();
  EXPECT_THAT(text.str(),
              testing::ContainsRegex("Max core file size +0 +0 +bytes"));
}

TEST(CheckListenAddress, KnowsWhatCanBeListenedOn) {
  for (const char* good : {"127.0.0.1:0", "localhost:8080", "[::1]:65535",
                           "0.0.0.0:1", "unix:/run/kyc/kyc.sock"}) {
    EXPECT_TRUE(CheckListenAddress(good).ok()) << good;
  }
  const std::string long_path = "unix:/" + std::string(107, 'x');
  for (const char* wrong :
       {"", "8080", ":8080", "localhost", "localhost:", "localhost:65536",
        "localhost:-1", "localhost:80x", "::1:80", "unix:relative",
        "unix:", long_path.c_str()}) {
    EXPECT_FALSE(CheckListenAddress(wrong).ok()) << wrong;
  }
}

}  // namespace
}  // namespace kyc::process
