#include "services/kyc/provider/sumsub/webhook_event.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <fstream>
#include <iterator>

namespace kyc::provider::sumsub {
namespace {

using domain::EventKind;

constexpr char kSupport[] = "help@example.test";

std::string ReadTestData(const std::string& name) {
  std::ifstream file("services/kyc/provider/sumsub/testdata/" + name,
                     std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

constexpr const char* kFiles[] = {
    "02_applicantCreated_modern.json", "06_applicantReviewed_green.json",
    "07_applicantReviewed_red_retry.json",
    "09_applicantReviewed_red_final.json", "11_applicantReset.json"};

std::string Body(const std::string& type, const std::string& status,
                 const std::string& result) {
  return R"({"applicantId":"66f1a0b2c3d4e5f60718293a",)"
         R"("externalUserId":"usr_abc123","levelName":"l1","type":")" +
         type + R"(","reviewStatus":")" + status + R"(","reviewResult":)" +
         result + R"(,"createdAtMs":"2025-03-02 10:21:44.204"})";
}

TEST(ParseWebhookTest, RealBodies) {
  struct Expected {
    const char* type;
    EventKind kind;
    int64_t time_ms;
    const char* reason;
  };
  const Expected expected[] = {
      {"applicantCreated", EventKind::kApplicantKnown, 1740910530118, ""},
      {"applicantReviewed", EventKind::kApproved, 1740910989402, ""},
      {"applicantReviewed", EventKind::kRetryRequested, 1740911091977,
       "The photo is a screenshot. Please upload an original photo of the "
       "document."},
      {"applicantReviewed", EventKind::kRejected, 1740912002015,
       "We could not verify your profile. If you have questions, contact the "
       "company you are verifying for: help@example.test"},
      {"applicantReset", EventKind::kReset, 1740988800007, ""},
  };
  for (size_t i = 0; i < std::size(kFiles); ++i) {
    const auto event = ParseWebhook(ReadTestData(kFiles[i]), kSupport);
    ASSERT_TRUE(event) << kFiles[i];
    EXPECT_EQ(event->user_id, "usr_abc123");
    EXPECT_EQ(event->applicant_id, "66f1a0b2c3d4e5f60718293a");
    EXPECT_EQ(event->level, "id-and-selfie");
    EXPECT_EQ(event->type, expected[i].type);
    EXPECT_EQ(event->kind, expected[i].kind);
    EXPECT_EQ(event->time_ms, expected[i].time_ms);
    EXPECT_EQ(event->reason, expected[i].reason);
  }
}

// An answer rides on every one of these, and only some of them decide.
TEST(ParseWebhookTest, Types) {
  const std::pair<const char*, std::optional<EventKind>> cases[] = {
      {"applicantCreated", EventKind::kApplicantKnown},
      {"applicantPending", EventKind::kProgress},
      {"applicantPrechecked", EventKind::kProgress},
      {"applicantOnHold", EventKind::kProgress},
      {"applicantAwaitingService", EventKind::kProgress},
      {"applicantAwaitingUser", EventKind::kAwaitingUser},
      {"applicantReviewed", EventKind::kApproved},
      {"applicantWorkflowCompleted", EventKind::kApproved},
      {"applicantWorkflowFailed", EventKind::kApproved},
      {"applicantReset", EventKind::kReset},
      {"applicantStepsReset", EventKind::kReset},
      {"applicantLevelChanged", EventKind::kApplicantKnown},
      {"applicantPersonalInfoChanged", EventKind::kApplicantKnown},
      {"applicantActivated", EventKind::kApplicantKnown},
      {"applicantPersonalDataDeleted", EventKind::kApplicantKnown},
      {"applicantDeleted", EventKind::kApplicantRemoved},
      {"applicantDeactivated", EventKind::kApplicantRemoved},
      {"applicantTagsChanged", std::nullopt},
      {"applicantVerificationLinkOpened", std::nullopt},
      {"applicantActionReviewed", std::nullopt},
      {"applicantActionPending", std::nullopt},
      {"applicantActionOnHold", std::nullopt},
      {"videoIdentStatusChanged", std::nullopt},
      {"applicantKytTxnApproved", std::nullopt},
      {"applicantreviewed", std::nullopt},
      {"", std::nullopt},
  };
  for (const auto& [type, kind] : cases) {
    const auto event = ParseWebhook(
        Body(type, "completed", R"({"reviewAnswer":"GREEN"})"), kSupport);
    EXPECT_EQ(event.has_value(), kind.has_value()) << type;
    if (event && kind) EXPECT_EQ(event->kind, *kind) << type;
  }
}

TEST(ParseWebhookTest, OnlyACompletedReviewDecides) {
  for (const char* status : {"init", "pending", "onHold", "awaitingUser", ""}) {
    const auto event = ParseWebhook(
        Body("applicantReviewed", status, R"({"reviewAnswer":"GREEN"})"),
        kSupport);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->kind, EventKind::kApplicantKnown) << status;
  }
  for (const char* result :
       {"null", "{}", "[]", "\"GREEN\"", R"({"reviewAnswer":"YELLOW"})",
        R"({"reviewAnswer":["GREEN"]})"}) {
    const auto event =
        ParseWebhook(Body("applicantReviewed", "completed", result), kSupport);
    ASSERT_TRUE(event);
    EXPECT_EQ(event->kind, EventKind::kApplicantKnown) << result;
  }
  const auto untyped = ParseWebhook(
      Body("applicantReviewed", "completed", R"({"reviewAnswer":"RED"})"),
      kSupport);
  ASSERT_TRUE(untyped);
  EXPECT_EQ(untyped->kind, EventKind::kRetryRequested);
}

TEST(ParseWebhookTest, Times) {
  const std::string head = R"({"type":"applicantPending","externalUserId":"u")";
  const std::pair<const char*, std::optional<int64_t>> cases[] = {
      {R"(,"createdAt":"2025-03-02 10:21:44+0000"})", 1740910904000},
      {R"(,"createdAtMs":"soon","createdAt":"2025-03-02 10:21:44+0000"})",
       1740910904000},
      {R"(,"createdAtMs":null,"createdAt":"2025-03-02 10:21:44"})",
       1740910904000},
      {R"(,"createdAtMs":1740910904204})", 1740910904204},
      {R"(,"createdAtMs":"1740910904204","createdAt":{}})", 1740910904204},
      {R"(,"createdAtMs":[]})", std::nullopt},
      {"}", std::nullopt},
  };
  for (const auto& [tail, time] : cases) {
    const auto event = ParseWebhook(head + tail, kSupport);
    ASSERT_TRUE(event) << tail;
    EXPECT_EQ(event->time_ms, time) << tail;
  }
}

TEST(ParseWebhookTest, WhoItIsAbout) {
  const auto company = ParseWebhook(
      R"({"type":"applicantPending","applicantType":"company",)"
      R"("applicantId":"abc","sandboxMode":"false","externalUserId":null})",
      kSupport);
  ASSERT_TRUE(company);
  EXPECT_EQ(company->applicant_id, "abc");
  EXPECT_EQ(company->user_id, "");
  const auto odd =
      ParseWebhook(R"({"type":"applicantPending","applicantId":"../x",)"
                   R"("externalUserId":"auth0|Zoë /;","sandboxMode":null})",
                   kSupport);
  ASSERT_TRUE(odd);
  EXPECT_EQ(odd->applicant_id, "");
  EXPECT_EQ(odd->user_id, "auth0|Zo\xc3\xab /;");
  EXPECT_FALSE(ParseWebhook(R"({"type":"applicantPending"})", kSupport));
}

TEST(ParseWebhookTest, WhatIsNoEvent) {
  for (const std::string& body :
       {std::string(), std::string("null"), std::string("[]"),
        std::string("\"applicantReviewed\""), std::string("7"),
        std::string("{}"), std::string("not json"),
        std::string(R"({"type":null})"), std::string(R"({"type":7})"),
        std::string(R"({"type":["applicantReviewed"]})"),
        std::string(100000, '['), std::string(100000, '{'),
        R"({"type":"applicantPending","externalUserId":"u","x":)" +
            std::string(100000, '[') + std::string(100000, ']') + "}",
        std::string("\xff\xfe\x00{}", 5)}) {
    EXPECT_FALSE(ParseWebhook(body, kSupport)) << body.substr(0, 80);
  }
}

RC_GTEST_PROP(ParseWebhookTest, AnyBytes, (const std::string& bytes)) {
  ParseWebhook(bytes, kSupport);
}

// One byte of a real body replaced, or the body cut: still an event or none.
RC_GTEST_PROP(ParseWebhookTest, DamagedBodies, ()) {
  std::string body =
      ReadTestData(kFiles[*rc::gen::inRange<size_t>(0, std::size(kFiles))]);
  body[*rc::gen::inRange<size_t>(0, body.size())] = *rc::gen::arbitrary<char>();
  body.resize(*rc::gen::inRange<size_t>(0, body.size() + 1));
  const auto event = ParseWebhook(body, kSupport);
  RC_ASSERT(!event || !(event->user_id.empty() && event->applicant_id.empty()));
}

}  // namespace
}  // namespace kyc::provider::sumsub
