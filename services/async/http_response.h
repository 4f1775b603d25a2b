// How an answer looks on the wire. Internal to the HTTP server.
#ifndef KYC_SERVICES_ASYNC_HTTP_RESPONSE_H_
#define KYC_SERVICES_ASYNC_HTTP_RESPONSE_H_

#include <ctime>
#include <string>
#include <string_view>

#include "services/async/http_server.h"

namespace kyc::async {

// Date's value, made once a second. One loop's.
class HttpDate {
 public:
  std::string_view Now();

 private:
  std::time_t second_ = -1;
  char text_[32] = {};
  size_t size_ = 0;
};

struct ResponseFraming {
  int request_version = 11;  // 10 or 11.
  bool keep_alive = true;
  bool without_body = false;  // The answer to HEAD.
};

// Whether this answer's body is streamed: not where there is none to send.
bool IsStreamed(const ServerResponse& response, const ResponseFraming& framing);
// Whether it is streamed in chunks. The other way without a size is to close
// the connection at the end.
bool IsChunked(const ServerResponse& response, const ResponseFraming& framing);

// Appends a piece of a chunked body; an empty one ends it.
void AppendChunk(std::string_view piece, std::string* out);

// Appends head and body; of a streamed answer the head.
void AppendResponse(const ServerResponse& response,
                    const ResponseFraming& framing, std::string_view date,
                    std::string* out);

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_HTTP_RESPONSE_H_
