#include "services/webhook/event_admin_service.h"

#include <algorithm>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kyc/v1/event_admin_service.grpc.pb.h"
#include "services/async/call_context.h"
#include "services/async/grpc_server.h"
#include "services/async/task.h"
#include "services/base/error.h"
#include "services/base/log.h"
#include "services/base/status_macros.h"
#include "services/webhook/event_archive.h"
#include "services/webhook/event_summary.h"

namespace kyc::webhook {
namespace {

using async::CallContext;
using async::Task;

// What a request asks for at once; 0 means 100.
absl::StatusOr<int> Count(int asked) {
  if (asked == 0) return 100;
  if (asked < 1 || asked > 1000) {
    return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED,
                       "a page holds 1 to 1000");
  }
  return asked;
}

void Fill(const DeadLetter& from, v1::DeadLetter* to) {
  to->set_id(from.id);
  to->set_event_id(from.event_id);
  to->set_reason(from.reason);
  to->set_attempts(static_cast<int32_t>(from.attempts));
  to->set_received_at_ms(from.received_ms);
  to->set_given_up_at_ms(from.given_up_ms);
  to->set_body_bytes(from.body_bytes);
  constexpr size_t kTraceparentSize = 55;  // "00-<trace id>-<span id>-01"
  if (from.traceparent.size() == kTraceparentSize) {
    to->set_trace_id(from.traceparent.substr(3, 32));
  }
}

class EventAdminService final : public v1::EventAdminService::CallbackService {
 public:
  EventAdminService(async::Loop& loop, async::Redis& redis, int partitions,
                    const base::Clock& clock)
      : loop_(loop), archive_(redis, partitions), clock_(clock) {}

  grpc::ServerUnaryReactor* ListDeadLetters(
      grpc::CallbackServerContext* rpc,
      const v1::ListDeadLettersRequest* request,
      v1::ListDeadLettersResponse* response) override {
    return async::RunUnary(rpc, loop_, "EventAdminService/ListDeadLetters",
                           [this, request, response](CallContext) {
                             return List(*request, response);
                           });
  }
  grpc::ServerUnaryReactor* GetDeadLetter(
      grpc::CallbackServerContext* rpc, const v1::GetDeadLetterRequest* request,
      v1::DeadLetter* response) override {
    return async::RunUnary(rpc, loop_, "EventAdminService/GetDeadLetter",
                           [this, request, response](CallContext) {
                             return Get(*request, response);
                           });
  }
  grpc::ServerUnaryReactor* RedriveDeadLetter(
      grpc::CallbackServerContext* rpc,
      const v1::RedriveDeadLetterRequest* request,
      v1::RedriveDeadLetterResponse* response) override {
    return async::RunUnary(rpc, loop_, "EventAdminService/RedriveDeadLetter",
                           [this, request, response](CallContext context) {
                             return Redrive(context, *request, response);
                           });
  }
  grpc::ServerUnaryReactor* RedriveDeadLetters(
      grpc::CallbackServerContext* rpc,
      const v1::RedriveDeadLettersRequest* request,
      v1::RedriveDeadLettersResponse* response) override {
    return async::RunUnary(rpc, loop_, "EventAdminService/RedriveDeadLetters",
                           [this, request, response](CallContext context) {
                             return RedriveSome(context, *request, response);
                           });
  }
  grpc::ServerUnaryReactor* DropDeadLetter(
      grpc::CallbackServerContext* rpc,
      const v1::DropDeadLetterRequest* request,
      v1::DropDeadLetterResponse*) override {
    return async::RunUnary(rpc, loop_, "EventAdminService/DropDeadLetter",
                           [this, request](CallContext context) {
                             return Drop(context, *request);
                           });
  }
  grpc::ServerUnaryReactor* ReplayEvents(
      grpc::CallbackServerContext* rpc, const v1::ReplayEventsRequest* request,
      v1::ReplayEventsResponse* response) override {
    return async::RunUnary(rpc, loop_, "EventAdminService/ReplayEvents",
                           [this, request, response](CallContext context) {
                             return Replay(context, *request, response);
                           });
  }
  grpc::ServerUnaryReactor* ListPendingEvents(
      grpc::CallbackServerContext* rpc,
      const v1::ListPendingEventsRequest* request,
      v1::ListPendingEventsResponse* response) override {
    return async::RunUnary(rpc, loop_, "EventAdminService/ListPendingEvents",
                           [this, request, response](CallContext) {
                             return ListPending(*request, response);
                           });
  }

