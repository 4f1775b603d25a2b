#include "services/webhook/consumer.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "services/async/grpc_client.h"
#include "services/async/redis_for_test.h"
#include "services/base/metrics.h"
#include "services/webhook/event_stream.h"
#include "services/webhook/webhook_for_test.h"

namespace kyc::webhook {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const grpc::Status kUnavailable(grpc::StatusCode::UNAVAILABLE, "later");
const grpc::Status kInternal(grpc::StatusCode::INTERNAL, "broken");

ConsumerOptions Quick(const std::string& name) {
  ConsumerOptions options;
  options.name = name;
  options.claim_interval = milliseconds(50);
  options.claim_min_idle = seconds(3600);
  options.block = milliseconds(100);
  options.retry_base = milliseconds(20);
  options.retry_cap = milliseconds(100);
  options.sample_interval = milliseconds(20);
  options.trim_interval = milliseconds(20);
  return options;
}

// A process with one consumer. Its end is that of a crash: what was under way
// is neither finished nor acknowledged.
class Process {
 public:
  Process(const async::RedisOptions& redis, const KycStub& kyc,
          const ConsumerOptions& options)
      : runtime_(1),
        consumer_(runtime_.loop(0), redis, async::OpenChannel(kyc.address()),
                  options, base::SystemClock()) {
    runtime_.Start();
  }
  ~Process() { runtime_.Stop(); }

  Consumer& consumer() { return consumer_; }

 private:
  async::Runtime runtime_;
  Consumer consumer_;
};

class ConsumerTest : public testing::Test {
 protected:
  ConsumerTest() : probe_(redis_.options()) { kyc_.Start(); }

  std::unique_ptr<Process> Run(const ConsumerOptions& options) {
    return std::make_unique<Process>(redis_.options(), kyc_, options);
  }
  std::set<std::string> AppliedPayloads() const {
    std::set<std::string> payloads;
    for (const auto& call : kyc_.applied()) payloads.insert(call.payload);
    return payloads;
  }
  bool AppliedInTotal(size_t count) const {
    return Eventually([&] { return kyc_.applied().size() >= count; });
  }
  bool NothingPending() {
    return Eventually([&] { return probe_.Pending() == 0; });
  }

