#include "services/async/http_transfer.h"

#include <strings.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "absl/strings/cord.h"
#include "services/async/address_policy.h"
#include "services/async/curl_multi.h"

namespace kyc::async {
namespace {

constexpr size_t kMaxHeadBytes = 64 * 1024;
// What curl takes of a large body at a time; of others 64 KiB.
constexpr size_t kLargeBody = 1 << 20;
constexpr long kLargeBodyBuffer = 256 * 1024;

char LowerCase(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

void Append(CurlList& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  (void)list.release();
  list.reset(longer);
}

// The request's fields in curl's syntax, where "Name;" sends an empty value
// and "Name:" sends none of curl's own.
CurlList HeaderLines(const ClientRequest& request) {
  CurlList list;
  bool has_content_type = false;
  for (const auto& [name, value] : request.headers) {
    const std::string_view trimmed = Trim(value);
    std::string line = name;
    if (trimmed.empty()) {
      line += ';';
    } else {
      line.append(": ").append(trimmed);
    }
    Append(list, line);
    has_content_type |= strcasecmp(name.c_str(), "content-type") == 0;
  }
  Append(list, "Expect:");
  if (!has_content_type) Append(list, "Content-Type:");
  return list;
}

absl::Status ErrorOf(CURLcode code, bool too_large, bool address_refused,
                     bool nothing_sent) {
  absl::Status status;
  const std::string text = std::string("http: ") + curl_easy_strerror(code);
  switch (code) {
    case CURLE_COULDNT_CONNECT:
      status = address_refused
                   ? absl::PermissionDeniedError("http: address not allowed")
                   : absl::UnavailableError(text);
      break;
    case CURLE_OPERATION_TIMEDOUT:
      status = absl::DeadlineExceededError(text);
      break;
    case CURLE_URL_MALFORMAT:
      status = absl::InvalidArgumentError(text);
      break;
    case CURLE_UNSUPPORTED_PROTOCOL:  // Also HTTP/0.9.
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
      status = absl::InternalError(text);
      break;
    default:
      status = too_large ? absl::ResourceExhaustedError("http: too large")
                         : absl::UnavailableError(text);
  }
  if (nothing_sent) status.SetPayload(kNotSentPayload, absl::Cord());
  return status;
}

}  // namespace

HttpTransfer::HttpTransfer(std::shared_ptr<CurlMulti> multi,
                           const HttpClient::Options& options,
                           ClientRequest request)
    : multi_(std::move(multi)),
      options_(options),
      request_(std::move(request)),
      headers_(HeaderLines(request_)),
      finished_(multi_->loop()) {}

HttpTransfer::~HttpTransfer() {
  if (easy_ != nullptr) multi_->Remove(std::exchange(easy_, nullptr));
}

bool HttpTransfer::Start() {
  CURL* easy = multi_->TakeHandle();
  if (easy == nullptr) return false;
  SetOptions(easy);
  if (!multi_->Add(easy, *this)) return false;
  easy_ = easy;
  return true;
}

bool HttpTransfer::StartStream() {
  inflow_ = std::make_unique<Inflow>();
  return Start();
}

void HttpTransfer::SetOptions(CURL* easy) {
  const ClientRequest& request = request_;
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L);
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  // A resolver thread that is still at work when its time is over is left to
  // end by itself; by default curl would wait for it, and the loop with it.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  const long timeout = static_cast<long>(request.timeout.count());
  // A stream takes as long as its reader; Open and Read limit the waiting.
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, inflow_ ? 0L : timeout);
  curl_easy_setopt(
      easy, CURLOPT_CONNECTTIMEOUT_MS,
      std::min(timeout, static_cast<long>(options_.connect_timeout.count())));

  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers_.get());
  const std::string& method = request.method;
  const size_t body_size = this->body_size();
  if (body_size > 0 || method == "POST" || method == "PUT" ||
      method == "PATCH") {
    // A read function that cannot rewind, in place of POSTFIELDS: curl then
    // never sends a body a second time on its own.
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(body_size));
    if (body_size > kLargeBody) {
      curl_easy_setopt(easy, CURLOPT_UPLOAD_BUFFERSIZE, kLargeBodyBuffer);
    }
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, &OnRead);
    curl_easy_setopt(easy, CURLOPT_READDATA, this);
  } else if (method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());

  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &OnOpen);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, this);
}

