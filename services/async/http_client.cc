// curl's multi interface says which sockets it waits for; Asio waits and
// tells curl. Two rules keep that safe: the sockets are curl's, so Asio's
// descriptor lets go of one before curl closes it; and nothing that curl
// calls back calls curl again or resumes a coroutine.
#include "services/async/http_client.h"

#include <curl/curl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdlib>
#include <cstring>
#include <new>
#include <span>
#include <unordered_map>

#include "absl/strings/cord.h"
#include "services/async/waiter.h"
#include "services/base/status_macros.h"

namespace kyc::async {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;
using std::chrono::steady_clock;

constexpr size_t kMaxHeadBytes = 64 * 1024;
constexpr size_t kIdleHandles = 64;
// What curl takes of a large body at a time; of others 64 KiB.
constexpr size_t kLargeBody = 1 << 20;
constexpr long kLargeBodyBuffer = 256 * 1024;

void InitCurlOnce() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_ALL);
  if (code != CURLE_OK) std::abort();  // No memory or no TLS library.
}

char LowerCase(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

bool IsToken(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') || kMarks.find(c) != std::string_view::npos;
  });
}

bool IsFieldValue(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) ==
         std::string_view::npos;
}

bool IsSendable(const ClientRequest& request) {
  if (!IsToken(request.method)) return false;
  // curl ends a C string at a NUL and drops a fragment: neither is the URL
  // that was asked for.
  for (char c : request.url) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '#' || c == 0x7f) {
      return false;
    }
  }
  return std::all_of(
      request.headers.begin(), request.headers.end(), [](const auto& header) {
        return IsToken(header.first) && IsFieldValue(header.second);
      });
}

struct FreeList {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using HeaderList = std::unique_ptr<curl_slist, FreeList>;

void Append(HeaderList& list, const std::string& line) {
  curl_slist* longer = curl_slist_append(list.get(), line.c_str());
  if (longer == nullptr) throw std::bad_alloc();
  (void)list.release();
  list.reset(longer);
}

// The request's fields in curl's syntax, where "Name;" sends an empty value
// and "Name:" sends none of curl's own.
HeaderList HeaderLines(const ClientRequest& request) {
  HeaderList list;
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

}  // namespace

std::string_view ClientResponse::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

// What of a streamed answer waits for its reader.
struct Inflow {
  std::string bytes;
  bool held_up = false;  // curl waits until there is room.
  bool began = false;    // The head is whole.
  bool ended = false;    // curl has no more to say.
  Event changed;         // The above.
};

// Shared by the client and its requests in flight, so that it outlives both.
class HttpClient::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Loop& loop, Options options)
      : loop_(loop), io_(loop.context()), options_(options), timer_(io_) {
    InitCurlOnce();
    multi_ = curl_multi_init();
    if (multi_ == nullptr) throw std::bad_alloc();
    curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &OnSocket);
    curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &OnTimer);
    curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
    curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
    const long most = options_.max_connections_per_host;
    curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, most);
    curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, most);
  }

  ~Impl() {
    for (CURL* easy : idle_handles_) curl_easy_cleanup(easy);
    // Closes the kept connections, through the callbacks below.
    curl_multi_cleanup(multi_);
  }

  static Task<absl::StatusOr<ClientResponse>> Send(std::shared_ptr<Impl> impl,
                                                   ClientRequest request);
  static Task<absl::StatusOr<BodyStream>> Open(std::shared_ptr<Impl> impl,
                                               ClientRequest request);

  struct Transfer;  // One request.

 private:
  // A socket of curl's while curl waits for it.
  struct Socket {
    Socket(asio::io_context& io, curl_socket_t fd)
        : descriptor(io, fd), fd(fd) {}
    ~Socket() { Release(); }
    void Release() {
      alive = false;
      if (descriptor.is_open()) descriptor.release();
    }

    Descriptor descriptor;
    const curl_socket_t fd;
    int wanted = CURL_POLL_NONE;
    bool alive = true;
    bool reading = false;
    bool writing = false;
  };

  static absl::Status Check(const ClientRequest& request);
  // Hands the request to curl. Its callbacks come later, never in here.
  bool Add(Transfer& transfer);
  void SetOptions(CURL* easy, Transfer& transfer);
  void Remove(Transfer& transfer);

  static int OnSocket(CURL*, curl_socket_t fd, int what, void* self, void*);
  static int OnTimer(CURLM*, long timeout_ms, void* self);
  static curl_socket_t OnOpen(void* transfer, curlsocktype purpose,
                              curl_sockaddr* address);
  static int OnClose(void* self, curl_socket_t fd);
  static size_t OnHeader(char* data, size_t, size_t size, void* transfer);
  static size_t OnBody(char* data, size_t, size_t size, void* transfer);
  static size_t OnRead(char* out, size_t, size_t size, void* transfer);

  void SetTimer();
  void OnDue();
  void Watch(const std::shared_ptr<Socket>& socket);
  void Wait(const std::shared_ptr<Socket>& socket, Descriptor::wait_type type,
            bool Socket::*busy, int action);
  void Drop(curl_socket_t fd);
  // Tells curl, then ends the requests that are finished.
  void Act(curl_socket_t fd, int action);

  Loop& loop_;
  asio::io_context& io_;
  const Options options_;
  CURLM* multi_ = nullptr;
  asio::steady_timer timer_;
  steady_clock::time_point timer_ends_ = steady_clock::time_point::max();
  steady_clock::time_point due_ = steady_clock::time_point::max();  // curl's.
  bool posted_ = false;  // OnDue comes by itself.
  std::unordered_map<curl_socket_t, std::shared_ptr<Socket>> sockets_;
  std::vector<CURL*> idle_handles_;
};

