// The whole stand-in over real sockets: signed calls in, signed webhooks out.
#include "deploy/sandbox/sandbox.h"

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "deploy/sandbox/http_for_test.h"
#include "gtest/gtest.h"
#include "services/async/http_stub_for_test.h"
#include "services/base/json.h"

namespace kyc::sandbox {
namespace {

using std::string_literals::operator""s;

constexpr char kToken[] = "sbx:abc.def";
constexpr char kSecret[] = "request secret";
constexpr char kWebhookSecret[] = "webhook secret";

bool WaitFor(const std::function<bool()>& done) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!done()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

std::string FieldOf(const std::string& body, const char* name) {
  const auto document = base::JsonDocument::Parse(body);
  return document.ok() ? document->root()[name].StringOr("") : "";
}

class SandboxTest : public ::testing::Test {
 protected:
  SandboxTest() {
    options_.listen = "127.0.0.1:0";
    options_.credentials = {base::Secret(kToken), base::Secret(kSecret)};
    options_.levels = *Levels::Parse(
        "basic-kyc-level=IDENTITY+SELFIE;document-only=IDENTITY;"
        "liveness=SELFIE");
    options_.applicants.outcome_delay_ms = 0;
    options_.webhooks.url = webhooks_.url() + "/hook";
    options_.webhooks.secret = base::Secret(kWebhookSecret);
    options_.webhooks.client_id = "client";
    options_.webhooks.retry_scale = 1e-7;  // 30 ms, 360 ms, …
  }

  void Start() {
    sandbox_ = std::make_unique<Sandbox>(options_);
    ASSERT_TRUE(sandbox_->Load().ok());
    const absl::Status status = sandbox_->Start();
    ASSERT_TRUE(status.ok()) << status;
  }

  TestAnswer Call(const std::string& method, const std::string& target,
                  const std::string& body = "",
                  const std::string& type = "application/json") {
    return CallForTest(sandbox_->port(), kToken, kSecret, method, target, body,
                       type);
  }

  TestAnswer Control(const std::string& method, const std::string& target,
                     const std::string& body = "") {
    return SendForTest(sandbox_->port(), method, target, {}, body);
  }

  std::string Create(const std::string& user, const std::string& level) {
    const TestAnswer answer =
        Call("POST", "/resources/applicants?levelName=" + level,
             R"({"externalUserId":")" + user + R"(","type":"individual"})");
    EXPECT_EQ(answer.status, 201) << answer.body;
    return FieldOf(answer.body, "id");
  }

  TestAnswer Upload(const std::string& id) {
    return Call("POST", "/resources/applicants/" + id + "/info/idDoc",
                "--B\r\nContent-Disposition: form-data; name=\"metadata\"\r\n"
                "\r\n{\"idDocType\":\"PASSPORT\",\"country\":\"GBR\"}\r\n"
                "--B\r\nContent-Disposition: form-data; name=\"content\"; "
                "filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
                "\xff\xd8\xff\xe0\0\r\n--\xff\xd9\r\n--B--\r\n"s,
                "multipart/form-data; boundary=B");
  }

  // Types in the order of arrival.
  std::vector<std::string> Types() const {
    std::vector<std::string> types;
    for (const async::StubRequest& request : webhooks_.requests()) {
      types.push_back(FieldOf(request.body, "type"));
    }
    return types;
  }

  bool WaitForWebhooks(size_t count) {
    return WaitFor([&] { return webhooks_.requests().size() >= count; });
  }

