#include "deploy/kycctl/output.h"

#include <utility>

#include "absl/time/time.h"

namespace kyc::kycctl {
namespace {

std::string FormatUtc(const char* format, int64_t ms) {
  if (ms == 0) return "-";
  return absl::FormatTime(format, absl::FromUnixMillis(ms),
                          absl::UTCTimeZone());
}

}  // namespace

Flag JsonFlag() { return {"json", "", "Prints JSON.", "", false}; }

void PrintJson(const std::function<void(base::JsonWriter*)>& write,
               std::ostream& out) {
  std::string text;
  base::JsonWriter json(&text);
  write(&json);
  out << text << "\n";
}

absl::Status PrintLine(const Args& args, std::ostream& out,
                       std::string_view line,
                       const std::function<void(base::JsonWriter*)>& write) {
  if (args.IsOn("json")) {
    PrintJson(write, out);
  } else {
    out << line << "\n";
  }
  return absl::OkStatus();
}

void PrintRow(std::initializer_list<std::string_view> cells,
              std::ostream& out) {
  std::string_view space;
  for (const std::string_view cell : cells) {
    out << space << cell;
    space = "  ";
  }
  out << "\n";
}

void PrintFacts(size_t width, std::initializer_list<Fact> facts,
                std::ostream& out) {
  for (const Fact& fact : facts) {
    out << fact.name << std::string(width - fact.name.size(), ' ') << fact.value
        << "\n";
  }
}

std::string OrDash(std::string text) {
  return text.empty() ? "-" : std::move(text);
}

void WriteOrNull(std::string_view name, std::string_view text,
                 base::JsonWriter* json) {
  json->Key(name);
  if (text.empty()) {
    json->Null();
  } else {
    json->String(text);
  }
}

void WriteOrNull(std::string_view name, int64_t number,
                 base::JsonWriter* json) {
  json->Key(name);
  if (number == 0) {
    json->Null();
  } else {
    json->Int(number);
  }
}

std::string ShowTime(int64_t ms) { return FormatUtc("%Y-%m-%dT%H:%M:%SZ", ms); }

std::string ShowExactTime(int64_t ms) {
  return FormatUtc("%Y-%m-%dT%H:%M:%E3SZ", ms);
}

}  // namespace kyc::kycctl
