// A Content-Type on the first line, then a body: however it is cut into
// pieces, the same parts come out, within their bounds.
#include "gateway/http/multipart.h"

#include <string>
#include <vector>

#include "tests/fuzz/check.h"

namespace kyc::fuzz {
namespace {

using gateway::MultipartParser;
using Event = MultipartParser::Event;

struct Outcome {
  absl::Status status;
  // Names, types and bodies of the parts that ended.
  std::vector<std::string> parts;
  bool operator==(const Outcome&) const = default;
};

template <typename NextSize>
Outcome Parse(const std::string& boundary, std::string_view body,
              NextSize next_size) {
  Outcome outcome;
  MultipartParser parser(boundary);
  std::string part;
  bool open = false;
  while (!body.empty()) {
    // A copy of its own, so that a sanitizer sees who keeps a view of it.
    const std::string piece(body.substr(0, next_size()));
    body.remove_prefix(piece.size());
    std::string_view rest = piece;
    while (true) {
      const absl::StatusOr<Event> event = parser.Next(&rest);
      if (!event.ok()) {
        outcome.status = event.status();
        FUZZ_CHECK(absl::IsInvalidArgument(outcome.status));
        FUZZ_CHECK(parser.Finish() == outcome.status);
        return outcome;
      }
      if (*event == Event::kNeedMore) {
        FUZZ_CHECK(rest.empty());
        break;
      }
      if (*event == Event::kPart) {
        FUZZ_CHECK(!open);
        open = true;
        const MultipartParser::Part& head = parser.part();
        FUZZ_CHECK(!head.name.empty());
        part = head.name + "|" + head.file_name.value_or("-") + "|" +
               head.content_type.value_or("-") + "|";
        FUZZ_CHECK(part.size() < MultipartParser::kMaxHeadBytes);
      } else if (*event == Event::kData) {
        FUZZ_CHECK(open && !parser.data().empty());
        part.append(parser.data());
      } else {
        FUZZ_CHECK(open);
        open = false;
        outcome.parts.push_back(part);
        FUZZ_CHECK(outcome.parts.size() <= MultipartParser::kMaxParts);
      }
    }
  }
  outcome.status = parser.Finish();
  if (outcome.status.ok()) FUZZ_CHECK(!open);
  return outcome;
}

}  // namespace
}  // namespace kyc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kyc::fuzz;
  std::string_view body = Text(data, size);
  const std::string_view type = TakeLine(&body);
  const auto boundary = kyc::gateway::MultipartBoundary(type);
  if (!boundary.ok()) return 0;
  FUZZ_CHECK(!boundary->empty() && boundary->size() <= 70);
  FUZZ_CHECK(boundary->find_first_of("\r\n\"") == std::string::npos);
  const Outcome whole =
      Parse(*boundary, body, [&] { return std::string_view::npos; });
  FUZZ_CHECK(whole == Parse(*boundary, body, [] { return size_t{1}; }));
  Pieces pieces(body);
  FUZZ_CHECK(whole == Parse(*boundary, body, [&] { return pieces.Next(); }));
  return 0;
}
