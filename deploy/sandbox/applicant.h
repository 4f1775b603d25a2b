// Values of the applicant model.
#ifndef KYC_DEPLOY_SANDBOX_APPLICANT_H_
#define KYC_DEPLOY_SANDBOX_APPLICANT_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kyc::sandbox {

enum class ReviewStatus { kInit, kPending, kOnHold, kCompleted };
std::string_view ReviewStatusName(ReviewStatus status);
std::optional<ReviewStatus> ParseReviewStatus(std::string_view name);

// A decision, https://docs.sumsub.com/docs/rejection-labels.
struct ReviewResult {
  std::string answer;       // "GREEN" or "RED"
  std::string reject_type;  // "RETRY", "FINAL" or "": only with RED.
  std::string moderation_comment;
  std::string client_comment;
  std::vector<std::string> labels;
  std::vector<std::string> button_ids;
};

// How a review will end.
enum class Outcome { kApprove, kRetry, kReject, kHold };
std::optional<Outcome> ParseOutcome(std::string_view name);
std::string_view OutcomeName(Outcome outcome);
// What SumSub would say; not for kHold, which is no decision.
ReviewResult ResultOf(Outcome outcome);

// An uploaded page.
struct Image {
  int64_t id = 0;
  std::string step;
  std::string document_type;
  std::string sub_type;  // "FRONT_SIDE", "BACK_SIDE" or "".
  std::string country;
  std::string mime;
  int64_t size = 0;
  int64_t added_ms = 0;
  std::string attempt_id;
  std::string source;  // "fileupload" or "docapture".
  bool deactivated = false;
  std::optional<ReviewResult> review;
  // Only in memory; null after a restart, or when newer images took the room.
  std::shared_ptr<const std::string> bytes;
};

struct PersonalInfo {
  std::string first_name;
  std::string last_name;
  std::string dob;
  std::string country;
  std::string nationality;
};

// A review that will end by itself.
struct PlannedReview {
  int64_t due_ms = 0;
  Outcome outcome = Outcome::kApprove;
};

struct Applicant {
  std::string id;  // 24 hex digits; also the inspection's id.
  std::string external_user_id;
  std::string type = "individual";
  std::string platform = "API";  // "Web" where the SDK created it.
  std::string email;
  std::string phone;
  std::string lang;
  // What the client supplied, by SumSub's field names.
  std::vector<std::pair<std::string, std::string>> fixed_info;
  std::optional<PersonalInfo> info;  // What the documents said.
  std::string level;
  int64_t created_ms = 0;
  bool deactivated = false;

  ReviewStatus status = ReviewStatus::kInit;
  // The last decision. It lingers while a newer review runs, and after a
  // reset, as it does at SumSub: only `kCompleted` makes it count.
  std::optional<ReviewResult> result;
  std::string review_id;
  std::string attempt_id;
  int64_t attempt_count = 0;
  int64_t review_created_ms = 0;
  int64_t pending_ms = 0;   // 0: never submitted.
  int64_t reviewed_ms = 0;  // 0: never decided.
  std::optional<PlannedReview> planned;

  std::set<std::string> sdk_steps;  // Steps the SDK's user has completed.
  std::vector<Image> images;
  int64_t last_event_ms = 0;  // Of the newest webhook.
};

// Something that happened, as a webhook tells it.
struct Event {
  std::string type;  // "applicantReviewed"
  std::string applicant_id;
  std::string external_user_id;
  std::string level;
  std::string previous_level;  // Only of applicantLevelChanged.
  ReviewStatus status = ReviewStatus::kInit;
  std::optional<ReviewResult> result;
  bool null_result = false;  // "reviewResult" : null
  std::string correlation_id;
  int64_t created_ms = 0;
};

// "2025-03-02 10:15:30", UTC.
std::string FormatSeconds(int64_t ms);
// "2025-03-02 10:15:30.118", UTC.
std::string FormatMillis(int64_t ms);

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_APPLICANT_H_
