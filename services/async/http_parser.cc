#include "services/async/http_parser.h"

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/rfc7230.hpp>
#include <cstring>

namespace kyc::async {
namespace {

namespace http = boost::beast::http;

// Of one chunk's size line, or of all trailers.
constexpr size_t kMaxChunkLine = 8192;
// Of a chunked body: "0\r\n\r\n".
constexpr size_t kShortestEnd = 5;
// Of all chunk extensions of a body: they cost time and carry nothing.
constexpr size_t kMaxExtensionBytes = 16384;

std::string_view View(boost::beast::string_view text) {
  return {text.data(), text.size()};
}

char ToLower(char c) { return c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c; }

// Letters of RFC 9110's token, the first byte of every request.
bool StartsMethod(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c >= '0' && c <= '9') ||
         (c != '\0' && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr);
}

// uri-host [":" port], loosely: enough that nothing can hide in it.
bool IsHost(std::string_view host) {
  return std::all_of(host.begin(), host.end(), [](char c) {
    return c > ' ' && c < 0x7f && std::strchr("/\\?#@,\"<>{}^`|", c) == nullptr;
  });
}

}  // namespace

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (ToLower(a[i]) != ToLower(b[i])) return false;
  }
  return true;
}

void RequestHead::Clear() {
  method = target = {};
  version = 11;
  fields.clear();
  content_length.reset();
  has_body = keep_alive = expects_continue = false;
}

RequestParser::RequestParser(const HttpLimits& limits, RequestHead* head)
    : limits_(limits), head_(head) {
  head_->Clear();
  // FindEnd is stricter; Beast's own limits must only not come before it.
  header_limit(
      static_cast<uint32_t>(limits.request_line + limits.header_bytes + 64));
  body_limit(boost::none);
}

RequestParser::Progress RequestParser::FindEnd(std::string_view bytes,
                                               size_t* size) {
  if (!bytes.empty() && !StartsMethod(bytes[0])) return Progress::kBad;
  while (scanned_ < bytes.size()) {
    const void* found =
        std::memchr(bytes.data() + scanned_, '\n', bytes.size() - scanned_);
    if (found == nullptr) break;
    const size_t at = static_cast<const char*>(found) - bytes.data();
    if (at == 0 || bytes[at - 1] != '\r') return Progress::kBad;
    const bool is_empty = at - 1 == line_start_;
    if (first_line_ == 0) {
      if (at - 1 > limits_.request_line) return Progress::kLineTooLong;
      first_line_ = at + 1;
    } else if (is_empty) {
      *size = at + 1;
      if (at - 1 - first_line_ > limits_.header_bytes) {
        return Progress::kHeadTooLarge;
      }
      return Progress::kDone;
    } else {
      // A line folded into the one before: other servers see it otherwise.
      const char first = bytes[line_start_];
      if (first == ' ' || first == '\t') return Progress::kBad;
      if (++lines_ > limits_.header_fields) return Progress::kHeadTooLarge;
    }
    line_start_ = scanned_ = at + 1;
  }
  scanned_ = bytes.size();
  if (first_line_ == 0) {
    return bytes.size() > limits_.request_line + 1 ? Progress::kLineTooLong
                                                   : Progress::kNeedMore;
  }
  return bytes.size() - first_line_ > limits_.header_bytes + 1
             ? Progress::kHeadTooLarge
             : Progress::kNeedMore;
}

RequestParser::Progress RequestParser::ParseHead(std::string_view bytes,
                                                 size_t* consumed) {
  size_t size = 0;
  const Progress found = FindEnd(bytes, &size);
  if (found != Progress::kDone) return found;
  error_code ec;
  *consumed = put(boost::asio::const_buffer(bytes.data(), size), ec);
  if (ec || *consumed != size || !is_header_done()) return Progress::kBad;
  if (hosts_ > 1 || (hosts_ == 0 && head_->version == 11)) {
    return Progress::kBad;
  }
  const auto length = content_length();
  if (transfer_encodings_ > 0 && (length || head_->version == 10)) {
    return Progress::kBad;
  }
  if (!CheckTarget()) return Progress::kBad;
  if (length) head_->content_length = *length;
  head_->has_body = !is_done();
  head_->keep_alive = keep_alive() && head_->method != "CONNECT";
  in_body_ = true;
  return Progress::kDone;
}

