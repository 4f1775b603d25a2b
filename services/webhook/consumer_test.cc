#include "services/webhook/consumer.h"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "services/async/grpc_client.h"
#include "services/async/redis_for_test.h"
#include "services/webhook/event_stream.h"
#include "services/webhook/partition.h"
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
  options.partitions = kTestPartitions;
  options.claim_interval = milliseconds(50);
  options.claim_min_idle = seconds(3600);
  options.block = milliseconds(100);
  options.retry_base = milliseconds(20);
  options.retry_cap = milliseconds(100);
  options.sample_interval = milliseconds(20);
  options.trim_interval = milliseconds(20);
  return options;
}

// The event of an applicant, with a number to tell it from others.
std::string EventOf(const std::string& applicant, int number) {
  return R"({"applicantId":")" + applicant + R"(","n":)" +
         std::to_string(number) + "}";
}

// A process with one consumer. Its end is that of a crash: what was under way
// is neither finished nor acknowledged, and its leases run out by themselves.
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
  bool Owns(const std::string& process, int partitions) {
    return Eventually([&] { return probe_.LeasesOf(process) == partitions; },
                      seconds(30));
  }
  // What was applied of one applicant, in order.
  std::vector<std::string> AppliedOf(const std::string& applicant) const {
    std::vector<std::string> payloads;
    for (const auto& call : kyc_.applied()) {
      if (call.payload.find("\"" + applicant + "\"") != std::string::npos) {
        payloads.push_back(call.payload);
      }
    }
    return payloads;
  }

  async::RedisForTest redis_;
  RedisProbe probe_;
  KycStub kyc_;
};

TEST_F(ConsumerTest, AppliesEachEventOnceAndAcknowledgesIt) {
  const std::string trace = "0af7651916cd43dd8448eb211c80319c";
  std::set<std::string> sent;
  // Some are there before the groups are, some come while they are read.
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
  EXPECT_EQ(probe_.Events(), 151);
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
  // Some in flight, some waiting for their places.
  ConsumerOptions options = Quick("a");
  options.lease_time = seconds(3600);
  options.apply_concurrency = 64;
  auto process = Run(options);
  ASSERT_TRUE(Eventually([&] { return probe_.Pending() == 100; }));
  process.reset();
  gate.Open();
  kyc_.SetScript(nullptr);
  EXPECT_EQ(probe_.Pending(), 100);

  process = Run(options);
  // Counted by payload: a call cut off by the crash may still have its effect.
  EXPECT_TRUE(Eventually([&] { return AppliedPayloads().size() == 100; }));
  EXPECT_TRUE(NothingPending());
}

TEST_F(ConsumerTest, AnotherProcessTakesOverWhatADeadOneLeft) {
  Gate gate;
  kyc_.SetScript([&](const std::string&, int) {
    gate.Wait();
    return kUnavailable;
  });
  // More than a page of each partition, so that the claim's cursor has to
  // move.
  for (int i = 0; i < 400; ++i) probe_.AddEvent(std::to_string(i));
  ConsumerOptions options = Quick("dead");
  options.lease_time = seconds(2);
  auto process = Run(options);
  ASSERT_TRUE(Eventually([&] { return probe_.Pending() == 400; }));
  auto waiting = Run(Quick("alive"));
  process.reset();
  gate.Open();
  kyc_.SetScript(nullptr);

  ASSERT_TRUE(
      Eventually([&] { return AppliedPayloads().size() == 400; }, seconds(30)));
  EXPECT_TRUE(NothingPending());
  EXPECT_TRUE(Owns("alive", kTestPartitions));
}

TEST_F(ConsumerTest, ProcessesShareThePartitions) {
  auto a = Run(Quick("a"));
  ASSERT_TRUE(Owns("a", 4));
  ConsumerOptions options = Quick("b");
  auto b = Run(options);
  ASSERT_TRUE(Owns("b", 2));
  ASSERT_TRUE(Owns("a", 2));
  for (int i = 0; i < 100; ++i) probe_.AddEvent(std::to_string(i));
  ASSERT_TRUE(AppliedInTotal(100));
  // Who leaves in peace leaves nothing to wait for.
  EXPECT_TRUE(b->consumer().Drain(seconds(20)));
  EXPECT_EQ(probe_.LeasesOf("b"), 0);
  ASSERT_TRUE(Owns("a", 4));
  EXPECT_EQ(kyc_.applied().size(), 100u);
}

