// One unary call of a generated stub as a coroutine: what every method of the
// gRPC backends does.
#ifndef KYC_GATEWAY_API_UNARY_RPC_H_
#define KYC_GATEWAY_API_UNARY_RPC_H_

#include <functional>
#include <string_view>
#include <type_traits>
#include <utility>

#include "absl/status/statusor.h"
#include "services/async/grpc_client.h"
#include "services/async/task.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {

// Calls `start` of `stub` (a StubInterface::async_interface). `method` is a
// literal; errors are those of async::CallUnary.
template <typename Response, typename Stub, typename Request>
async::Task<absl::StatusOr<Response>> UnaryRpc(
    std::type_identity_t<Stub>* stub, async::CallContext context,
    std::string_view method, Request request,
    void (Stub::*start)(grpc::ClientContext*, const Request*, Response*,
                        std::function<void(grpc::Status)>)) {
  Response response;
  CO_RETURN_IF_ERROR(
      co_await async::CallUnary(context, method, [&](auto* rpc, auto done) {
        (stub->*start)(rpc, &request, &response, std::move(done));
      }));
  co_return response;
}

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_UNARY_RPC_H_
