// The smallest process of the kind: what process_test.cc runs. It prints what
// it has understood and where it listens, takes its one dependency up or down
// at SIGHUP, and drains until its input ends.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <string>

#include "absl/flags/flag.h"
#include "absl/time/time.h"
#include "services/base/log.h"
#include "services/process/grpc_process.h"
#include "services/process/process.h"

ABSL_FLAG(std::string, greeting, "hello", "a text");
ABSL_FLAG(int, count, 1, "a number");
ABSL_FLAG(absl::Duration, pause, absl::Seconds(5), "a duration");
ABSL_FLAG(bool, polite, true, "a switch");
ABSL_FLAG(bool, crash_with_config, false, "end through FailConfig");
ABSL_FLAG(std::string, listen, "127.0.0.1:0", "gRPC address");
ABSL_FLAG(std::string, admin_listen, "127.0.0.1:0", "admin address");

namespace kyc::process {
namespace {

int Run() {
  std::printf("greeting=%s count=%d pause=%s polite=%d\n",
              absl::GetFlag(FLAGS_greeting).c_str(), absl::GetFlag(FLAGS_count),
              absl::FormatDuration(absl::GetFlag(FLAGS_pause)).c_str(),
              absl::GetFlag(FLAGS_polite));
  if (CheckOnly()) return 0;

  std::atomic<bool> up{true};
  GrpcServer grpc(absl::GetFlag(FLAGS_listen), {}, /*reflection=*/false);
  AdminServer admin(
      absl::GetFlag(FLAGS_admin_listen),
      {{.name = "redis", .ok = [&up] { return up.load(); }},
       {.name = "kyc", .ok = [] { return false; }, .required = false}});
  if (absl::Status started = grpc.Start(); !started.ok()) FailConfig(started);
  if (absl::Status started = admin.Start(); !started.ok()) FailConfig(started);
  if (absl::GetFlag(FLAGS_crash_with_config)) {
    FailConfig(absl::InvalidArgumentError("--greeting: is too friendly"));
  }
  std::printf("admin=%d grpc=%d\n", admin.port(), grpc.port());
  std::fflush(stdout);
  base::LogInfo("started");
  WaitForTermination([&up] { up = !up; });

  admin.SetDraining();
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
  grpc.Drain(std::chrono::seconds(1));
  base::LogInfo("stopped");
  return 0;
}

}  // namespace
}  // namespace kyc::process

int main(int argc, char** argv) {
  kyc::process::Init(
      argc, argv,
      {.name = "probe",
       .service = "probe",
       .usage = "Shows what a process does.\n\n  probe --count=2"});
  return kyc::process::Run();
}
