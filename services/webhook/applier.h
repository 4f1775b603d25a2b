// Gives stored events to KycService.
#ifndef KYC_SERVICES_WEBHOOK_APPLIER_H_
#define KYC_SERVICES_WEBHOOK_APPLIER_H_

#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/async/call_context.h"
#include "services/async/task.h"
#include "services/webhook/event_stream.h"

namespace grpc {
class Channel;
}  // namespace grpc

namespace kyc::webhook {

// A client of ProviderEventService. Thread-safe.
class Applier {
 public:
  explicit Applier(std::shared_ptr<grpc::Channel> channel);
  ~Applier();

  // One attempt to apply an event, until the context's deadline. OK once its
  // effect is stored; the value names the effect for metrics ("applied",
  // "stale", "ignored", "unknown"). `event` must live until then.
  async::Task<absl::StatusOr<std::string_view>> Apply(
      async::CallContext context, const StreamEvent& event);

  // Whether the channel stands. Where it does not, this makes it try.
  bool connected() const;

 private:
  struct Impl;
  const std::unique_ptr<Impl> impl_;
};

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_APPLIER_H_
