#include "deploy/kycctl/cli.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <optional>
#include <ostream>
#include <set>
#include <utility>

#include "services/base/version.h"

namespace kyc::kycctl {
namespace {

// Changes of one letter that lead from `a` to `b` (Levenshtein).
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t changed = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j],
                               std::min({changed, row[j] + 1, row[j - 1] + 1}));
    }
  }
  return row[b.size()];
}

// The nearest of `known`, or "" where none is near.
std::string Nearest(std::string_view text,
                    const std::vector<std::string>& known) {
  std::string best;
  size_t best_distance = std::max<size_t>(2, text.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const size_t distance = Distance(text, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

// "text: did you mean 'x'?" with the hint only where there is one.
int UsageError(std::ostream& err, std::string_view text,
               std::string_view suggestion) {
  err << "kycctl: " << text << "\n";
  if (!suggestion.empty()) err << "Did you mean '" << suggestion << "'?\n";
  err << "See kycctl --help.\n";
  return kExitUsage;
}

void PrintHelp(const std::vector<Command>& commands, std::ostream& out) {
  out << "Examples:\n";
  for (const Command& command : commands) {
    for (const std::string& example : command.examples) {
      out << "  " << example << "\n";
    }
  }
  out << "\nkycctl is the operator's command of the KYC service.\n"
         "\nCommands:\n";
  size_t width = 0;
  for (const Command& command : commands) {
    width = std::max(width, command.words.size());
  }
  for (const Command& command : commands) {
    out << "  " << command.words
        << std::string(width + 2 - command.words.size(), ' ') << command.summary
        << "\n";
  }
  out << "\nkycctl COMMAND --help shows a command's flags. A flag may also "
         "come from\nthe environment as KYC_<FLAG IN UPPER CASE>.\n"
         "Exit codes: 0 done, 1 failed, 2 wrong usage.\n";
}

void PrintCommandHelp(const Command& command, std::ostream& out) {
  out << "Examples:\n";
  for (const std::string& example : command.examples) {
    out << "  " << example << "\n";
  }
  out << "\nkycctl " << command.words;
  for (const std::string& argument : command.arguments) out << " " << argument;
  out << ": " << command.summary << "\n";
  if (!command.flags.empty()) out << "\nFlags:\n";
  for (const Flag& flag : command.flags) {
    out << "  --" << flag.name;
    if (!flag.hint.empty()) out << "=" << flag.hint;
    out << "\n      " << flag.help;
    if (flag.required) out << " Required.";
    if (!flag.default_value.empty()) {
      out << " Default: " << flag.default_value << ".";
    }
    out << "\n";
  }
}

// A line cut into its words and its flags, before the command is known.
struct Line {
  std::vector<std::string> words;
  std::vector<std::pair<std::string, std::string>> flags;
  bool help = false;
};

const Flag* FindFlag(const std::vector<Flag>& flags, std::string_view name) {
  for (const Flag& flag : flags) {
    if (flag.name == name) return &flag;
  }
  return nullptr;
}

// Whether some command has a flag of that name that takes a value.
bool TakesValue(const std::vector<Command>& commands, std::string_view name) {
  return std::any_of(commands.begin(), commands.end(), [&](const Command& c) {
    const Flag* flag = FindFlag(c.flags, name);
    return flag != nullptr && !flag->hint.empty();
  });
}

std::optional<std::string> ParseLine(const std::vector<Command>& commands,
                                     const std::vector<std::string>& argv,
                                     Line* line) {
  bool only_words = false;
  for (size_t i = 0; i < argv.size(); ++i) {
    const std::string& word = argv[i];
    if (only_words || !word.starts_with("-") || word == "-") {
      line->words.push_back(word);
    } else if (word == "--") {
      only_words = true;
    } else if (word == "--help" || word == "-h") {
      line->help = true;
    } else if (!word.starts_with("--")) {
      return "flags begin with two dashes: " + word;
    } else if (const size_t equals = word.find('=');
               equals != std::string::npos) {
      line->flags.emplace_back(word.substr(2, equals - 2),
                               word.substr(equals + 1));
    } else if (!TakesValue(commands, word.substr(2))) {
      line->flags.emplace_back(word.substr(2), "true");
    } else if (i + 1 < argv.size()) {
      line->flags.emplace_back(word.substr(2), argv[++i]);
    } else {
      return "a value is missing after " + word;
    }
  }
  return std::nullopt;
}

size_t WordCount(std::string_view words) {
  return std::count(words.begin(), words.end(), ' ') + 1;
}

std::string Join(const std::vector<std::string>& words, size_t count) {
  std::string out;
  for (size_t i = 0; i < std::min(count, words.size()); ++i) {
    if (i > 0) out += ' ';
    out += words[i];
  }
  return out;
}

const Command* FindCommand(const std::vector<Command>& commands,
                           const std::vector<std::string>& words) {
  for (const Command& command : commands) {
    if (Join(words, WordCount(command.words)) == command.words) {
      return &command;
    }
  }
  return nullptr;
}

std::string EnvironmentName(std::string_view flag) {
  std::string name = "KYC_";
  for (const char c : flag) {
    name.push_back(
        static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  }
  return name;
}

std::map<std::string, std::string, std::less<>> FlagValues(
    const Command& command, const Line& line) {
  std::map<std::string, std::string, std::less<>> values;
  for (const Flag& flag : command.flags) {
    const char* set = std::getenv(EnvironmentName(flag.name).c_str());
    values[flag.name] = set != nullptr ? set : flag.default_value;
  }
  for (const auto& [name, value] : line.flags) values[name] = value;
  return values;
}

}  // namespace

const std::string& Args::Get(std::string_view flag) const {
  static const auto* const none = new std::string();
  const auto found = flags_.find(flag);
  return found == flags_.end() ? *none : found->second;
}

int RunCli(const std::vector<Command>& commands,
           const std::vector<std::string>& argv, std::ostream& out,
           std::ostream& err) {
  Line line;
  if (const auto wrong = ParseLine(commands, argv, &line)) {
    return UsageError(err, *wrong, "");
  }
  if (line.words.empty()) {
    if (!line.flags.empty() && line.flags[0].first == "version") {
      out << "kycctl " << base::kVersion << "\n";
      return kExitOk;
    }
    if (line.help) {
      PrintHelp(commands, out);
      return kExitOk;
    }
    return UsageError(err, "a command is missing", "");
  }
  const Command* command = FindCommand(commands, line.words);
  if (command == nullptr) {
    std::vector<std::string> known;
    for (const Command& each : commands) known.push_back(each.words);
    const std::string given = Join(line.words, 2);
    return UsageError(err, "unknown command '" + given + "'",
                      Nearest(given, known));
  }
  if (line.help) {
    PrintCommandHelp(*command, out);
    return kExitOk;
  }
  for (const auto& [name, value] : line.flags) {
    const Flag* flag = FindFlag(command->flags, name);
    if (flag == nullptr) {
      std::vector<std::string> known;
      for (const Flag& each : command->flags) known.push_back(each.name);
      const std::string nearest = Nearest(name, known);
      return UsageError(err,
                        "kycctl " + command->words + " has no flag --" + name,
                        nearest.empty() ? "" : "--" + nearest);
    }
    if (flag->hint.empty() && value != "true" && value != "false") {
      return UsageError(err, "--" + name + " is a switch", "");
    }
  }
  const std::vector<std::string> arguments(
      line.words.begin() + WordCount(command->words), line.words.end());
  const auto required = static_cast<size_t>(std::count_if(
      command->arguments.begin(), command->arguments.end(),
      [](const std::string& name) { return !name.starts_with("["); }));
  if (arguments.size() < required ||
      arguments.size() > command->arguments.size()) {
    return UsageError(err,
                      "kycctl " + command->words + " takes " +
                          std::to_string(command->arguments.size()) +
                          " argument(s), not " +
                          std::to_string(arguments.size()),
                      "");
  }
  const Args args(FlagValues(*command, line), arguments);
  for (const Flag& flag : command->flags) {
    if (flag.required && args.Get(flag.name).empty()) {
      return UsageError(
          err, "kycctl " + command->words + " needs --" + flag.name, "");
    }
  }
  const absl::Status status = command->run(args, out);
  if (status.ok()) return kExitOk;
  err << "kycctl: " << std::string(status.message()) << "\n";
  return absl::IsInvalidArgument(status) ? kExitUsage : kExitFailed;
}

}  // namespace kyc::kycctl
