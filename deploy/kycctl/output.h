// What the commands print: text for people or, with --json, JSON.
//
// How a kind of result looks is said once, by its Format. A command makes its
// call (rpc.h) and prints the answer:
//
//   constexpr Format<v1::Delivery> kDelivery{WriteDelivery, ShowDelivery};
//
//   return Print(args, out, kDelivery,
//                Connect(args).Call(&Stub::ResendDelivery, request));
//
// or, where there are many, adds them as they come:
//
//   ListPrinter list(args, out, kDelivery);
//   RETURN_IF_ERROR(Connect(args).ForEachPage(
//       &Stub::…, request,
//       [&](const auto& page) { list.Add(page.deliveries()); }));
//   return list.End();
//
// Text is printed at once. JSON is one value in one line, and printed whole or
// not at all: a program that reads it never sees the half of it.
#ifndef KYC_DEPLOY_KYCCTL_OUTPUT_H_
#define KYC_DEPLOY_KYCCTL_OUTPUT_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <ostream>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "deploy/kycctl/cli.h"
#include "services/base/json.h"
#include "services/base/status_macros.h"

namespace kyc::kycctl {

// --json, of every command that prints a result in both ways.
Flag JsonFlag();

// How a result looks.
template <typename T>
struct Format {
  void (*json)(const T& result, base::JsonWriter* json);  // One value.
  void (*text)(const T& result, std::ostream& out);       // Whole lines.
};

// Prints the JSON that `write` writes.
void PrintJson(const std::function<void(base::JsonWriter*)>& write,
               std::ostream& out);

// Prints what a call gave; its error is passed on.
template <typename T>
absl::Status Print(const Args& args, std::ostream& out, const Format<T>& format,
                   const absl::StatusOr<T>& result) {
  RETURN_IF_ERROR(result.status());
  if (args.IsOn("json")) {
    PrintJson([&](base::JsonWriter* json) { format.json(*result, json); }, out);
  } else {
    format.text(*result, out);
  }
  return absl::OkStatus();
}

// Prints a result that is one line of text, or the JSON that `write` writes.
absl::Status PrintLine(const Args& args, std::ostream& out,
                       std::string_view line,
                       const std::function<void(base::JsonWriter*)>& write);

// Prints a list: the lines of each item, or one array.
template <typename T>
class ListPrinter {
 public:
  ListPrinter(const Args& args, std::ostream& out, const Format<T>& format)
      : as_json_(args.IsOn("json")),
        out_(out),
        format_(format),
        json_(&array_) {
    json_.BeginArray();
  }

  template <typename Items>
  void Add(const Items& items) {
    for (const T& item : items) {
      if (as_json_) {
        format_.json(item, &json_);
      } else {
        format_.text(item, out_);
      }
    }
  }

  // To be called last, where no call failed.
  absl::Status End() {
    json_.EndArray();
    if (as_json_) out_ << array_ << "\n";
    return absl::OkStatus();
  }

 private:
  const bool as_json_;
  std::ostream& out_;
  const Format<T> format_;
  std::string array_;
  base::JsonWriter json_;
};

// A line of a table: cells, two spaces apart.
void PrintRow(std::initializer_list<std::string_view> cells, std::ostream& out);

// A table of names and values, the values beginning in column `width`, which
// is more than a name has.
struct Fact {
  std::string_view name;
  std::string value;
};
void PrintFacts(size_t width, std::initializer_list<Fact> facts,
                std::ostream& out);

// What is not known: "-" in text, null in JSON.
std::string OrDash(std::string text);
void WriteOrNull(std::string_view name, std::string_view text,
                 base::JsonWriter* json);
void WriteOrNull(std::string_view name, int64_t number, base::JsonWriter* json);

// A time in UTC, to the second or to the millisecond; "-" for 0.
std::string ShowTime(int64_t ms);
std::string ShowExactTime(int64_t ms);

}  // namespace kyc::kycctl

#endif  // KYC_DEPLOY_KYCCTL_OUTPUT_H_
