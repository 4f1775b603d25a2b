// Reads one HTTP/1.x request, strictly. Internal to the HTTP server.
//
// Beast's parser does the reading. Around it stand checks that it leaves to
// its user, most of them against request smuggling: where a proxy and this
// server could disagree on where a request ends, the request is refused.
// RFC 9112 throughout.
#ifndef KYC_SERVICES_ASYNC_HTTP_PARSER_H_
#define KYC_SERVICES_ASYNC_HTTP_PARSER_H_

#include <boost/beast/http/basic_parser.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kyc::async {

// The head of a request; views into the bytes it was read from.
struct RequestHead {
  struct Field {
    std::string_view name;
    std::string_view value;
  };

  std::string_view method;
  // In origin form ("/path?query"); "*" for OPTIONS, "host:port" for CONNECT.
  std::string_view target;
  int version = 11;  // 10 or 11.
  std::vector<Field> fields;
  std::optional<uint64_t> content_length;
  bool has_body = false;
  bool keep_alive = false;
  bool expects_continue = false;

  // Keeps the memory of `fields`.
  void Clear();
};

struct HttpLimits {
  size_t request_line;   // Bytes, without its CRLF.
  size_t header_bytes;   // Of all fields, with their CRLFs.
  size_t header_fields;  // Number of them.
};

// One request's parser; make another for the next.
class RequestParser final : private boost::beast::http::basic_parser<true> {
 public:
  enum class Progress {
    kNeedMore,
    kDone,
    kFull,  // Of a body: the sink has no more room.
    kBad,
    kLineTooLong,
    kHeadTooLarge,
  };

  // `head` is cleared, then filled; it outlives the parser.
  RequestParser(const HttpLimits& limits, RequestHead* head);

  // `bytes` is everything from the request's first byte on; after kNeedMore
  // call again with more (it may have moved). After kDone `*consumed` is the
  // head's size.
  Progress ParseHead(std::string_view bytes, size_t* consumed);

  // Decodes the body's next bytes, where head->has_body. Appends at most
  // `room` bytes to `sink`, or throws them away where it is null. What is not
  // consumed comes first in the next call.
  Progress DecodeBody(std::string_view bytes, std::string* sink, size_t room,
                      size_t* consumed);

 private:
  using field = boost::beast::http::field;
  using verb = boost::beast::http::verb;
  using error_code = boost::beast::error_code;
  using beast_view = boost::beast::string_view;

  Progress FindEnd(std::string_view bytes, size_t* size);
  bool CheckTarget();
  size_t Store(beast_view bytes);

  void on_request_impl(verb, beast_view method, beast_view target, int version,
                       error_code& ec) override;
  void on_response_impl(int, beast_view, int, error_code&) override {}
  void on_field_impl(field name, beast_view name_string, beast_view value,
                     error_code& ec) override;
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&,
                         error_code&) override {}
  size_t on_body_impl(beast_view bytes, error_code&) override {
    return Store(bytes);
  }
  void on_chunk_header_impl(std::uint64_t size, beast_view extensions,
                            error_code& ec) override;
  size_t on_chunk_body_impl(std::uint64_t left, beast_view bytes,
                            error_code& ec) override;
  void on_finish_impl(error_code&) override {}

  const HttpLimits& limits_;
  RequestHead* const head_;

  // How far the search for the head's end is.
  size_t scanned_ = 0;
  size_t line_start_ = 0;
  size_t first_line_ = 0;  // Size with its CRLF; 0 while it is not complete.
  size_t lines_ = 0;

  int hosts_ = 0;
  int transfer_encodings_ = 0;
  bool in_body_ = false;
  uint64_t chunk_left_ = 0;  // Of the chunk that is being read.
  size_t extension_bytes_ = 0;
  std::string* sink_ = nullptr;
  size_t room_ = 0;
};

// Whether two ASCII strings are the same but for letter case.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_HTTP_PARSER_H_