// One request; lives in the frame of Send's coroutine, or with its stream.
struct HttpClient::Impl::Transfer {
  Transfer(std::shared_ptr<Impl> impl, ClientRequest request)
      : impl(std::move(impl)),
        request(std::move(request)),
        headers(HeaderLines(this->request)),
        finished(this->impl->loop_) {}
  ~Transfer() {
    if (easy != nullptr) impl->Remove(*this);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  std::span<const std::string> body() const {
    if (request.shared_body) return *request.shared_body;
    return {&request.body, 1};
  }
  size_t body_size() const;
  // Copies at most `size` of the body's next bytes; 0 at its end.
  size_t ReadBody(char* out, size_t size);

  absl::Status status() const;  // Once curl has finished.
  // Takes what came of a streamed body, or holds curl up.
  size_t Receive(std::string_view bytes);

  std::shared_ptr<Impl> impl;
  ClientRequest request;
  HeaderList headers;
  size_t pieces_sent = 0;  // Whole ones …
  size_t bytes_sent = 0;   // … and of the next.
  size_t head_bytes = 0;
  bool too_large = false;
  size_t discarded_bytes = 0;
  bool cut_off = false;  // What was left of a body that nobody wants.
  bool address_refused = false;
  ClientResponse response;
  CURL* easy = nullptr;  // Present while curl has it.
  CURLcode code = CURLE_OK;
  bool nothing_sent = false;
  Waiter finished;
  std::unique_ptr<Inflow> inflow;  // Of a streamed answer.
};

HttpClient::HttpClient(Loop& loop, Options options)
    : impl_(std::make_shared<Impl>(loop, options)) {}
HttpClient::~HttpClient() = default;

Task<absl::StatusOr<ClientResponse>> HttpClient::Send(ClientRequest request) {
  return Impl::Send(impl_, std::move(request));
}

Task<absl::StatusOr<BodyStream>> HttpClient::Open(ClientRequest request) {
  return Impl::Open(impl_, std::move(request));
}

namespace {

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

absl::Status HttpClient::Impl::Check(const ClientRequest& request) {
  if (!IsSendable(request)) {
    return absl::InvalidArgumentError("http: request cannot be sent");
  }
  if (request.timeout.count() <= 0) {
    absl::Status late = absl::DeadlineExceededError("http: no time left");
    late.SetPayload(kNotSentPayload, absl::Cord());
    return late;
  }
  return absl::OkStatus();
}

absl::Status HttpClient::Impl::Transfer::status() const {
  if (code == CURLE_OK) return absl::OkStatus();
  return ErrorOf(code, too_large, address_refused, nothing_sent);
}

Task<absl::StatusOr<ClientResponse>> HttpClient::Impl::Send(
    std::shared_ptr<Impl> impl, ClientRequest request) {
  CO_RETURN_IF_ERROR(Check(request));
  Transfer transfer(std::move(impl), std::move(request));
  if (!transfer.impl->Add(transfer)) {
    co_return absl::ResourceExhaustedError("http: no handle");
  }
  co_await transfer.finished.Wait();
  CO_RETURN_IF_ERROR(transfer.status());
  co_return std::move(transfer.response);
}

struct BodyStream::State {
  State(std::shared_ptr<HttpClient::Impl> impl, ClientRequest request)
      : transfer(std::move(impl), std::move(request)) {}
  HttpClient::Impl::Transfer transfer;
  absl::Status failed;  // What the reader was told last.
};

BodyStream::BodyStream(std::unique_ptr<State> state)
    : state_(std::move(state)) {}
BodyStream::BodyStream(BodyStream&&) noexcept = default;
BodyStream& BodyStream::operator=(BodyStream&&) noexcept = default;
BodyStream::~BodyStream() = default;

const ClientResponse& BodyStream::head() const {
  return state_->transfer.response;
}

Task<absl::StatusOr<BodyStream>> HttpClient::Impl::Open(
    std::shared_ptr<Impl> impl, ClientRequest request) {
  CO_RETURN_IF_ERROR(Check(request));
  const auto end = steady_clock::now() + request.timeout;
  auto state =
      std::make_unique<BodyStream::State>(std::move(impl), std::move(request));
  Transfer& transfer = state->transfer;
  transfer.inflow = std::make_unique<Inflow>();
  if (!transfer.impl->Add(transfer)) {
    co_return absl::ResourceExhaustedError("http: no handle");
  }
  Inflow& inflow = *transfer.inflow;
  while (!inflow.began && !inflow.ended) {
    const bool in_time =
        co_await inflow.changed.Wait(end - steady_clock::now());
    if (!in_time && !inflow.began && !inflow.ended) {
      co_return absl::DeadlineExceededError("http: no answer in time");
    }
  }
  if (!inflow.began) CO_RETURN_IF_ERROR(transfer.status());
  co_return BodyStream(std::move(state));
}

Task<absl::StatusOr<std::string>> BodyStream::Read(
    std::chrono::milliseconds idle) {
  CO_RETURN_IF_ERROR(state_->failed);
  HttpClient::Impl::Transfer& transfer = state_->transfer;
  Inflow& inflow = *transfer.inflow;
  while (inflow.bytes.empty() && !inflow.ended) {
    if (!co_await inflow.changed.Wait(idle) && inflow.bytes.empty() &&
        !inflow.ended) {
      co_return state_->failed =
          absl::DeadlineExceededError("http: the body stopped coming");
    }
  }
  if (inflow.bytes.empty()) {
    state_->failed = transfer.status();
    CO_RETURN_IF_ERROR(state_->failed);
    co_return std::string();
  }
  std::string piece = inflow.bytes.substr(0, kMaxPiece);
  inflow.bytes.erase(0, piece.size());
  if (inflow.held_up && transfer.easy != nullptr &&
      inflow.bytes.size() <= kWindow / 2) {
    inflow.held_up = false;
    // May call OnBody in here.
    curl_easy_pause(transfer.easy, CURLPAUSE_CONT);
  }
  co_return piece;
}

bool HttpClient::Impl::Add(Transfer& transfer) {
  CURL* easy = nullptr;
  if (idle_handles_.empty()) {
    easy = curl_easy_init();
    if (easy == nullptr) return false;
  } else {
    easy = idle_handles_.back();
    idle_handles_.pop_back();
  }
  SetOptions(easy, transfer);
  if (curl_multi_add_handle(multi_, easy) != CURLM_OK) {
    curl_easy_cleanup(easy);
    return false;
  }
  transfer.easy = easy;
  return true;
}

void HttpClient::Impl::SetOptions(CURL* easy, Transfer& transfer) {
  const ClientRequest& request = transfer.request;
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
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
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, transfer.inflow ? 0L : timeout);
  curl_easy_setopt(
      easy, CURLOPT_CONNECTTIMEOUT_MS,
      std::min(timeout, static_cast<long>(options_.connect_timeout.count())));

  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers.get());
  const std::string& method = request.method;
  const size_t body_size = transfer.body_size();
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
    curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
  } else if (method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method.c_str());

  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, &OnOpen);
  curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &OnClose);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
}