  async::RedisForTest redis_;
  RedisProbe probe_;
  KycStub kyc_;
};

TEST_F(ConsumerTest, AppliesEachEventOnceAndAcknowledgesIt) {
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  std::set<std::string> sent;
  // Some are there before the group is, some come while it reads.
  for (int i = 0; i < 150; ++i) sent.insert("early " + std::to_string(i));
  for (const std::string& body : sent) probe_.AddEvent(body);
  auto process = Run(Quick("a"));
  ASSERT_TRUE(AppliedInTotal(150));
  const std::string bytes("\0\xff late", 7);
  const std::string id =
      probe_.AddEvent(bytes, "00-" + trace + "-b7ad6b7169203331-01");
  sent.insert(bytes);
  ASSERT_TRUE(AppliedInTotal(151));
  EXPECT_EQ(AppliedPayloads(), sent);
  EXPECT_TRUE(NothingPending());

  const std::vector<KycStub::Call> calls = kyc_.applied();
  EXPECT_EQ(calls.size(), 151u);
  EXPECT_EQ(calls.back().event_id, id);
  EXPECT_EQ(calls.back().traceparent.substr(3, 32), trace);
  // Acknowledged entries stay for the retention time.
  EXPECT_EQ(probe_.Length(kEventStream), 151);
  EXPECT_TRUE(process->consumer().redis_ok());
  EXPECT_TRUE(process->consumer().kyc_ok());
}

TEST_F(ConsumerTest, ARestartUnderTheSameNameResumesAtOnce) {
  Gate gate;
  kyc_.SetScript([&](const std::string&, int) {
    gate.Wait();
    return kUnavailable;
  });
  for (int i = 0; i < 100; ++i) probe_.AddEvent(std::to_string(i));
  // A page of 64 is in flight, the second waits for places.
  auto process = Run(Quick("a"));
  ASSERT_TRUE(Eventually([&] { return probe_.Pending() == 100; }));
  process.reset();
  gate.Open();
  kyc_.SetScript(nullptr);
  EXPECT_EQ(probe_.Pending(), 100);

  process = Run(Quick("a"));
  // Counted by payload: a call cut off by the crash may still have its effect.
  EXPECT_TRUE(Eventually([&] { return AppliedPayloads().size() == 100; }));
  EXPECT_TRUE(NothingPending());
}

TEST_F(ConsumerTest, AnotherConsumerClaimsWhatADeadOneLeft) {
  Gate gate;
  kyc_.SetScript([&](const std::string&, int) {
    gate.Wait();
    return kUnavailable;
  });
  for (int i = 0; i < 130; ++i) probe_.AddEvent(std::to_string(i));
  auto process = Run(Quick("dead"));
  // More than a page, so that the claim's cursor has to move.
  ASSERT_TRUE(Eventually([&] { return probe_.Pending() == 128; }));
  process.reset();
  gate.Open();
  kyc_.SetScript(nullptr);

  ConsumerOptions options = Quick("alive");
  options.claim_min_idle = milliseconds(300);
  process = Run(options);
  ASSERT_TRUE(Eventually([&] { return AppliedPayloads().size() == 130; }));
  EXPECT_TRUE(NothingPending());
}

TEST_F(ConsumerTest, AFailingEventIsRepeatedWhileOthersPass) {
  kyc_.SetScript([](const std::string& payload, int before) {
    return payload == "hard" && before < 8 ? kUnavailable : grpc::Status::OK;
  });
  ConsumerOptions options = Quick("a");
  options.apply_concurrency = 1;
  auto process = Run(options);
  probe_.AddEvent("hard");
  for (int i = 0; i < 20; ++i) probe_.AddEvent(std::to_string(i));
  ASSERT_TRUE(AppliedInTotal(21));
  EXPECT_EQ(kyc_.applied().back().payload, "hard");
  EXPECT_EQ(kyc_.times("hard"), 9);
  EXPECT_TRUE(NothingPending());
  EXPECT_EQ(probe_.Length(kDeadLetterStream), 0);
}

TEST_F(ConsumerTest, APoisonousEventGoesToTheDeadLetters) {
  kyc_.SetScript([](const std::string& payload, int) {
    return payload == "poison" ? kInternal : grpc::Status::OK;
  });
  auto process = Run(Quick("a"));
  const std::string id = probe_.AddEvent("poison", "trace");
  probe_.AddEvent("good");
  ASSERT_TRUE(
      Eventually([&] { return probe_.Length(kDeadLetterStream) == 1; }));
  EXPECT_TRUE(NothingPending());
  EXPECT_EQ(kyc_.times("poison"), 5);
  EXPECT_EQ(AppliedPayloads(), std::set<std::string>{"good"});

  std::map<std::string, std::string> letter =
      probe_.FirstEntry(kDeadLetterStream);
  EXPECT_GT(std::stoll(letter["at"]), 1700000000000);
  letter.erase("at");
  EXPECT_EQ(letter, (std::map<std::string, std::string>{{"p", "sumsub"},
                                                        {"b", "poison"},
                                                        {"t", "1700000000000"},
                                                        {"tp", "trace"},
                                                        {"id", id},
                                                        {"reason", "INTERNAL"},
                                                        {"n", "5"}}));
  EXPECT_TRUE(Eventually([] {
    return base::RenderMetrics().find("\nkyc_webhook_dead_letters 1\n") !=
           std::string::npos;
  }));
}

TEST_F(ConsumerTest, AnOutageOfKycServiceCostsNoAttempts) {
  auto process = Run(Quick("a"));
  probe_.AddEvent("before");
  ASSERT_TRUE(AppliedInTotal(1));
  kyc_.Stop();
  ASSERT_TRUE(Eventually([&] { return !process->consumer().kyc_ok(); }));
  for (int i = 0; i < 20; ++i) probe_.AddEvent(std::to_string(i));
  // Many times the pause between two attempts.
  EXPECT_FALSE(Eventually(
      [&] {
        const async::RedisReply pending = probe_.Do(
            {"XPENDING", kEventStream, kConsumerGroup, "-", "+", "100"});
        for (const async::RedisReply& entry : pending.elements) {
          if (entry.elements.at(3).integer > 1) return true;  // Deliveries.
        }
        return false;
      },
      milliseconds(500)));
  kyc_.Start();
  ASSERT_TRUE(AppliedInTotal(21));
  EXPECT_TRUE(NothingPending());
  EXPECT_EQ(kyc_.applied().size(), 21u);
  EXPECT_EQ(probe_.Length(kDeadLetterStream), 0);
}

TEST_F(ConsumerTest, RecoversFromAnEmptiedRedis) {
  auto process = Run(Quick("a"));
  probe_.AddEvent("before");
  ASSERT_TRUE(AppliedInTotal(1));
  probe_.Do({"FLUSHALL"});
  probe_.AddEvent("after");
  ASSERT_TRUE(AppliedInTotal(2));
  EXPECT_EQ(kyc_.applied().back().payload, "after");
  EXPECT_TRUE(NothingPending());
}

TEST_F(ConsumerTest, RecoversFromARedisRestartWithoutData) {
  auto process = Run(Quick("a"));
  probe_.AddEvent("before");
  ASSERT_TRUE(AppliedInTotal(1));
  redis_.Kill();
  ASSERT_TRUE(Eventually([&] { return !process->consumer().redis_ok(); }));
  redis_.Restart();
  ASSERT_TRUE(Eventually([&] { return process->consumer().redis_ok(); }));
  probe_.AddEvent("after");
  ASSERT_TRUE(AppliedInTotal(2));
  EXPECT_EQ(kyc_.applied().back().payload, "after");
}

TEST_F(ConsumerTest, AppliesNoMoreAtOnceThanAllowed) {
  kyc_.SetScript([](const std::string&, int) {
    std::this_thread::sleep_for(milliseconds(5));
    return grpc::Status::OK;
  });
  ConsumerOptions options = Quick("a");
  options.apply_concurrency = 3;
  auto process = Run(options);
  for (int i = 0; i < 60; ++i) probe_.AddEvent(std::to_string(i));
  ASSERT_TRUE(AppliedInTotal(60));
  EXPECT_EQ(kyc_.most_at_once(), 3);
}

TEST_F(ConsumerTest, DrainFinishesWhatIsInFlightAndStartsNothing) {
  Gate gate;
  kyc_.SetScript([&](const std::string&, int) {
    gate.Wait();
    return grpc::Status::OK;
  });
  auto process = Run(Quick("a"));
  probe_.AddEvent("in flight");
  ASSERT_TRUE(Eventually([&] { return kyc_.times("in flight") == 1; }));
  EXPECT_FALSE(process->consumer().Drain(milliseconds(300)));
  gate.Open();
  EXPECT_TRUE(process->consumer().Drain(seconds(10)));
  EXPECT_EQ(kyc_.applied().size(), 1u);
  EXPECT_EQ(probe_.Pending(), 0);

  probe_.AddEvent("too late");
  EXPECT_TRUE(process->consumer().Drain(seconds(10)));
  EXPECT_EQ(kyc_.times("too late"), 0);
}

TEST_F(ConsumerTest, TrimsOldEntriesButNoneThatIsNotAcknowledged) {
  // One entry a node: trimming takes whole nodes.
  probe_.Do({"CONFIG", "SET", "stream-node-max-entries", "1"});
  kyc_.SetScript([](const std::string& payload, int) {
    return payload == "5" ? kUnavailable : grpc::Status::OK;
  });
  for (int i = 1; i <= 10; ++i) {
    const std::string n = std::to_string(i);
    probe_.AddEvent(n, "", n + "-0");
  }
  probe_.AddEvent("recent");
  auto process = Run(Quick("a"));
  ASSERT_TRUE(AppliedInTotal(10));
  ASSERT_TRUE(Eventually([&] { return probe_.Length(kEventStream) <= 7; }));
  ASSERT_TRUE(Eventually([&] { return kyc_.times("5") > 3; }));
  EXPECT_EQ(probe_.FirstEntry(kEventStream)["b"], "5");
  EXPECT_EQ(probe_.Length(kEventStream), 7);
  EXPECT_TRUE(Eventually([] {
    return base::RenderMetrics().find("\nkyc_webhook_pending_entries 1\n") !=
           std::string::npos;
  }));

  // Once it is acknowledged, only what is recent is kept.
  kyc_.SetScript(nullptr);
  EXPECT_TRUE(Eventually([&] { return probe_.Length(kEventStream) == 1; }));
  EXPECT_EQ(probe_.FirstEntry(kEventStream)["b"], "recent");
}

TEST_F(ConsumerTest, PendingEntriesThatAreGoneAreAcknowledged) {
  Gate gate;
  kyc_.SetScript([&](const std::string&, int) {
    gate.Wait();
    return kUnavailable;
  });
  auto process = Run(Quick("a"));
  const std::string id = probe_.AddEvent("lost");
  ASSERT_TRUE(Eventually([&] { return probe_.Pending() == 1; }));
  process.reset();
  gate.Open();
  kyc_.SetScript(nullptr);
  probe_.Do({"XDEL", kEventStream, id});

  process = Run(Quick("a"));
  EXPECT_TRUE(NothingPending());
  probe_.AddEvent("next");
  EXPECT_TRUE(AppliedInTotal(1));
  EXPECT_NE(base::RenderMetrics().find("\nkyc_webhook_trimmed_pending_total 1"),
            std::string::npos);
}

}  // namespace
}  // namespace kyc::webhook
