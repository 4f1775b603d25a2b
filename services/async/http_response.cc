#include "services/async/http_response.h"

#include <charconv>

#include "services/async/http_parser.h"

namespace kyc::async {
namespace {

std::string_view StatusLine(int status) {
  switch (status) {
    case 200:
      return "HTTP/1.1 200 OK\r\nDate: ";
    case 201:
      return "HTTP/1.1 201 Created\r\nDate: ";
    case 202:
      return "HTTP/1.1 202 Accepted\r\nDate: ";
    case 204:
      return "HTTP/1.1 204 No Content\r\nDate: ";
    case 301:
      return "HTTP/1.1 301 Moved Permanently\r\nDate: ";
    case 302:
      return "HTTP/1.1 302 Found\r\nDate: ";
    case 303:
      return "HTTP/1.1 303 See Other\r\nDate: ";
    case 304:
      return "HTTP/1.1 304 Not Modified\r\nDate: ";
    case 307:
      return "HTTP/1.1 307 Temporary Redirect\r\nDate: ";
    case 308:
      return "HTTP/1.1 308 Permanent Redirect\r\nDate: ";
    case 400:
      return "HTTP/1.1 400 Bad Request\r\nDate: ";
    case 401:
      return "HTTP/1.1 401 Unauthorized\r\nDate: ";
    case 403:
      return "HTTP/1.1 403 Forbidden\r\nDate: ";
    case 404:
      return "HTTP/1.1 404 Not Found\r\nDate: ";
    case 405:
      return "HTTP/1.1 405 Method Not Allowed\r\nDate: ";
    case 406:
      return "HTTP/1.1 406 Not Acceptable\r\nDate: ";
    case 408:
      return "HTTP/1.1 408 Request Timeout\r\nDate: ";
    case 409:
      return "HTTP/1.1 409 Conflict\r\nDate: ";
    case 410:
      return "HTTP/1.1 410 Gone\r\nDate: ";
    case 412:
      return "HTTP/1.1 412 Precondition Failed\r\nDate: ";
    case 413:
      return "HTTP/1.1 413 Content Too Large\r\nDate: ";
    case 414:
      return "HTTP/1.1 414 URI Too Long\r\nDate: ";
    case 415:
      return "HTTP/1.1 415 Unsupported Media Type\r\nDate: ";
    case 422:
      return "HTTP/1.1 422 Unprocessable Content\r\nDate: ";
    case 428:
      return "HTTP/1.1 428 Precondition Required\r\nDate: ";
    case 429:
      return "HTTP/1.1 429 Too Many Requests\r\nDate: ";
    case 431:
      return "HTTP/1.1 431 Request Header Fields Too Large\r\nDate: ";
    case 500:
      return "HTTP/1.1 500 Internal Server Error\r\nDate: ";
    case 501:
      return "HTTP/1.1 501 Not Implemented\r\nDate: ";
    case 502:
      return "HTTP/1.1 502 Bad Gateway\r\nDate: ";
    case 503:
      return "HTTP/1.1 503 Service Unavailable\r\nDate: ";
    case 504:
      return "HTTP/1.1 504 Gateway Timeout\r\nDate: ";
    default:
      return {};
  }
}

void AppendNumber(uint64_t number, std::string* out) {
  char digits[20];
  const auto end = std::to_chars(digits, digits + sizeof(digits), number);
  out->append(digits, end.ptr);
}

// Fields that only the server can get right.
bool IsServers(std::string_view name) {
  switch (name.size()) {
    case 4:
      return EqualsIgnoreCase(name, "Date");
    case 10:
      return EqualsIgnoreCase(name, "Connection");
    case 14:
      return EqualsIgnoreCase(name, "Content-Length");
    case 17:
      return EqualsIgnoreCase(name, "Transfer-Encoding");
    default:
      return false;
  }
}

bool MayHaveBody(const ServerResponse& response) {
  return response.status != 204 && response.status != 304;
}

bool IsOneLine(std::string_view text) {
  bool breaks = false;
  // No way out early: so compilers look at many bytes at a time.
  for (const char c : text) breaks |= (c == '\r') | (c == '\n') | (c == '\0');
  return !breaks;
}

}  // namespace

std::string_view HttpDate::Now() {
  const std::time_t now = std::time(nullptr);
  if (now != second_) {
    std::tm parts{};
    gmtime_r(&now, &parts);
    size_ = std::strftime(text_, sizeof(text_), "%a, %d %b %Y %H:%M:%S GMT",
                          &parts);
    second_ = now;
  }
  return {text_, size_};
}

bool IsStreamed(const ServerResponse& response,
                const ResponseFraming& framing) {
  return response.stream != nullptr && MayHaveBody(response) &&
         !framing.without_body;
}

bool IsChunked(const ServerResponse& response, const ResponseFraming& framing) {
  return response.stream != nullptr && MayHaveBody(response) &&
         !response.stream_size && framing.request_version >= 11;
}

void AppendChunk(std::string_view piece, std::string* out) {
  char digits[16];
  const auto end =
      std::to_chars(digits, digits + sizeof(digits), piece.size(), 16);
  out->append(digits, end.ptr);
  out->append("\r\n");
  out->append(piece);
  out->append("\r\n");
}

void AppendResponse(const ServerResponse& response,
                    const ResponseFraming& framing, std::string_view date,
                    std::string* out) {
  const std::string_view line = StatusLine(response.status);
  if (line.empty()) {
    out->append("HTTP/1.1 ");
    AppendNumber(response.status, out);
    out->append(" \r\nDate: ");
  } else {
    out->append(line);
  }
  out->append(date);
  if (!framing.keep_alive) {
    out->append("\r\nConnection: close");
  } else if (framing.request_version == 10) {
    out->append("\r\nConnection: keep-alive");
  }
  const bool streams = response.stream != nullptr;
  const bool may_have_body = MayHaveBody(response);
  if (may_have_body) {
    if ((streams || !response.body.empty()) && !response.content_type.empty()) {
      out->append("\r\nContent-Type: ");
      out->append(response.content_type);
    }
    if (!streams || response.stream_size) {
      out->append("\r\nContent-Length: ");
      AppendNumber(streams ? *response.stream_size : response.body.size(), out);
    } else if (IsChunked(response, framing)) {
      out->append("\r\nTransfer-Encoding: chunked");
    }
  }
  for (const auto& [name, value] : response.headers) {
    if (IsServers(name) || !IsOneLine(name) || !IsOneLine(value)) continue;
    out->append("\r\n");
    out->append(name);
    out->append(": ");
    out->append(value);
  }
  out->append("\r\n\r\n");
  if (may_have_body && !framing.without_body && !streams) {
    out->append(response.body);
  }
}

}  // namespace kyc::async
