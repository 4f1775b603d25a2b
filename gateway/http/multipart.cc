#include "gateway/http/multipart.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "gateway/http/percent.h"
#include "gateway/http/query.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

// Clients send three at most.
constexpr size_t kMaxParameters = 16;
constexpr size_t kMaxBoundary = 70;
constexpr std::string_view kBlanks = " \t";

using Parameters = std::vector<std::pair<std::string_view, std::string>>;

absl::Status Broken(std::string_view why) {
  return absl::InvalidArgumentError(absl::string_view(why.data(), why.size()));
}

bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
         (c >= 'A' && c <= 'Z');
}

bool IsToken(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return IsAlphanumeric(c) || kMarks.find(c) != std::string_view::npos;
  });
}

// RFC 2046 section 5.1.1.
bool IsBoundary(std::string_view text) {
  constexpr std::string_view kMarks = "'()+_,-./:=? ";
  return !text.empty() && text.size() <= kMaxBoundary && text.back() != ' ' &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return IsAlphanumeric(c) || kMarks.find(c) != std::string_view::npos;
         });
}

std::string_view Trim(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// What stands before the first parameter.
std::string_view MainValue(std::string_view field) {
  return Trim(field.substr(0, field.find(';')));
}

// Takes a quoted-string, whose opening quote is at the front, off `rest`. A
// backslash is itself unless a quote or another one follows: a file's name
// from Windows may hold a whole path.
bool TakeQuoted(std::string_view* rest, std::string* value) {
  for (size_t i = 1; i < rest->size(); ++i) {
    char c = (*rest)[i];
    if (c == '"') {
      rest->remove_prefix(i + 1);
      return true;
    }
    const char next = i + 1 < rest->size() ? (*rest)[i + 1] : '\0';
    if (c == '\\' && (next == '"' || next == '\\')) c = (*rest)[++i];
    value->push_back(c);
  }
  return false;
}

// The parameters of a header field: what follows its main value. Those that
// are no token may be unquoted, too, as boundaries of some clients are.
absl::StatusOr<Parameters> ParseParameters(std::string_view field) {
  Parameters parameters;
  std::string_view rest = field.substr(std::min(field.find(';'), field.size()));
  while (!rest.empty()) {
    rest.remove_prefix(1);  // The semicolon.
    rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
    if (rest.empty()) break;  // "a=b;" is common.
    const size_t equals = rest.find('=');
    const std::string_view name = rest.substr(0, equals);
    if (equals == std::string_view::npos || !IsToken(name)) {
      return Broken("A header field's parameters are malformed.");
    }
    // The search below is then bounded, too.
    if (parameters.size() == kMaxParameters) {
      return Broken("A header field has too many parameters.");
    }
    for (const auto& [other, value] : parameters) {
      if (EqualsIgnoreCase(other, name)) {
        return Broken("A header field names a parameter twice.");
      }
    }
    rest.remove_prefix(equals + 1);
    std::string value;
    if (!rest.empty() && rest.front() == '"') {
      if (!TakeQuoted(&rest, &value)) {
        return Broken("A quoted parameter does not end.");
      }
      rest.remove_prefix(
          std::min(rest.find_first_not_of(kBlanks), rest.size()));
      if (!rest.empty() && rest.front() != ';') {
        return Broken("A header field's parameters are malformed.");
      }
    } else {
      const size_t end = std::min(rest.find(';'), rest.size());
      value = Trim(rest.substr(0, end));
      rest.remove_prefix(end);
    }
    parameters.emplace_back(name, std::move(value));
  }
  return parameters;
}

const std::string* Find(const Parameters& parameters, std::string_view name) {
  for (const auto& [key, value] : parameters) {
    if (EqualsIgnoreCase(key, name)) return &value;
  }
  return nullptr;
}

// Browsers percent-encode the quote, and not the percent sign.
std::string WithQuotes(std::string_view text) {
  std::string plain;
  plain.reserve(text.size());
  while (true) {
    const size_t mark = text.find("%22");
    plain.append(text.substr(0, mark));
    if (mark == std::string_view::npos) return plain;
    plain.push_back('"');
    text.remove_prefix(mark + 3);
  }
}

// charset'language'percent-encoded (RFC 8187).
absl::StatusOr<std::string> ParseExtended(std::string_view value) {
  const size_t first = value.find('\'');
  const size_t second =
      first == std::string_view::npos ? first : value.find('\'', first + 1);
  if (second == std::string_view::npos ||
      !EqualsIgnoreCase(value.substr(0, first), "utf-8")) {
    return Broken("filename* is not UTF-8 in extended notation.");
  }
  std::optional<std::string> text =
      PercentDecode(value.substr(second + 1), /*plus_is_space=*/false);
  if (!text) return Broken("filename* is not UTF-8 in extended notation.");
  return *std::move(text);
}

}  // namespace

