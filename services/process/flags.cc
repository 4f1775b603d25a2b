#include "services/process/flags.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <numeric>
#include <optional>
#include <set>

#include "absl/flags/reflection.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace kyc::process {
namespace {

using FlagMap = std::map<std::string, absl::CommandLineFlag*, std::less<>>;

// The project's flags; libraries bring their own.
const FlagMap& Flags() {
  static const FlagMap& flags = *[] {
    auto* found = new FlagMap;
    for (const auto& [name, flag] : absl::GetAllFlags()) {
      if (!absl::StrContains(flag->Filename(), "absl/")) {
        found->emplace(std::string(name), flag);
      }
    }
    return found;
  }();
  return flags;
}

absl::CommandLineFlag* Find(std::string_view name) {
  const auto flag = Flags().find(name);
  return flag == Flags().end() ? nullptr : flag->second;
}

std::string VariableOf(const std::string& name) {
  return "KYC_" + absl::AsciiStrToUpper(name);
}

// Levenshtein's.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] != b[j - 1] ? 1 : 0);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

absl::Status UnknownFlag(std::string_view name) {
  std::string message = absl::StrCat("--", std::string(name), ": unknown flag");
  // Long garbage is nobody's misspelling, and costs time to compare.
  if (name.size() <= 64) {
    size_t best = std::max<size_t>(2, name.size() / 3) + 1;
    std::string_view nearest;
    for (const auto& [known, flag] : Flags()) {
      const size_t distance = Distance(name, known);
      if (distance < best) {
        best = distance;
        nearest = known;
      }
    }
    if (!nearest.empty()) {
      absl::StrAppend(&message, "; did you mean --", std::string(nearest), "?");
    }
  }
  absl::StrAppend(&message, " (--help lists all flags)");
  return absl::InvalidArgumentError(message);
}

absl::Status Set(absl::CommandLineFlag& flag, const std::string& source,
                 std::string_view value) {
  std::string error;
  if (flag.ParseFrom(absl::string_view(value.data(), value.size()), &error)) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(absl::StrCat(source, ": ", error));
}

// The flag that --no<name> turns off, or nullptr.
absl::CommandLineFlag* FindNegated(std::string_view name) {
  if (!name.starts_with("no")) return nullptr;
  absl::CommandLineFlag* const flag = Find(name.substr(2));
  return flag != nullptr && flag->IsOfType<bool>() ? flag : nullptr;
}

// Sets what one "--name", "--name=value" or "--name value" says. Returns
// whether `next` was taken for the value.
absl::StatusOr<bool> SetOne(std::string_view text,
                            std::optional<std::string_view> next,
                            std::set<std::string>& named) {
  const size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  absl::CommandLineFlag* flag = Find(name);
  std::string_view value = "true";
  bool took_next = false;
  if (flag == nullptr && equals == text.npos) {
    flag = FindNegated(name);
    value = "false";
  }
  if (flag == nullptr) return UnknownFlag(name);
  if (equals != text.npos) {
    value = text.substr(equals + 1);
  } else if (!flag->IsOfType<bool>()) {
    if (!next.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat("--", std::string(name), ": a value is missing"));
    }
    value = *next;
    took_next = true;
  }
  named.emplace(flag->Name());
  const absl::Status set = Set(*flag, absl::StrCat("--", flag->Name()), value);
  if (!set.ok()) return set;
  return took_next;
}

absl::Status ReadVariables(const std::set<std::string>& named) {
  for (const auto& [name, flag] : Flags()) {
    if (named.contains(name)) continue;
    const std::string variable = VariableOf(name);
    const char* const value = std::getenv(variable.c_str());
    if (value == nullptr || *value == '\0') continue;
    if (absl::Status set = Set(*flag, variable, value); !set.ok()) return set;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CommandLine> ParseFlags(
    const std::vector<std::string_view>& arguments) {
  CommandLine line;
  const auto flags_end =
      std::find(arguments.begin(), arguments.end(), std::string_view("--"));
  for (auto text = arguments.begin(); text != flags_end; ++text) {
    line.help |= *text == "--help" || *text == "-h";
    line.version |= *text == "--version";
  }
  if (line.help || line.version) return line;

  std::set<std::string> named;
  for (auto text = arguments.begin(); text != flags_end; ++text) {
    if (!text->starts_with('-') || *text == "-") {
      line.arguments.emplace_back(*text);
      continue;
    }
    const auto next = text + 1;
    const absl::StatusOr<bool> took_next =
        SetOne(text->substr(text->starts_with("--") ? 2 : 1),
               next != flags_end ? std::optional(*next) : std::nullopt, named);
    if (!took_next.ok()) return took_next.status();
    if (*took_next) ++text;
  }
  if (flags_end != arguments.end()) {
    line.arguments.insert(line.arguments.end(), flags_end + 1, arguments.end());
  }
  if (absl::Status read = ReadVariables(named); !read.ok()) return read;
  return line;
}

std::string DescribeFlags() {
  std::string text;
  for (const auto& [name, flag] : Flags()) {
    const std::string value = flag->DefaultValue();
    absl::StrAppend(&text, "  --", name,
                    value.empty() ? "" : absl::StrCat(" (", value, ")"), "  ",
                    VariableOf(name), "\n      ", flag->Help(), "\n");
  }
  return text;
}

}  // namespace kyc::process
