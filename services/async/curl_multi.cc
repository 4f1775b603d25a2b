#include "services/async/curl_multi.h"

#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cstdlib>
#include <new>
#include <utility>

#include "services/async/http_transfer.h"

namespace kyc::async {
namespace {

namespace asio = boost::asio;
using Descriptor = asio::posix::stream_descriptor;
using std::chrono::steady_clock;

constexpr size_t kIdleHandles = 64;

void InitCurlOnce() {
  static const CURLcode code = curl_global_init(CURL_GLOBAL_ALL);
  if (code != CURLE_OK) std::abort();  // No memory or no TLS library.
}

}  // namespace

// A socket of curl's while curl waits for it.
struct CurlMulti::Socket {
  Socket(asio::io_context& io, curl_socket_t fd) : descriptor(io, fd), fd(fd) {}
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

CurlMulti::CurlMulti(Loop& loop, int max_connections_per_host)
    : loop_(loop), io_(loop.context()), timer_(io_) {
  InitCurlOnce();
  multi_ = curl_multi_init();
  if (multi_ == nullptr) throw std::bad_alloc();
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, &OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, &OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_PIPELINING, CURLPIPE_NOTHING);
  const long most = max_connections_per_host;
  curl_multi_setopt(multi_, CURLMOPT_MAX_HOST_CONNECTIONS, most);
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, most);
}

CurlMulti::~CurlMulti() {
  for (CURL* easy : idle_handles_) curl_easy_cleanup(easy);
  // Closes the kept connections, through the callbacks below.
  curl_multi_cleanup(multi_);
}

CURL* CurlMulti::TakeHandle() {
  if (idle_handles_.empty()) return curl_easy_init();
  CURL* easy = idle_handles_.back();
  idle_handles_.pop_back();
  return easy;
}

bool CurlMulti::Add(CURL* easy, HttpTransfer& transfer) {
  curl_easy_setopt(easy, CURLOPT_PRIVATE, &transfer);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, &OnClose);
  curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, this);
  if (curl_multi_add_handle(multi_, easy) != CURLM_OK) {
    curl_easy_cleanup(easy);
    return false;
  }
  return true;
}

void CurlMulti::Remove(CURL* easy) {
  curl_multi_remove_handle(multi_, easy);
  if (idle_handles_.size() >= kIdleHandles) {
    curl_easy_cleanup(easy);
    return;
  }
  curl_easy_reset(easy);
  idle_handles_.push_back(easy);
}

int CurlMulti::OnSocket(CURL*, curl_socket_t fd, int what, void* self, void*) {
  CurlMulti& multi = *static_cast<CurlMulti*>(self);
  if (what == CURL_POLL_REMOVE) {
    multi.Drop(fd);
    return 0;
  }
  std::shared_ptr<Socket>& socket = multi.sockets_[fd];
  if (!socket) socket = std::make_shared<Socket>(multi.io_, fd);
  socket->wanted = what;
  multi.Watch(socket);
  return 0;
}

// curl moves its time several times per request, and to move a timer costs a
// system call. So the timer is only ever moved to an earlier time, one that
// ends before curl's time begins again, and what is due at once needs none.
int CurlMulti::OnTimer(CURLM*, long timeout_ms, void* self) {
  CurlMulti& multi = *static_cast<CurlMulti*>(self);
  multi.due_ = timeout_ms < 0 ? steady_clock::time_point::max()
                              : steady_clock::now() +
                                    std::chrono::milliseconds(timeout_ms);
  if (timeout_ms != 0) {
    multi.SetTimer();
  } else if (!std::exchange(multi.posted_, true)) {
    asio::post(multi.io_, [weak = multi.weak_from_this()] {
      const std::shared_ptr<CurlMulti> multi = weak.lock();
      if (!multi) return;
      multi->posted_ = false;
      multi->OnDue();
    });
  }
  return 0;
}

void CurlMulti::SetTimer() {
  if (due_ >= timer_ends_) return;
  timer_ends_ = due_;
  timer_.expires_at(timer_ends_);
  timer_.async_wait(
      [weak = weak_from_this()](const boost::system::error_code& error) {
        const std::shared_ptr<CurlMulti> multi = weak.lock();
        if (!multi || error) return;
        multi->timer_ends_ = steady_clock::time_point::max();
        multi->OnDue();
      });
}

void CurlMulti::OnDue() {
  if (steady_clock::now() >= due_) {
    // Should curl find nothing due yet, it names no new time.
    due_ += std::chrono::milliseconds(1);
    Act(CURL_SOCKET_TIMEOUT, 0);
  }
  SetTimer();
}

int CurlMulti::OnClose(void* self, curl_socket_t fd) {
  static_cast<CurlMulti*>(self)->Drop(fd);
  return ::close(fd);
}

void CurlMulti::Drop(curl_socket_t fd) {
  const auto it = sockets_.find(fd);
  if (it == sockets_.end()) return;
  // Waits under way end as aborted and keep the object until then; the same
  // number may name a new socket by that time.
  it->second->Release();
  sockets_.erase(it);
}

void CurlMulti::Watch(const std::shared_ptr<Socket>& socket) {
  if ((socket->wanted & CURL_POLL_IN) != 0) {
    Wait(socket, Descriptor::wait_read, &Socket::reading, CURL_CSELECT_IN);
  }
  if ((socket->wanted & CURL_POLL_OUT) != 0) {
    Wait(socket, Descriptor::wait_write, &Socket::writing, CURL_CSELECT_OUT);
  }
}

void CurlMulti::Wait(const std::shared_ptr<Socket>& socket, WaitType type,
                     bool Socket::*busy, int action) {
  if ((*socket).*busy) return;
  (*socket).*busy = true;
  socket->descriptor.async_wait(
      type, [weak = weak_from_this(), socket, busy,
             action](const boost::system::error_code& error) {
        (*socket).*busy = false;
        const std::shared_ptr<CurlMulti> multi = weak.lock();
        if (!multi || !socket->alive ||
            error == asio::error::operation_aborted) {
          return;
        }
        // CURL_POLL_IN is 1 and CURL_POLL_OUT is 2, as CURL_CSELECT_*.
        if ((socket->wanted & action) != 0) {
          multi->Act(socket->fd, error ? CURL_CSELECT_ERR : action);
        }
        if (socket->alive) multi->Watch(socket);
      });
}

void CurlMulti::Act(curl_socket_t fd, int action) {
  int running = 0;
  curl_multi_socket_action(multi_, fd, action, &running);
  int left = 0;
  while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
    if (message->msg != CURLMSG_DONE) continue;
    void* data = nullptr;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &data);
    HttpTransfer& transfer = *static_cast<HttpTransfer*>(data);
    transfer.Finish(message->data.result);  // `message` ends here.
  }
}

}  // namespace kyc::async
