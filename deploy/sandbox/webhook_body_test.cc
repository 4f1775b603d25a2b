#include "deploy/sandbox/webhook_body.h"

#include <string>

#include "gtest/gtest.h"

namespace kyc::sandbox {
namespace {

Event Reviewed() {
  Event event;
  event.type = "applicantReviewed";
  event.applicant_id = "66f1a0b2c3d4e5f60718293a";
  event.external_user_id = "usr_abc123";
  event.level = "id-and-selfie";
  event.status = ReviewStatus::kCompleted;
  event.correlation_id = "3e6f8c2ab90d4a7c8f15d2e7a4b9c610";
  event.created_ms = 1'740'911'091'977;  // 2025-03-02 10:24:51.977
  return event;
}

// Byte for byte what SumSub sends for a rejection that may be tried again.
TEST(WebhookBody, IsWrittenLikeJacksonDoes) {
  Event event = Reviewed();
  event.result = ReviewResult{
      "RED",
      "RETRY",
      "The photo is a screenshot. Please upload an original photo of the "
      "document.",
      "Screenshot of a document supplied.",
      {"UNSATISFACTORY_PHOTOS", "SCREENSHOTS"},
      {"badPhoto", "badPhoto_screenshot"}};
  EXPECT_EQ(RenderWebhook(event, "acme.example_27055"),
            R"({
  "applicantId" : "66f1a0b2c3d4e5f60718293a",
  "inspectionId" : "66f1a0b2c3d4e5f60718293a",
  "applicantType" : "individual",
  "correlationId" : "3e6f8c2ab90d4a7c8f15d2e7a4b9c610",
  "levelName" : "id-and-selfie",
  "sandboxMode" : true,
  "externalUserId" : "usr_abc123",
  "type" : "applicantReviewed",
  "reviewResult" : {
    "moderationComment" : "The photo is a screenshot. Please upload an original photo of the document.",
    "clientComment" : "Screenshot of a document supplied.",
    "reviewAnswer" : "RED",
    "rejectLabels" : [ "UNSATISFACTORY_PHOTOS", "SCREENSHOTS" ],
    "reviewRejectType" : "RETRY",
    "buttonIds" : [ "badPhoto", "badPhoto_screenshot" ]
  },
  "reviewStatus" : "completed",
  "createdAt" : "2025-03-02 10:24:51+0000",
  "createdAtMs" : "2025-03-02 10:24:51.977",
  "clientId" : "acme.example_27055"
})");
}

TEST(WebhookBody, ShowsOnlyTheAnswerOfAnApproval) {
  Event event = Reviewed();
  event.result = ResultOf(Outcome::kApprove);
  EXPECT_NE(RenderWebhook(event, "c")
                .find("  \"reviewResult\" : {\n"
                      "    \"reviewAnswer\" : \"GREEN\"\n"
                      "  },\n"),
            std::string::npos);
}

TEST(WebhookBody, WritesEmptyListsNullResultsAndPreviousLevels) {
  Event event = Reviewed();
  event.result = ResultOf(Outcome::kReject);
  EXPECT_NE(RenderWebhook(event, "c").find("\"buttonIds\" : [ ]\n"),
            std::string::npos);
  event.result.reset();
  EXPECT_EQ(RenderWebhook(event, "c").find("reviewResult"), std::string::npos);
  event.null_result = true;
  event.previous_level = "old";
  const std::string body = RenderWebhook(event, "c");
  EXPECT_NE(body.find("\"reviewResult\" : null,\n"), std::string::npos);
  EXPECT_NE(body.find("\"previousLevelName\" : \"old\",\n"), std::string::npos);
}

TEST(WebhookBody, EscapesWhatTheUserIdMayHold) {
  Event event = Reviewed();
  event.external_user_id = "a\"b\\c\n\x01|\xc3\xab";
  EXPECT_NE(
      RenderWebhook(event, "c")
          .find("\"externalUserId\" : \"a\\\"b\\\\c\\n\\u0001|\xc3\xab\""),
      std::string::npos);
}

TEST(WebhookBody, FinalRejectionNamesTheSupportPlaceholder) {
  EXPECT_NE(ResultOf(Outcome::kReject)
                .moderation_comment.find("${clientSupportEmail}"),
            std::string::npos);
}

}  // namespace
}  // namespace kyc::sandbox