TEST_F(ConsumerTest, EventsOfAnApplicantKeepTheirOrder) {
  // Every seventh event fails at first.
  kyc_.SetScript([](const std::string& payload, int before) {
    return before == 0 && std::hash<std::string>()(payload) % 7 == 0
               ? kUnavailable
               : grpc::Status::OK;
  });
  std::map<std::string, std::vector<std::string>> sent;
  const auto send = [&](int from, int to) {
    for (int i = from; i < to; ++i) {
      for (int applicant = 0; applicant < 25; ++applicant) {
        const std::string name = "applicant" + std::to_string(applicant);
        sent[name].push_back(EventOf(name, i));
        probe_.AddEvent(sent[name].back());
      }
    }
  };
  // While processes come and go.
  send(0, 4);
  auto a = Run(Quick("a"));
  send(4, 8);
  auto b = Run(Quick("b"));
  send(8, 12);
  ASSERT_TRUE(Owns("b", 2));
  send(12, 16);
  EXPECT_TRUE(a->consumer().Drain(seconds(20)));
  send(16, 20);
  ASSERT_TRUE(
      Eventually([&] { return AppliedPayloads().size() == 500; }, seconds(60)));
  EXPECT_TRUE(NothingPending());
  EXPECT_EQ(kyc_.applied().size(), 500u);
  for (const auto& [applicant, events] : sent) {
    EXPECT_EQ(AppliedOf(applicant), events);
  }
}

TEST_F(ConsumerTest, AFailingEventHoldsBackItsApplicantAlone) {
  kyc_.SetScript([](const std::string& payload, int) {
    return payload == EventOf("x", 1) ? kUnavailable : grpc::Status::OK;
  });
  auto process = Run(Quick("a"));
  probe_.AddEvent(EventOf("x", 1));
  probe_.AddEvent(EventOf("x", 2));
  for (int i = 0; i < 100; ++i) probe_.AddEvent(EventOf(std::to_string(i), 1));
  ASSERT_TRUE(AppliedInTotal(100));
  ASSERT_TRUE(Eventually([&] { return kyc_.times(EventOf("x", 1)) > 3; }));
  EXPECT_EQ(kyc_.times(EventOf("x", 2)), 0);
  kyc_.SetScript(nullptr);
  ASSERT_TRUE(AppliedInTotal(102));
  EXPECT_EQ(AppliedOf("x"),
            (std::vector<std::string>{EventOf("x", 1), EventOf("x", 2)}));
}

TEST_F(ConsumerTest, EventsShareRpcsAndThoseThatNeedTheProviderGoAlone) {
  kyc_.Stop();
  for (int i = 0; i < 200; ++i) probe_.AddEvent(std::to_string(i));
  probe_.AddEvent("ask me");
  auto process = Run(Quick("a"));
  kyc_.Start();
  ASSERT_TRUE(AppliedInTotal(201));
  for (const auto& call : kyc_.applied()) {
    EXPECT_EQ(call.batched, call.payload != "ask me");
  }
  EXPECT_TRUE(NothingPending());
}

TEST_F(ConsumerTest, RepetitionsAreCounted) {
  const std::string duplicates =
      R"(kyc_webhook_applied_total{effect="duplicate"})";
  const int64_t before = MetricValue(duplicates);
  auto process = Run(Quick("a"));
  for (int i = 0; i < 3; ++i) probe_.AddEvent("same");
  ASSERT_TRUE(AppliedInTotal(3));
  EXPECT_TRUE(
      Eventually([&] { return MetricValue(duplicates) == before + 2; }));
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
  EXPECT_EQ(probe_.DeadLetters(), 0);
}

