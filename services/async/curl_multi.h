// curl's multi handle on a loop. Internal to the HTTP client.
//
// curl's multi interface says which sockets it waits for; Asio waits and
// tells curl. Two rules keep that safe: the sockets are curl's, so Asio's
// descriptor lets go of one before curl closes it; and nothing that curl
// calls back calls curl again or resumes a coroutine. Whoever sets further
// callbacks on a handle (http_transfer.h) keeps the second rule, too.
//
// One loop's thread only; it may be destroyed after the loop has stopped and
// before it goes.
#ifndef KYC_SERVICES_ASYNC_CURL_MULTI_H_
#define KYC_SERVICES_ASYNC_CURL_MULTI_H_

#include <curl/curl.h>

#include <boost/asio/posix/descriptor_base.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <memory>
#include <unordered_map>
#include <vector>

#include "services/async/loop.h"

namespace kyc::async {

class HttpTransfer;

// Connections, and the handles that run over them. Shared by the client and
// its requests in flight, so that it outlives both; what it has asked of Asio
// does not keep it.
class CurlMulti : public std::enable_shared_from_this<CurlMulti> {
 public:
  CurlMulti(Loop& loop, int max_connections_per_host);
  ~CurlMulti();  // Closes the kept connections.
  CurlMulti(const CurlMulti&) = delete;
  CurlMulti& operator=(const CurlMulti&) = delete;

  Loop& loop() const { return loop_; }

  // A handle with curl's defaults, for Add; nullptr when curl has none.
  CURL* TakeHandle();
  // Runs `easy`, and calls transfer.Finish on a later turn of the loop, when
  // curl is done with it. Until Remove, which has to come, `transfer` stays
  // where it is. False when curl does not take it: then `easy` is gone.
  bool Add(CURL* easy, HttpTransfer& transfer);
  // Breaks off what is not done, and takes the handle back.
  void Remove(CURL* easy);

 private:
  using TimePoint = std::chrono::steady_clock::time_point;
  using WaitType = boost::asio::posix::descriptor_base::wait_type;
  struct Socket;

  static int OnSocket(CURL*, curl_socket_t fd, int what, void* self, void*);
  static int OnTimer(CURLM*, long timeout_ms, void* self);
  static int OnClose(void* self, curl_socket_t fd);

  void SetTimer();
  void OnDue();
  void Watch(const std::shared_ptr<Socket>& socket);
  void Wait(const std::shared_ptr<Socket>& socket, WaitType type,
            bool Socket::*busy, int action);
  void Drop(curl_socket_t fd);
  // Tells curl, then ends the requests that are finished.
  void Act(curl_socket_t fd, int action);

  Loop& loop_;
  boost::asio::io_context& io_;
  CURLM* multi_ = nullptr;
  boost::asio::steady_timer timer_;
  TimePoint timer_ends_ = TimePoint::max();
  TimePoint due_ = TimePoint::max();  // curl's.
  bool posted_ = false;               // OnDue comes by itself.
  std::unordered_map<curl_socket_t, std::shared_ptr<Socket>> sockets_;
  std::vector<CURL*> idle_handles_;
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_CURL_MULTI_H_
