#include "deploy/sandbox/multipart.h"

#include <algorithm>
#include <cctype>
#include <map>

#include "services/base/status_macros.h"

namespace kyc::sandbox {
namespace {

constexpr size_t kMaxParts = 16;
constexpr size_t kMaxHeadBytes = 4096;
constexpr size_t kMaxBoundary = 70;  // RFC 2046, section 5.1.1.

absl::Status Malformed(const char* what) {
  return absl::InvalidArgumentError(what);
}

std::string Lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
    text.remove_prefix(1);
  }
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

// A header value "type; a=b; c=\"d\"". Parameter names in lower case.
struct Parameterised {
  std::string value;  // Lower case.
  std::map<std::string, std::string> parameters;
};

absl::StatusOr<Parameterised> ParseParameters(std::string_view text) {
  Parameterised out;
  size_t end = std::min(text.find(';'), text.size());
  out.value = Lower(Trim(text.substr(0, end)));
  while (end < text.size()) {
    text.remove_prefix(end + 1);
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) return Malformed("bad parameter");
    const std::string name = Lower(Trim(text.substr(0, equals)));
    text.remove_prefix(equals + 1);
    std::string value;
    if (!text.empty() && text.front() == '"') {
      size_t i = 1;
      while (i < text.size() && text[i] != '"') {
        if (text[i] == '\\' && i + 1 < text.size()) ++i;
        value.push_back(text[i++]);
      }
      if (i >= text.size()) return Malformed("unterminated quoted text");
      text.remove_prefix(i + 1);
      end = std::min(text.find(';'), text.size());
      if (!Trim(text.substr(0, end)).empty()) {
        return Malformed("text after a quoted parameter");
      }
    } else {
      end = std::min(text.find(';'), text.size());
      value = Trim(text.substr(0, end));
    }
    if (name.empty() || !out.parameters.emplace(name, value).second) {
      return Malformed("parameter without name, or given twice");
    }
  }
  return out;
}

absl::StatusOr<Part> ParsePartHead(std::string_view head) {
  Part part;
  bool disposition_seen = false;
  while (!head.empty()) {
    const size_t end = head.find("\r\n");
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 2);
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos ||
        line.find('\n') != std::string_view::npos) {
      return Malformed("bad header in a part");
    }
    const std::string name = Lower(line.substr(0, colon));
    const std::string_view value = Trim(line.substr(colon + 1));
    if (name == "content-disposition") {
      if (disposition_seen) return Malformed("two content dispositions");
      disposition_seen = true;
      ASSIGN_OR_RETURN(const Parameterised parsed, ParseParameters(value));
      const auto part_name = parsed.parameters.find("name");
      if (parsed.value != "form-data" || part_name == parsed.parameters.end() ||
          part_name->second.empty()) {
        return Malformed("a part is not form-data with a name");
      }
      part.name = part_name->second;
      const auto filename = parsed.parameters.find("filename");
      if (filename != parsed.parameters.end()) part.filename = filename->second;
    } else if (name == "content-type") {
      part.content_type = Lower(Trim(value.substr(0, value.find(';'))));
    } else if (name == "content-transfer-encoding") {
      // Deprecated by RFC 7578, section 4.7, and nothing decodes it.
      return Malformed("content-transfer-encoding is not supported");
    }
  }
  if (!disposition_seen) return Malformed("a part without disposition");
  return part;
}

absl::StatusOr<std::string> Boundary(std::string_view content_type) {
  ASSIGN_OR_RETURN(const Parameterised parsed, ParseParameters(content_type));
  if (parsed.value != "multipart/form-data") {
    return Malformed("not multipart/form-data");
  }
  const auto boundary = parsed.parameters.find("boundary");
  if (boundary == parsed.parameters.end() || boundary->second.empty() ||
      boundary->second.size() > kMaxBoundary) {
    return Malformed("no usable boundary");
  }
  return boundary->second;
}

}  // namespace

absl::StatusOr<std::vector<Part>> ParseMultipart(std::string_view content_type,
                                                 std::string_view body) {
  ASSIGN_OR_RETURN(const std::string boundary, Boundary(content_type));
  const std::string opening = "--" + boundary;
  const std::string delimiter = "\r\n--" + boundary;
  if (!body.starts_with(opening)) {
    return Malformed("the body does not begin with the boundary");
  }
  body.remove_prefix(opening.size());
  std::vector<Part> parts;
  // Here the body stands right behind a boundary: a part or the end follows.
  while (!body.starts_with("--")) {
    if (!body.starts_with("\r\n")) return Malformed("bad boundary line");
    body.remove_prefix(2);
    const size_t head_end = body.substr(0, kMaxHeadBytes).find("\r\n\r\n");
    if (head_end == std::string_view::npos) {
      return Malformed("a part's headers do not end");
    }
    ASSIGN_OR_RETURN(Part part, ParsePartHead(body.substr(0, head_end)));
    body.remove_prefix(head_end + 4);
    const size_t data_end = body.find(delimiter);
    if (data_end == std::string_view::npos) {
      return Malformed("the last boundary is missing");
    }
    part.data = body.substr(0, data_end);
    body.remove_prefix(data_end + delimiter.size());
    for (const Part& other : parts) {
      if (other.name == part.name) return Malformed("a part is repeated");
    }
    parts.push_back(std::move(part));
    if (parts.size() > kMaxParts) return Malformed("too many parts");
  }
  body.remove_prefix(2);
  if (!body.empty() && body != "\r\n") {
    return Malformed("text after the last boundary");
  }
  if (parts.empty()) return Malformed("no parts");
  return parts;
}

}  // namespace kyc::sandbox