// Brings the target into origin form.
bool RequestParser::CheckTarget() {
  std::string_view& target = head_->target;
  for (const char c : target) {
    if (c <= ' ' || c >= 0x7f || c == '#') return false;
  }
  if (head_->method == "CONNECT") return true;
  if (target == "*") return head_->method == "OPTIONS";
  if (target[0] == '/') return true;
  const size_t scheme = target.find("://");
  if (scheme == std::string_view::npos ||
      (!EqualsIgnoreCase(target.substr(0, scheme), "http") &&
       !EqualsIgnoreCase(target.substr(0, scheme), "https"))) {
    return false;
  }
  const std::string_view rest = target.substr(scheme + 3);
  const size_t path = rest.find_first_of("/?");
  if (path == 0) return false;  // No host.
  if (path == std::string_view::npos) {
    target = "/";
    return true;
  }
  target = rest.substr(path);
  return target[0] == '/';
}

void RequestParser::on_request_impl(verb, beast_view method, beast_view target,
                                    int version, error_code&) {
  head_->method = View(method);
  head_->target = View(target);
  head_->version = version;
}

void RequestParser::on_field_impl(field name, beast_view name_string,
                                  beast_view value, error_code& ec) {
  if (in_body_) return;  // A trailer: nobody asked for it.
  switch (name) {
    case field::host:
      ++hosts_;
      if (!IsHost(View(value))) ec = http::error::bad_value;
      break;
    case field::transfer_encoding:
      ++transfer_encodings_;
      if (!EqualsIgnoreCase(View(value), "chunked")) {
        ec = http::error::bad_transfer_encoding;
      }
      break;
    case field::expect:
      if (!EqualsIgnoreCase(View(value), "100-continue")) {
        ec = http::error::bad_value;
      }
      head_->expects_continue = head_->version == 11;
      break;
    default:
      break;
  }
  head_->fields.push_back({View(name_string), View(value)});
}

void RequestParser::on_chunk_header_impl(std::uint64_t size,
                                         beast_view extensions,
                                         error_code& ec) {
  chunk_left_ = size;
  extension_bytes_ += extensions.size();
  const bool has_control = std::any_of(
      extensions.begin(), extensions.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' && c != '\t'; });
  if (has_control || extension_bytes_ > kMaxExtensionBytes) {
    ec = http::error::bad_chunk_extension;
  }
}

size_t RequestParser::on_chunk_body_impl(std::uint64_t, beast_view bytes,
                                         error_code&) {
  const size_t size = Store(bytes);
  chunk_left_ -= size;
  return size;
}

size_t RequestParser::Store(beast_view bytes) {
  const size_t size = std::min(bytes.size(), room_);
  if (sink_ != nullptr) sink_->append(bytes.data(), size);
  room_ -= size;
  return size;
}

RequestParser::Progress RequestParser::DecodeBody(std::string_view bytes,
                                                  std::string* sink,
                                                  size_t room,
                                                  size_t* consumed) {
  sink_ = sink;
  room_ = room;
  *consumed = 0;
  while (!is_done() && room_ > 0 && *consumed < bytes.size()) {
    // Beast asserts it when it sees "0\r\n" a second time.
    if (chunked() && chunk_left_ == 0 &&
        bytes.size() - *consumed < kShortestEnd) {
      return Progress::kNeedMore;
    }
    error_code ec;
    *consumed += put(boost::asio::const_buffer(bytes.data() + *consumed,
                                               bytes.size() - *consumed),
                     ec);
    if (ec == http::error::need_more) {
      return bytes.size() - *consumed > kMaxChunkLine ? Progress::kBad
                                                      : Progress::kNeedMore;
    }
    if (ec) return Progress::kBad;
  }
  if (is_done()) return Progress::kDone;
  return room_ == 0 ? Progress::kFull : Progress::kNeedMore;
}

}  // namespace kyc::async
