// Webhook bodies, signed or not: what they are read as is fit for the record,
// the log and the user, and decides only where the body says so.
#include <string>

#include "services/base/json.h"
#include "services/base/utf8.h"
#include "services/kyc/provider/sumsub/review.h"
#include "services/kyc/provider/sumsub/webhook_event.h"
#include "tests/fuzz/check.h"

namespace kyc::fuzz {
namespace {

using domain::EventKind;
using provider::sumsub::WebhookEvent;

bool IsDecision(EventKind kind) {
  return kind == EventKind::kApproved || kind == EventKind::kRetryRequested ||
         kind == EventKind::kRejected;
}

void CheckDecision(const WebhookEvent& event, base::JsonValue body) {
  FUZZ_CHECK(body["reviewStatus"].AsString() == "completed");
  const base::JsonValue result = body["reviewResult"];
  const bool green = result["reviewAnswer"].AsString() == "GREEN";
  FUZZ_CHECK(green || result["reviewAnswer"].AsString() == "RED");
  FUZZ_CHECK((event.kind == EventKind::kApproved) == green);
  FUZZ_CHECK((event.kind == EventKind::kRejected) ==
             (!green && result["reviewRejectType"].AsString() == "FINAL"));
}

}  // namespace
}  // namespace kyc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kyc;
  using namespace kyc::fuzz;
  const std::string_view body = Text(data, size);
  const auto event = provider::sumsub::ParseWebhook(body, "help@example.test");
  if (!event) return 0;
  const auto document = base::JsonDocument::Parse(body);
  FUZZ_CHECK(document.ok());
  FUZZ_CHECK(event->type.starts_with("applicant"));
  FUZZ_CHECK(!event->type.starts_with("applicantAction"));
  FUZZ_CHECK(!event->user_id.empty() || !event->applicant_id.empty());
  FUZZ_CHECK(event->applicant_id.empty() ||
             provider::sumsub::IsApplicantId(event->applicant_id));
  FUZZ_CHECK(base::IsUtf8(event->user_id) && base::IsUtf8(event->level));
  if (event->time_ms) {
    FUZZ_CHECK(*event->time_ms >= 946684800000 &&
               *event->time_ms <= 4102444800000);
  }
  FUZZ_CHECK(base::IsUtf8(event->reason) && event->reason.size() <= 1000);
  for (const char c : event->reason) {
    FUZZ_CHECK(static_cast<unsigned char>(c) >= ' ' || c == '\n');
  }
  if (IsDecision(event->kind)) {
    CheckDecision(*event, document->root());
  } else {
    FUZZ_CHECK(event->reason.empty());
  }
  return 0;
}
