// What the streaming calls of the client side share. Internal to
// grpc_client_stream.h and grpc_client_read_stream.h.
#ifndef KYC_SERVICES_ASYNC_GRPC_CLIENT_CALL_H_
#define KYC_SERVICES_ASYNC_GRPC_CLIENT_CALL_H_

#include <grpcpp/client_context.h>

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "services/async/call_context.h"
#include "services/async/loop.h"
#include "services/async/task.h"
#include "services/async/waiter.h"
#include "services/base/mutex.h"

namespace kyc::async::internal {

// A call without its message types. It lives until gRPC has ended, with
// everything that gRPC reads and writes, and owns itself for that long: the
// stream's destruction waits for nobody. Calls belong to the loop where
// nothing else is said.
class ClientCallCore : public std::enable_shared_from_this<ClientCallCore> {
 public:
  ClientCallCore(const CallContext& context, std::string_view method);
  virtual ~ClientCallCore() = default;

  bool over() const { return status_.has_value(); }
  // A write or read begins, which OperationDone ends; false when the call is
  // over, or one has failed.
  bool Begin();
  // Whether the operation has succeeded. If not, the call has ended or is
  // about to.
  Task<bool> Done();
  // How the call ended. Its last operation has been started before.
  Task<absl::Status> Ended();
  // Cancels the call unless it has ended; its loop hears no more of it.
  void Abandon();

 protected:
  // The call has been started and holds one of gRPC's holds.
  void Started() { self_ = shared_from_this(); }
  virtual void ReleaseHold() = 0;

  // From gRPC's callbacks, on any thread.
  void OperationDone(bool ok);
  void CallDone(const grpc::Status& status);

  grpc::ClientContext rpc_;

 private:
  // Runs it on the loop, unless the call is abandoned. On any thread.
  void Post(std::function<void()> work);
  void Wake();
  void Release();
  void Count(absl::StatusCode code);

  const std::string_view method_;
  const std::chrono::steady_clock::time_point begin_;
  std::shared_ptr<ClientCallCore> self_;  // Until CallDone.
  base::Mutex mutex_;
  Loop* loop_ ABSL_GUARDED_BY(mutex_);  // nullptr once abandoned.

  Loop& home_;
  std::unique_ptr<Waiter> waiter_;  // While something is awaited.
  bool held_ = true;
  bool busy_ = false;                   // An operation is with gRPC.
  bool broken_ = false;                 // One has failed.
  std::optional<absl::Status> status_;  // Once the call has ended.
};

}  // namespace kyc::async::internal

#endif  // KYC_SERVICES_ASYNC_GRPC_CLIENT_CALL_H_
