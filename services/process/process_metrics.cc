#include "services/process/process_metrics.h"

#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <system_error>

#include "services/base/metrics.h"
#include "services/process/process.h"

namespace kyc::process {
namespace {

double Seconds(clockid_t clock) {
  timespec time = {};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) +
         static_cast<double>(time.tv_nsec) / 1e9;
}

// proc(5): statm is "size resident …" in pages.
double ResidentBytes() {
  std::ifstream file("/proc/self/statm");
  double size = 0;
  double resident = 0;
  file >> size >> resident;
  return resident * static_cast<double>(sysconf(_SC_PAGESIZE));
}

double OpenFds() {
  std::error_code error;
  // One of them is the listing's own.
  double count = -1;
  for (std::filesystem::directory_iterator entry("/proc/self/fd", error), end;
       !error && entry != end; entry.increment(error)) {
    ++count;
  }
  return count < 0 ? 0 : count;
}

// proc(5): the 22nd field of stat is the start in ticks since boot. The 2nd,
// in parentheses, may hold anything.
double StartTime() {
  std::ifstream file("/proc/self/stat");
  std::string skipped;
  file.ignore(std::numeric_limits<std::streamsize>::max(), ')');
  for (int field = 3; field < 22; ++field) file >> skipped;
  double ticks = 0;
  file >> ticks;
  const double since_boot = ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
  return Seconds(CLOCK_REALTIME) - Seconds(CLOCK_BOOTTIME) + since_boot;
}

}  // namespace

void ExportProcessMetrics() {
  using enum base::MetricKind;
  base::ExportValue(kGauge, "process_resident_memory_bytes",
                    "Resident memory size in bytes.", ResidentBytes);
  base::ExportValue(kGauge, "process_open_fds",
                    "Number of open file descriptors.", OpenFds);
  base::ExportValue(kCounter, "process_cpu_seconds_total",
                    "User and system CPU time spent in seconds.",
                    [] { return Seconds(CLOCK_PROCESS_CPUTIME_ID); });
  base::ExportValue(kGauge, "process_start_time_seconds",
                    "Start time of the process since the epoch in seconds.",
                    [start = StartTime()] { return start; });
  base::GetGauge("kyc_build_info", "The version, as a label; always 1.",
                 {{"version", Version()}})
      ->Set(1);
}

}  // namespace kyc::process
