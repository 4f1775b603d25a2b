// The dispatcher between a real Redis and real receivers over HTTP.
#include "services/webhook/outgoing/dispatcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "services/async/http_stub_for_test.h"
#include "services/async/loop.h"
#include "services/async/redis_for_test.h"
#include "services/base/clock.h"
#include "services/webhook/outgoing/delivery_store.h"
#include "services/webhook/outgoing/event.h"
#include "services/webhook/outgoing/schedule.h"
#include "services/webhook/outgoing/signature.h"
#include "services/webhook/outgoing/subscription_store.h"

namespace kyc::outgoing {
namespace {

using async::HttpStub;
using async::StubAnswer;
using async::StubRequest;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using State = Delivery::State;

constexpr int64_t kStart = 1'784'000'000'000;
constexpr char kSecret[] = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

bool Eventually(const std::function<bool()>& condition) {
  const auto limit = steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (steady_clock::now() > limit) return false;
    std::this_thread::sleep_for(milliseconds(2));
  }
  return true;
}

// Moved by the test, read by the loop.
class TestClock : public base::Clock {
 public:
  int64_t NowMs() const override { return now_ms_; }
  void Advance(milliseconds time) { now_ms_ += time.count(); }

 private:
  std::atomic<int64_t> now_ms_{kStart};
};

template <typename T>
async::Task<void> Into(std::function<async::Task<T>()> work,
                       std::promise<T>& done) {
  done.set_value(co_await work());
}

class DispatcherTest : public ::testing::Test {
 protected:
  DispatcherTest() { runtime_.Start(); }
  ~DispatcherTest() override {
    StopDispatchers();
    runtime_.Stop();
  }

  // Runs on the test's own loop, with a connection of its own.
  template <typename T>
  T Run(std::function<async::Task<T>()> work) {
    std::promise<T> done;
    runtime_.loop(0).Post(
        [&] { runtime_.loop(0).Spawn(Into<T>(work, done)); });
    return done.get_future().get();
  }

  DispatcherOptions Options(const std::string& member) {
    DispatcherOptions options;
    options.member = member;
    options.allow_loopback = true;
    options.attempt_timeout = milliseconds(2000);
    options.poll_interval = milliseconds(10);
    options.sweep_interval = milliseconds(50);
    return options;
  }
  // Each on a runtime of its own, so that one can be stopped as a process is.
  void StartDispatcher(const std::string& member = "a") {
    StartDispatcher(Options(member));
  }
  void StartDispatcher(DispatcherOptions options) {
    Process& process = processes_.emplace_back();
    process.runtime = std::make_unique<async::Runtime>(1);
    process.dispatcher = std::make_unique<Dispatcher>(
        process.runtime->loop(0), server_.options(), std::move(options),
        clock_);
    process.runtime->Start();
  }
  // As a crash does: nothing is finished.
  void StopDispatchers() {
    for (Process& process : processes_) {
      process.runtime->Stop();
      process.dispatcher.reset();
    }
    processes_.clear();
  }

  Subscription Subscribe(const std::string& url, Tenant tenant = {},
                         std::vector<std::string> types = {
                             std::string(kStatusChanged)}) {
    Subscription subscription;
    subscription.tenant = std::move(tenant);
    subscription.url = url;
    subscription.event_types = std::move(types);
    subscription.secrets.push_back({.text = base::Secret(kSecret)});
    return Run<absl::StatusOr<Subscription>>([&] {
             return subscriptions_.Create(subscription);
           })
        .value();
  }
  Subscription Stored(const std::string& id) {
    return Run<absl::StatusOr<Subscription>>([&] {
             return subscriptions_.Get(id);
           })
        .value();
  }
  Subscription Alter(const std::string& id,
                     std::function<void(Subscription&)> change) {
    return Run<absl::StatusOr<Subscription>>([&] {
             return subscriptions_.Update(id, [&](Subscription& stored) {
               change(stored);
               return absl::OkStatus();
             });
           })
        .value();
  }
  std::vector<Delivery> Log(const Subscription& subscription) {
    return Run<absl::StatusOr<std::vector<Delivery>>>([&] {
             return deliveries_.Log(subscription.id, 1000);
           })
        .value();
  }
  async::RedisReply Do(std::vector<std::string> command) {
    return Run<absl::StatusOr<async::RedisReply>>([&] {
             return redis_.Command(command);
           })
        .value();
  }