void HttpClient::Impl::Remove(Transfer& transfer) {
  CURL* easy = std::exchange(transfer.easy, nullptr);
  curl_multi_remove_handle(multi_, easy);
  if (idle_handles_.size() >= kIdleHandles) {
    curl_easy_cleanup(easy);
    return;
  }
  curl_easy_reset(easy);
  idle_handles_.push_back(easy);
}

int HttpClient::Impl::OnSocket(CURL*, curl_socket_t fd, int what, void* self,
                               void*) {
  Impl& impl = *static_cast<Impl*>(self);
  if (what == CURL_POLL_REMOVE) {
    impl.Drop(fd);
    return 0;
  }
  std::shared_ptr<Socket>& socket = impl.sockets_[fd];
  if (!socket) socket = std::make_shared<Socket>(impl.io_, fd);
  socket->wanted = what;
  impl.Watch(socket);
  return 0;
}

// curl moves its time several times per request, and to move a timer costs a
// system call. So the timer is only ever moved to an earlier time, one that
// ends before curl's time begins again, and what is due at once needs none.
int HttpClient::Impl::OnTimer(CURLM*, long timeout_ms, void* self) {
  Impl& impl = *static_cast<Impl*>(self);
  impl.due_ = timeout_ms < 0
                  ? steady_clock::time_point::max()
                  : steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  if (timeout_ms != 0) {
    impl.SetTimer();
  } else if (!std::exchange(impl.posted_, true)) {
    asio::post(impl.io_, [weak = impl.weak_from_this()] {
      const std::shared_ptr<Impl> impl = weak.lock();
      if (!impl) return;
      impl->posted_ = false;
      impl->OnDue();
    });
  }
  return 0;
}