bool IsMultipartFormData(std::string_view content_type) {
  return EqualsIgnoreCase(MainValue(content_type), "multipart/form-data");
}

absl::StatusOr<std::string> MultipartBoundary(std::string_view content_type) {
  ASSIGN_OR_RETURN(const Parameters parameters, ParseParameters(content_type));
  const std::string* boundary = Find(parameters, "boundary");
  if (boundary == nullptr || !IsBoundary(*boundary)) {
    return Broken("Content-Type names no valid boundary.");
  }
  return *boundary;
}

MultipartParser::MultipartParser(std::string_view boundary)
    : literal_("\r\n--" + std::string(boundary) + "-") {}

absl::Status MultipartParser::Fail(absl::Status why) {
  state_ = State::kFailed;
  error_ = std::move(why);
  return error_;
}

// One byte more of what may be a delimiter. Content in which the boundary
// merely begins a longer word goes on as content.
MultipartParser::Match MultipartParser::MatchByte(char c) {
  const size_t delimiter = literal_.size() - 1;
  if (matched_ < delimiter || (matched_ == delimiter && c == '-')) {
    if (c != literal_[matched_]) return Match::kNot;
    ++matched_;
    return Match::kMore;
  }
  if (matched_ > delimiter) return c == '-' ? Match::kClose : Match::kNot;
  return c == '\r' || c == ' ' || c == '\t' ? Match::kDelimiter : Match::kNot;
}

// The first CR from which `text` may be a delimiter, or its size. A CR is
// nowhere else in a delimiter, so no byte is looked at twice.
size_t MultipartParser::FindCandidate(std::string_view text) const {
  const size_t delimiter = literal_.size() - 1;
  size_t at = text.find('\r');
  while (at != std::string_view::npos) {
    const std::string_view rest = text.substr(at);
    const auto [end, unused] = std::mismatch(
        rest.begin(), rest.begin() + std::min(rest.size(), literal_.size()),
        literal_.begin());
    const size_t same = static_cast<size_t>(end - rest.begin());
    if (same == rest.size() || same > delimiter) return at;
    if (same == delimiter &&
        (rest[same] == '\r' || rest[same] == ' ' || rest[same] == '\t')) {
      return at;
    }
    at = text.find('\r', at + same);
  }
  return text.size();
}

MultipartParser::Event MultipartParser::Scan(std::string_view* input) {
  if (matched_ == 0) {
    const size_t content = FindCandidate(*input);
    if (content > 0) {
      data_ = input->substr(0, content);
      input->remove_prefix(content);
      return Event::kData;
    }
  }
  while (!input->empty()) {
    const Match match = MatchByte(input->front());
    if (match == Match::kNot) {
      data_ = std::string_view(literal_).substr(implied_, matched_ - implied_);
      matched_ = implied_ = 0;
      if (data_.empty()) return Scan(input);
      return Event::kData;
    }
    if (match != Match::kDelimiter) input->remove_prefix(1);
    if (match != Match::kMore) {
      closing_ = match == Match::kClose;
      matched_ = implied_ = 0;
      return Event::kPartEnd;
    }
  }
  return Event::kNeedMore;
}

