#include "services/process/process.h"

#include <grpc/support/log.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>

#include "absl/flags/flag.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "services/base/log.h"
#include "services/base/version.h"
#include "services/process/flags.h"

ABSL_FLAG(bool, check_config, false,
          "check flags and files, bind no port, and exit");
ABSL_FLAG(std::string, log_level, "info",
          "least level that is logged: debug, info, warning or error");

namespace kyc::process {
namespace {

constexpr int kWrongUsage = 2;
// sockaddr_un's path, with its NUL.
constexpr size_t kMaxUnixPath = 107;

std::optional<base::LogLevel> ParseLogLevel(std::string_view name) {
  if (name == "debug") return base::LogLevel::kDebug;
  if (name == "info") return base::LogLevel::kInfo;
  if (name == "warning") return base::LogLevel::kWarning;
  if (name == "error") return base::LogLevel::kError;
  return std::nullopt;
}

[[noreturn]] void FailUsage(const Program& program, std::string_view message) {
  std::fprintf(stderr, "%s: %.*s\n", program.name.c_str(),
               static_cast<int>(message.size()), message.data());
  std::exit(kWrongUsage);
}

[[noreturn]] void PrintHelp(const Program& program) {
  std::printf(
      "%s %s\n\n%s\n\n"
      "Flags, with their (defaults) and environment variables; what the\n"
      "command line says wins over the variable:\n\n%s",
      program.name.c_str(), Version().c_str(), program.usage.c_str(),
      DescribeFlags().c_str());
  std::exit(EXIT_SUCCESS);
}

sigset_t TerminationSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  return signals;
}

// Threads inherit the mask, so only WaitForTermination sees these signals.
void SetUpSignals() {
  const sigset_t signals = TerminationSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

// A core would hold secrets and personal data.
void TurnCoreDumpsOff() {
  const rlimit none = {.rlim_cur = 0, .rlim_max = 0};
  setrlimit(RLIMIT_CORE, &none);
}

void LogForGrpc(gpr_log_func_args* line) {
  base::LogLevel level = base::LogLevel::kError;
  if (line->severity == GPR_LOG_SEVERITY_DEBUG) level = base::LogLevel::kDebug;
  if (line->severity == GPR_LOG_SEVERITY_INFO) level = base::LogLevel::kInfo;
  std::string_view file = line->file;
  file.remove_prefix(std::min(file.rfind('/') + 1, file.size()));
  base::Log(level, line->message,
            {{"library", "grpc"}, {"file", file}, {"line", line->line}});
}

}  // namespace

std::vector<std::string> Init(int argc, char** argv, const Program& program) {
  absl::StatusOr<CommandLine> line = ParseFlags(
      std::vector<std::string_view>(argv + std::min(argc, 1), argv + argc));
  if (!line.ok()) FailUsage(program, std::string(line.status().message()));
  if (line->help) PrintHelp(program);
  if (line->version) {
    std::printf("%s %s\n", program.name.c_str(), Version().c_str());
    std::exit(EXIT_SUCCESS);
  }
  if (!program.takes_arguments && !line->arguments.empty()) {
    FailUsage(program,
              absl::StrCat(line->arguments.front(),
                           ": not a flag (flags are written --name=value)"));
  }
  const std::optional<base::LogLevel> level =
      ParseLogLevel(absl::GetFlag(FLAGS_log_level));
  if (!level.has_value()) {
    FailUsage(program, "--log_level: must be debug, info, warning or error");
  }

  SetUpSignals();
  TurnCoreDumpsOff();
  base::StartLogging(program.service, *level);
  gpr_set_log_function(LogForGrpc);
  // Debian's Abseil looks for lock cycles at every lock that gRPC takes.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return std::move(line->arguments);
}

bool CheckOnly() { return absl::GetFlag(FLAGS_check_config); }

absl::Status CheckListenAddress(std::string_view address) {
  constexpr std::string_view kUnix = "unix:";
  if (address.starts_with(kUnix)) {
    address.remove_prefix(kUnix.size());
    if (!address.starts_with('/')) {
      return absl::InvalidArgumentError("unix: needs an absolute path");
    }
    if (address.size() > kMaxUnixPath) {
      return absl::InvalidArgumentError(absl::StrCat(
          "a unix socket's path has at most ", kMaxUnixPath, " bytes"));
    }
    return absl::OkStatus();
  }
  const size_t colon = address.rfind(':');
  if (colon == address.npos || colon == 0) {
    return absl::InvalidArgumentError("must be host:port or unix:/path");
  }
  const std::string_view host = address.substr(0, colon);
  if (host.find(':') != host.npos &&
      !(host.starts_with('[') && host.ends_with(']'))) {
    return absl::InvalidArgumentError(
        "an IPv6 address is written in brackets: [::1]:8080");
  }
  const char* const end = address.data() + address.size();
  int port = -1;
  const auto [stop, error] =
      std::from_chars(address.data() + colon + 1, end, port);
  if (error != std::errc() || stop != end || port < 0 || port > 65535) {
    return absl::InvalidArgumentError("the port must be from 0 to 65535");
  }
  return absl::OkStatus();
}

absl::Status ForFlag(std::string_view flag, const absl::Status& status) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("--", std::string(flag), ": ",
                                                  status.message()));
}

int ThreadCount(int asked, int cores_per_loop) {
  if (asked > 0) return std::min(asked, 64);
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  return std::clamp(cores / cores_per_loop, 1, 8);
}

void FailConfig(const absl::Status& status) {
  base::StopLogging();
  const std::string line = absl::StrCat(status.message(), "\n");
  std::fputs(line.c_str(), stderr);
  // Not exit(): destructors of statics would run under the other threads.
  _exit(kWrongUsage);
}

std::string Version() { return base::kVersion; }

void WaitForTermination(std::function<void()> on_hup) {
  const sigset_t signals = TerminationSignals();
  while (true) {
    const int signal = sigwaitinfo(&signals, nullptr);
    if (signal == SIGHUP && on_hup) on_hup();
    if (signal == SIGTERM || signal == SIGINT) return;
  }
}

}  // namespace kyc::process
