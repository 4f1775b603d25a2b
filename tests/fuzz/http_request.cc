// A connection's bytes through the HTTP server's parser, one request after
// another: where a request ends must not depend on how the bytes arrive.
#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "services/async/http_parser.h"
#include "tests/fuzz/check.h"

namespace kyc::fuzz {
namespace {

using async::HttpLimits;
using async::RequestHead;
using async::RequestParser;
using Progress = RequestParser::Progress;

// Small, so that inputs get to the limits.
constexpr HttpLimits kLimits = {
    .request_line = 512, .header_bytes = 1024, .header_fields = 16};
constexpr size_t kMaxRequests = 64;

bool IsToken(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return c > ' ' && c < 0x7f &&
           std::string_view("\"(),/:;<=>?@[\\]{}").find(c) ==
               std::string_view::npos;
  });
}

void CheckHead(const RequestHead& head) {
  FUZZ_CHECK(IsToken(head.method));
  FUZZ_CHECK(!head.target.empty() &&
             head.target.size() <= kLimits.request_line);
  for (const char c : head.target) FUZZ_CHECK(c > ' ' && c < 0x7f && c != '#');
  FUZZ_CHECK(head.target[0] == '/' || head.target == "*" ||
             head.method == "CONNECT");
  FUZZ_CHECK(head.fields.size() <= kLimits.header_fields);
  int hosts = 0;
  int lengths = 0;
  int encodings = 0;
  for (const RequestHead::Field& field : head.fields) {
    FUZZ_CHECK(IsToken(field.name));
    for (const char c : field.value) {
      FUZZ_CHECK(static_cast<unsigned char>(c) >= ' ' || c == '\t');
    }
    hosts += async::EqualsIgnoreCase(field.name, "Host");
    lengths += async::EqualsIgnoreCase(field.name, "Content-Length");
    encodings += async::EqualsIgnoreCase(field.name, "Transfer-Encoding");
  }
  FUZZ_CHECK(hosts == 1 || (hosts == 0 && head.version == 10));
  FUZZ_CHECK(encodings <= 1 && (encodings == 0 || lengths == 0));
  FUZZ_CHECK(head.content_length.has_value() == (lengths > 0));
}

std::string Serialize(const RequestHead& head) {
  std::string text(head.method);
  text.append(" ").append(head.target);
  text.append(head.version == 10 ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n");
  for (const RequestHead::Field& field : head.fields) {
    text.append(field.name).append(":").append(field.value).append("\r\n");
  }
  return text + "\r\n";
}

// A head written anew reads the same.
void CheckRoundTrip(const RequestHead& head) {
  const std::string text = Serialize(head);
  RequestHead again;
  size_t consumed = 0;
  RequestParser parser(kLimits, &again);
  FUZZ_CHECK(parser.ParseHead(text, &consumed) == Progress::kDone);
  FUZZ_CHECK(consumed == text.size());
  FUZZ_CHECK(Serialize(again) == text);
  FUZZ_CHECK(again.has_body == head.has_body &&
             again.keep_alive == head.keep_alive &&
             again.expects_continue == head.expects_continue &&
             again.content_length == head.content_length);
}

struct Request {
  std::string head;
  std::string body;
  bool operator==(const Request&) const = default;
};
struct Transcript {
  std::vector<Request> requests;
  std::string unfinished_body;
  bool is_bad = false;
  bool operator==(const Transcript&) const = default;
};

// What HttpConnection does, with bytes that come in pieces.
class Connection {
 public:
  // Returns whether more bytes are of use.
  bool Receive(std::string_view bytes, size_t room) {
    buffer_.append(bytes);
    while (transcript_.requests.size() < kMaxRequests) {
      if (!parser_) parser_.emplace(kLimits, &head_);
      const Progress progress = in_body_ ? ReadBody(room) : ReadHead();
      if (progress == Progress::kNeedMore) return true;
      if (progress != Progress::kDone) {
        transcript_.is_bad = true;
        return false;
      }
    }
    return false;
  }
  Transcript Take() {
    if (in_body_) transcript_.unfinished_body = body_;
    return transcript_;
  }

 private:
  Progress ReadHead() {
    size_t size = 0;
    const Progress progress = parser_->ParseHead(buffer_, &size);
    if (progress != Progress::kDone) return progress;
    CheckHead(head_);
    CheckRoundTrip(head_);
    head_text_ = Serialize(head_);
    content_length_ = head_.content_length;
    in_body_ = head_.has_body;
    buffer_.erase(0, size);
    body_.clear();
    if (!in_body_) Finish();
    return progress;
  }

  Progress ReadBody(size_t room) {
    while (true) {
      size_t used = 0;
      const size_t before = body_.size();
      const Progress progress =
          parser_->DecodeBody(buffer_, &body_, room, &used);
      FUZZ_CHECK(used <= buffer_.size() && body_.size() - before <= room);
      buffer_.erase(0, used);
      if (progress == Progress::kFull) continue;
      if (progress == Progress::kDone) {
        FUZZ_CHECK(!content_length_ || body_.size() == *content_length_);
        in_body_ = false;
        Finish();
      }
      return progress;
    }
  }

  void Finish() {
    transcript_.requests.push_back({head_text_, body_});
    parser_.reset();
  }

  std::string buffer_;
  RequestHead head_;
  std::optional<RequestParser> parser_;
  std::string head_text_;
  std::optional<uint64_t> content_length_;
  std::string body_;
  bool in_body_ = false;
  Transcript transcript_;
};

}  // namespace
}  // namespace kyc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kyc::fuzz;
  const std::string_view bytes = Text(data, size);
  Connection whole;
  whole.Receive(bytes, 1 << 20);
  const Transcript expected = whole.Take();

  Connection by_byte;
  for (size_t i = 0; i < size; ++i) {
    if (!by_byte.Receive(bytes.substr(i, 1), 1)) break;
  }
  FUZZ_CHECK(by_byte.Take() == expected);

  Connection in_pieces;
  Pieces pieces(bytes);
  for (size_t at = 0; at < size;) {
    const size_t piece = std::min(pieces.Next(), size - at);
    if (!in_pieces.Receive(bytes.substr(at, piece), pieces.Next())) break;
    at += piece;
  }
  FUZZ_CHECK(in_pieces.Take() == expected);
  return 0;
}
