// The dispatcher on a real HTTP server in front of a scripted backend.
#ifndef KYC_GATEWAY_API_DISPATCHER_FOR_TEST_H_
#define KYC_GATEWAY_API_DISPATCHER_FOR_TEST_H_

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gateway/api/admin_backend_for_test.h"
#include "gateway/api/dispatcher.h"
#include "gateway/api/partner_backend_for_test.h"
#include "gateway/api/subscription_backend_for_test.h"
#include "gateway/auth/jwt_for_test.h"
#include "services/async/http_client.h"
#include "services/async/loop.h"
#include "services/base/clock.h"
#include "services/base/error.h"
#include "services/base/json.h"

namespace kyc::gateway {

using Headers = std::vector<std::pair<std::string, std::string>>;

inline constexpr int64_t kNowMs = 1'800'000'000'000;

// What the gateway passed on of one upload.
struct SentUpload {
  async::CallContext context;
  std::vector<v1::UploadDocumentRequest> messages;
  bool finished = false;
  bool cancelled = false;
};

// Takes messages until as many are here as `limit` says, then fails.
class FakeUpload : public UploadCall {
 public:
  FakeUpload(SentUpload& sent, size_t limit,
             absl::StatusOr<v1::UploadDocumentResponse> answer)
      : sent_(sent), limit_(limit), answer_(std::move(answer)) {}
  ~FakeUpload() override { sent_.cancelled = !sent_.finished; }

  async::Task<absl::Status> Write(v1::UploadDocumentRequest message) override {
    if (sent_.messages.size() == limit_) co_return answer_.status();
    sent_.messages.push_back(std::move(message));
    co_return absl::OkStatus();
  }
  async::Task<absl::StatusOr<v1::UploadDocumentResponse>> Finish() override {
    sent_.finished = true;
    co_return answer_;
  }

 private:
  SentUpload& sent_;
  const size_t limit_;
  const absl::StatusOr<v1::UploadDocumentResponse> answer_;
};

// Answers with what the test put here, and keeps what it was asked.
class FakeBackend : public Backend {
 public:
  async::Task<absl::StatusOr<v1::BeginIdempotentResponse>> BeginIdempotent(
      async::CallContext, v1::BeginIdempotentRequest request) override {
    begin_request = std::move(request);
    co_return begun;
  }
  async::Task<absl::StatusOr<v1::EndIdempotentResponse>> EndIdempotent(
      async::CallContext, v1::EndIdempotentRequest request) override {
    end_request = std::move(request);
    co_return ended;
  }
  AdminBackend& admin() override { return admin_backend; }
  PartnerBackend& partner() override { return partner_backend; }
  SubscriptionBackend& subscriptions() override { return subscription_backend; }
  async::Task<absl::StatusOr<v1::CreateApplicantResponse>> CreateApplicant(
      async::CallContext, v1::CreateApplicantRequest request) override {
    applicant_request = std::move(request);
    co_return applicant;
  }
  async::Task<absl::StatusOr<v1::CreateAccessTokenResponse>> CreateAccessToken(
      async::CallContext, v1::CreateAccessTokenRequest request) override {
    token_request = std::move(request);
    co_return token;
  }
  async::Task<absl::StatusOr<v1::Verification>> GetStatus(
      async::CallContext context, std::string user_id) override {
    status_user = std::move(user_id);
    trace = context.trace.trace_id();
    co_return status;
  }
  async::Task<absl::StatusOr<v1::Verification>> RefreshStatus(
      async::CallContext, v1::RefreshStatusRequest request) override {
    refreshed_user = request.user_id();
    co_return refreshed;
  }
  std::unique_ptr<UploadCall> UploadDocument(
      async::CallContext context) override {
    sent = {.context = context};
    return std::make_unique<FakeUpload>(sent, upload_limit, upload);
  }
  async::Task<absl::StatusOr<v1::RequiredDocuments>> GetRequiredDocuments(
      async::CallContext, v1::GetRequiredDocumentsRequest request) override {
    required_user = request.user_id();
    co_return required;
  }
  async::Task<absl::StatusOr<v1::SubmitResponse>> Submit(
      async::CallContext, v1::SubmitRequest request) override {
    submit_user = request.user_id();
    co_return submitted;
  }
  async::Task<absl::StatusOr<v1::Details>> GetDetails(
      async::CallContext, v1::GetDetailsRequest request) override {
    details_request = std::move(request);
    co_return details;
  }
  async::Task<absl::StatusOr<v1::User>> GetUser(async::CallContext,
                                                v1::GetUserRequest) override {
    co_return user;
  }
  async::Task<absl::StatusOr<v1::Onboarding>> GetOnboarding(
      async::CallContext, v1::GetOnboardingRequest request) override {
    onboarding_request = std::move(request);
    co_return onboarding;
  }
  async::Task<absl::StatusOr<v1::Onboarding>> SubmitOnboardingStep(
      async::CallContext, v1::SubmitOnboardingStepRequest request) override {
    step_request = std::move(request);
    co_return onboarding;
  }
  async::Task<absl::StatusOr<v1::IngestSumsubEventResponse>> IngestSumsubEvent(
      async::CallContext, v1::IngestSumsubEventRequest request) override {
    event_request = std::move(request);
    co_return event;
  }

