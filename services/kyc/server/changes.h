// From a domain transition to what the store writes.
#ifndef KYC_SERVICES_KYC_SERVER_CHANGES_H_
#define KYC_SERVICES_KYC_SERVER_CHANGES_H_

#include <optional>
#include <string>

#include "services/async/call_context.h"
#include "services/kyc/domain/record.h"
#include "services/kyc/domain/state_machine.h"
#include "services/kyc/provider/sumsub/webhook_event.h"
#include "services/kyc/store/record_store.h"

namespace kyc::server {

// Who caused a change, as the audit trail says it.
inline constexpr char kSourceApi[] = "API";
inline constexpr char kSourcePoll[] = "POLL";
inline constexpr char kSourceWebhook[] = "SUMSUB_WEBHOOK";

// What to write when `before` became `after` by `event`; nullopt if nothing
// changed.
std::optional<store::RecordStore::Change> Changed(
    const domain::Record& before, domain::Record after,
    const domain::Event& event, const async::CallContext& context);

// A webhook as an event of this record: its decisions are classified by the
// level they were made at.
domain::Event EventOf(const provider::sumsub::WebhookEvent& webhook,
                      const domain::Record& record,
                      const domain::Levels& levels, std::string event_id);

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_CHANGES_H_