 private:
  Task<absl::Status> List(const v1::ListDeadLettersRequest& request,
                          v1::ListDeadLettersResponse* response) {
    CO_ASSIGN_OR_RETURN(const int count, Count(request.page_size()));
    CO_ASSIGN_OR_RETURN(
        ArchivePage<DeadLetter> page,
        co_await archive_.ListDead(count, request.page_token()));
    for (const DeadLetter& letter : page.items) {
      Fill(letter, response->add_dead_letters());
    }
    response->set_next_page_token(std::move(page.next_token));
    co_return absl::OkStatus();
  }

  Task<absl::Status> Get(const v1::GetDeadLetterRequest& request,
                         v1::DeadLetter* response) {
    CO_ASSIGN_OR_RETURN(EventArchive::Letter found,
                        co_await archive_.GetDead(request.id()));
    Fill(found.letter, response);
    EventSummary summary = Summarize(found.body);
    response->set_type(std::move(summary.type));
    response->set_applicant_id(std::move(summary.applicant_id));
    response->set_correlation_id(std::move(summary.correlation_id));
    response->set_created_at_ms(std::move(summary.created_at_ms));
    co_return absl::OkStatus();
  }

  Task<absl::Status> Redrive(CallContext context,
                             const v1::RedriveDeadLetterRequest& request,
                             v1::RedriveDeadLetterResponse* response) {
    CO_ASSIGN_OR_RETURN(std::string id,
                        co_await archive_.Redrive(request.id()));
    base::LogInfo("dead letter redriven", {{"event_id", id}}, &context.trace);
    response->set_event_id(std::move(id));
    co_return absl::OkStatus();
  }

  Task<absl::Status> RedriveSome(CallContext context,
                                 const v1::RedriveDeadLettersRequest& request,
                                 v1::RedriveDeadLettersResponse* response) {
    CO_ASSIGN_OR_RETURN(const int count, Count(request.limit()));
    CO_ASSIGN_OR_RETURN(const int redriven,
                        co_await archive_.RedriveSome(count));
    base::LogInfo("dead letters redriven", {{"letters", redriven}},
                  &context.trace);
    response->set_redriven(redriven);
    CO_ASSIGN_OR_RETURN(const int64_t left, co_await archive_.CountDead());
    response->set_remaining(left);
    co_return absl::OkStatus();
  }

  Task<absl::Status> Drop(CallContext context,
                          const v1::DropDeadLetterRequest& request) {
    CO_RETURN_IF_ERROR(co_await archive_.Drop(request.id()));
    // The id was one: it was found.
    base::LogWarning("dead letter dropped", {{"letter", request.id()}},
                     &context.trace);
    co_return absl::OkStatus();
  }

  Task<absl::Status> Replay(CallContext context,
                            const v1::ReplayEventsRequest& request,
                            v1::ReplayEventsResponse* response) {
    CO_ASSIGN_OR_RETURN(const int count, Count(request.limit()));
    if (request.from_ms() < 0 || request.from_ms() > request.to_ms()) {
      co_return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED,
                            "the range ends before it begins");
    }
    CO_ASSIGN_OR_RETURN(
        EventArchive::Replayed replayed,
        co_await archive_.Replay(request.from_ms(),
                                 std::min(request.to_ms(), clock_.NowMs()),
                                 count, request.page_token()));
    base::LogInfo("events replayed",
                  {{"events", replayed.count},
                   {"from_ms", request.from_ms()},
                   {"to_ms", request.to_ms()}},
                  &context.trace);
    response->set_replayed(replayed.count);
    response->set_next_page_token(std::move(replayed.next_token));
    co_return absl::OkStatus();
  }

  Task<absl::Status> ListPending(const v1::ListPendingEventsRequest& request,
                                 v1::ListPendingEventsResponse* response) {
    CO_ASSIGN_OR_RETURN(const int count, Count(request.page_size()));
    CO_ASSIGN_OR_RETURN(
        ArchivePage<PendingEvent> page,
        co_await archive_.ListPending(count, request.page_token()));
    for (const PendingEvent& event : page.items) {
      v1::PendingEvent* const item = response->add_events();
      item->set_id(event.id);
      item->set_consumer(event.consumer);
      item->set_idle_ms(event.idle_ms);
      item->set_deliveries(static_cast<int32_t>(event.deliveries));
    }
    response->set_next_page_token(std::move(page.next_token));
    co_return absl::OkStatus();
  }

  async::Loop& loop_;
  EventArchive archive_;
  const base::Clock& clock_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeEventAdminService(async::Loop& loop,
                                                     async::Redis& redis,
                                                     int partitions,
                                                     const base::Clock& clock) {
  return std::make_unique<EventAdminService>(loop, redis, partitions, clock);
}

}  // namespace kyc::webhook
