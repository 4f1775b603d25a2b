// An upload's body. The first line is the Content-Type, the rest the body:
// its parts must not depend on how the bytes arrive, and read the same when
// they are written again.
#include "gateway/http/multipart.h"

#include <algorithm>
#include <string>
#include <vector>

#include "tests/fuzz/check.h"

namespace kyc::fuzz {
namespace {

using gateway::MultipartParser;
using Event = MultipartParser::Event;

struct Part {
  std::string name;
  std::optional<std::string> file_name;
  std::optional<std::string> content_type;
  std::string data;
  bool is_complete = false;
  bool operator==(const Part&) const = default;
};
struct Transcript {
  std::vector<Part> parts;
  absl::Status status;  // As Finish tells it.
  bool operator==(const Transcript&) const = default;
};

bool IsOneLine(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) ==
         std::string_view::npos;
}

class Body {
 public:
  explicit Body(std::string_view boundary) : parser_(boundary) {}

  // A copy, so that a sanitizer sees whoever keeps a view of it.
  void Receive(std::string_view bytes) {
    const std::string copy(bytes);
    std::string_view piece = copy;
    while (true) {
      const absl::StatusOr<Event> event = parser_.Next(&piece);
      if (!event.ok()) {
        FUZZ_CHECK(absl::IsInvalidArgument(event.status()));
        FUZZ_CHECK(parser_.Finish() == event.status());
        return;
      }
      if (*event == Event::kNeedMore) {
        FUZZ_CHECK(piece.empty());
        return;
      }
      Take(*event);
    }
  }

  Transcript End() {
    transcript_.status = parser_.Finish();
    if (transcript_.status.ok()) {
      for (const Part& part : transcript_.parts) FUZZ_CHECK(part.is_complete);
    }
    return transcript_;
  }

 private:
  void Take(Event event) {
    std::vector<Part>& parts = transcript_.parts;
    if (event == Event::kPart) {
      FUZZ_CHECK(parts.empty() || parts.back().is_complete);
      const MultipartParser::Part& part = parser_.part();
      FUZZ_CHECK(!part.name.empty() && IsOneLine(part.name));
      FUZZ_CHECK(IsOneLine(part.content_type.value_or("")));
      FUZZ_CHECK(part.name.size() + part.file_name.value_or("").size() +
                     part.content_type.value_or("").size() <
                 MultipartParser::kMaxHeadBytes);
      parts.push_back(
          {part.name, part.file_name, part.content_type, "", false});
      FUZZ_CHECK(parts.size() <= size_t{MultipartParser::kMaxParts});
      return;
    }
    FUZZ_CHECK(!parts.empty() && !parts.back().is_complete);
    if (event == Event::kPartEnd) {
      parts.back().is_complete = true;
    } else {
      FUZZ_CHECK(!parser_.data().empty());
      parts.back().data.append(parser_.data());
    }
  }

  MultipartParser parser_;
  Transcript transcript_;
};

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

// Whether a name can be written so that it reads the same: "%22" is a quote.
bool IsWritable(std::string_view name) {
  return name.find("%22") == std::string_view::npos && name.size() < 1000 &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return static_cast<unsigned char>(c) >= ' ' && c != 0x7f;
         });
}

void CheckRoundTrip(const std::vector<Part>& parts, std::string_view boundary) {
  std::string body;
  for (const Part& part : parts) {
    if (!IsWritable(part.name) || !IsWritable(part.file_name.value_or(""))) {
      return;
    }
    body.append("--").append(boundary);
    body.append("\r\nContent-Disposition: form-data; name=");
    body.append(Quoted(part.name));
    if (part.file_name) {
      body.append("; filename=").append(Quoted(*part.file_name));
    }
    if (part.content_type) {
      body.append("\r\nContent-Type: ").append(*part.content_type);
    }
    body.append("\r\n\r\n").append(part.data).append("\r\n");
  }
  body.append("--").append(boundary).append("--\r\n");
  Body again(boundary);
  again.Receive(body);
  const Transcript transcript = again.End();
  FUZZ_CHECK(transcript.status.ok());
  FUZZ_CHECK(transcript.parts == parts);
}

}  // namespace
}  // namespace kyc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kyc;
  using namespace kyc::fuzz;
  std::string_view bytes = Text(data, size);
  const std::string_view content_type = TakeLine(&bytes);
  const auto boundary = gateway::MultipartBoundary(content_type);
  if (!boundary.ok()) return 0;
  FUZZ_CHECK(!boundary->empty() && boundary->size() <= 70);
  FUZZ_CHECK(IsOneLine(*boundary));

  Body whole(*boundary);
  whole.Receive(bytes);
  const Transcript expected = whole.End();

  Body by_byte(*boundary);
  for (size_t i = 0; i < bytes.size(); ++i) by_byte.Receive(bytes.substr(i, 1));
  FUZZ_CHECK(by_byte.End() == expected);

  Body in_pieces(*boundary);
  Pieces pieces(bytes);
  for (size_t at = 0; at < bytes.size();) {
    const size_t piece = std::min(pieces.Next(), bytes.size() - at);
    in_pieces.Receive(bytes.substr(at, piece));
    at += piece;
  }
  FUZZ_CHECK(in_pieces.End() == expected);
  if (expected.status.ok()) CheckRoundTrip(expected.parts, *boundary);
  return 0;
}