  absl::StatusOr<v1::CreateApplicantResponse> applicant =
      v1::CreateApplicantResponse();
  absl::StatusOr<v1::CreateAccessTokenResponse> token =
      v1::CreateAccessTokenResponse();
  absl::StatusOr<v1::Verification> status = v1::Verification();
  absl::StatusOr<v1::Verification> refreshed = v1::Verification();
  absl::StatusOr<v1::UploadDocumentResponse> upload =
      v1::UploadDocumentResponse();
  size_t upload_limit = SIZE_MAX;  // Messages taken before it fails.
  absl::StatusOr<v1::RequiredDocuments> required = v1::RequiredDocuments();
  absl::StatusOr<v1::SubmitResponse> submitted = v1::SubmitResponse();
  absl::StatusOr<v1::Details> details = v1::Details();
  absl::StatusOr<v1::User> user = v1::User();
  absl::StatusOr<v1::Onboarding> onboarding = v1::Onboarding();
  absl::StatusOr<v1::IngestSumsubEventResponse> event =
      v1::IngestSumsubEventResponse();

  FakeAdminBackend admin_backend;
  FakePartnerBackend partner_backend;
  FakeSubscriptionBackend subscription_backend;
  absl::StatusOr<v1::BeginIdempotentResponse> begun =
      v1::BeginIdempotentResponse();
  absl::StatusOr<v1::EndIdempotentResponse> ended = v1::EndIdempotentResponse();

