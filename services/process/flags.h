// The command line and the environment, onto the flags this project defines.
//
// Abseil's own parser ends the process with 1, knows nothing of variables and
// adds flags of its own, so the flags are set one by one here.
#ifndef KYC_SERVICES_PROCESS_FLAGS_H_
#define KYC_SERVICES_PROCESS_FLAGS_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kyc::process {

struct CommandLine {
  bool help = false;                   // --help or -h
  bool version = false;                // --version
  std::vector<std::string> arguments;  // What is not a flag.
};

// Sets the flags; `arguments` without the program's name. The last of several
// values wins. INVALID_ARGUMENT names the flag or the variable at fault.
// With help or version nothing is set and nothing can be wrong.
absl::StatusOr<CommandLine> ParseFlags(
    const std::vector<std::string_view>& arguments);

// One paragraph per flag: name, default, variable and meaning.
std::string DescribeFlags();

}  // namespace kyc::process

#endif  // KYC_SERVICES_PROCESS_FLAGS_H_
