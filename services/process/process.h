// What every binary of the project needs around its work: flags with
// environment fallbacks, logging, signals, the admin port and the drain.
//
//   int main(int argc, char** argv) {
//     process::Init(argc, argv, {.name = "kyc_server", .usage = "…"});
//     …check flags, build parts…
//     if (process::CheckOnly()) return 0;
//     process::AdminServer admin(…);
//     …start…
//     process::WaitForTermination();
//     …drain…
//   }
#ifndef KYC_SERVICES_PROCESS_PROCESS_H_
#define KYC_SERVICES_PROCESS_PROCESS_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace kyc::process {

struct Program {
  std::string name;              // "kyc_server"
  std::string service;           // "kyc": the `service` of every log line.
  std::string usage;             // What it does and an example, for --help.
  bool takes_arguments = false;  // Else an argument that is no flag is wrong.
};

// Parses flags: command line, then KYC_<FLAG IN UPPER CASE> for each flag the
// command line does not name (an empty variable counts as none), then
// defaults. Handles --help and --version (exit 0) and wrong flags (exit 2,
// naming the flag). Blocks SIGTERM, SIGINT and SIGHUP for WaitForTermination,
// ignores SIGPIPE, turns core dumps off, starts logging at --log_level and
// routes gRPC's own log lines into it. Works as PID 1. Call it first, before
// there is a second thread. Returns the arguments that are not flags.
std::vector<std::string> Init(int argc, char** argv, const Program& program);

// Whether --check_config was given: the caller checks and exits.
bool CheckOnly();

// Whether an address can be listened on: host:port, or unix:/path. The
// message does not name the flag; the caller knows it.
absl::Status CheckListenAddress(std::string_view address);

// Puts the flag at fault ("--name: ") before what is wrong with it.
absl::Status ForFlag(std::string_view flag, const absl::Status& status);

// The event loops to run for --threads: 0 is one for so many cores, at least
// one and at most 8.
int ThreadCount(int asked, int cores_per_loop = 1);

// Prints "<flag or file>: what is wrong" on stderr and exits with 2, also
// while other threads run.
[[noreturn]] void FailConfig(const absl::Status& status);

// The version that --version prints and kyc_build_info shows.
std::string Version();

// Waits for SIGTERM or SIGINT. SIGHUP calls `on_hup` and waits on.
void WaitForTermination(std::function<void()> on_hup = nullptr);

// One dependency as /readyz shows it: one line each.
struct Dependency {
  std::string name;
  std::function<bool()> ok;  // Thread-safe and quick.
  bool required = true;      // Else shown, but never makes it 503.
};

// The admin port: /healthz (alive), /readyz, /metrics. Nothing else is on it,
// and these are nowhere else. Runs on a loop of its own.
//
//   ready                      not ready
//   redis: ok                  redis: down
//   kyc: ok                    kyc: down (not required)
//
// Start and destroy it on one thread; the rest is thread-safe.
class AdminServer {
 public:
  // `listen` as --admin_listen.
  AdminServer(std::string listen, std::vector<Dependency> dependencies);
  ~AdminServer();

  // Binds and serves. The message names the address.
  absl::Status Start();
  // The port bound (useful with port 0); 0 for a unix socket.
  int port() const;
  // From now on /readyz is 503 whatever the dependencies say.
  void SetDraining();
  // What /readyz says.
  bool ready() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace kyc::process

#endif  // KYC_SERVICES_PROCESS_PROCESS_H_
