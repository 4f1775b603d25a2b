#include "services/kyc/server/changes.h"

#include <utility>

namespace kyc::server {
namespace {

// What a webhook says was decided; empty: nothing.
std::string_view DecisionOf(domain::EventKind kind) {
  switch (kind) {
    case domain::EventKind::kApproved:
      return domain::OutcomeName(domain::Outcome::kApproved);
    case domain::EventKind::kRetryRequested:
      return domain::OutcomeName(domain::Outcome::kRetry);
    case domain::EventKind::kRejected:
      return domain::OutcomeName(domain::Outcome::kRejected);
    case domain::EventKind::kReset:
      return domain::OutcomeName(domain::Outcome::kReset);
    default:
      return {};
  }
}

}  // namespace

std::optional<store::RecordStore::Change> Changed(
    const domain::Record& before, domain::Record after,
    const domain::Event& event, const async::CallContext& context) {
  if (after == before) return std::nullopt;
  store::RecordStore::Change change;
  change.audit.actor = event.source;
  change.audit.action = domain::EventKindName(event.kind);
  change.audit.from = before.state;
  change.audit.to = after.state;
  change.audit.decision = event.decision;
  change.audit.provider_type = event.provider_type;
  change.audit.level = event.level;
  change.audit.provider_time_ms = event.time_ms;
  change.audit.event_id = event.event_id;
  change.audit.trace_id = context.trace.trace_id();
  change.record = std::move(after);
  return change;
}

domain::Event EventOf(const provider::sumsub::WebhookEvent& webhook,
                      const domain::Record& record,
                      const domain::Levels& levels, std::string event_id) {
  domain::Event event;
  event.kind = webhook.kind;
  if (webhook.kind == domain::EventKind::kApproved) {
    event.kind = domain::ClassifyApproval(record, levels, webhook.level);
  } else if (webhook.kind == domain::EventKind::kRetryRequested ||
             webhook.kind == domain::EventKind::kRejected) {
    event.kind =
        domain::ClassifyRefusal(record, levels, webhook.kind, webhook.level);
  }
  event.time_ms = webhook.time_ms;
  event.level = webhook.level;
  event.applicant_id = webhook.applicant_id;
  event.reason = webhook.reason;
  event.source = kSourceWebhook;
  event.event_id = std::move(event_id);
  event.provider_type = webhook.type;
  event.decision = DecisionOf(webhook.kind);
  return event;
}

}  // namespace kyc::server
