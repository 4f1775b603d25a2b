// gRPC's callback server, as coroutines.
//
// An RPC arrives on a gRPC thread, is posted once to a loop, runs there as a
// coroutine and finishes from there. The generated CallbackService's method
// is one line:
//
//   grpc::ServerUnaryReactor* GetUser(grpc::CallbackServerContext* rpc,
//                                     const GetUserRequest* request,
//                                     GetUserResponse* response) override {
//     return async::RunUnary(rpc, runtime_->LoopFor(request->user_id()),
//                            "UserService/GetUser", [=, this](auto context) {
//                              return Serve(context, *request, response);
//                            });
//   }
//
// `request` and `response` live until the call is finished, also when its
// client has gone: handlers run to their end.
//
// Shut the grpc::Server down before Runtime::Stop. A handler that Stop
// destroys all the same ends its call with UNAVAILABLE.
#ifndef KYC_SERVICES_ASYNC_GRPC_SERVER_H_
#define KYC_SERVICES_ASYNC_GRPC_SERVER_H_

#include <grpcpp/support/server_callback.h>

#include <chrono>
#include <functional>
#include <memory>
#include <set>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "services/async/call_context.h"
#include "services/async/loop.h"
#include "services/base/mutex.h"

namespace grpc {
class ServerBuilder;
}  // namespace grpc

namespace kyc::async {

// Message limit 4 MiB, and keepalive pings as OpenChannel's channels send
// them.
void ApplyServerDefaults(grpc::ServerBuilder& builder);

// Serves one unary call. The context carries the call's `traceparent`
// metadata (or a new trace) and its deadline (or 30 s from now, if it has
// none or a later one). The status becomes a grpc::Status whose details hold
// a google.rpc.ErrorInfo (grpc_status.h); a status without a reason is logged
// and given the one its code implies, an exception is INTERNAL. Counts
// kyc_rpc_server_requests_total{method, code} and
// kyc_rpc_server_duration_seconds{method}. `method` is a literal.
grpc::ServerUnaryReactor* RunUnary(
    grpc::CallbackServerContext* rpc, Loop& loop, std::string_view method,
    std::function<Task<absl::Status>(CallContext)> handler);

// How a streaming handler sends. All calls on the handler's loop.
class StreamWriterBase {
 public:
  virtual ~StreamWriterBase() = default;
  // Whether the client has gone, the call's time is over, or the server
  // drains: the handler should end.
  virtual bool cancelled() const = 0;
  // Calls `callback` on the loop, once, when the stream is cancelled; inside
  // this call when it already is, and never after the handler has ended.
  // Takes the place of an earlier callback. A handler that sleeps on an Event
  // has itself woken with it.
  virtual void OnCancelled(std::function<void()> callback) = 0;
};

// One server stream: Write suspends until gRPC has taken the message.
// CANCELLED when the stream is cancelled. One Write at a time.
template <typename Response>
class StreamWriter : public StreamWriterBase {
 public:
  virtual Task<absl::Status> Write(Response response) = 0;
};

namespace internal {
class StreamCore;

// Runs a call's handler on the loop: what RunUnary does, for any reactor.
// `finish` is called once, there.
void SpawnHandler(grpc::CallbackServerContext* rpc, Loop& loop,
                  std::string_view method,
                  std::function<Task<absl::Status>(CallContext)> handler,
                  std::chrono::steady_clock::duration longest,
                  std::function<void(const grpc::Status&)> finish);
}  // namespace internal

// The streams of a server that are open, so that a draining server can end
// them. Thread-safe. Outlives its streams.
class StreamRegistry {
 public:
  // Cancels every stream open now, and every one that comes later, as soon as
  // it comes. Their clients see UNAVAILABLE, or CANCELLED where a client does
  // not read what was sent. Does not wait: the server's Shutdown does.
  void CancelAll();

 private:
  friend class internal::StreamCore;
  // False when all streams are to end.
  bool Add(const std::shared_ptr<internal::StreamCore>& stream);
  void Remove(const std::shared_ptr<internal::StreamCore>& stream);

  base::Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<std::shared_ptr<internal::StreamCore>> open_ ABSL_GUARDED_BY(mutex_);
};

// Serves one server-streaming call; as RunUnary otherwise, but that only the
// client's deadline ends it. The handler's end is the stream's end. (Defined
// in grpc_server_stream.h, which is heavier.)
template <typename Response>
grpc::ServerWriteReactor<Response>* RunServerStream(
    grpc::CallbackServerContext* rpc, Loop& loop, StreamRegistry& registry,
    std::string_view method,
    std::function<Task<absl::Status>(CallContext, StreamWriter<Response>&)>
        handler);

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_GRPC_SERVER_H_