TEST_F(ConsumerTest, AnEventThatIsNeverSettledIsGivenUpAtItsAge) {
  kyc_.SetScript([](const std::string& payload, int) {
    return payload == EventOf("x", 1) ? kUnavailable : grpc::Status::OK;
  });
  ConsumerOptions options = Quick("a");
  options.max_event_age = seconds(3);
  auto process = Run(options);
  probe_.AddEvent(EventOf("x", 1));
  probe_.AddEvent(EventOf("x", 2));
  ASSERT_TRUE(Eventually([&] { return kyc_.times(EventOf("x", 1)) > 6; }));
  ASSERT_TRUE(
      Eventually([&] { return probe_.DeadLetters() == 1; }, seconds(30)));
  EXPECT_EQ(probe_.DeadLetter()["reason"], "UNAVAILABLE");
  ASSERT_TRUE(AppliedInTotal(1));
  EXPECT_TRUE(NothingPending());
}

TEST_F(ConsumerTest, APoisonousEventGoesToTheDeadLetters) {
  kyc_.SetScript([](const std::string& payload, int) {
    return payload == "poison" ? kInternal : grpc::Status::OK;
  });
  auto process = Run(Quick("a"));
  const std::string id = probe_.AddEvent("poison", "trace");
  const std::string entry = ParseEventId(id, kTestPartitions)->entry;
  probe_.AddEvent("good");
  ASSERT_TRUE(Eventually([&] { return probe_.DeadLetters() == 1; }));
  EXPECT_TRUE(NothingPending());
  EXPECT_EQ(kyc_.times("poison"), 5);
  EXPECT_EQ(AppliedPayloads(), std::set<std::string>{"good"});

  std::map<std::string, std::string> letter = probe_.DeadLetter();
  EXPECT_GT(std::stoll(letter["at"]), 1700000000000);
  letter.erase("at");
  EXPECT_EQ(letter, (std::map<std::string, std::string>{{"p", "sumsub"},
                                                        {"b", "poison"},
                                                        {"t", "1700000000000"},
                                                        {"tp", "trace"},
                                                        {"id", entry},
                                                        {"reason", "INTERNAL"},
                                                        {"n", "5"}}));
  EXPECT_TRUE(
      Eventually([] { return MetricValue("kyc_webhook_dead_letters") == 1; }));
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
        for (int i = 0; i < kTestPartitions; ++i) {
          const async::RedisReply pending =
              probe_.Do({"XPENDING", PartitionKeys(i).events, kConsumerGroup,
                         "-", "+", "100"});
          for (const async::RedisReply& entry : pending.elements) {
            if (entry.elements.at(3).integer > 1) return true;  // Deliveries.
          }
        }
        return false;
      },
      milliseconds(500)));
  kyc_.Start();
  ASSERT_TRUE(AppliedInTotal(21));
  EXPECT_TRUE(NothingPending());
  EXPECT_EQ(kyc_.applied().size(), 21u);
  EXPECT_EQ(probe_.DeadLetters(), 0);
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
  EXPECT_GT(kyc_.most_at_once(), 1);
  EXPECT_LE(kyc_.most_at_once(), 3);
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
  ConsumerOptions options = Quick("a");
  options.partitions = 1;
  RedisProbe probe(redis_.options(), 1);
  const std::string stream = PartitionKeys(0).events;
  // One entry a node: trimming takes whole nodes.
  probe.Do({"CONFIG", "SET", "stream-node-max-entries", "1"});
  kyc_.SetScript([](const std::string& payload, int) {
    return payload == "5" ? kUnavailable : grpc::Status::OK;
  });
  for (int i = 1; i <= 10; ++i) {
    const std::string n = std::to_string(i);
    probe.AddEvent(n, "", n + "-0");
  }
  probe.AddEvent("recent");
  // "5" is older than any age that an event may reach.
  options.max_event_age = std::chrono::hours(24 * 365 * 200);
  auto process = Run(options);
  ASSERT_TRUE(AppliedInTotal(10));
  ASSERT_TRUE(Eventually([&] { return probe.Events() <= 7; }));
  ASSERT_TRUE(Eventually([&] { return kyc_.times("5") > 3; }));
  EXPECT_EQ(probe.FirstEntry(stream)["b"], "5");
  EXPECT_EQ(probe.Events(), 7);
  EXPECT_TRUE(Eventually(
      [] { return MetricValue("kyc_webhook_pending_entries") == 1; }));
  EXPECT_TRUE(Eventually([] {
    return MetricValue("kyc_webhook_oldest_pending_seconds") > 1700000000;
  }));

  // Once it is acknowledged, only what is recent is kept.
  kyc_.SetScript(nullptr);
  EXPECT_TRUE(Eventually([&] { return probe.Events() == 1; }));
  EXPECT_EQ(probe.FirstEntry(stream)["b"], "recent");
}

