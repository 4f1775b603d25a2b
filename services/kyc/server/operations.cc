#include "services/kyc/server/operations.h"

#include <optional>
#include <utility>

#include "services/base/error.h"
#include "services/base/log.h"
#include "services/base/status_macros.h"
#include "services/kyc/store/erasure.h"

namespace kyc::server {
namespace {

using async::CallContext;
using async::Task;
using domain::Record;
using Change = store::RecordStore::Change;

constexpr char kSourceOperator[] = "OPERATOR";

Change Entry(Record record, const char* action, const Operations::By& by,
             const CallContext& context) {
  Change change;
  change.record = std::move(record);
  change.audit.actor = kSourceOperator;
  change.audit.actor_id = by.operator_name;
  change.audit.action = action;
  change.audit.reference = by.reference;
  change.audit.trace_id = context.trace.trace_id();
  return change;
}

}  // namespace

Task<absl::StatusOr<Operations::Erasure>> Operations::Erase(CallContext context,
                                                            std::string user_id,
                                                            By by) {
  bool held = false;
  bool was_unknown = false;
  CO_ASSIGN_OR_RETURN(
      store::RecordStore::Outcome stored,
      co_await store_.Update(
          user_id, [&](const Record& current) -> std::optional<Change> {
            held = current.legal_hold_ms != 0;
            // Of whom events may be on their way.
            was_unknown = current.version == 0;
            if (held) return Entry(current, "erasure_refused", by, context);
            if (current.erased_ms != 0) return std::nullopt;
            Record next = current;
            domain::RemovePersonalData(next);
            next.unsettled_ms = 0;
            next.erased_ms = clock_.NowMs();
            return Entry(std::move(next), "erased", by, context);
          }));
  if (held) co_return base::Error(v1::ERROR_REASON_LEGAL_HOLD);
  CO_RETURN_IF_ERROR(co_await store::EraseKeysOf(redis_, std::move(user_id)));
  base::LogInfo("user erased", {{"again", stored.changed ? "false" : "true"}},
                &context.trace);
  co_return Erasure{stored.record.erased_ms, was_unknown};
}

Task<absl::StatusOr<Record>> Operations::SetLegalHold(CallContext context,
                                                      std::string user_id,
                                                      By by, bool hold) {
  CO_ASSIGN_OR_RETURN(store::RecordStore::Outcome stored,
                      co_await store_.Update(
                          std::move(user_id),
                          [&](const Record& current) -> std::optional<Change> {
                            if (hold == (current.legal_hold_ms != 0))
                              return std::nullopt;
                            Record next = current;
                            next.legal_hold_ms = hold ? clock_.NowMs() : 0;
                            return Entry(
                                std::move(next),
                                hold ? "legal_hold_set" : "legal_hold_released",
                                by, context);
                          }));
  co_return std::move(stored.record);
}

}  // namespace kyc::server