  // A change as KycService writes it.
  void Change(int bucket, int number, const std::string& to = "approved",
              Tenant tenant = {}, bool tell = true) {
    const std::string text = std::to_string(number);
    Do({"XADD", OutboxKey(bucket), "*", "id", "evt_" + text, "type",
        "kyc.status.changed", "user_id", "usr_" + text, "from", "in_progress",
        "to", to, "version", "3", "time_ms", std::to_string(kStart), "org",
        tenant.org_id, "env", tenant.env_id});
    if (tell) Do({"PUBLISH", ChangesChannel(bucket), "x"});
  }
  int64_t OutboxEntries() {
    int64_t entries = 0;
    for (int bucket = 0; bucket < kBuckets; ++bucket) {
      entries += Do({"XLEN", OutboxKey(bucket)}).integer;
    }
    return entries;
  }
  bool EventuallyLogged(const Subscription& subscription, State state,
                        size_t count = 1) {
    return Eventually([&] {
      size_t found = 0;
      for (const Delivery& each : Log(subscription)) {
        found += each.state == state ? 1 : 0;
      }
      return found >= count;
    });
  }
  // One delivery has been attempted that often and waits.
  bool EventuallyAttempted(const Subscription& subscription, int attempts) {
    return Eventually([&] {
      const std::vector<Delivery> log = Log(subscription);
      return !log.empty() && log[0].attempts >= attempts;
    });
  }

  struct Process {
    std::unique_ptr<async::Runtime> runtime;
    std::unique_ptr<Dispatcher> dispatcher;
  };

  TestClock clock_;
  async::RedisForTest server_;
  HttpStub stub_;
  async::Runtime runtime_{1};
  async::Redis redis_{runtime_.loop(0), server_.options()};
  SubscriptionStore subscriptions_{redis_, clock_};
  DeliveryStore deliveries_{redis_};
  std::vector<Process> processes_;
};

TEST_F(DispatcherTest, DeliversAChangeSignedAndOnce) {
  const Subscription subscription = Subscribe(stub_.url() + "/hook?x=1");
  StartDispatcher();
  Change(7, 1);
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered));
  ASSERT_THAT(stub_.requests(), SizeIs(1));
  const StubRequest request = stub_.requests()[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/hook?x=1");
  EXPECT_EQ(request.body,
            R"({"type":"kyc.status.changed",)"
            R"("timestamp":"2026-07-14T03:33:20.000Z","data":)"
            R"({"user_id":"usr_1","from":"in_progress","to":"approved",)"
            R"("version":3}})");
  EXPECT_EQ(request.Header("content-type"), "application/json");
  EXPECT_THAT(request.Header("user-agent"), HasSubstr("kyc-webhooks/"));
  const std::string id = request.Header("webhook-id");
  EXPECT_EQ(id, DeliveryId(PartOfBucket(7), "evt_1", kStatusChanged,
                           subscription.id));
  EXPECT_EQ(request.Header("webhook-timestamp"), "1784000000");
  EXPECT_EQ(request.Header("webhook-signature"),
            Sign({base::Secret(kSecret)}, id, kStart / 1000, request.body));
  EXPECT_EQ(OutboxEntries(), 0);
  const Delivery delivery = Log(subscription)[0];
  EXPECT_EQ(delivery.id, id);
  EXPECT_EQ(delivery.attempts, 1);
  EXPECT_EQ(delivery.last_status, 200);
  EXPECT_EQ(delivery.last_attempt_ms, kStart);
  EXPECT_EQ(delivery.next_attempt_ms, 0);
}

TEST_F(DispatcherTest, EveryBucketIsSeenToAlsoWithoutItsMessage) {
  const Subscription subscription = Subscribe(stub_.url());
  for (int bucket = 0; bucket < kBuckets; ++bucket) {
    Change(bucket, bucket, "approved", {}, /*tell=*/false);
  }
  StartDispatcher();
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered, kBuckets));
  std::set<std::string> ids;
  for (const StubRequest& request : stub_.requests()) {
    ids.insert(request.Header("webhook-id"));
  }
  EXPECT_THAT(ids, SizeIs(kBuckets));
  EXPECT_THAT(stub_.requests(), SizeIs(kBuckets));
  EXPECT_EQ(OutboxEntries(), 0);
}

