// The provider against a real server on loopback: what goes out, byte for
// byte, and what becomes of whatever comes back.
#include "services/kyc/provider/sumsub/sumsub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <future>
#include <optional>
#include <thread>

#include "services/async/http_stub_for_test.h"
#include "services/base/metrics.h"
#include "services/kyc/provider/sumsub/signer.h"

namespace kyc::provider::sumsub {
namespace {

using async::HttpStub;
using async::StubAnswer;
using async::StubRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kAppToken[] = "sbx:appToken123";
constexpr char kSecretKey[] = "k7Vq2LrZ9bXtW4mNc0JdSyHf3GpAeUoB";
constexpr char kId[] = "66f1a0b2c3d4e5f60718293a";

// The value of a metric without labels.
int64_t MetricValue(const std::string& name) {
  const std::string all = base::RenderMetrics();
  const size_t at = all.find("\n" + name + " ");
  if (at == std::string::npos) return -1;
  return std::stoll(all.substr(at + name.size() + 2));
}

StubAnswer Answer(int status, std::string body) {
  StubAnswer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

StubAnswer Status(const std::string& status) {
  return Answer(200, R"({"reviewStatus":")" + status +
                         R"(","levelName":"l1","attemptCnt":0})");
}

// Moves one second with every look at it.
class TickingClock : public base::Clock {
 public:
  int64_t NowMs() const override { return now_ms_ += 1000; }

 private:
  mutable std::atomic<int64_t> now_ms_{1767225600000};
};

template <typename T>
async::Task<void> RunInto(
    std::function<async::Task<absl::StatusOr<T>>()> start,
    std::shared_ptr<std::promise<absl::StatusOr<T>>> promise) {
  promise->set_value(co_await start());
}

class SumsubTest : public ::testing::Test {
 protected:
  SumsubTest() { Launch("", milliseconds(5000), 256); }
  ~SumsubTest() override { runtime_->Stop(); }

  void Launch(const std::string& prefix, milliseconds timeout,
              int max_concurrency) {
    if (runtime_) runtime_->Stop();
    provider_.reset();
    http_.reset();
    limits_.emplace(max_concurrency);
    runtime_.emplace(1);
    http_.emplace(runtime_->loop(0), async::HttpClient::Options());
    Options options;
    options.base_url = stub_.url() + prefix;
    options.app_token = base::Secret(kAppToken);
    options.secret_key = base::Secret(kSecretKey);
    options.support_address = "help@example.test";
    options.timeout = timeout;
    provider_ = MakeProvider(*http_, *limits_, clock_, std::move(options));
    runtime_->Start();
  }

  // `start` is called on the loop.
  template <typename T>
  std::future<absl::StatusOr<T>> Start(
      std::function<async::Task<absl::StatusOr<T>>()> start) {
    auto promise = std::make_shared<std::promise<absl::StatusOr<T>>>();
    auto future = promise->get_future();
    runtime_->loop(0).Post([this, start = std::move(start), promise] {
      runtime_->loop(0).Spawn(RunInto<T>(start, promise));
    });
    return future;
  }

  std::future<absl::StatusOr<domain::Poll>> StartReview(
      async::CallContext context, std::string id = kId) {
    return Start<domain::Poll>(
        [this, context, id] { return provider_->GetReview(context, id); });
  }
  absl::StatusOr<domain::Poll> Review(std::string id = kId) {
    return StartReview({}, std::move(id)).get();
  }
  absl::StatusOr<std::string> Create(std::string user, std::string level) {
    return Start<std::string>([this, user, level] {
             return provider_->CreateApplicant({}, user, level);
           })
        .get();
  }
  absl::StatusOr<Applicant> Find(std::string user) {
    return Start<Applicant>(
               [this, user] { return provider_->FindApplicant({}, user); })
        .get();
  }
  absl::StatusOr<Applicant> Get(std::string id) {
    return Start<Applicant>(
               [this, id] { return provider_->GetApplicant({}, id); })
        .get();
  }
  absl::StatusOr<base::Secret> Token(std::string user) {
    return Start<base::Secret>([this, user] {
             return provider_->CreateAccessToken({}, user, "id and selfie",
                                                 600);
           })
        .get();
  }

  static void ExpectSigned(const StubRequest& request) {
    EXPECT_EQ(request.Header("x-app-token"), kAppToken);
    EXPECT_EQ(request.Header("accept"), "application/json");
    const std::string time = request.Header("x-app-access-ts");
    ASSERT_EQ(time.size(), 10u);
    EXPECT_EQ(request.Header("x-app-access-sig"),
              Sign(base::Secret(kSecretKey), std::stoll(time), request.method,
                   request.target, {request.body}));
  }