void HttpClient::Impl::SetTimer() {
  if (due_ >= timer_ends_) return;
  timer_ends_ = due_;
  timer_.expires_at(timer_ends_);
  timer_.async_wait(
      [weak = weak_from_this()](const boost::system::error_code& error) {
        const std::shared_ptr<Impl> impl = weak.lock();
        if (!impl || error) return;
        impl->timer_ends_ = steady_clock::time_point::max();
        impl->OnDue();
      });
}

void HttpClient::Impl::OnDue() {
  if (steady_clock::now() >= due_) {
    // Should curl find nothing due yet, it names no new time.
    due_ += std::chrono::milliseconds(1);
    Act(CURL_SOCKET_TIMEOUT, 0);
  }
  SetTimer();
}

curl_socket_t HttpClient::Impl::OnOpen(void* transfer, curlsocktype,
                                       curl_sockaddr* address) {
  Transfer& self = *static_cast<Transfer*>(transfer);
  if (!MayConnect(self.impl->options_.addresses, &address->addr,
                  address->addrlen)) {
    self.address_refused = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(address->family, address->socktype | SOCK_CLOEXEC,
                  address->protocol);
}

int HttpClient::Impl::OnClose(void* self, curl_socket_t fd) {
  static_cast<Impl*>(self)->Drop(fd);
  return ::close(fd);
}

void HttpClient::Impl::Drop(curl_socket_t fd) {
  const auto it = sockets_.find(fd);
  if (it == sockets_.end()) return;
  // Waits under way end as aborted and keep the object until then; the same
  // number may name a new socket by that time.
  it->second->Release();
  sockets_.erase(it);
}

void HttpClient::Impl::Watch(const std::shared_ptr<Socket>& socket) {
  if ((socket->wanted & CURL_POLL_IN) != 0) {
    Wait(socket, Descriptor::wait_read, &Socket::reading, CURL_CSELECT_IN);
  }
  if ((socket->wanted & CURL_POLL_OUT) != 0) {
    Wait(socket, Descriptor::wait_write, &Socket::writing, CURL_CSELECT_OUT);
  }
}

void HttpClient::Impl::Wait(const std::shared_ptr<Socket>& socket,
                            Descriptor::wait_type type, bool Socket::*busy,
                            int action) {
  if ((*socket).*busy) return;
  (*socket).*busy = true;
  socket->descriptor.async_wait(
      type, [weak = weak_from_this(), socket, busy,
             action](const boost::system::error_code& error) {
        (*socket).*busy = false;
        const std::shared_ptr<Impl> impl = weak.lock();
        if (!impl || !socket->alive ||
            error == asio::error::operation_aborted) {
          return;
        }
        // CURL_POLL_IN is 1 and CURL_POLL_OUT is 2, as CURL_CSELECT_*.
        if ((socket->wanted & action) != 0) {
          impl->Act(socket->fd, error ? CURL_CSELECT_ERR : action);
        }
        if (socket->alive) impl->Watch(socket);
      });
}

void HttpClient::Impl::Act(curl_socket_t fd, int action) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, action, &running);
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    void* data = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &data);
    Transfer& transfer = *static_cast<Transfer*>(data);
    transfer.code = transfer.cut_off ? CURLE_OK : message->data.result;
    long number = 0;
    curl_easy_getinfo(transfer.easy, CURLINFO_RESPONSE_CODE, &number);
    transfer.response.status = static_cast<int>(number);
    curl_easy_getinfo(transfer.easy, CURLINFO_REQUEST_SIZE, &number);
    transfer.nothing_sent = number == 0;
    Remove(transfer);  // `message` ends here.
    if (transfer.inflow) {
      transfer.inflow->ended = true;
      transfer.inflow->changed.Notify();
    } else {
      transfer.finished.Resume();
    }
  }
}