TEST_F(DispatcherTest, TellsThoseWhoSubscribedToWhatHappened) {
  const Subscription all = Subscribe(
      stub_.url() + "/all", {"acme", "live"},
      {EventTypes().begin(), EventTypes().end()});
  const Subscription rejected =
      Subscribe(stub_.url() + "/rejected", {"acme", "live"}, {"kyc.rejected"});
  const Subscription other =
      Subscribe(stub_.url() + "/other", {"acme", "test"});
  const Subscription nobody = Subscribe(stub_.url() + "/nobody");
  const Subscription disabled =
      Subscribe(stub_.url() + "/disabled", {"acme", "live"});
  Alter(disabled.id, [](Subscription& stored) { stored.enabled = false; });
  StartDispatcher();
  Change(1, 1, "approved", {"acme", "live"});
  Change(1, 2, "retry", {"acme", "live"});
  Change(1, 3, "rejected", {"acme", "live"});
  Change(1, 4, "in_progress", {"acme", "live"});
  Change(1, 5, "approved", {"acme", "test"});
  Change(1, 6, "approved", {});
  Change(1, 7, "approved", {"unknown", "live"});
  ASSERT_TRUE(EventuallyLogged(all, State::kDelivered, 7));
  ASSERT_TRUE(EventuallyLogged(rejected, State::kDelivered, 1));
  ASSERT_TRUE(EventuallyLogged(other, State::kDelivered, 1));
  ASSERT_TRUE(EventuallyLogged(nobody, State::kDelivered, 1));
  EXPECT_EQ(OutboxEntries(), 0);
  EXPECT_THAT(stub_.requests(), SizeIs(10));
  EXPECT_THAT(Log(disabled), SizeIs(0));
  EXPECT_EQ(Log(rejected)[0].type, "kyc.rejected");
}

TEST_F(DispatcherTest, WhoSubscribesBeforeAChangeMissesNothing) {
  StartDispatcher();
  for (int i = 0; i < 10; ++i) {
    const Subscription subscription = Subscribe(stub_.url());
    Change(3, i);
    ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered)) << i;
  }
}

TEST_F(DispatcherTest, RepeatsByTheSchedule) {
  const Subscription subscription = Subscribe(stub_.url());
  StubAnswer refused;
  refused.status = 500;
  stub_.SetHandler([=](const StubRequest&) { return refused; });
  StartDispatcher();
  Change(7, 1);
  for (int made = 1; made < kMaxAttempts; ++made) {
    ASSERT_TRUE(EventuallyAttempted(subscription, made));
    const Delivery delivery = Log(subscription)[0];
    EXPECT_EQ(delivery.state, State::kPending);
    EXPECT_EQ(delivery.attempts, made);
    EXPECT_EQ(delivery.last_status, 500);
    const milliseconds pause(delivery.next_attempt_ms - clock_.NowMs());
    EXPECT_GE(pause, kPauses[made - 1]);
    EXPECT_LE(pause, milliseconds(kPauses[made - 1]) * 11 / 10);
    // Not a moment before its time.
    clock_.Advance(pause - milliseconds(1));
    Do({"PING"});
    EXPECT_EQ(Log(subscription)[0].attempts, made);
    clock_.Advance(milliseconds(1));
  }
  ASSERT_TRUE(EventuallyLogged(subscription, State::kFailed));
  EXPECT_EQ(Log(subscription)[0].attempts, kMaxAttempts);
  std::set<std::string> ids;
  for (const StubRequest& request : stub_.requests()) {
    ids.insert(request.Header("webhook-id"));
  }
  EXPECT_THAT(stub_.requests(), SizeIs(kMaxAttempts));
  EXPECT_THAT(ids, SizeIs(1));
  // Sent again by hand, it has all its attempts before it, and the same id.
  stub_.SetHandler([](const StubRequest&) { return StubAnswer(); });
  clock_.Advance(std::chrono::hours(1));
  const std::string id = Log(subscription)[0].id;
  const auto again = Run<absl::StatusOr<std::optional<Delivery>>>([&] {
    return deliveries_.Resend(id, subscription.id, clock_.NowMs());
  });
  ASSERT_TRUE(again.ok() && again->has_value());
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered));
  EXPECT_EQ(stub_.requests().back().Header("webhook-id"), id);
  EXPECT_EQ(Log(subscription)[0].attempts, kMaxAttempts + 1);
}