  HttpStub stub_;
  TickingClock clock_;
  std::optional<Limits> limits_;
  std::optional<async::Runtime> runtime_;
  std::optional<async::HttpClient> http_;
  std::unique_ptr<Provider> provider_;
};

TEST_F(SumsubTest, CreatesAnApplicant) {
  for (int status : {201, 200}) {
    stub_.Push(Answer(status, R"({"id":"66f1a0b2c3d4e5f60718293a",)"
                              R"("externalUserId":"usr|Zoë \"x\""})"));
    const auto id = Create("usr|Zo\xc3\xab \"x\"", "id and/selfie");
    ASSERT_TRUE(id.ok()) << id.status();
    EXPECT_EQ(*id, kId);
    const StubRequest request = stub_.requests().back();
    EXPECT_EQ(request.method, "POST");
    EXPECT_EQ(request.target,
              "/resources/applicants?levelName=id%20and%2Fselfie");
    EXPECT_EQ(request.body,
              "{\"externalUserId\":\"usr|Zo\xc3\xab \\\"x\\\"\","
              "\"type\":\"individual\"}");
    EXPECT_EQ(request.Header("content-type"), "application/json");
    ExpectSigned(request);
  }
}

TEST_F(SumsubTest, AnApplicantThatIsThereAlready) {
  stub_.Push(Answer(409, R"({"description":"Applicant with external user id )"
                         R"('u' already exists: 66f1","code":409})"));
  EXPECT_EQ(Create("u", "l").status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(stub_.requests().size(), 1u);
}

TEST_F(SumsubTest, FindsAnApplicantByAnyUserId) {
  stub_.Push(Answer(200, R"({"id":"66f1a0b2c3d4e5f60718293a",)"
                         R"("externalUserId":"auth0|a b/../é;?#%",)"
                         R"("review":{"reviewStatus":"completed",)"
                         R"("reviewResult":{"reviewAnswer":"GREEN"},)"
                         R"("reviewDate":"2025-03-02 10:23:09+0000",)"
                         R"("levelName":"l1","attemptCnt":1}})"));
  const auto applicant = Find("auth0|a b/../\xc3\xa9;?#%");
  ASSERT_TRUE(applicant.ok()) << applicant.status();
  EXPECT_EQ(applicant->id, kId);
  EXPECT_EQ(applicant->external_user_id, "auth0|a b/../\xc3\xa9;?#%");
  EXPECT_EQ(applicant->review.answer, domain::EventKind::kApproved);
  EXPECT_EQ(applicant->review.review_time_ms, 1740910989000);
  EXPECT_EQ(stub_.requests()[0].target,
            "/resources/applicants/-;externalUserId="
            "auth0%7Ca%20b%2F..%2F%C3%A9%3B%3F%23%25/one");
  EXPECT_EQ(stub_.requests()[0].body, "");
  ExpectSigned(stub_.requests()[0]);
}

TEST_F(SumsubTest, ReadsApplicantAndReview) {
  stub_.Push(Answer(200, R"({"id":"66f1a0b2c3d4e5f60718293a","review":)"
                         R"({"reviewStatus":"init"}})"));
  const auto applicant = Get(kId);
  ASSERT_TRUE(applicant.ok()) << applicant.status();
  EXPECT_EQ(applicant->id, kId);
  stub_.Push(Status("onHold"));
  const auto poll = Review();
  ASSERT_TRUE(poll.ok()) << poll.status();
  EXPECT_EQ(poll->review, domain::Poll::Review::kInProgress);
  EXPECT_EQ(poll->applicant_id, kId);
  const auto requests = stub_.requests();
  EXPECT_EQ(requests[0].target,
            "/resources/applicants/66f1a0b2c3d4e5f60718293a/one");
  EXPECT_EQ(requests[1].target,
            "/resources/applicants/66f1a0b2c3d4e5f60718293a/status");
  for (const StubRequest& request : requests) ExpectSigned(request);
  EXPECT_EQ(stub_.connections(), 1);
}

TEST_F(SumsubTest, MintsATokenForTheUser) {
  stub_.Push(Answer(200, R"({"token":"_act-sbx-1","userId":"u|1"})"));
  const auto token = Token("u|1");
  ASSERT_TRUE(token.ok()) << token.status();
  EXPECT_EQ(token->Reveal(), "_act-sbx-1");
  const StubRequest request = stub_.requests()[0];
  EXPECT_EQ(request.target, "/resources/accessTokens/sdk");
  EXPECT_EQ(request.body,
            R"({"userId":"u|1","levelName":"id and selfie","ttlInSecs":600})");
  ExpectSigned(request);
}

TEST_F(SumsubTest, ABaseUrlsPathIsSignedToo) {
  Launch("/proxy/sumsub", milliseconds(5000), 256);
  stub_.Push(Status("init"));
  ASSERT_TRUE(Review().ok());
  EXPECT_EQ(stub_.requests()[0].target,
            "/proxy/sumsub/resources/applicants/66f1a0b2c3d4e5f60718293a/"
            "status");
  ExpectSigned(stub_.requests()[0]);
}

TEST_F(SumsubTest, Refusals) {
  const int64_t rejected =
      MetricValue("kyc_provider_credentials_rejected_total");
  const std::pair<int, absl::StatusCode> cases[] = {
      {400, absl::StatusCode::kInvalidArgument},
      {401, absl::StatusCode::kPermissionDenied},
      {403, absl::StatusCode::kPermissionDenied},
      {404, absl::StatusCode::kNotFound},
      {405, absl::StatusCode::kInvalidArgument},
      {409, absl::StatusCode::kFailedPrecondition},
      {415, absl::StatusCode::kInvalidArgument},
  };
  for (const auto& [http_status, code] : cases) {
    stub_.Push(Answer(http_status, "<html>Jane Doe</html>"));
    const absl::Status status = Review().status();
    EXPECT_EQ(status.code(), code) << http_status;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("Jane")));
  }
  EXPECT_EQ(stub_.requests().size(), std::size(cases));  // None repeated.
  EXPECT_EQ(MetricValue("kyc_provider_credentials_rejected_total"),
            rejected + 2);
}

