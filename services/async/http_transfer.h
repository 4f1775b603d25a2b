// One request of the HTTP client, as curl has it: what curl is told of the
// request, what it brings of the answer, and how it ended. Internal to the
// HTTP client.
//
// One loop's thread only: that of its CurlMulti. Its callbacks run inside
// curl, under the second rule of curl_multi.h: none makes curl go on or
// resumes a coroutine; whoever waits continues on a turn of its own.
#ifndef KYC_SERVICES_ASYNC_HTTP_TRANSFER_H_
#define KYC_SERVICES_ASYNC_HTTP_TRANSFER_H_

#include <curl/curl.h>

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/async/http_client.h"
#include "services/async/loop.h"
#include "services/async/task.h"
#include "services/async/waiter.h"

namespace kyc::async {

class CurlMulti;

struct FreeCurlList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using CurlList = std::unique_ptr<curl_slist, FreeCurlList>;

// Lives in the frame of Send's coroutine, or with its stream, and stays where
// it is: curl points to it. Keeps its CurlMulti. Destroyed before curl has
// finished, it breaks the request off.
class HttpTransfer {
 public:
  // What of a streamed answer waits for its reader.
  struct Inflow {
    std::string bytes;
    bool held_up = false;  // curl waits until there is room.
    bool began = false;    // The head is whole.
    bool ended = false;    // curl has no more to say.
    Event changed;         // The above.
  };

  HttpTransfer(std::shared_ptr<CurlMulti> multi,
               const HttpClient::Options& options, ClientRequest request);
  ~HttpTransfer();
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;

  // Hands the request to curl, once. Its callbacks come later, never in here.
  // False when curl has no handle for it.
  bool Start();
  // The same for an answer whose body comes through inflow(), held up where
  // more than BodyStream::kWindow would wait there.
  bool StartStream();

  // Until curl has finished with what Start began. One wait.
  Task<void> Finished() { return finished_.Wait(); }
  absl::Status status() const;  // Once curl has finished.
  // Whole once curl has finished; of a stream the head, once it began.
  ClientResponse& response() { return response_; }

  // After StartStream.
  Inflow& inflow() { return *inflow_; }
  // The next bytes that wait, at most so many. A sender that was held up goes
  // on when there is room, and more may come in here.
  std::string TakeBody(size_t max_bytes);

  // CurlMulti's alone, outside of any callback: curl has finished.
  void Finish(CURLcode result);

 private:
  static curl_socket_t OnOpen(void* transfer, curlsocktype purpose,
                              curl_sockaddr* address);
  static size_t OnHeader(char* data, size_t, size_t size, void* transfer);
  static size_t OnBody(char* data, size_t, size_t size, void* transfer);
  static size_t OnRead(char* out, size_t, size_t size, void* transfer);

  void SetOptions(CURL* easy);

  std::span<const std::string> body() const {
    if (request_.shared_body) return *request_.shared_body;
    return {&request_.body, 1};
  }
  size_t body_size() const;
  // Copies at most `size` of the body's next bytes; 0 at its end.
  size_t ReadBody(char* out, size_t size);
  // Takes what came of a streamed body, or holds curl up.
  size_t Receive(std::string_view bytes);

  std::shared_ptr<CurlMulti> multi_;
  const HttpClient::Options options_;
  ClientRequest request_;
  CurlList headers_;
  size_t pieces_sent_ = 0;  // Whole ones …
  size_t bytes_sent_ = 0;   // … and of the next.
  size_t head_bytes_ = 0;
  bool too_large_ = false;
  size_t discarded_bytes_ = 0;
  bool cut_off_ = false;  // What was left of a body that nobody wants.
  bool body_began_ = false;
  bool address_refused_ = false;
  bool address_allowed_ = false;  // Another one.
  ClientResponse response_;
  CURL* easy_ = nullptr;  // Present while curl has it.
  CURLcode code_ = CURLE_OK;
  bool nothing_sent_ = false;
  Waiter finished_;
  std::unique_ptr<Inflow> inflow_;  // Of a streamed answer.
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_HTTP_TRANSFER_H_