void HttpTransfer::Finish(CURLcode result) {
  code_ = cut_off_ ? CURLE_OK : result;
  long number = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &number);
  response_.status = static_cast<int>(number);
  curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &number);
  nothing_sent_ = number == 0;
  multi_->Remove(std::exchange(easy_, nullptr));
  if (inflow_) {
    inflow_->ended = true;
    inflow_->changed.Notify();
  } else {
    finished_.Resume();
  }
}

absl::Status HttpTransfer::status() const {
  if (code_ == CURLE_OK) return absl::OkStatus();
  return ErrorOf(code_, too_large_, address_refused_ && !address_allowed_,
                 nothing_sent_);
}

curl_socket_t HttpTransfer::OnOpen(void* transfer, curlsocktype,
                                   curl_sockaddr* address) {
  HttpTransfer& self = *static_cast<HttpTransfer*>(transfer);
  if (!MayConnect(self.options_.addresses, &address->addr, address->addrlen)) {
    self.address_refused_ = true;
    return CURL_SOCKET_BAD;
  }
  self.address_allowed_ = true;
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

size_t HttpTransfer::OnHeader(char* data, size_t, size_t size, void* transfer) {
  HttpTransfer& self = *static_cast<HttpTransfer*>(transfer);
  self.head_bytes_ += size;
  if (self.head_bytes_ > kMaxHeadBytes) {
    self.too_large_ = true;
    return 0;
  }
  // Trailers; who reads a stream has its head already.
  if (self.body_began_) return size;
  const std::string_view line(data, size);
  if (line.substr(0, 5) == "HTTP/") {
    self.response_.headers.clear();  // What came before was a 1xx answer.
    return size;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string name(Trim(line.substr(0, colon)));
  std::transform(name.begin(), name.end(), name.begin(), LowerCase);
  self.response_.headers.emplace_back(std::move(name),
                                      Trim(line.substr(colon + 1)));
  return size;
}

size_t HttpTransfer::OnBody(char* data, size_t, size_t size, void* transfer) {
  HttpTransfer& self = *static_cast<HttpTransfer*>(transfer);
  self.body_began_ = true;
  if (self.inflow_) return self.Receive({data, size});
  if (self.request_.discard_body) {
    self.discarded_bytes_ += size;
    self.cut_off_ = self.discarded_bytes_ > self.request_.max_response_bytes;
    return self.cut_off_ ? 0 : size;
  }
  if (size > self.request_.max_response_bytes - self.response_.body.size()) {
    self.too_large_ = true;
    return 0;
  }
  self.response_.body.append(data, size);
  return size;
}

size_t HttpTransfer::Receive(std::string_view bytes) {
  if (!inflow_->began) {
    inflow_->began = true;
    long number = 0;
    curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &number);
    response_.status = static_cast<int>(number);
  }
  if (inflow_->bytes.size() + bytes.size() > BodyStream::kWindow) {
    inflow_->held_up = true;  // curl keeps these bytes and brings them again.
    return CURL_WRITEFUNC_PAUSE;
  }
  inflow_->bytes.append(bytes);
  inflow_->changed.Notify();
  return bytes.size();
}

std::string HttpTransfer::TakeBody(size_t max_bytes) {
  std::string piece = inflow_->bytes.substr(0, max_bytes);
  inflow_->bytes.erase(0, piece.size());
  if (inflow_->held_up && easy_ != nullptr &&
      inflow_->bytes.size() <= BodyStream::kWindow / 2) {
    inflow_->held_up = false;
    // May call OnBody in here.
    curl_easy_pause(easy_, CURLPAUSE_CONT);
  }
  return piece;
}

size_t HttpTransfer::OnRead(char* out, size_t, size_t size, void* transfer) {
  return static_cast<HttpTransfer*>(transfer)->ReadBody(out, size);
}

size_t HttpTransfer::body_size() const {
  size_t size = 0;
  for (const std::string& piece : body()) size += piece.size();
  return size;
}

size_t HttpTransfer::ReadBody(char* out, size_t size) {
  size_t copied = 0;
  while (copied < size && pieces_sent_ < body().size()) {
    const std::string& piece = body()[pieces_sent_];
    const size_t n = std::min(size - copied, piece.size() - bytes_sent_);
    std::memcpy(out + copied, piece.data() + bytes_sent_, n);
    copied += n;
    bytes_sent_ += n;
    if (bytes_sent_ < piece.size()) break;
    ++pieces_sent_;
    bytes_sent_ = 0;
  }
  return copied;
}

}  // namespace kyc::async
