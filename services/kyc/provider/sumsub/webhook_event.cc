#include "services/kyc/provider/sumsub/webhook_event.h"

#include <utility>

#include "services/base/json.h"
#include "services/kyc/provider/sumsub/review.h"

namespace kyc::provider::sumsub {
namespace {

using base::JsonValue;
using domain::EventKind;

struct Row {
  std::string_view type;
  EventKind kind;
};

// Types that are always the same. What is not here (tags, actions, video,
// transactions, …) says nothing of a verification.
constexpr Row kTypes[] = {
    {"applicantCreated", EventKind::kApplicantKnown},
    {"applicantActivated", EventKind::kApplicantKnown},
    {"applicantLevelChanged", EventKind::kApplicantKnown},
    {"applicantPersonalInfoChanged", EventKind::kApplicantKnown},
    // The person's data is gone, the applicant stays.
    {"applicantPersonalDataDeleted", EventKind::kApplicantKnown},
    // An answer may ride on these; it is not a decision.
    {"applicantPending", EventKind::kProgress},
    {"applicantPrechecked", EventKind::kProgress},
    {"applicantOnHold", EventKind::kProgress},
    {"applicantAwaitingService", EventKind::kProgress},
    {"applicantAwaitingUser", EventKind::kAwaitingUser},
    {"applicantReset", EventKind::kReset},
    {"applicantStepsReset", EventKind::kReset},
    {"applicantDeleted", EventKind::kApplicantRemoved},
    {"applicantDeactivated", EventKind::kApplicantRemoved},
};

bool MayDecide(std::string_view type) {
  return type == "applicantReviewed" || type == "applicantWorkflowCompleted" ||
         type == "applicantWorkflowFailed";
}

// An answer counts only in a completed review.
EventKind DecisionOf(JsonValue body) {
  if (body["reviewStatus"].StringOr("") != "completed") {
    return EventKind::kApplicantKnown;
  }
  return AnswerOf(body["reviewResult"]).value_or(EventKind::kApplicantKnown);
}

std::optional<EventKind> KindOf(std::string_view type, JsonValue body) {
  if (MayDecide(type)) return DecisionOf(body);
  for (const Row& row : kTypes) {
    if (row.type == type) return row.kind;
  }
  return std::nullopt;
}

bool IsRefusal(EventKind kind) {
  return kind == EventKind::kRetryRequested || kind == EventKind::kRejected;
}

}  // namespace

std::optional<WebhookEvent> ParseWebhook(std::string_view body,
                                         std::string_view support_address) {
  const auto document = base::JsonDocument::Parse(body);
  if (!document.ok()) return std::nullopt;
  const JsonValue root = document->root();
  WebhookEvent event;
  event.type = root["type"].StringOr("");
  const std::optional<EventKind> kind = KindOf(event.type, root);
  if (!kind) return std::nullopt;
  event.kind = *kind;
  event.user_id = TextOf(root["externalUserId"]);
  event.applicant_id = TextOf(root["applicantId"]);
  if (!IsApplicantId(event.applicant_id)) event.applicant_id.clear();
  if (event.user_id.empty() && event.applicant_id.empty()) return std::nullopt;
  event.level = root["levelName"].StringOr("");
  event.time_ms = ParseTime(TextOf(root["createdAtMs"]));
  if (!event.time_ms) event.time_ms = ParseTime(TextOf(root["createdAt"]));
  if (IsRefusal(event.kind)) {
    event.reason =
        UserReason(root["reviewResult"]["moderationComment"].StringOr(""),
                   support_address);
  }
  return event;
}

}  // namespace kyc::provider::sumsub
