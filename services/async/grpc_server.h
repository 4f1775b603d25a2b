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
// `request` and `response` live until the call is finished.
#ifndef KYC_SERVICES_ASYNC_GRPC_SERVER_H_
#define KYC_SERVICES_ASYNC_GRPC_SERVER_H_

#include <grpcpp/support/server_callback.h>

#include <functional>
#include <string_view>

#include "absl/status/status.h"
#include "services/async/call_context.h"
#include "services/async/loop.h"

namespace kyc::async {

// Serves one unary call. The context carries the call's `traceparent`
// metadata (or a new trace) and its deadline (or 30 s from now, if it has
// none or a later one). The status becomes a grpc::Status whose details hold
// a google.rpc.ErrorInfo (see base/error.h); a status without a reason is
// given the one its code implies. Counts kyc_rpc_server_requests_total
// {method, code} and kyc_rpc_server_duration_seconds{method}.
// `method` is a literal.
grpc::ServerUnaryReactor* RunUnary(
    grpc::CallbackServerContext* rpc, Loop& loop, std::string_view method,
    std::function<Task<absl::Status>(CallContext)> handler);

// How a streaming handler sends. All calls on the handler's loop.
class StreamWriterBase {
 public:
  virtual ~StreamWriterBase() = default;
  // Whether the client has gone or the call's time is over.
  virtual bool cancelled() const = 0;
};

// One server stream: Write suspends until gRPC has taken the message.
// CANCELLED when the client has gone.
template <typename Response>
class StreamWriter : public StreamWriterBase {
 public:
  virtual Task<absl::Status> Write(Response response) = 0;
};

// Serves one server-streaming call; as RunUnary otherwise. The handler's end
// is the stream's end. (Defined in grpc_server_stream.h, which is heavier.)
template <typename Response>
grpc::ServerWriteReactor<Response>* RunServerStream(
    grpc::CallbackServerContext* rpc, Loop& loop, std::string_view method,
    std::function<Task<absl::Status>(CallContext, StreamWriter<Response>&)>
        handler);

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_GRPC_SERVER_H_
