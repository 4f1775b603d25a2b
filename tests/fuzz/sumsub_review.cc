// The provider's answers about an applicant, and the texts and times in them.
#include <string>

#include "services/base/json.h"
#include "services/base/utf8.h"
#include "services/kyc/provider/sumsub/review.h"
#include "tests/fuzz/check.h"

namespace kyc::fuzz {
namespace {

using domain::EventKind;
using namespace provider::sumsub;  // NOLINT: what is fed.

constexpr std::string_view kSupport = "help@example.test";
constexpr std::string_view kPlaceholder = "${clientSupportEmail}";

void CheckTime(std::optional<int64_t> time) {
  if (!time) return;
  FUZZ_CHECK(*time >= 946684800000 && *time <= 4102444800000);
  FUZZ_CHECK(ParseTime(std::to_string(*time)) == time);
}

void CheckReason(std::string_view reason) {
  FUZZ_CHECK(base::IsUtf8(reason) && reason.size() <= 1000);
  for (size_t i = 0; i < reason.size(); ++i) {
    const auto byte = static_cast<unsigned char>(reason[i]);
    FUZZ_CHECK((byte >= 0x20 || byte == '\n') && byte != 0x7f);
  }
}

void CheckPoll(const domain::Poll& poll, base::JsonValue review) {
  CheckTime(poll.review_time_ms);
  CheckReason(poll.reason);
  FUZZ_CHECK((poll.review == domain::Poll::Review::kCompleted) ==
             (review["reviewStatus"].AsString() == "completed"));
  const auto answer = review["reviewResult"]["reviewAnswer"].AsString();
  FUZZ_CHECK((poll.answer == EventKind::kApproved) == (answer == "GREEN"));
  FUZZ_CHECK(poll.answer.has_value() == (answer == "GREEN" || answer == "RED"));
  FUZZ_CHECK(poll.answer.has_value() || poll.reason.empty());
}

void CheckTexts(std::string_view text) {
  CheckTime(ParseTime(text));
  if (IsApplicantId(text)) {
    FUZZ_CHECK(text.find_first_of("/\\%?# \r\n") == std::string_view::npos);
    FUZZ_CHECK(text != "." && text != "..");
  }
  if (!base::IsUtf8(text)) return;  // JSON has made sure of it.
  const std::string reason = UserReason(text, kSupport);
  CheckReason(reason);
  FUZZ_CHECK(reason.find(kPlaceholder) == std::string::npos);
  FUZZ_CHECK(UserReason(reason, kSupport) == reason);
}

}  // namespace
}  // namespace kyc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kyc;
  using namespace kyc::fuzz;
  const std::string_view text = Text(data, size);
  CheckTexts(text);
  const auto document = base::JsonDocument::Parse(text);
  if (!document.ok()) return 0;
  const base::JsonValue root = document->root();
  if (const auto poll = ParseReview(root, "applicant", kSupport)) {
    FUZZ_CHECK(poll->applicant_id == "applicant");
    CheckPoll(*poll, root);
  }
  if (const auto applicant = ParseApplicant(root, kSupport)) {
    FUZZ_CHECK(IsApplicantId(applicant->id));
    FUZZ_CHECK(applicant->review.applicant_id == applicant->id);
    CheckPoll(applicant->review, root["review"]);
  }
  return 0;
}
