#include "services/kyc/provider/sumsub/review.h"

#include <gtest/gtest.h>

namespace kyc::provider::sumsub {
namespace {

using domain::EventKind;
using Review = domain::Poll::Review;

constexpr char kSupport[] = "help@example.test";

// The answer of GET …/status with two values of its own.
std::string StatusJson(const std::string& status, const std::string& result) {
  return R"({"createDate":"2025-03-02 10:15:30+0000",)"
         R"("reviewDate":"2025-03-02 10:23:09+0000","reviewResult":)" +
         result + R"(,"reviewStatus":)" + status +
         R"(,"attemptCnt":1,"levelName":"id-and-selfie","priority":0,)"
         R"("levelAutoCheckMode":null,"unknown":[{}]})";
}

std::optional<domain::Poll> Parse(const std::string& json) {
  const auto document = base::JsonDocument::Parse(json);
  EXPECT_TRUE(document.ok()) << json;
  if (!document.ok()) return std::nullopt;
  return ParseReview(document->root(), "66f1a0b2c3d4e5f60718293a", kSupport);
}

std::optional<Applicant> ParseOne(const std::string& json) {
  const auto document = base::JsonDocument::Parse(json);
  EXPECT_TRUE(document.ok()) << json;
  if (!document.ok()) return std::nullopt;
  return ParseApplicant(document->root(), kSupport);
}

TEST(ParseReviewTest, Statuses) {
  const std::pair<const char*, Review> cases[] = {
      {"init", Review::kInit},
      {"pending", Review::kInProgress},
      {"prechecked", Review::kInProgress},
      {"queued", Review::kInProgress},
      {"onHold", Review::kInProgress},
      {"awaitingService", Review::kInProgress},
      {"awaitingUser", Review::kAwaitingUser},
      {"completed", Review::kCompleted},
      {"somethingNew", Review::kInProgress},
  };
  for (const auto& [status, review] : cases) {
    const auto poll =
        Parse(StatusJson('"' + std::string(status) + '"', "null"));
    ASSERT_TRUE(poll) << status;
    EXPECT_EQ(poll->review, review) << status;
    EXPECT_EQ(poll->answer, std::nullopt);
    EXPECT_EQ(poll->applicant_id, "66f1a0b2c3d4e5f60718293a");
    EXPECT_EQ(poll->level, "id-and-selfie");
    EXPECT_EQ(poll->attempt, 1);
    EXPECT_EQ(poll->review_time_ms, 1740910989000);
    EXPECT_EQ(poll->reason, "");
  }
}

TEST(ParseReviewTest, Answers) {
  const std::pair<const char*, std::optional<EventKind>> cases[] = {
      {R"({"reviewAnswer":"GREEN"})", EventKind::kApproved},
      {R"({"reviewAnswer":"RED","reviewRejectType":"FINAL"})",
       EventKind::kRejected},
      {R"({"reviewAnswer":"RED","reviewRejectType":"RETRY"})",
       EventKind::kRetryRequested},
      {R"({"reviewAnswer":"RED"})", EventKind::kRetryRequested},
      {R"({"reviewAnswer":"RED","reviewRejectType":null})",
       EventKind::kRetryRequested},
      {R"({"reviewAnswer":"YELLOW"})", std::nullopt},
      {R"({"reviewAnswer":"green"})", std::nullopt},
      {R"({"reviewAnswer":null})", std::nullopt},
      {"{}", std::nullopt},
      {"null", std::nullopt},
  };
  for (const auto& [result, answer] : cases) {
    const auto poll = Parse(StatusJson(R"("completed")", result));
    ASSERT_TRUE(poll) << result;
    EXPECT_EQ(poll->answer, answer) << result;
  }
}

TEST(ParseReviewTest, AnAnswerLingersAfterAReset) {
  const auto poll = Parse(StatusJson(
      R"("init")", R"({"reviewAnswer":"RED","reviewRejectType":"FINAL"})"));
  ASSERT_TRUE(poll);
  EXPECT_EQ(poll->review, Review::kInit);
  EXPECT_EQ(poll->answer, EventKind::kRejected);
}

TEST(ParseReviewTest, TheReasonIsTheCommentForTheUser) {
  const auto red = Parse(StatusJson(R"("completed")", R"({"reviewAnswer":"RED",
      "moderationComment":"Ask ${clientSupportEmail}.",
      "clientComment":"Looks forged.","rejectLabels":["FORGERY"]})"));
  ASSERT_TRUE(red);
  EXPECT_EQ(red->reason, "Ask help@example.test.");
  // Nothing is made up from labels.
  const auto silent = Parse(StatusJson(R"("completed")",
                                       R"({"reviewAnswer":"RED",
      "clientComment":"Looks forged.","rejectLabels":["FORGERY"]})"));
  ASSERT_TRUE(silent);
  EXPECT_EQ(silent->reason, "");
  const auto green = Parse(StatusJson(
      R"("completed")",
      R"({"reviewAnswer":"GREEN","moderationComment":"Well done."})"));
  ASSERT_TRUE(green);
  EXPECT_EQ(green->reason, "");
}

TEST(ParseReviewTest, WhatIsMissingStaysMissing) {
  const auto poll = Parse(
      R"({"reviewStatus":"completed","reviewDate":"soon","attemptCnt":"x"})");
  ASSERT_TRUE(poll);
  EXPECT_EQ(poll->review, Review::kCompleted);
  EXPECT_EQ(poll->review_time_ms, std::nullopt);
  EXPECT_EQ(poll->attempt, std::nullopt);
  EXPECT_EQ(poll->level, "");
}

TEST(ParseReviewTest, OtherShapes) {
  for (const char* json :
       {"null", "[]", "7", "\"init\"", "{}", R"({"reviewStatus":null})",
        R"({"reviewStatus":7})", R"({"reviewStatus":["init"]})",
        R"({"reviewStatus":"init","reviewResult":"GREEN"})",
        R"({"reviewStatus":"init","reviewResult":[]})",
        R"({"reviewStatus":"init","reviewResult":{"reviewAnswer":1}})",
        R"({"reviewStatus":"init","levelName":{}})"}) {
    EXPECT_EQ(Parse(json), std::nullopt) << json;
  }
}

TEST(ParseApplicantTest, WithItsReview) {
  const auto applicant = ParseOne(
      R"({"id":"66f1a0b2c3d4e5f60718293a","externalUserId":"auth0|a b",)"
      R"("info":{},"review":)" +
      StatusJson(R"("completed")", R"({"reviewAnswer":"GREEN"})") + "}");
  ASSERT_TRUE(applicant);
  EXPECT_EQ(applicant->id, "66f1a0b2c3d4e5f60718293a");
  EXPECT_EQ(applicant->external_user_id, "auth0|a b");
  EXPECT_EQ(applicant->review.applicant_id, applicant->id);
  EXPECT_EQ(applicant->review.answer, EventKind::kApproved);
}

TEST(ParseApplicantTest, IdsMayBeNumbersAndTheReviewMayBeMissing) {
  const auto applicant =
      ParseOne(R"({"id":1880042117,"externalUserId":42,"review":null})");
  ASSERT_TRUE(applicant);
  EXPECT_EQ(applicant->id, "1880042117");
  EXPECT_EQ(applicant->external_user_id, "42");
  EXPECT_EQ(applicant->review.review, Review::kInit);
  EXPECT_EQ(applicant->review.applicant_id, "1880042117");
}

TEST(ParseApplicantTest, OtherShapes) {
  for (const char* json :
       {"null", "[]", "{}", R"({"id":null})", R"({"id":""})",
        R"({"id":{"id":"a"}})", R"({"id":"a/b"})", R"({"id":".."})",
        R"({"id":"a","review":[]})", R"({"id":"a","review":{}})"}) {
    EXPECT_FALSE(ParseOne(json)) << json;
  }
}

TEST(ParseTimeTest, EveryFormSeen) {
  constexpr int64_t kSecond = 1740910904000;  // 2025-03-02 10:21:44 UTC
  EXPECT_EQ(ParseTime("2025-03-02 10:21:44.204"), kSecond + 204);
  EXPECT_EQ(ParseTime("2025-03-02 10:21:44+0000"), kSecond);
  EXPECT_EQ(ParseTime("2025-03-02 10:21:44"), kSecond);
  EXPECT_EQ(ParseTime("2025-03-02"), 1740873600000);
  EXPECT_EQ(ParseTime("2025-03-02T10:21:44Z"), kSecond);
  EXPECT_EQ(ParseTime("2025-03-02t10:21:44.5z"), kSecond + 500);
  EXPECT_EQ(ParseTime("2025-03-02T12:21:44.204+02:00"), kSecond + 204);
  EXPECT_EQ(ParseTime("2025-03-02T04:51:44-05:30"), kSecond);
  EXPECT_EQ(ParseTime("2025-03-02 11:21:44+01"), kSecond);
  EXPECT_EQ(ParseTime("2025-03-02 10:21:44.204999999"), kSecond + 204);
  EXPECT_EQ(ParseTime("1740910904204"), kSecond + 204);
  EXPECT_EQ(ParseTime("2024-02-29"), 1709164800000);
}

TEST(ParseTimeTest, AnythingElse) {
  for (const char* text : {"",
                           "now",
                           "2025",
                           "2025-3-2",
                           "2025-02-29",
                           "2025-13-01",
                           "2025-00-10",
                           "2025-03-02 24:00:00",
                           "2025-03-02 10:60:00",
                           "2025-03-02 10:21:60",
                           "2025-03-02 10:21",
                           "2025-03-02 10:21:44.",
                           "2025-03-02 10:21:44 ",
                           "2025-03-02 10:21:44+",
                           "2025-03-02 10:21:44+1",
                           "2025-03-02 10:21:44+0060",
                           "2025-03-02 10:21:44+00:0",
                           "2025-03-02 10:21:44Zx",
                           "2025-03-02 10:21:44.1234567890",
                           "2025-03-02  10:21:44",
                           " 2025-03-02",
                           "-2025-03-02",
                           "1740910904",
                           "1740910904204.5",
                           "-1740910904204",
                           "0000000000000",
                           "99999999999999999999",
                           "1999-12-31",
                           "2100-01-02"}) {
    EXPECT_EQ(ParseTime(text), std::nullopt) << text;
  }
  EXPECT_EQ(ParseTime(std::string_view("2025-03-02\0", 11)), std::nullopt);
}

TEST(UserReasonTest, PlaceholderAndControls) {
  EXPECT_EQ(UserReason("", kSupport), "");
  EXPECT_EQ(
      UserReason("${clientSupportEmail} or ${clientSupportEmail}!", kSupport),
      "help@example.test or help@example.test!");
  EXPECT_EQ(UserReason("a ${other} $", kSupport), "a ${other} $");
  EXPECT_EQ(UserReason("one\r\ntwo\tthree\x1b[0m\x7f\xc2\x85", kSupport),
            "one\ntwothree[0m");
  EXPECT_EQ(UserReason("Zo\xc3\xab \xc2\xa9", kSupport), "Zo\xc3\xab \xc2\xa9");
}

TEST(UserReasonTest, CutBetweenCharacters) {
  EXPECT_EQ(UserReason(std::string(1000, 'a'), "").size(), 1000u);
  EXPECT_EQ(UserReason(std::string(5000, 'a'), "").size(), 1000u);
  // The two bytes of the 500th character would end at 1001.
  std::string text = "a";
  for (int i = 0; i < 600; ++i) text += "\xc3\xab";
  const std::string cut = UserReason(text, "");
  EXPECT_EQ(cut, text.substr(0, 999));
}

}  // namespace
}  // namespace kyc::provider::sumsub
