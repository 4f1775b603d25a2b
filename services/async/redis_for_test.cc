#include "services/async/redis_for_test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

namespace kyc::async {
namespace {

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::abort();
}

int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  if (bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    Die("free port");
  }
  close(fd);
  return ntohs(address.sin_port);
}

}  // namespace

RedisForTest::RedisForTest(Settings settings) : settings_(std::move(settings)) {
  // Not TEST_TMPDIR: the path of a unix socket must be short.
  char name[] = "/tmp/kyc_redis_XXXXXX";
  if (mkdtemp(name) == nullptr) Die("mkdtemp");
  directory_ = name;
  port_ = FreePort();
  Start();
}

RedisForTest::~RedisForTest() {
  Kill();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string RedisForTest::url() const {
  return "redis://127.0.0.1:" + std::to_string(port_) + "/0";
}

RedisOptions RedisForTest::tcp_options() const {
  RedisOptions options;
  options.port = port_;
  options.password = base::Secret(settings_.password);
  return options;
}

RedisOptions RedisForTest::options() const {
  RedisOptions options;
  options.unix_path = directory_ + "/socket";
  options.password = base::Secret(settings_.password);
  return options;
}

void RedisForTest::Kill() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void RedisForTest::Restart() {
  Kill();
  Start();
}

void RedisForTest::Freeze() {
  kill(pid_, SIGSTOP);
  int status = 0;
  if (waitpid(pid_, &status, WUNTRACED) != pid_ || !WIFSTOPPED(status)) {
    Die("freeze");
  }
}

void RedisForTest::Thaw() { kill(pid_, SIGCONT); }

void RedisForTest::Start() {
  std::vector<std::string> words = {"redis-server",
                                    "--port",
                                    std::to_string(port_),
                                    "--bind",
                                    "127.0.0.1",
                                    "--unixsocket",
                                    directory_ + "/socket",
                                    "--dir",
                                    directory_,
                                    "--save",
                                    "",
                                    "--appendonly",
                                    settings_.append_only ? "yes" : "no",
                                    "--appendfsync",
                                    "always",
                                    "--logfile",
                                    directory_ + "/log"};
  if (!settings_.password.empty()) {
    words.insert(words.end(), {"--requirepass", settings_.password});
  }
  words.insert(words.end(), settings_.arguments.begin(),
               settings_.arguments.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  std::filesystem::remove(directory_ + "/socket");
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ == 0) {
    // Dies with the test, also when that crashes.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    execv("/usr/bin/redis-server", arguments.data());
    _exit(127);
  }
  if (pid_ < 0) Die("fork");
  const auto limit =
      std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!Answers()) {
    if (waitpid(pid_, nullptr, WNOHANG) != 0 ||
        std::chrono::steady_clock::now() > limit) {
      Die("redis-server did not start");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

// Whether it has loaded its data and answers.
bool RedisForTest::Answers() const {
  const int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, (directory_ + "/socket").c_str(),
               sizeof(address.sun_path) - 1);
  const timeval patience{2, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  char answer[16] = {};
  const bool answered = connect(fd, reinterpret_cast<sockaddr*>(&address),
                                sizeof(address)) == 0 &&
                        write(fd, "PING\r\n", 6) == 6 &&
                        read(fd, answer, sizeof(answer)) > 6;
  close(fd);
  const std::string_view text(answer, sizeof(answer));
  return answered &&
         (text.substr(0, 5) == "+PONG" || text.substr(0, 7) == "-NOAUTH");
}

}  // namespace kyc::async
