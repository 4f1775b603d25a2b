// ProviderEventService over gRPC, with redis and a web server as SumSub.
#include "services/kyc/server/provider_event_service.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "google/rpc/status.pb.h"
#include "services/async/grpc_client.h"
#include "services/async/grpc_server.h"
#include "services/async/grpc_status.h"
#include "services/async/http_stub_for_test.h"
#include "services/async/redis_for_test.h"
#include "services/base/clock.h"
#include "services/base/error.h"

namespace kyc::server {
namespace {

using Response = v1::ApplyProviderEventResponse;
using std::chrono::seconds;

constexpr int64_t kNow = 1767225600000;  // 2026-01-01
constexpr int64_t kHour = 3600 * 1000;

class ProviderEventServiceTest : public ::testing::Test {
 protected:
  ProviderEventServiceTest()
      : engines_(runtime_, clock_, Options()), service_(engines_) {
    sumsub_.SetHandler([](const async::StubRequest&) {
      async::StubAnswer answer;
      answer.status = 503;
      answer.body = "{}";
      return answer;
    });
    runtime_.Start();
    grpc::ServerBuilder builder;
    async::ApplyServerDefaults(builder);
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = v1::ProviderEventService::NewStub(
        async::OpenChannel("127.0.0.1:" + std::to_string(port)));
  }
  ~ProviderEventServiceTest() override {
    server_->Shutdown(std::chrono::system_clock::now());
    runtime_.Stop();
  }

  Engines::Options Options() {
    Engines::Options options;
    options.redis = redis_.options();
    options.sumsub.base_url = sumsub_.url();
    options.sumsub.app_token = base::Secret("t");
    options.sumsub.secret_key = base::Secret("s");
    options.engine.levels.websdk = "full";
    options.engine.steps =
        *domain::OnboardingSteps::Parse("created,kyc_verification,complete");
    return options;
  }

  // `second` is its time, after the beginning of 2025.
  static std::string Event(const std::string& user, const std::string& type,
                           int second, const std::string& more = "") {
    char time[32];
    std::snprintf(time, sizeof(time), "2025-01-01 00:%02d:%02d.000",
                  second / 60, second % 60);
    return R"({"applicantId":"65abc123def4567890abcdef","externalUserId":")" +
           user + R"(","levelName":"full","type":")" + type +
           R"(","createdAtMs":")" + time + "\"" + more + "}";
  }
  static std::string Reviewed(const std::string& user, int second,
                              const std::string& answer) {
    return Event(user, "applicantReviewed", second,
                 R"(,"reviewStatus":"completed","reviewResult":)"
                 R"({"reviewAnswer":")" +
                     answer + R"(","reviewRejectType":"FINAL"})");
  }

  void Add(const std::string& payload,
           v1::Provider provider = v1::PROVIDER_SUMSUB) {
    v1::ApplyProviderEventRequest& item = *batch_.add_requests();
    item.set_provider(provider);
    item.set_payload(payload);
    item.set_event_id("e00:1-" + std::to_string(batch_.requests_size()));
  }
  // What became of each item added since the last call: an effect, or the
  // code of an error.
  std::vector<std::string> Apply() {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() + seconds(20));
    v1::BatchApplyProviderEventsResponse response;
    const grpc::Status status =
        stub_->BatchApplyProviderEvents(&context, batch_, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    std::vector<std::string> outcomes;
    for (const auto& result : response.results()) {
      outcomes.push_back(
          result.has_response()
              ? Response::Effect_Name(result.response().effect())
              : std::string(
                    base::LookUpError(
                        base::ReasonOf(async::FromRpcStatus(result.error())))
                        .code));
    }
    batch_.Clear();
    return outcomes;
  }

  async::RedisForTest redis_;
  async::HttpStub sumsub_;
  base::FakeClock clock_{kNow};
  async::Runtime runtime_{2};
  Engines engines_;
  ProviderEventService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::ProviderEventService::Stub> stub_;
  v1::BatchApplyProviderEventsRequest batch_;
};

constexpr char kApplied[] = "EFFECT_APPLIED";
constexpr char kStale[] = "EFFECT_STALE";
constexpr char kIgnored[] = "EFFECT_IGNORED";
constexpr char kAsk[] = "EFFECT_ASK_PROVIDER";

TEST_F(ProviderEventServiceTest, EachItemOfABatchHasItsOwnOutcome) {
  Add(Reviewed("a", 10, "GREEN"));
  Add("not json");
  Add(Reviewed("b", 10, "RED"), v1::PROVIDER_UNSPECIFIED);
  // Neither the user nor the time can be made up.
  Add(R"({"applicantId":"65abc123def4567890abcdef","type":"applicantPending",)"
      R"("createdAtMs":"2025-01-01 00:00:00.000"})");
  Add(R"({"externalUserId":"c","type":"applicantReset"})");
  Add(Event("c", "somethingNew", 3));
  Add(Reviewed("b", 10, "RED"));
  const std::vector<std::string> expected = {
      kApplied, kIgnored, "KYC-422-002", kAsk, kAsk, kIgnored, kApplied};
  EXPECT_EQ(Apply(), expected);
}

TEST_F(ProviderEventServiceTest, EventsOfOneUserKeepTheirOrder) {
  // In ascending order each has its effect; in any other some are stale.
  std::vector<std::string> expected;
  for (int second = 1; second <= 30; ++second) {
    for (int user = 0; user < 8; ++user) {
      Add(Reviewed("user" + std::to_string(user), second,
                   second % 2 == 0 ? "GREEN" : "RED"));
      expected.push_back(kApplied);
    }
  }
  EXPECT_EQ(Apply(), expected);
}

TEST_F(ProviderEventServiceTest, ReplaysHaveNoEffectHoweverLate) {
  const auto send_all = [&] {
    Add(Event("a", "applicantCreated", 1));
    Add(Event("a", "applicantPending", 2));
    Add(Reviewed("a", 3, "GREEN"));
    Add(Reviewed("a", 4, "RED"));
    return Apply();
  };
  EXPECT_EQ(send_all(), std::vector<std::string>(4, kApplied));
  for (const int64_t later : {25 * kHour, 30 * 24 * kHour}) {
    clock_.Advance(later);
    EXPECT_EQ(send_all(), std::vector<std::string>(4, kStale)) << later;
  }
}

TEST_F(ProviderEventServiceTest, WithoutRedisEachItemIsToBeSentAgain) {
  Add(Reviewed("a", 1, "GREEN"));
  EXPECT_EQ(Apply(), std::vector<std::string>{kApplied});
  redis_.Kill();
  Add(Reviewed("a", 2, "RED"));
  Add(Reviewed("b", 2, "RED"));
  EXPECT_EQ(Apply(), std::vector<std::string>(2, "GEN-503-001"));
  redis_.Restart();
}

TEST_F(ProviderEventServiceTest, BatchesAreBounded) {
  for (int i = 0; i < 1001; ++i) Add("x");
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  v1::BatchApplyProviderEventsResponse response;
  EXPECT_EQ(
      stub_->BatchApplyProviderEvents(&context, batch_, &response).error_code(),
      grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace kyc::server