  async::HttpStub webhooks_;
  Sandbox::Options options_;
  std::unique_ptr<Sandbox> sandbox_;
};

using TypeList = std::vector<std::string>;

TEST_F(SandboxTest, DocumentsByApiEndInASignedApproval) {
  Start();
  const std::string id = Create("usr_1", "document-only");
  const TestAnswer early =
      Call("POST", "/resources/applicants/" + id + "/status/pending");
  EXPECT_EQ(early.status, 409);
  EXPECT_NE(early.body.find("Not all required"), std::string::npos);
  const TestAnswer stored = Upload(id);
  EXPECT_EQ(stored.status, 200) << stored.body;
  EXPECT_NE(stored.head.find("X-Image-Id: "), std::string::npos);
  EXPECT_EQ(
      Call("POST", "/resources/applicants/" + id + "/status/pending").status,
      200);
  ASSERT_TRUE(WaitForWebhooks(3));
  EXPECT_EQ(Types(), (TypeList{"applicantCreated", "applicantPending",
                               "applicantReviewed"}));
  std::string last_time;
  for (const async::StubRequest& request : webhooks_.requests()) {
    EXPECT_EQ(request.target, "/hook");
    EXPECT_EQ(request.Header("X-Payload-Digest-Alg"), "HMAC_SHA256_HEX");
    EXPECT_EQ(request.Header("X-Payload-Digest"),
              HmacForTest(kWebhookSecret, request.body));
    EXPECT_EQ(FieldOf(request.body, "applicantId"), id);
    const std::string time = FieldOf(request.body, "createdAtMs");
    EXPECT_GT(time, last_time);
    last_time = time;
  }
  const TestAnswer one =
      Call("GET", "/resources/applicants/-;externalUserId=usr_1/one");
  EXPECT_NE(one.body.find(R"("firstName":"Jane")"), std::string::npos);
}

TEST_F(SandboxTest, RefusesAWrongSignatureOverTheWire) {
  Start();
  EXPECT_EQ(CallForTest(sandbox_->port(), kToken, "other secret", "GET",
                        "/resources/status/api")
                .status,
            401);
  EXPECT_EQ(Call("GET", "/resources/status/api").status, 200);
  const std::string ts = std::to_string(std::time(nullptr));
  EXPECT_EQ(SendForTest(sandbox_->port(), "GET", "/resources/status/api",
                        {{"X-App-Token", kToken}, {"X-App-Access-Ts", ts}}, "")
                .status,
            401);
}

TEST_F(SandboxTest, PlaysTheSdkForAUserNeverSeen) {
  Start();
  EXPECT_EQ(Call("POST", "/resources/accessTokens/sdk",
                 R"({"userId":"auth0|u 1","levelName":"basic-kyc-level",)"
                 R"("ttlInSecs":600})")
                .status,
            200);
  const TestAnswer played =
      Control("POST", "/sandbox/applicants/auth0%7Cu%201/sdk",
              R"({"outcome":"reject"})");
  EXPECT_EQ(played.status, 200) << played.body;
  ASSERT_TRUE(WaitForWebhooks(3));
  EXPECT_EQ(Types().back(), "applicantReviewed");
  const std::string body = webhooks_.requests().back().body;
  EXPECT_EQ(FieldOf(body, "externalUserId"), "auth0|u 1");
  EXPECT_NE(body.find("\"reviewRejectType\" : \"FINAL\""), std::string::npos);
  EXPECT_NE(body.find("${clientSupportEmail}"), std::string::npos);
}

TEST_F(SandboxTest, HoldSendsNoDecision) {
  Start();
  EXPECT_EQ(Control("POST", "/sandbox/applicants/u/sdk",
                    R"({"outcome":"hold","delay_ms":20})")
                .status,
            200);
  ASSERT_TRUE(WaitForWebhooks(3));
  EXPECT_EQ(Types().back(), "applicantOnHold");
  EXPECT_EQ(Control("POST", "/sandbox/applicants/u/review",
                    R"({"outcome":"approve"})")
                .status,
            200);
  ASSERT_TRUE(WaitForWebhooks(4));
  EXPECT_EQ(Types().back(), "applicantReviewed");
}

TEST_F(SandboxTest, RepeatsAWebhookUntilItIsTaken) {
  async::StubAnswer refused;
  refused.status = 503;
  webhooks_.Push(refused);
  webhooks_.Push(async::StubAnswer::Close());
  Start();
  Create("u", "document-only");
  ASSERT_TRUE(WaitForWebhooks(3));
  const auto requests = webhooks_.requests();
  EXPECT_EQ(requests[0].body, requests[1].body);
  EXPECT_EQ(requests[0].body, requests[2].body);
  std::string shown;
  ASSERT_TRUE(WaitFor([&] {
    shown = Control("GET", "/sandbox/deliveries").body;
    return shown.find(R"("attempt":3)") != std::string::npos;
  })) << shown;
  EXPECT_NE(shown.find(R"("attempt":1,"status":503)"), std::string::npos);
  EXPECT_NE(shown.find(R"("attempt":2,"status":0,"error":)"),
            std::string::npos);
  EXPECT_NE(shown.find(R"("attempt":3,"status":200)"), std::string::npos);
}

TEST_F(SandboxTest, RepeatsAndReordersWhenToldTo) {
  options_.webhook_script.duplicates = 1;
  options_.webhook_script.out_of_order = true;
  Start();
  EXPECT_EQ(Control("POST", "/sandbox/applicants/u/sdk").status, 200);
  ASSERT_TRUE(WaitForWebhooks(6));
  EXPECT_EQ(Types(), (TypeList{"applicantReviewed", "applicantReviewed",
                               "applicantPending", "applicantPending",
                               "applicantCreated", "applicantCreated"}));
}

TEST_F(SandboxTest, AHeldWebhookComesEvenWithoutADecision) {
  options_.webhook_script.out_of_order = true;
  options_.webhooks.hold_limit = std::chrono::milliseconds(10);
  Start();
  Create("u", "document-only");
  ASSERT_TRUE(WaitForWebhooks(1));
  EXPECT_EQ(Types(), TypeList{"applicantCreated"});
}

TEST_F(SandboxTest, DropsWebhooksWhenToldTo) {
  Start();
  EXPECT_EQ(Control("POST", "/sandbox/webhooks", R"({"drop":true})").status,
            200);
  Create("u", "document-only");
  EXPECT_NE(Control("GET", "/sandbox/deliveries").body.find("dropped"),
            std::string::npos);
  EXPECT_TRUE(webhooks_.requests().empty());
}

TEST_F(SandboxTest, FaultsHitTheApiAndCountDown) {
  Start();
  EXPECT_EQ(Control("POST", "/sandbox/faults",
                    R"({"mode":"500","paths":"/resources/status","count":1})")
                .status,
            200);
  EXPECT_EQ(Call("GET", "/resources/status/api").status, 500);
  EXPECT_EQ(Call("GET", "/resources/status/api").status, 200);
  EXPECT_EQ(
      Control("POST", "/sandbox/faults", R"({"mode":"slow","delay_ms":60})")
          .status,
      200);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Call("GET", "/resources/status/api").status, 200);
  EXPECT_GE(std::chrono::steady_clock::now() - start,
            std::chrono::milliseconds(60));
  EXPECT_EQ(Control("POST", "/sandbox/faults", R"({"mode":"hang"})").status,
            200);
  EXPECT_EQ(CallForTest(sandbox_->port(), kToken, kSecret, "GET",
                        "/resources/status/api", "", "application/json", 1)
                .status,
            0);
  EXPECT_EQ(Control("POST", "/sandbox/faults", R"({"mode":"none"})").status,
            200);
  EXPECT_EQ(Call("GET", "/resources/status/api").status, 200);
}

TEST_F(SandboxTest, CountsCallsByEndpoint) {
  Start();
  Create("u", "document-only");
  Call("POST", "/resources/applicants?levelName=document-only",
       R"({"externalUserId":"u"})");
  Call("GET", "/resources/secret-of-a-user");
  EXPECT_EQ(Control("GET", "/sandbox/requests").body,
            R"({"applicants":1,"endpoints":{"POST /resources/applicants":)"
            R"({"by_status":{"201":1,"409":1},"count":2},"unknown":)"
            R"({"by_status":{"404":1},"count":1}},"total":3})");
  EXPECT_EQ(Control("DELETE", "/sandbox/requests").status, 200);
  EXPECT_EQ(Control("GET", "/sandbox/requests").body,
            R"({"applicants":1,"endpoints":{},"total":0})");
}

TEST_F(SandboxTest, ControlNamesWhatItDoesNotKnow) {
  Start();
  for (const char* body :
       {"[]", "{", R"({"outcomes":"approve"})", R"({"outcome":"maybe"})",
        R"({"outcome":1})", R"({"delay_ms":-1})", R"({"level":"nope"})"}) {
    const TestAnswer answer =
        Control("POST", "/sandbox/applicants/u/sdk", body);
    EXPECT_EQ(answer.status, 400) << body;
    EXPECT_NE(FieldOf(answer.body, "error"), "") << body;
  }
  EXPECT_EQ(Control("POST", "/sandbox/applicants/u/review",
                    R"({"outcome":"approve"})")
                .status,
            404);
  EXPECT_EQ(Control("GET", "/sandbox/nowhere").status, 404);
  EXPECT_EQ(Control("POST", "/sandbox/faults", R"({"mode":"odd"})").status,
            400);
}

TEST_F(SandboxTest, OfficersResetAndDelete) {
  Start();
  EXPECT_EQ(Control("POST", "/sandbox/applicants/u/sdk").status, 200);
  ASSERT_TRUE(WaitForWebhooks(3));
  for (const char* outcome : {"reset", "deactivate", "activate", "delete"}) {
    EXPECT_EQ(Control("POST", "/sandbox/applicants/u/review",
                      R"({"outcome":")"s + outcome + R"("})")
                  .status,
              200)
        << outcome;
  }
  ASSERT_TRUE(WaitForWebhooks(7));
  const TypeList types = Types();
  EXPECT_EQ(TypeList(types.begin() + 3, types.end()),
            (TypeList{"applicantReset", "applicantDeactivated",
                      "applicantActivated", "applicantDeleted"}));
}

TEST_F(SandboxTest, ASecondStartKeepsItsData) {
  const char* dir = std::getenv("TEST_TMPDIR");
  options_.data_file =
      std::string(dir != nullptr ? dir : "/tmp") + "/sandbox_test_data.json";
  unlink(options_.data_file.c_str());
  Start();
  EXPECT_EQ(Control("POST", "/sandbox/applicants/u/sdk").status, 200);
  ASSERT_TRUE(WaitForWebhooks(3));
  sandbox_.reset();
  Start();
  const TestAnswer one =
      Call("GET", "/resources/applicants/-;externalUserId=u/one");
  EXPECT_EQ(one.status, 200);
  EXPECT_NE(one.body.find(R"("reviewAnswer":"GREEN")"), std::string::npos);
}

TEST_F(SandboxTest, SavesWhileItRunsNotOnlyAtItsEnd) {
  const char* dir = std::getenv("TEST_TMPDIR");
  options_.data_file =
      std::string(dir != nullptr ? dir : "/tmp") + "/sandbox_test_live.json";
  unlink(options_.data_file.c_str());
  Start();
  Create("u", "document-only");
  EXPECT_TRUE(
      WaitFor([&] { return access(options_.data_file.c_str(), R_OK) == 0; }));
}

TEST(RetrySchedule, IsSumSubsAndScales) {
  using std::chrono::hours;
  using std::chrono::milliseconds;
  using std::chrono::minutes;
  EXPECT_EQ(
      RetrySchedule(1.0),
      (std::vector<milliseconds>{minutes(5), hours(1), hours(5), hours(18)}));
  EXPECT_EQ(
      RetrySchedule(0.0001),
      (std::vector<milliseconds>{milliseconds(30), milliseconds(360),
                                 milliseconds(1800), milliseconds(6480)}));
}

}  // namespace
}  // namespace kyc::sandbox