// Blanks after a boundary are transport padding (RFC 2046 section 5.1.1).
absl::Status MultipartParser::EndLine(std::string_view* input) {
  while (!input->empty()) {
    const char c = input->front();
    input->remove_prefix(1);
    if (state_ == State::kLineFeed) {
      if (c != '\n') return Broken("A boundary's line does not end in CR LF.");
      outside_ = 0;
      if (closing_) {
        state_ = State::kEpilogue;
        return absl::OkStatus();
      }
      if (++parts_ > kMaxParts) return Broken("The form has too many parts.");
      state_ = State::kHead;
      head_bytes_ = 0;
      head_fields_ = 0;
      has_disposition_ = false;
      part_ = {};
      return absl::OkStatus();
    }
    if (c == '\r') {
      state_ = State::kLineFeed;
    } else if (kBlanks.find(c) == std::string_view::npos ||
               ++outside_ > kMaxOutside) {
      return Broken("A boundary's line does not end in CR LF.");
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> MultipartParser::ReadHead(std::string_view* input) {
  while (!input->empty()) {
    const size_t feed = input->find('\n');
    const std::string_view piece =
        input->substr(0, feed == std::string_view::npos ? feed : feed + 1);
    if (piece.size() > kMaxHeadBytes - head_bytes_) {
      return Broken("A part's header is too large.");
    }
    head_bytes_ += piece.size();
    line_.append(piece);
    input->remove_prefix(piece.size());
    if (feed == std::string_view::npos) return false;
    if (!line_.ends_with("\r\n")) {
      return Broken("A line of a part's header does not end in CR LF.");
    }
    line_.resize(line_.size() - 2);
    if (line_.empty()) {
      if (!has_disposition_) {
        return Broken("A part has no Content-Disposition.");
      }
      return true;
    }
    RETURN_IF_ERROR(ReadField());
    line_.clear();
  }
  return false;
}

absl::Status MultipartParser::ReadField() {
  if (++head_fields_ > kMaxHeadFields) {
    return Broken("A part's header has too many fields.");
  }
  const std::string_view line = line_;
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos || !IsToken(line.substr(0, colon))) {
    return Broken("A part's header is malformed.");
  }
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = Trim(line.substr(colon + 1));
  for (const char c : value) {
    if ((c >= 0 && c < ' ' && c != '\t') || c == 0x7F) {
      return Broken("A part's header holds a control character.");
    }
  }
  if (EqualsIgnoreCase(name, "Content-Disposition")) {
    if (std::exchange(has_disposition_, true)) {
      return Broken("A part has two Content-Disposition fields.");
    }
    return ReadDisposition(value);
  }
  if (EqualsIgnoreCase(name, "Content-Type")) {
    if (part_.content_type) return Broken("A part has two Content-Types.");
    part_.content_type = value;
  }
  return absl::OkStatus();
}

absl::Status MultipartParser::ReadDisposition(std::string_view value) {
  if (!EqualsIgnoreCase(MainValue(value), "form-data")) {
    return Broken("A part's Content-Disposition is not form-data.");
  }
  ASSIGN_OR_RETURN(const Parameters parameters, ParseParameters(value));
  const std::string* name = Find(parameters, "name");
  if (name == nullptr || name->empty()) return Broken("A part has no name.");
  part_.name = WithQuotes(*name);
  if (const std::string* plain = Find(parameters, "filename")) {
    part_.file_name = WithQuotes(*plain);
  } else if (const std::string* extended = Find(parameters, "filename*")) {
    ASSIGN_OR_RETURN(part_.file_name, ParseExtended(*extended));
  }
  return absl::OkStatus();
}

absl::StatusOr<MultipartParser::Event> MultipartParser::Next(
    std::string_view* input) {
  while (!input->empty()) {
    switch (state_) {
      case State::kPreamble: {
        const Event event = Scan(input);
        if (event == Event::kPartEnd) {
          outside_ = 0;
          state_ = State::kPadding;
        } else if (event == Event::kData &&
                   (outside_ += data_.size()) > kMaxOutside) {
          return Fail(Broken("The body does not begin with its boundary."));
        }
        break;
      }
      case State::kPadding:
      case State::kLineFeed:
        if (absl::Status status = EndLine(input); !status.ok()) {
          return Fail(std::move(status));
        }
        break;
      case State::kHead: {
        const absl::StatusOr<bool> complete = ReadHead(input);
        if (!complete.ok()) return Fail(complete.status());
        if (!*complete) break;
        // The empty line may be the CR LF of a delimiter: a part without body.
        matched_ = implied_ = 2;
        state_ = State::kBody;
        return Event::kPart;
      }
      case State::kBody: {
        const Event event = Scan(input);
        if (event == Event::kPartEnd) state_ = State::kPadding;
        if (event != Event::kNeedMore) return event;
        break;
      }
      case State::kEpilogue:
        outside_ += input->size();
        if (outside_ > kMaxOutside) {
          return Fail(Broken("The body goes on after its last boundary."));
        }
        input->remove_prefix(input->size());
        break;
      case State::kFailed:
        return error_;
    }
  }
  if (state_ == State::kFailed) return error_;
  return Event::kNeedMore;
}

absl::Status MultipartParser::Finish() const {
  if (state_ == State::kFailed) return error_;
  const bool closed =
      state_ == State::kEpilogue || (state_ == State::kPadding && closing_);
  return closed ? absl::OkStatus()
                : Broken("The body ends before its last boundary.");
}

}  // namespace kyc::gateway