  v1::CreateApplicantRequest applicant_request;
  v1::CreateAccessTokenRequest token_request;
  v1::GetOnboardingRequest onboarding_request;
  v1::SubmitOnboardingStepRequest step_request;
  v1::IngestSumsubEventRequest event_request;
  v1::GetDetailsRequest details_request;
  v1::BeginIdempotentRequest begin_request;
  std::optional<v1::EndIdempotentRequest> end_request;
  SentUpload sent;
  std::string required_user;
  std::string submit_user;
  std::string status_user;
  std::string refreshed_user;
  std::string trace;
};

inline async::Task<void> SendInto(
    async::HttpClient& client, async::ClientRequest request,
    std::promise<absl::StatusOr<async::ClientResponse>>& promise) {
  promise.set_value(co_await client.Send(std::move(request)));
}

inline const TestKey& Key() {
  static const TestKey& key = *new TestKey(TestKey::Type::kP256, "k");
  return key;
}

inline std::string TokenOf(const std::string& subject) {
  return Key().Token("{\"sub\":\"" + subject + "\",\"exp\":1800000600}");
}

class DispatcherTest : public ::testing::Test {
 protected:
  // `key_limit`: of API keys.
  explicit DispatcherTest(int key_limit = 0) : key_limit_(key_limit) {
    const std::string path =
        ::testing::TempDir() + "/jwks_" + std::to_string(getpid());
    std::ofstream(path) << JwksOf({Key().Jwk()});
    keys_ = KeySource::Open(path).value();
    std::remove(path.c_str());
    authenticator_.emplace(*keys_, verifier_, clock_);
    pint_authenticator_.emplace(*keys_, pint_verifier_, clock_);
    dispatcher_.emplace(front_, *authenticator_, *pint_authenticator_,
                        backend_);
    server_.emplace(
        runtime_, async::HttpServerOptions{.listen = "127.0.0.1:0"},
        [this](async::Loop&, async::ServerRequest& request,
               async::ServerResponse& response) {
          return dispatcher_->Handle(request, response);
        },
        [this](v1::ErrorReason reason, std::string_view path,
               async::ServerResponse& response) {
          RenderServerError(front_.problems, reason, path, response);
        });
    client_.emplace(client_runtime_.loop(0), async::HttpClient::Options{});
    runtime_.Start();
    client_runtime_.Start();
    EXPECT_TRUE(server_->Start().ok());
  }
  ~DispatcherTest() override {
    client_runtime_.Stop();
    client_.reset();
    server_->Drain(std::chrono::seconds(1));
    runtime_.Stop();
  }

  async::ClientResponse Send(const std::string& method,
                             const std::string& target, Headers headers,
                             const std::string& body = "") {
    async::ClientRequest request;
    request.method = method;
    request.url =
        "http://127.0.0.1:" + std::to_string(server_->port()) + target;
    request.headers = std::move(headers);
    request.body = body;
    std::promise<absl::StatusOr<async::ClientResponse>> promise;
    client_runtime_.loop(0).Post([&] {
      client_runtime_.loop(0).Spawn(
          SendInto(*client_, std::move(request), promise));
    });
    return promise.get_future().get().value();
  }

  // As a user with a good token.
  async::ClientResponse Call(const std::string& method,
                             const std::string& target, Headers headers = {},
                             const std::string& body = "") {
    headers.emplace_back("x-juno-jwt", TokenOf("usr_1"));
    return Send(method, target, std::move(headers), body);
  }

  static void ExpectProblem(const async::ClientResponse& response, int status,
                            const std::string& code,
                            const std::string& instance) {
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_EQ(response.Header("content-type"), "application/problem+json");
    auto document = base::JsonDocument::Parse(response.body);
    ASSERT_TRUE(document.ok()) << response.body;
    const base::JsonValue root = document->root();
    EXPECT_EQ(root["error_code"].StringOr(""), code);
    EXPECT_EQ(root["instance"].StringOr(""), instance);
    EXPECT_EQ(root["status"].AsInt(), status);
    EXPECT_EQ(root["trace_id"].StringOr("").size(), 32u);
  }

  const int key_limit_;
  base::FakeClock clock_{kNowMs};
  const JwtVerifier verifier_{"", ""};
  const PintVerifier pint_verifier_{""};
  FrontDoor front_{.problems = ProblemWriter("https://api.sumvin.com/errors/"),
                   .cors = CorsPolicy::Parse("https://app.example").value(),
                   .proxies = TrustedProxies::Parse("127.0.0.1").value(),
                   .user_limit = RateLimiter("user", 100),
                   .address_limit = RateLimiter("address", 5),
                   .key_limit = RateLimiter("key", key_limit_, 100,
                                            RateLimiter::Fields::kClassic)};
  FakeBackend backend_;
  std::unique_ptr<KeySource> keys_;
  async::Runtime runtime_{1};
  async::Runtime client_runtime_{1};
  std::optional<Authenticator> authenticator_;
  std::optional<PintAuthenticator> pint_authenticator_;
  std::optional<Dispatcher> dispatcher_;
  std::optional<async::HttpServer> server_;
  std::optional<async::HttpClient> client_;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_DISPATCHER_FOR_TEST_H_