TEST_F(ConsumerTest, PendingEntriesThatAreGoneAreCountedAndAcknowledged) {
  const int64_t before = MetricValue("kyc_webhook_trimmed_pending_total");
  Gate gate;
  kyc_.SetScript([&](const std::string&, int) {
    gate.Wait();
    return kUnavailable;
  });
  ConsumerOptions options = Quick("a");
  auto process = Run(options);
  for (int i = 0; i < 1000; ++i) probe_.AddEvent(std::to_string(i));
  ASSERT_TRUE(Eventually([&] { return probe_.Pending() == 1000; }));
  process.reset();
  gate.Open();
  kyc_.SetScript(nullptr);
  for (int i = 0; i < kTestPartitions; ++i) {
    probe_.Do({"XTRIM", PartitionKeys(i).events, "MAXLEN", "0"});
  }

  process = Run(options);
  EXPECT_TRUE(NothingPending());
  probe_.AddEvent("next");
  EXPECT_TRUE(Eventually([&] { return kyc_.times("next") == 1; }));
  EXPECT_TRUE(Eventually([&] {
    return MetricValue("kyc_webhook_trimmed_pending_total") == before + 1000;
  }));
}

TEST_F(ConsumerTest, EntriesDeliveredToAnEarlierOwnerAreFound) {
  ConsumerOptions options = Quick("a");
  options.claim_min_idle = milliseconds(300);
  auto process = Run(options);
  ASSERT_TRUE(Owns("a", kTestPartitions));
  probe_.AddEvent("first");
  ASSERT_TRUE(AppliedInTotal(1));
  // While nobody reads, one that was frozen when it lost the partition does.
  kyc_.Stop();
  ASSERT_TRUE(Eventually([&] { return !process->consumer().kyc_ok(); }));
  std::this_thread::sleep_for(2 * options.block);
  const auto place = ParseEventId(probe_.AddEvent("stray"), kTestPartitions);
  probe_.Do({"XREADGROUP", "GROUP", kConsumerGroup, "frozen", "STREAMS",
             PartitionKeys(place->partition).events, ">"});
  ASSERT_EQ(probe_.Pending(), 1);
  kyc_.Start();
  ASSERT_TRUE(AppliedInTotal(2));
  EXPECT_TRUE(NothingPending());
}

// Only the present owner may decide that an event is given up.
TEST_F(ConsumerTest, AnEarlierOwnerBuriesNothing) {
  kyc_.SetScript([](const std::string&, int) { return kInternal; });
  ConsumerOptions options = Quick("a");
  options.lease_time = seconds(3600);
  options.retry_base = options.retry_cap = milliseconds(300);
  auto process = Run(options);
  ASSERT_TRUE(Owns("a", kTestPartitions));
  probe_.AddEvent("poison");
  ASSERT_TRUE(Eventually([&] { return kyc_.times("poison") > 0; }));
  for (int i = 0; i < kTestPartitions; ++i) {
    probe_.Do({"SET", PartitionKeys(i).lease, "9:another:b"});
  }
  ASSERT_TRUE(Eventually([&] { return kyc_.times("poison") == 5; }));
  EXPECT_FALSE(
      Eventually([&] { return probe_.DeadLetters() > 0; }, milliseconds(500)));
  EXPECT_EQ(probe_.Pending(), 1);
}

}  // namespace
}  // namespace kyc::webhook
