#include "deploy/sandbox/api.h"

#include <string>
#include <vector>

#include "deploy/sandbox/faults.h"
#include "gtest/gtest.h"
#include "services/base/json.h"

namespace kyc::sandbox {
namespace {

constexpr int64_t kNow = 1'767'225'600'000;

class ApiTest : public ::testing::Test {
 protected:
  ApiTest()
      : levels_(*Levels::Parse("full=IDENTITY+SELFIE;docs=IDENTITY")),
        clock_(kNow),
        applicants_(&levels_, &clock_, Applicants::Options(),
                    [this](Event event) { last_event_ = event; }),
        api_({base::Secret("sbx:a.b"), base::Secret("secret")}, &applicants_,
             &clock_, false) {}

  Reply Call(const std::string& method, const std::string& target,
             const std::string& body = "",
             const std::string& content_type = "application/json") {
    Request request;
    request.method = method;
    request.target = target;
    request.body = body;
    const std::string ts = std::to_string(kNow / 1000);
    request.headers = {
        {"x-app-token", {"sbx:a.b"}},
        {"x-app-access-ts", {ts}},
        {"x-app-access-sig",
         {RequestSignature(base::Secret("secret"), ts, method, target, body)}},
        {"content-type", {content_type}},
        {"x-return-doc-warnings", {"true"}}};
    return api_.Handle(request);
  }

  std::string Create(const std::string& user) {
    const Reply reply = Call("POST", "/resources/applicants?levelName=docs",
                             R"({"externalUserId":")" + user + R"("})");
    EXPECT_EQ(reply.status, 201);
    return base::JsonDocument::Parse(reply.body)->root()["id"].StringOr("");
  }

  Reply Upload(const std::string& id) {
    return Call("POST", "/resources/applicants/" + id + "/info/idDoc",
                "--B\r\nContent-Disposition: form-data; name=\"metadata\""
                "\r\n\r\n{\"idDocType\":\"PASSPORT\",\"country\":\"GBR\"}"
                "\r\n--B\r\nContent-Disposition: form-data; name=\"content\"; "
                "filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n"
                "\x89PNG\r\n\x1a\n\r\n--B--\r\n",
                "multipart/form-data; boundary=B");
  }

  static std::string HeaderOf(const Reply& reply, std::string_view name) {
    for (const auto& [key, value] : reply.headers) {
      if (key == name) return value;
    }
    return "";
  }