// What comes of each way in which a receiver may fail.
TEST_F(DispatcherTest, EveryFailureIsTriedAgain) {
  struct Case {
    StubAnswer answer;
    int status;
    std::string error;
  };
  const auto status = [](int code) {
    StubAnswer answer;
    answer.status = code;
    return answer;
  };
  StubAnswer moved = status(301);
  HttpStub elsewhere;
  moved.headers = {{"Location", elsewhere.url()}};
  StubAnswer slow;
  slow.delay = std::chrono::seconds(60);
  const Case cases[] = {
      {status(500), 500, ""},
      {status(404), 404, ""},
      {status(429), 429, ""},
      {moved, 301, ""},
      {StubAnswer::Close(), 0, "connection"},
      {StubAnswer::Raw("hello\r\n\r\n"), 0, "protocol"},
      {StubAnswer::Hang(), 0, "timeout"},
  };
  StartDispatcher();
  int number = 0;
  for (const Case& each : cases) {
    const Subscription subscription = Subscribe(stub_.url());
    stub_.Push(each.answer);
    Change(9, ++number);
    ASSERT_TRUE(EventuallyAttempted(subscription, 1));
    const Delivery delivery = Log(subscription)[0];
    EXPECT_EQ(delivery.state, State::kPending) << number;
    EXPECT_EQ(delivery.last_status, each.status) << number;
    EXPECT_EQ(delivery.last_error, each.error) << number;
    EXPECT_GE(delivery.next_attempt_ms, clock_.NowMs() + 5000) << number;
    EXPECT_TRUE(Run<absl::Status>([&] {
                  return subscriptions_.Delete(subscription.id);
                }).ok());
  }
  EXPECT_EQ(elsewhere.connections(), 0);
}

TEST_F(DispatcherTest, NoConnectionIsMadeWhereNoneMayBe) {
  // Stored when it was allowed.
  const Subscription loopback = Subscribe(stub_.url());
  const Subscription name = Subscribe("https://localhost:" +
                                      std::to_string(stub_.port()));
  const Subscription metadata =
      Subscribe("http://169.254.169.254/latest/meta-data");
  DispatcherOptions options = Options("a");
  options.allow_loopback = false;
  StartDispatcher(std::move(options));
  Change(9, 1);
  for (const Subscription& each : {loopback, name, metadata}) {
    ASSERT_TRUE(EventuallyAttempted(each, 1));
    EXPECT_EQ(Log(each)[0].last_error, "address");
  }
  EXPECT_EQ(stub_.connections(), 0);
}

TEST_F(DispatcherTest, RetryAfterIsHeeded) {
  const Subscription subscription = Subscribe(stub_.url());
  StubAnswer busy;
  busy.status = 429;
  busy.headers = {{"Retry-After", "120"}};
  stub_.Push(busy);
  StartDispatcher();
  Change(7, 1);
  ASSERT_TRUE(EventuallyAttempted(subscription, 1));
  EXPECT_EQ(Log(subscription)[0].next_attempt_ms, kStart + 120'000);
  // Nor is anything else sent there meanwhile.
  Change(7, 2);
  ASSERT_TRUE(Eventually([&] { return Log(subscription).size() == 2; }));
  clock_.Advance(milliseconds(119'999));
  Do({"PING"});
  EXPECT_THAT(stub_.requests(), SizeIs(1));
  clock_.Advance(milliseconds(1));
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered, 2));
}

TEST_F(DispatcherTest, GoneEndsASubscription) {
  const Subscription subscription = Subscribe(stub_.url());
  StubAnswer gone;
  gone.status = 410;
  stub_.Push(gone);
  StartDispatcher();
  Change(7, 1);
  ASSERT_TRUE(EventuallyLogged(subscription, State::kFailed));
  EXPECT_FALSE(Stored(subscription.id).enabled);
  EXPECT_TRUE(Stored(subscription.id).gone);
  Change(7, 2);
  ASSERT_TRUE(Eventually([&] { return OutboxEntries() == 0; }));
  EXPECT_THAT(Log(subscription), SizeIs(1));
  Alter(subscription.id, [](Subscription& stored) { stored.enabled = true; });
  Change(7, 3);
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered));
}