size_t HttpClient::Impl::OnHeader(char* data, size_t, size_t size,
                                  void* transfer) {
  Transfer& self = *static_cast<Transfer*>(transfer);
  self.head_bytes += size;
  if (self.head_bytes > kMaxHeadBytes) {
    self.too_large = true;
    return 0;
  }
  const std::string_view line(data, size);
  if (line.substr(0, 5) == "HTTP/") {
    self.response.headers.clear();  // What came before was a 1xx answer.
    return size;
  }
  const size_t colon = line.find(':');
  if (colon == std::string_view::npos) return size;
  std::string name(Trim(line.substr(0, colon)));
  std::transform(name.begin(), name.end(), name.begin(), LowerCase);
  self.response.headers.emplace_back(std::move(name),
                                     Trim(line.substr(colon + 1)));
  return size;
}

size_t HttpClient::Impl::OnBody(char* data, size_t, size_t size,
                                void* transfer) {
  Transfer& self = *static_cast<Transfer*>(transfer);
  if (self.inflow) return self.Receive({data, size});
  if (self.request.discard_body) {
    self.discarded_bytes += size;
    self.cut_off = self.discarded_bytes > self.request.max_response_bytes;
    return self.cut_off ? 0 : size;
  }
  if (size > self.request.max_response_bytes - self.response.body.size()) {
    self.too_large = true;
    return 0;
  }
  self.response.body.append(data, size);
  return size;
}

size_t HttpClient::Impl::Transfer::Receive(std::string_view bytes) {
  if (!inflow->began) {
    inflow->began = true;
    long number = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &number);
    response.status = static_cast<int>(number);
  }
  if (inflow->bytes.size() + bytes.size() > BodyStream::kWindow) {
    inflow->held_up = true;  // curl keeps these bytes and brings them again.
    return CURL_WRITEFUNC_PAUSE;
  }
  inflow->bytes.append(bytes);
  inflow->changed.Notify();
  return bytes.size();
}

size_t HttpClient::Impl::OnRead(char* out, size_t, size_t size,
                                void* transfer) {
  return static_cast<Transfer*>(transfer)->ReadBody(out, size);
}

size_t HttpClient::Impl::Transfer::body_size() const {
  size_t size = 0;
  for (const std::string& piece : body()) size += piece.size();
  return size;
}

size_t HttpClient::Impl::Transfer::ReadBody(char* out, size_t size) {
  size_t copied = 0;
  while (copied < size && pieces_sent < body().size()) {
    const std::string& piece = body()[pieces_sent];
    const size_t n = std::min(size - copied, piece.size() - bytes_sent);
    std::memcpy(out + copied, piece.data() + bytes_sent, n);
    copied += n;
    bytes_sent += n;
    if (bytes_sent < piece.size()) break;
    ++pieces_sent;
    bytes_sent = 0;
  }
  return copied;
}

}  // namespace kyc::async