  const Levels levels_;
  base::FakeClock clock_;
  Event last_event_;
  Applicants applicants_;
  Api api_;
};

TEST_F(ApiTest, ChecksTheSignatureBeforeAnythingElse) {
  Request request;
  request.method = "GET";
  request.target = "/resources/nowhere";
  const Reply reply = api_.Handle(request);
  EXPECT_EQ(reply.status, 401);
  const auto body = *base::JsonDocument::Parse(reply.body);
  EXPECT_EQ(body.root()["code"].AsInt(), 401);
  EXPECT_EQ(body.root()["errorCode"].AsInt(), 4006);
  EXPECT_EQ(body.root()["correlationId"].StringOr("").size(), 32u);
}

TEST_F(ApiTest, AnswersUnknownPathsMethodsAndMediaTypes) {
  EXPECT_EQ(Call("GET", "/resources/nowhere").status, 404);
  EXPECT_EQ(Call("GET", "/resources/applicants//one").status, 404);
  const Reply wrong = Call("DELETE", "/resources/applicants");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(HeaderOf(wrong, "Allow"), "POST");
  EXPECT_EQ(
      Call("POST", "/resources/applicants?levelName=docs", "{}", "text/plain")
          .status,
      415);
  EXPECT_EQ(Call("GET", "/resources/status/api").status, 200);
}

TEST_F(ApiTest, CreatesAndReadsBack) {
  const std::string id = Create("a|b c");
  EXPECT_EQ(Call("GET", "/resources/applicants/" + id + "/one").status, 200);
  EXPECT_EQ(Call("GET", "/resources/applicants/-;externalUserId=a%7Cb%20c/one")
                .status,
            200);
  EXPECT_EQ(
      Call("GET", "/resources/applicants/-;externalUserId=other/one").status,
      404);
  EXPECT_EQ(Call("GET", "/resources/applicants/" + id + "/status").status, 200);
  const Reply again = Call("POST", "/resources/applicants?levelName=docs",
                           R"({"externalUserId":"a|b c"})");
  EXPECT_EQ(again.status, 409);
  EXPECT_EQ(base::JsonDocument::Parse(again.body)->root()["errorCode"].exists(),
            false);
}

TEST_F(ApiTest, ChecksWhatCreateIsGiven) {
  const std::string good = "/resources/applicants?levelName=docs";
  EXPECT_EQ(Call("POST", good, "").status, 400);
  EXPECT_EQ(Call("POST", good, "{}").status, 400);
  EXPECT_EQ(Call("POST", good, R"({"externalUserId":"u","type":"x"})").status,
            400);
  EXPECT_EQ(
      Call("POST", "/resources/applicants", R"({"externalUserId":"u"})").status,
      400);
  EXPECT_EQ(Call("POST", "/resources/applicants?levelName=%zz",
                 R"({"externalUserId":"u"})")
                .status,
            400);
  EXPECT_EQ(applicants_.size(), 0u);
}

TEST_F(ApiTest, MintsTokensInBothWaysWithoutAnApplicant) {
  const Reply by_query = Call(
      "POST", "/resources/accessTokens?userId=u&levelName=full&ttlInSecs=600");
  ASSERT_EQ(by_query.status, 200);
  const auto body = *base::JsonDocument::Parse(by_query.body);
  EXPECT_TRUE(body.root()["token"].StringOr("").starts_with("_act-sbx-"));
  EXPECT_EQ(body.root()["userId"].AsString(), "u");
  EXPECT_EQ(Call("POST", "/resources/accessTokens/sdk",
                 R"({"userId":"u","levelName":"full","ttlInSecs":600})")
                .status,
            200);
  EXPECT_EQ(applicants_.size(), 0u);
  for (const char* wrong :
       {"{}", R"({"userId":"u"})", R"({"userId":"u","levelName":"nope"})",
        R"({"userId":"u","levelName":"full","ttlInSecs":0})",
        R"({"userId":"u","levelName":"full","ttlInSecs":"600"})"}) {
    EXPECT_EQ(Call("POST", "/resources/accessTokens/sdk", wrong).status, 400)
        << wrong;
  }
}

TEST_F(ApiTest, StoresADocumentAndGivesItBack) {
  const std::string id = Create("u");
  const Reply stored = Upload(id);
  ASSERT_EQ(stored.status, 200) << stored.body;
  const std::string image_id = HeaderOf(stored, "X-Image-Id");
  EXPECT_EQ(
      base::JsonDocument::Parse(stored.body)->root()["idDocType"].AsString(),
      "PASSPORT");
  const std::string path =
      "/resources/inspections/" + id + "/resources/" + image_id;
  const Reply image = Call("GET", path);
  EXPECT_EQ(image.status, 200);
  EXPECT_EQ(image.content_type, "image/png");
  ASSERT_NE(image.file, nullptr);
  EXPECT_EQ(*image.file, "\x89PNG\r\n\x1a\n");
  const std::string other = Create("v");
  EXPECT_EQ(
      Call("GET", "/resources/inspections/" + other + "/resources/" + image_id)
          .status,
      404);
  EXPECT_EQ(Call("GET", path + "9").status, 404);
}

TEST_F(ApiTest, ShowsScriptedWarningsAndDropsTheImage) {
  const std::string id = Create("u");
  api_.ScriptUploads({{"screenshot"}, {"dataReadability"}, 1});
  const Reply stored = Upload(id);
  EXPECT_EQ(stored.status, 200);
  EXPECT_NE(HeaderOf(stored, "X-Image-Id"), "");
  EXPECT_NE(stored.body.find(R"("errors":["screenshot"])"), std::string::npos);
  EXPECT_NE(stored.body.find(R"("warnings":["dataReadability"])"),
            std::string::npos);
  EXPECT_EQ(
      Call("GET", "/resources/applicants/" + id + "/requiredIdDocsStatus").body,
      R"({"IDENTITY":null})");
  EXPECT_EQ(Upload(id).body.find("errors"), std::string::npos);
}

TEST_F(ApiTest, SubmitsAndDecides) {
  const std::string id = Create("u");
  const std::string base = "/resources/applicants/" + id;
  EXPECT_EQ(Call("POST", base + "/status/pending").status, 409);
  EXPECT_EQ(Upload(id).status, 200);
  const Reply submitted = Call("POST", base + "/status/pending");
  EXPECT_EQ(submitted.status, 200);
  EXPECT_EQ(submitted.body, R"({"ok":1})");
  EXPECT_EQ(Call("POST", base + "/status/testCompleted",
                 R"({"reviewAnswer":"RED","reviewRejectType":"RETRY",)"
                 R"("moderationComment":"m","clientComment":"c",)"
                 R"("rejectLabels":["LOW_QUALITY"]})")
                .status,
            200);
  EXPECT_EQ(last_event_.type, "applicantReviewed");
  EXPECT_EQ(last_event_.result->moderation_comment, "m");
  for (const char* wrong :
       {"", "{}", R"({"reviewAnswer":"YELLOW"})",
        R"({"reviewAnswer":"GREEN","reviewRejectType":"FINAL"})"}) {
    EXPECT_EQ(Call("POST", base + "/status/testCompleted", wrong).status, 400)
        << wrong;
  }
  EXPECT_EQ(Call("POST", base + "/reset").status, 200);
  EXPECT_EQ(Call("POST", base + "/moveToLevel?name=full").status, 200);
  EXPECT_EQ(last_event_.type, "applicantLevelChanged");
}

TEST_F(ApiTest, HidesADeactivatedApplicant) {
  const std::string id = Create("u");
  const std::string base = "/resources/applicants/" + id;
  EXPECT_EQ(Call("PATCH", base + "/presence/deactivated").status, 200);
  EXPECT_EQ(Call("GET", base + "/one").status, 404);
  const Reply token =
      Call("POST", "/resources/accessTokens?userId=u&levelName=full");
  EXPECT_EQ(token.status, 404);
  EXPECT_NE(token.body.find("deactivated"), std::string::npos);
  EXPECT_EQ(Call("POST", "/resources/applicants?levelName=docs",
                 R"({"externalUserId":"u"})")
                .status,
            409);
  EXPECT_EQ(Call("PATCH", base + "/presence/activated").status, 200);
  EXPECT_EQ(Call("GET", base + "/one").status, 200);
}

TEST(ApiRoutes, NameRequestsWithoutTheirIds) {
  EXPECT_EQ(Api::RouteOf("GET", "/resources/applicants/abc/one"),
            "GET /resources/applicants/{id}/one");
  EXPECT_EQ(Api::RouteOf("GET", "/resources/applicants/abc/two"), "unknown");
  EXPECT_GT(Api::MaxBodyBytes("/resources/applicants/a/info/idDoc"),
            size_t{64} << 20);
  EXPECT_EQ(Api::MaxBodyBytes("/resources/applicants"), size_t{1} << 20);
}

TEST(FaultsTest, AreTakenByPathAndCount) {
  Fault fault;
  ASSERT_TRUE(ParseFaultMode("429", &fault));
  fault.paths = "/resources/accessTokens";
  fault.count = 2;
  Faults faults;
  EXPECT_FALSE(faults.Take("/resources/accessTokens").has_value());
  faults.Set(fault);
  EXPECT_FALSE(faults.Take("/resources/applicants").has_value());
  EXPECT_TRUE(faults.Take("/resources/accessTokens?x").has_value());
  EXPECT_TRUE(faults.Take("/resources/accessTokens").has_value());
  EXPECT_FALSE(faults.Take("/resources/accessTokens").has_value());
}

TEST(FaultsTest, EachHasItsAnswer) {
  const auto answer = [](std::string_view mode) {
    Fault fault;
    EXPECT_TRUE(ParseFaultMode(mode, &fault)) << mode;
    return FaultReply(fault);
  };
  EXPECT_FALSE(answer("slow").has_value());
  EXPECT_EQ(answer("down")->status, 503);
  EXPECT_EQ(answer("500")->status, 500);
  EXPECT_EQ(answer("429")->status, 429);
  EXPECT_EQ(answer("redirect")->status, 302);
  EXPECT_EQ(answer("html")->status, 200);
  EXPECT_FALSE(base::JsonDocument::Parse(answer("html")->body).ok());
  EXPECT_FALSE(base::JsonDocument::Parse(answer("garbage")->body).ok());
  EXPECT_TRUE(base::JsonDocument::Parse(answer("wrong_shape")->body).ok());
  Fault fault;
  for (const char* unknown : {"", "Down", "200", "600", "50", "4x9"}) {
    EXPECT_FALSE(ParseFaultMode(unknown, &fault)) << unknown;
  }
}

}  // namespace
}  // namespace kyc::sandbox