TEST_F(DispatcherTest, WhatADisabledSubscriptionIsOwedIsDropped) {
  const Subscription subscription = Subscribe(stub_.url());
  StubAnswer refused;
  refused.status = 500;
  stub_.Push(refused);
  StartDispatcher();
  Change(7, 1);
  ASSERT_TRUE(EventuallyAttempted(subscription, 1));
  Alter(subscription.id, [](Subscription& stored) { stored.enabled = false; });
  clock_.Advance(std::chrono::minutes(1));
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDropped));
  EXPECT_THAT(stub_.requests(), SizeIs(1));
}

TEST_F(DispatcherTest, ADeadEndpointDelaysNobody) {
  HttpStub dead;
  dead.SetHandler([](const StubRequest&) { return StubAnswer::Hang(); });
  const Subscription bad = Subscribe(dead.url());
  const Subscription good = Subscribe(stub_.url());
  DispatcherOptions options = Options("a");
  options.max_in_flight = 4;
  options.max_in_flight_per_endpoint = 2;
  options.attempt_timeout = std::chrono::seconds(600);
  StartDispatcher(std::move(options));
  // None of the dead endpoint's attempts ever ends here.
  for (int i = 0; i < 100; ++i) Change(i, i);
  ASSERT_TRUE(EventuallyLogged(good, State::kDelivered, 100));
  EXPECT_LE(dead.connections(), 2);
  EXPECT_THAT(Log(bad), SizeIs(100));
}

TEST_F(DispatcherTest, AFailingEndpointIsLeftInPeace) {
  const Subscription subscription = Subscribe(stub_.url());
  StubAnswer refused;
  refused.status = 503;
  stub_.SetHandler([=](const StubRequest&) { return refused; });
  DispatcherOptions options = Options("a");
  options.max_in_flight_per_endpoint = 1;
  StartDispatcher(std::move(options));
  for (int i = 0; i < 20; ++i) Change(i, i);
  // The clock stands until the outcomes are known.
  const auto settled = [&](int attempts) {
    return Eventually([&] {
      int made = 0;
      for (const Delivery& each : Log(subscription)) made += each.attempts;
      return made == attempts;
    });
  };
  ASSERT_TRUE(settled(5));
  ASSERT_TRUE(Eventually([&] { return Log(subscription).size() == 20; }));
  EXPECT_THAT(stub_.requests(), SizeIs(5));
  clock_.Advance(milliseconds(30'000));
  ASSERT_TRUE(settled(6));
  // The sixth failed: one attempt, then a longer pause. It recovers.
  stub_.SetHandler([](const StubRequest&) { return StubAnswer(); });
  clock_.Advance(milliseconds(60'000));
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered, 14));
  clock_.Advance(std::chrono::minutes(6));
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered, 20));
}

TEST_F(DispatcherTest, ACrashLosesNothingAndRepeatsUnderTheSameId) {
  const Subscription subscription = Subscribe(stub_.url());
  stub_.SetHandler([](const StubRequest&) { return StubAnswer::Hang(); });
  StartDispatcher();
  for (int i = 0; i < 5; ++i) Change(i, i);
  ASSERT_TRUE(Eventually([&] { return stub_.requests().size() == 5; }));
  std::set<std::string> before;
  for (const StubRequest& request : stub_.requests()) {
    before.insert(request.Header("webhook-id"));
  }
  StopDispatchers();
  stub_.SetHandler([](const StubRequest&) { return StubAnswer(); });
  StartDispatcher();
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered, 5));
  std::set<std::string> all;
  for (const StubRequest& request : stub_.requests()) {
    all.insert(request.Header("webhook-id"));
  }
  EXPECT_EQ(all, before);
}

TEST_F(DispatcherTest, AnEntryToldTwiceIsDeliveredOnce) {
  const Subscription subscription = Subscribe(stub_.url());
  StartDispatcher();
  Change(7, 1);
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered));
  // As after a crash between storing the delivery and removing the entry.
  Change(7, 1);
  Change(7, 2);
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered, 2));
  ASSERT_TRUE(Eventually([&] { return OutboxEntries() == 0; }));
  EXPECT_THAT(stub_.requests(), SizeIs(2));
}

