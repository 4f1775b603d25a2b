// gRPC's callback client, as coroutines.
//
//   v1::User user;
//   CO_RETURN_IF_ERROR(co_await async::CallUnary(
//       context, "UserService/GetUser", [&](auto* rpc, auto done) {
//         stub->async()->GetUser(rpc, &request, &user, std::move(done));
//       }));
#ifndef KYC_SERVICES_ASYNC_GRPC_CLIENT_H_
#define KYC_SERVICES_ASYNC_GRPC_CLIENT_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/async/call_context.h"
#include "services/async/grpc_status.h"
#include "services/async/task.h"

namespace grpc {
class Channel;
class ClientContext;
class Status;
}  // namespace grpc

namespace kyc::async {

// Makes one unary call and suspends until it is answered; the answer is
// posted back to the calling loop once. The call carries the context's trace
// as `traceparent` and its deadline, at most 30 s from now; DEADLINE_EXCEEDED
// comes then also when the peer is frozen, and at once when nothing is left.
// It does not wait for a peer that is known to be away: UNAVAILABLE. The
// status carries the reason and extras of the peer's ErrorInfo
// (base/error.h), where there is one.
//
// What `start` captures must live until the call returns, as a reference into
// the calling coroutine's frame does: when that is destroyed first (by
// Runtime::Stop), the call is cancelled and gRPC's last callback waited for.
//
// On a loop's thread only. Counts kyc_rpc_client_requests_total{method, code}
// and kyc_rpc_client_duration_seconds{method}. `method` is a literal.
Task<absl::Status> CallUnary(
    CallContext context, std::string_view method,
    std::function<void(grpc::ClientContext*, std::function<void(grpc::Status)>)>
        start);

// A channel to `host:port` or `unix:/path`, with a connection of its own (so
// that a loop's calls wait for no other loop's), keepalive, a short
// reconnect back-off (100 ms to 2 s) and a 4 MiB message limit. It connects
// by itself, now and again. No proxy of the environment is used.
std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address);

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_GRPC_CLIENT_H_