TEST_F(SumsubTest, RepeatsAreSignedAnew) {
  stub_.Push(Answer(503, "busy"));
  stub_.Push(StubAnswer::Close());
  stub_.Push(Answer(201, R"({"id":"a1"})"));
  const auto id = Create("u", "l");
  ASSERT_TRUE(id.ok()) << id.status();
  const auto requests = stub_.requests();
  ASSERT_EQ(requests.size(), 3u);
  std::vector<std::string> times;
  for (const StubRequest& request : requests) {
    ExpectSigned(request);
    times.push_back(request.Header("x-app-access-ts"));
  }
  EXPECT_LT(times[0], times[1]);
  EXPECT_LT(times[1], times[2]);
}

TEST_F(SumsubTest, GivesUpAfterThreeAttempts) {
  for (int i = 0; i < 3; ++i) stub_.Push(Answer(500 + i, ""));
  EXPECT_EQ(Token("u").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(stub_.requests().size(), 3u);
}

TEST_F(SumsubTest, NobodyThere) {
  int port;
  {
    HttpStub gone;
    port = gone.port();
  }
  Options options;
  options.base_url = "http://127.0.0.1:" + std::to_string(port);
  options.timeout = milliseconds(1000);
  const auto provider =
      MakeProvider(*http_, *limits_, clock_, std::move(options));
  const auto start = steady_clock::now();
  const auto poll =
      Start<domain::Poll>([&] { return provider->GetReview({}, kId); }).get();
  EXPECT_EQ(poll.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_LT(steady_clock::now() - start, milliseconds(1200));
}

TEST_F(SumsubTest, SilenceEndsWithinTheTimeout) {
  Launch("", milliseconds(300), 256);
  stub_.SetHandler([](const StubRequest&) { return StubAnswer::Hang(); });
  const auto start = steady_clock::now();
  EXPECT_EQ(Review().status().code(), absl::StatusCode::kDeadlineExceeded);
  const auto took = steady_clock::now() - start;
  EXPECT_GE(took, milliseconds(200));
  EXPECT_LT(took, milliseconds(500));
}

TEST_F(SumsubTest, ErrorsThatComeSlowlyDoNotAddUp) {
  Launch("", milliseconds(300), 256);
  stub_.SetHandler([](const StubRequest&) {
    StubAnswer answer = Answer(503, "");
    answer.delay = milliseconds(140);
    return answer;
  });
  const auto start = steady_clock::now();
  EXPECT_FALSE(Review().ok());
  EXPECT_LT(steady_clock::now() - start, milliseconds(500));
}

TEST_F(SumsubTest, TheCallersDeadlineCounts) {
  stub_.SetHandler([](const StubRequest&) { return StubAnswer::Hang(); });
  async::CallContext context;
  const auto start = steady_clock::now();
  context.deadline = start + milliseconds(150);
  EXPECT_EQ(StartReview(context).get().status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_LT(steady_clock::now() - start, milliseconds(350));
  context.deadline = start;
  EXPECT_EQ(StartReview(context).get().status().code(),
            absl::StatusCode::kDeadlineExceeded);
  EXPECT_EQ(stub_.requests().size(), 1u);
}

TEST_F(SumsubTest, WaitsForRetryAfterWhereTimeAllows) {
  StubAnswer limited = Answer(429, "");
  limited.headers = {{"Retry-After", "1"}};
  stub_.Push(limited);
  stub_.Push(Status("init"));
  const auto start = steady_clock::now();
  const auto poll = Review();
  ASSERT_TRUE(poll.ok()) << poll.status();
  EXPECT_GE(steady_clock::now() - start, milliseconds(950));
  EXPECT_EQ(stub_.requests().size(), 2u);
}

TEST_F(SumsubTest, RetryAfterBeyondTheDeadline) {
  StubAnswer limited = Answer(429, "");
  limited.headers = {{"Retry-After", "30"}};
  stub_.Push(limited);
  const auto start = steady_clock::now();
  EXPECT_EQ(Review().status().code(), absl::StatusCode::kResourceExhausted);
  // The next read is held back here; a write is not.
  EXPECT_EQ(Review().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_LT(steady_clock::now() - start, milliseconds(1000));
  EXPECT_EQ(stub_.requests().size(), 1u);
  stub_.Push(Answer(200, R"({"token":"t"})"));
  EXPECT_TRUE(Token("u").ok());
}

TEST_F(SumsubTest, TooManyRequestsWithoutATime) {
  stub_.Push(Answer(429, ""));
  stub_.Push(Status("init"));
  EXPECT_TRUE(Review().ok());
  for (int i = 0; i < 3; ++i) stub_.Push(Answer(429, ""));
  EXPECT_EQ(Review().status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(SumsubTest, OurOwnRateLimit) {
  for (int i = 0; i < 300; ++i) {
    limits_->reads.Take(steady_clock::now(), milliseconds(0));
  }
  async::CallContext context;
  context.deadline = steady_clock::now() + seconds(1);
  EXPECT_EQ(StartReview(context).get().status().code(),
            absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(stub_.requests().size(), 0u);
}

TEST_F(SumsubTest, AnswersThatMakeNoSenseAreNotRepeated) {
  std::vector<StubAnswer> answers;
  for (const std::string& body :
       {std::string(), std::string("<html>ok</html>"), std::string("null"),
        std::string("[]"), std::string("{}"), std::string(10000, '['),
        std::string("{\"id\":") + std::string(10000, '[') +
            std::string(10000, ']') + "}",
        std::string(R"({"id":null,"token":null})"),
        std::string(R"({"id":"","token":""})"),
        std::string(R"({"id":{},"token":{}})"),
        std::string(R"({"id":"a","token":"t","externalUserId":"other",)"
                    R"("userId":"other"})"),
        std::string(R"({"id":"a","token":"t",)") + std::string(2 << 20, ' ') +
            "\"x\":1}"}) {
    answers.push_back(Answer(200, body));
  }
  StubAnswer redirect = Answer(302, R"({"id":"a","token":"t"})");
  redirect.headers = {{"Location", stub_.url() + "/elsewhere"}};
  answers.push_back(redirect);
  StubAnswer gzip = Answer(200, "\x1f\x8b\x08");
  gzip.headers = {{"Content-Encoding", "gzip"}};
  answers.push_back(gzip);
  answers.push_back(StubAnswer::Raw("220 smtp.example.test ESMTP\r\n"));

  size_t sent = 0;
  for (const StubAnswer& answer : answers) {
    for (const absl::Status& status :
         {(stub_.Push(answer), Create("u", "l").status()),
          (stub_.Push(answer), Find("u").status()),
          (stub_.Push(answer), Get(kId).status()),
          (stub_.Push(answer), Review().status()),
          (stub_.Push(answer), Token("u").status())}) {
      EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable)
          << status << answer.body.substr(0, 60);
      ++sent;
    }
    EXPECT_EQ(stub_.requests().size(), sent);
  }
  EXPECT_FALSE(limits_->breaker.open());  // One user and one applicant.
}

TEST_F(SumsubTest, IdsThatAreNoneAreNotSent) {
  for (const char* id : {"", ".", "..", "a/b", "a?b", "a b", "a\nb"}) {
    EXPECT_EQ(Review(id).status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(Get(id).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(stub_.connections(), 0);
}

TEST_F(SumsubTest, TheBreakerOpensForTheProvidersFaultsOnly) {
  stub_.SetHandler([](const StubRequest&) { return Answer(404, ""); });
  for (int i = 0; i < 40; ++i) Find("user" + std::to_string(i)).IgnoreError();
  EXPECT_FALSE(limits_->breaker.open());

  stub_.SetHandler([](const StubRequest&) { return Answer(302, ""); });
  for (int i = 0; i < 60; ++i) Find("one user").IgnoreError();
  EXPECT_FALSE(limits_->breaker.open());

  for (int i = 0; i < 4; ++i) Find("user" + std::to_string(i)).IgnoreError();
  EXPECT_TRUE(limits_->breaker.open());
  const size_t sent = stub_.requests().size();
  const auto start = steady_clock::now();
  EXPECT_EQ(Find("another").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_LT(steady_clock::now() - start, milliseconds(100));
  EXPECT_EQ(stub_.requests().size(), sent);
}

TEST_F(SumsubTest, ImpatientCallersDoNotOpenTheBreaker) {
  stub_.SetHandler([](const StubRequest&) { return StubAnswer::Hang(); });
  async::CallContext context;
  context.deadline = steady_clock::now() + milliseconds(100);
  std::vector<std::future<absl::StatusOr<domain::Poll>>> polls;
  for (int i = 0; i < 40; ++i) {
    polls.push_back(StartReview(context, "applicant" + std::to_string(i)));
  }
  for (auto& poll : polls) {
    EXPECT_EQ(poll.get().status().code(), absl::StatusCode::kDeadlineExceeded);
  }
  EXPECT_FALSE(limits_->breaker.open());
}

TEST_F(SumsubTest, PlacesInFlightAreLimited) {
  Launch("", milliseconds(400), 1);
  stub_.Push(StubAnswer::Hang());
  auto first = StartReview({});
  const auto limit = steady_clock::now() + seconds(5);
  while (stub_.requests().empty() && steady_clock::now() < limit) {
    std::this_thread::sleep_for(milliseconds(2));
  }
  EXPECT_EQ(Review().status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(first.get().status().code(), absl::StatusCode::kDeadlineExceeded);
  stub_.Push(Status("init"));
  EXPECT_TRUE(Review().ok());
}

TEST_F(SumsubTest, ClocksThatDifferAreNoticed) {
  const int64_t before = MetricValue("kyc_provider_clock_skew_total");
  StubAnswer answer = Status("init");
  answer.headers = {{"Date", "Thu, 01 Jan 2026 00:00:05 GMT"}};
  stub_.Push(answer);
  ASSERT_TRUE(Review().ok());
  EXPECT_EQ(MetricValue("kyc_provider_clock_skew_total"), before);
  answer.headers = {{"Date", "Thu, 01 Jan 2026 00:02:00 GMT"}};
  stub_.Push(answer);
  ASSERT_TRUE(Review().ok());
  EXPECT_EQ(MetricValue("kyc_provider_clock_skew_total"), before + 1);
}

TEST_F(SumsubTest, OneLineForEachCallAndNothingPersonalInIt) {
  stub_.Push(Answer(503, R"({"description":"about usr_jane","code":503,)"
                         R"("correlationId":"5be0c2d4a1b94f7d8c3e6f708192"})"));
  stub_.Push(Answer(200, R"({"token":"_act-1","userId":"usr_jane"})"));
  async::CallContext context;
  context.trace = base::TraceContext::Start();
  ::testing::internal::CaptureStderr();
  const auto token =
      Start<base::Secret>([this, context] {
        return provider_->CreateAccessToken(context, "usr_jane", "l1", 600);
      }).get();
  const std::string log = ::testing::internal::GetCapturedStderr();
  ASSERT_TRUE(token.ok()) << token.status();
  for (const std::string& secret :
       {std::string("usr_jane"), std::string("_act-1"), std::string(kAppToken),
        std::string(kSecretKey),
        stub_.requests()[1].Header("x-app-access-sig")}) {
    EXPECT_THAT(log, Not(HasSubstr(secret)));
  }
  EXPECT_THAT(log, HasSubstr("5be0c2d4a1b94f7d8c3e6f708192"));
  EXPECT_THAT(log, HasSubstr(std::string(context.trace.trace_id())));
  EXPECT_THAT(log, HasSubstr("\"http_status\":503"));
  EXPECT_THAT(log, HasSubstr("\"attempt\":2"));
  EXPECT_EQ(std::count(log.begin(), log.end(), '\n'), 2);
}

}  // namespace
}  // namespace kyc::provider::sumsub
