// Gives stored events to KycService.
#ifndef KYC_SERVICES_WEBHOOK_APPLIER_H_
#define KYC_SERVICES_WEBHOOK_APPLIER_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/async/call_context.h"
#include "services/async/loop.h"
#include "services/async/task.h"
#include "services/webhook/event_stream.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace kyc::webhook {

// A client of ProviderEventService. Events that come at the same time share
// RPCs. One loop's; lives until that has stopped.
class Applier {
 public:
  Applier(async::Loop& loop, std::shared_ptr<grpc::Channel> channel);
  ~Applier();

  // One attempt to apply an event, until the context's deadline. OK once its
  // effect is stored; the value names the effect for metrics ("applied",
  // "stale", "ignored", "unknown"). `event` must live until then. `alone`: by
  // an RPC of its own, so that an event that failed cannot fail others with
  // it.
  async::Task<absl::StatusOr<std::string_view>> Apply(
      async::CallContext context, const StreamEvent& event,
      std::string event_id, bool alone);

  // Whether the channel stands. Where it does not, this makes it try.
  // Thread-safe.
  bool connected() const;

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_APPLIER_H_