TEST_F(DispatcherTest, ProcessesShareTheWork) {
  const Subscription subscription = Subscribe(stub_.url());
  DispatcherOptions options = Options("a");
  options.lease_ttl = milliseconds(2000);
  StartDispatcher(options);
  Change(0, 1000);
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered));
  options.member = "b";
  StartDispatcher(options);
  // Each has half as soon as the first has given up its surplus.
  ASSERT_TRUE(Eventually([&] {
    std::set<std::string> holders;
    for (int part = 0; part < kParts; ++part) {
      // "<epoch>:<incarnation>:<process>"
      const std::string lease = Do({"GET", LeaseKeyOfPart(part)}).text;
      if (!lease.empty()) holders.insert(lease.substr(lease.rfind(':')));
    }
    return holders.size() == 2;
  }));
  for (int i = 0; i < 200; ++i) Change(i, i);
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered, 201));
  EXPECT_THAT(stub_.requests(), SizeIs(201));
  EXPECT_TRUE(processes_[1].dispatcher->Drain(std::chrono::seconds(20)));
  // What it held needs not wait for its lease to end.
  for (int i = 300; i < 400; ++i) Change(i % kBuckets, i);
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered, 301));
}

TEST_F(DispatcherTest, StoppingGivesTheLeasesBack) {
  DispatcherOptions options = Options("a");
  options.lease_ttl = std::chrono::minutes(5);
  StartDispatcher(options);
  const auto leases = [&] {
    int64_t held = 0;
    for (int part = 0; part < kParts; ++part) {
      held += Do({"EXISTS", LeaseKeyOfPart(part)}).integer;
    }
    return held;
  };
  ASSERT_TRUE(Eventually([&] { return leases() == kParts; }));
  processes_[0].dispatcher->Stop();
  EXPECT_TRUE(Eventually([&] { return leases() == 0; }));
  EXPECT_TRUE(processes_[0].dispatcher->Drain(std::chrono::seconds(5)));
}

TEST_F(DispatcherTest, RedisMayGoAndComeBack) {
  const Subscription subscription = Subscribe(stub_.url());
  StartDispatcher();
  Change(7, 1);
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered));
  server_.Freeze();
  std::this_thread::sleep_for(milliseconds(200));
  server_.Thaw();
  Change(7, 2);
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered, 2));
}

TEST_F(DispatcherTest, UnreadableEntriesStandInNobodysWay) {
  const Subscription subscription = Subscribe(stub_.url());
  Do({"XADD", OutboxKey(7), "*", "id", "evt_1"});
  StartDispatcher();
  Change(7, 2);
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered));
  EXPECT_EQ(OutboxEntries(), 0);
  // An id without its delivery, too.
  const std::string id = DeliveryId(0, "x", "y", "z");
  Do({"ZADD", "kyc:{out:0}:due:" + subscription.id, "1", id});
  Do({"ZADD", "kyc:{out:0}:queues", "1", subscription.id});
  ASSERT_TRUE(Eventually([&] {
    return Do({"EXISTS", "kyc:{out:0}:queues"}).integer == 0;
  }));
}

TEST_F(DispatcherTest, AnOutboxThatIsNoneStandsInNobodysWay) {
  const Subscription subscription = Subscribe(stub_.url() + "/");
  Do({"SET", OutboxKey(7), "a text"});
  StartDispatcher();
  Do({"PUBLISH", ChangesChannel(7), ""});
  Change(8, 1);
  EXPECT_TRUE(EventuallyLogged(subscription, State::kDelivered, 1));
  Do({"DEL", OutboxKey(7)});
  Change(7, 2);
  EXPECT_TRUE(EventuallyLogged(subscription, State::kDelivered, 2));
}

TEST_F(DispatcherTest, BothSecretsSignDuringARotation) {
  const Subscription subscription = Subscribe(stub_.url());
  const base::Secret fresh = NewSecret().value();
  Alter(subscription.id, [&](Subscription& stored) {
    stored.secrets[0].until_ms = kStart + 1000;
    stored.secrets.insert(stored.secrets.begin(), {.text = fresh});
  });
  StartDispatcher();
  Change(7, 1);
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered));
  clock_.Advance(milliseconds(1000));
  Change(7, 2);
  ASSERT_TRUE(EventuallyLogged(subscription, State::kDelivered, 2));
  const std::vector<StubRequest> requests = stub_.requests();
  EXPECT_EQ(requests[0].Header("webhook-signature"),
            Sign({fresh, base::Secret(kSecret)},
                 requests[0].Header("webhook-id"), kStart / 1000,
                 requests[0].body));
  EXPECT_EQ(requests[1].Header("webhook-signature"),
            Sign({fresh}, requests[1].Header("webhook-id"), kStart / 1000 + 1,
                 requests[1].body));
}

}  // namespace
}  // namespace kyc::outgoing
