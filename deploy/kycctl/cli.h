// The frame of kycctl: a table of commands, their flags, help and exit codes.
//
// A command is one row; adding one means adding a row:
//
//   kycctl [--flag=value…] WORD [WORD] [ARGUMENT…] [--flag=value…]
//
// Flags may stand anywhere, as --name=value or --name value; the last one
// wins. A flag the line does not name is taken from the environment variable
// KYC_<NAME IN UPPER CASE>, then from its default.
#ifndef KYC_DEPLOY_KYCCTL_CLI_H_
#define KYC_DEPLOY_KYCCTL_CLI_H_

#include <functional>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"

namespace kyc::kycctl {

// What a shell sees.
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;  // The command could not do its work.
inline constexpr int kExitUsage = 2;   // The line is wrong; nothing was done.

struct Flag {
  std::string name;  // Without dashes.
  std::string hint;  // "PATH"; "" makes it a switch.
  std::string help;
  std::string default_value;  // Of a switch "" is off.
  bool required = false;
};

// The flags and arguments of one run, complete and known to be allowed.
class Args {
 public:
  Args(std::map<std::string, std::string, std::less<>> flags,
       std::vector<std::string> positional)
      : flags_(std::move(flags)), positional_(std::move(positional)) {}

  // A flag of the command; "" where it has neither value nor default.
  const std::string& Get(std::string_view flag) const;
  bool IsOn(std::string_view flag) const { return Get(flag) == "true"; }
  const std::vector<std::string>& positional() const { return positional_; }

 private:
  std::map<std::string, std::string, std::less<>> flags_;
  std::vector<std::string> positional_;
};

struct Command {
  std::string words;    // "token mint"
  std::string summary;  // One line.
  std::vector<std::string> examples;
  std::vector<Flag> flags;
  // Names; those in brackets, which stand last, may be left out.
  std::vector<std::string> arguments;
  // Prints its result to `out`. INVALID_ARGUMENT means a wrong flag's value
  // (exit code 2), any other error a failure (1); the message goes to stderr.
  std::function<absl::Status(const Args& args, std::ostream& out)> run;
};

// Runs one line, `argv` without the program's name; returns the exit code.
int RunCli(const std::vector<Command>& commands,
           const std::vector<std::string>& argv, std::ostream& out,
           std::ostream& err);

}  // namespace kyc::kycctl

#endif  // KYC_DEPLOY_KYCCTL_CLI_H_
