#include "services/kyc/store/record_store.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "services/async/redis_for_test.h"

namespace kyc::store {
namespace {

using async::Redis;
using async::RedisForTest;
using async::RedisReply;
using async::Task;
using domain::Record;
using domain::State;
using Outcome = RecordStore::Outcome;
using Change = RecordStore::Change;

bool Eventually(const std::function<bool()>& condition) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

constexpr int64_t kNow = 1'767'225'600'000;

std::string AnyText() { return *rc::gen::arbitrary<std::string>(); }
std::optional<int64_t> MaybeNumber() {
  return *rc::gen::arbitrary<bool>()
             ? std::optional<int64_t>(*rc::gen::arbitrary<int64_t>())
             : std::nullopt;
}

Record AnyRecord(std::string user_id) {
  Record record;
  record.user_id = std::move(user_id);
  record.version = *rc::gen::positive<uint64_t>();
  record.state = static_cast<State>(*rc::gen::inRange(0, domain::kStateCount));
  record.applicant_id = AnyText();
  record.link_ms = *rc::gen::arbitrary<int64_t>();
  record.required_level = AnyText();
  record.tenant = {AnyText(), AnyText()};
  if (*rc::gen::arbitrary<bool>()) {
    record.decision = {static_cast<domain::Outcome>(*rc::gen::inRange(0, 4)),
                       *rc::gen::arbitrary<int64_t>(), AnyText()};
  }
  record.progress_ms = *rc::gen::arbitrary<int64_t>();
  record.awaiting_user = *rc::gen::arbitrary<bool>();
  record.partial_approval_ms = *rc::gen::arbitrary<int64_t>();
  record.unknown_level_ms = *rc::gen::arbitrary<int64_t>();
  if (*rc::gen::arbitrary<bool>()) {
    record.activity = {*rc::gen::arbitrary<int64_t>(),
                       *rc::gen::arbitrary<int64_t>()};
  }
  record.polled_attempt = MaybeNumber();
  record.verified_at_ms = MaybeNumber();
  record.rejected_at_ms = MaybeNumber();
  record.reject_reason = AnyText();
  record.first_name = AnyText();
  record.last_names = AnyText();
  record.onboarding_step = AnyText();
  record.updated_ms = *rc::gen::arbitrary<int64_t>();
  record.unsettled_ms = *rc::gen::arbitrary<int64_t>();
  record.erased_ms = *rc::gen::arbitrary<int64_t>();
  record.legal_hold_ms = *rc::gen::arbitrary<int64_t>();
  record.audit_head = AnyText();
  return record;
}

RC_GTEST_PROP(RecordCodecTest, DecodesWhatItEncoded, ()) {
  const Record record = AnyRecord(AnyText());
  const auto decoded = DecodeRecord(record.user_id, EncodeRecord(record));
  RC_ASSERT(decoded.ok());
  RC_ASSERT(*decoded == record);
  const auto change = DecodeChange(EncodeChange(record));
  RC_ASSERT(change.ok());
  RC_ASSERT(*change == StatusOf(record));
}

RC_GTEST_PROP(RecordCodecTest, ReadsAnyBytesAsAChangeWithoutHarm, ()) {
  (void)DecodeChange(AnyText());
  std::string payload = EncodeChange(AnyRecord(AnyText()));
  payload.resize(*rc::gen::inRange<size_t>(0, payload.size()));
  (void)DecodeChange(payload);
}

TEST(RecordCodecTest, WritesOnlyWhatIsSetUnderNamesThatStay) {
  Record record;
  record.user_id = "usr_1";
  record.version = 1;
  EXPECT_EQ(EncodeRecord(record),
            (std::vector<std::string>{"v", "1", "state", "pending"}));
  record.decision = {domain::Outcome::kApproved, 5, "basic"};
  record.awaiting_user = true;
  EXPECT_EQ(EncodeRecord(record),
            (std::vector<std::string>{"v", "1", "state", "pending",
                                      "decision_outcome", "approved",
                                      "decision_time", "5", "decision_level",
                                      "basic", "awaiting_user", "1"}));
}

TEST(RecordCodecTest, RefusesWhatItCannotRead) {
  using Fields = std::vector<std::string>;
  EXPECT_EQ(DecodeRecord("u", {})->version, 0u);
  EXPECT_TRUE(DecodeRecord("u", {"v", "1", "from_the_future", "x"}).ok());
  for (const Fields& fields :
       {Fields{"v"}, Fields{"state", "pending"}, Fields{"v", "0"},
        Fields{"v", "-1"}, Fields{"v", "1x"}, Fields{"v", ""},
        Fields{"v", "1", "state", "approve"},
        Fields{"v", "1", "verified_at", "soon"},
        Fields{"v", "1", "awaiting_user", "yes"},
        Fields{"v", "1", "decision_outcome", "maybe"},
        Fields{"v", "1", "decision_time", "5"}}) {
    EXPECT_EQ(DecodeRecord("u", fields).status().code(),
              absl::StatusCode::kDataLoss)
        << testing::PrintToString(fields);
  }
  for (const char* payload : {"", "x", "9:abc", "1:u3:", "1:u1:v", "-1:u"}) {
    EXPECT_FALSE(DecodeChange(payload).ok()) << payload;
  }
}

TEST(RecordKeysTest, ShareTheHashTagOfTheBucket) {
  EXPECT_EQ(BucketOf("123456789"), 0x31C3 % 256);  // XMODEM's check value.
  EXPECT_EQ(BucketOf(""), 0);
  EXPECT_EQ(RecordKey("123456789"), "kyc:{b195}:user:123456789");
  EXPECT_EQ(AuditKey("123456789"), "kyc:{b195}:audit:123456789");
  EXPECT_EQ(OutboxKey(7), "kyc:{b007}:outbox");
  EXPECT_EQ(ChangesChannel(0), "kyc:{b000}:changes");
}

// Moves a record to a state.
Change To(Record record, State state) {
  record.state = state;
  Change change;
  change.record = std::move(record);
  change.audit.actor = "API";
  change.audit.action = "test";
  change.audit.event_id = "event";
  change.audit.trace_id = "trace";
  return change;
}

// One loop with its own connection and store.
struct Node {
  Node(async::Loop& loop, const async::RedisOptions& options)
      : loop(loop), redis(loop, options), store(redis, clock) {}
  async::Loop& loop;
  base::FakeClock clock{kNow};
  Redis redis;
  RecordStore store;
};

class RecordStoreTest : public testing::Test {
 protected:
  RecordStoreTest() : runtime_(2) {
    runtime_.Start();
    for (int i = 0; i < 2; ++i) {
      OnLoop(i, [&] {
        nodes_[i] = std::make_unique<Node>(runtime_.loop(i), server_.options());
      });
    }
  }
  ~RecordStoreTest() override { runtime_.Stop(); }

  void OnLoop(int index, std::function<void()> work) {
    std::promise<void> done;
    runtime_.loop(index).Post([&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  }
  template <typename T>
  static Task<void> Fill(std::function<Task<T>()>& work,
                         std::optional<T>* result, std::promise<void>* done) {
    result->emplace(co_await work());
    done->set_value();
  }
  template <typename T>
  T Run(std::function<Task<T>()> work) {
    std::optional<T> result;
    std::promise<void> done;
    async::Loop& loop = runtime_.loop(0);
    loop.Post([&] { loop.Spawn(Fill(work, &result, &done)); });
    done.get_future().wait();
    return *std::move(result);
  }

  RedisReply Command(std::vector<std::string> args) {
    auto reply = Run<absl::StatusOr<RedisReply>>(
        [&] { return nodes_[0]->redis.Command(args); });
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? *std::move(reply) : RedisReply();
  }
  absl::StatusOr<Record> Load(const std::string& user_id) {
    return Run<absl::StatusOr<Record>>(
        [&] { return nodes_[0]->store.Load(user_id); });
  }
  absl::StatusOr<Outcome> Update(const std::string& user_id,
                                 RecordStore::Decide decide) {
    return Run<absl::StatusOr<Outcome>>(
        [&] { return nodes_[0]->store.Update(user_id, decide); });
  }
  absl::StatusOr<Outcome> UpdateFrom(const Record& record,
                                     RecordStore::Decide decide,
                                     bool only_this_version) {
    return Run<absl::StatusOr<Outcome>>([&] {
      return nodes_[0]->store.UpdateFrom(record, decide, only_this_version);
    });
  }
  absl::StatusOr<Outcome> Move(const std::string& user_id, State state) {
    return Update(user_id, [state](const Record& r) { return To(r, state); });
  }

  // Entries of a stream, oldest first.
  std::vector<AuditFieldList> Stream(const std::string& key) {
    std::vector<AuditFieldList> entries;
    for (const RedisReply& entry :
         Command({"XRANGE", key, "-", "+"}).elements) {
      const auto& words = entry.elements[1].elements;
      AuditFieldList fields;
      for (size_t i = 0; i + 1 < words.size(); i += 2) {
        fields.emplace_back(words[i].text, words[i + 1].text);
      }
      entries.push_back(std::move(fields));
    }
    return entries;
  }
  std::vector<AuditFieldList> Trail(const std::string& user_id) {
    return Stream(AuditKey(user_id));
  }
  std::vector<AuditFieldList> Outbox(const std::string& user_id) {
    return Stream(OutboxKey(BucketOf(user_id)));
  }

  RedisForTest server_;
  async::Runtime runtime_;
  std::unique_ptr<Node> nodes_[2];
};

TEST_F(RecordStoreTest, AUserNeverStoredHasVersionZero) {
  const auto record = Load("usr_new");
  ASSERT_TRUE(record.ok());
  Record expected;
  expected.user_id = "usr_new";
  EXPECT_EQ(*record, expected);
}

TEST_F(RecordStoreTest, WritesRecordTrailAndEventTogether) {
  const auto first = Move("usr|1 ü", State::kInProgress);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(first->changed);
  EXPECT_EQ(first->record.version, 1u);
  EXPECT_EQ(*Load("usr|1 ü"), first->record);
  const auto second = Move("usr|1 ü", State::kApproved);
  ASSERT_TRUE(second.ok());

  const std::vector<AuditFieldList> trail = Trail("usr|1 ü");
  ASSERT_EQ(trail.size(), 2u);
  EXPECT_EQ(trail[1], (AuditFieldList{{"actor", "API"},
                                      {"actor_id", ""},
                                      {"action", "test"},
                                      {"from", "in_progress"},
                                      {"to", "approved"},
                                      {"decision", ""},
                                      {"provider_type", ""},
                                      {"level", ""},
                                      {"provider_time_ms", ""},
                                      {"event_id", "event"},
                                      {"reference", ""},
                                      {"trace_id", "trace"},
                                      {"time_ms", std::to_string(kNow)},
                                      {"version", "2"},
                                      {"hash", second->record.audit_head}}));
  EXPECT_TRUE(
      VerifyAuditChain("usr|1 ü", trail, second->record.audit_head).ok());

  const std::vector<AuditFieldList> outbox = Outbox("usr|1 ü");
  ASSERT_EQ(outbox.size(), 2u);
  EXPECT_EQ(
      outbox[1],
      (AuditFieldList{{"id", "evt_" + second->record.audit_head.substr(0, 32)},
                      {"type", "kyc.status.changed"},
                      {"user_id", "usr|1 ü"},
                      {"from", "in_progress"},
                      {"to", "approved"},
                      {"version", "2"},
                      {"time_ms", std::to_string(kNow)},
                      {"org", ""},
                      {"env", ""}}));
  ASSERT_TRUE(Update("usr|1 ü", [](const Record& record) {
                Change change = To(record, State::kRejected);
                change.record.tenant = {"acme", "live"};
                return change;
              }).ok());
  const AuditFieldList last = Outbox("usr|1 ü").back();
  EXPECT_EQ(AuditFieldList(last.end() - 2, last.end()),
            (AuditFieldList{{"org", "acme"}, {"env", "live"}}));
}

TEST_F(RecordStoreTest, AnEntryAloneIsChainedAndChangesNothingElse) {
  const auto before = Move("u", State::kApproved);
  ASSERT_TRUE(before.ok());
  AuditEntry access;
  access.actor = "PARTNER";
  access.actor_id = "acme";
  access.action = "data_read";
  access.reference = "pint_1";
  const auto append = [&](const std::string& user) {
    return Run<absl::StatusOr<Record>>(
        [&] { return nodes_[0]->store.AppendAudit(user, access); });
  };
  ASSERT_TRUE(append("u").ok());
  // Whoever read the record before the entry still writes: it is the same
  // version, and the chain goes on from the entry.
  const auto after = UpdateFrom(
      before->record,
      [](const Record& record) { return To(record, State::kRejected); },
      /*only_this_version=*/true);
  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_EQ(after->record.version, 2u);
  const auto trail = Trail("u");
  ASSERT_EQ(trail.size(), 3u);
  EXPECT_EQ(trail[1][1].second, "acme");
  EXPECT_EQ(trail[1][13],
            (std::pair<std::string, std::string>("version", "1")));
  EXPECT_TRUE(VerifyAuditChain("u", trail, after->record.audit_head).ok());
  EXPECT_EQ(Outbox("u").size(), 2u);

  const auto unknown = append("nobody");
  ASSERT_TRUE(unknown.ok()) << unknown.status();
  EXPECT_EQ(unknown->version, 1u);
  EXPECT_EQ(unknown->state, State::kPending);
  EXPECT_EQ(*Load("nobody"), *unknown);
}

TEST_F(RecordStoreTest, TellsWhomItConcernsAndNobodyElse) {
  const std::string user = "usr_1";
  std::vector<Record> heard;
  std::atomic<int> connected = 0;
  std::unique_ptr<async::RedisSubscriber> subscriber;
  OnLoop(0, [&] {
    subscriber = std::make_unique<async::RedisSubscriber>(
        runtime_.loop(0), server_.options(),
        std::vector<std::string>{ChangesChannel(BucketOf(user)), "end"},
        [&](std::string_view channel, std::string_view payload) {
          if (channel == "end") {
            ++connected;
          } else {
            heard.push_back(*DecodeChange(payload));
          }
        },
        [&] { ++connected; });
  });
  ASSERT_TRUE(Eventually([&] { return connected == 1; }));

  ASSERT_TRUE(Move(user, State::kInProgress).ok());
  const auto step = Update(user, [](const Record& record) {
    Change change = To(record, record.state);
    change.record.onboarding_step = "card_setup";
    return change;
  });
  ASSERT_TRUE(step.ok() && step->changed);
  const auto linked = Update(user, [](const Record& record) {
    Change change = To(record, record.state);
    change.record.applicant_id = "app";
    return change;
  });
  ASSERT_TRUE(linked.ok() && linked->changed);
  const auto same =
      Update(user, [](const Record&) -> std::optional<Change> { return {}; });
  ASSERT_TRUE(same.ok());
  EXPECT_FALSE(same->changed);
  EXPECT_EQ(same->record, linked->record);
  // Behind everything published so far.
  Command({"PUBLISH", "end", ""});
  ASSERT_TRUE(Eventually([&] { return connected == 2; }));
  OnLoop(0, [&] {
    ASSERT_EQ(heard.size(), 2u);
    EXPECT_EQ(heard[0].state, State::kInProgress);
    EXPECT_EQ(heard[1], StatusOf(linked->record));
    subscriber.reset();
  });
  EXPECT_EQ(Trail(user).size(), 3u);
  EXPECT_EQ(Outbox(user).size(), 1u);
}

TEST_F(RecordStoreTest, KeepsWhenTheProviderIsToBeAsked) {
  const std::string key = WaitingKey(BucketOf("u"));
  const auto due = [&] { return Command({"ZSCORE", key, "u"}).text; };
  ASSERT_TRUE(Move("u", State::kInProgress).ok());
  EXPECT_EQ(due(), std::to_string(kNow + 600'000));
  // An entry alone moves nothing, neither the record's time nor the question.
  OnLoop(0, [&] { nodes_[0]->clock.Advance(1000); });
  ASSERT_TRUE(Run<absl::StatusOr<Record>>([&] {
                return nodes_[0]->store.AppendAudit("u", AuditEntry());
              }).ok());
  EXPECT_EQ(Load("u")->updated_ms, kNow);
  EXPECT_EQ(due(), std::to_string(kNow + 600'000));
  ASSERT_TRUE(Move("u", State::kApproved).ok());
  EXPECT_EQ(due(), "");
  EXPECT_EQ(Load("u")->updated_ms, kNow + 1000);
  ASSERT_TRUE(Update("u", [](const Record& record) {
                Change change = To(record, State::kApproved);
                change.record.unsettled_ms = kNow + 1000;
                return change;
              }).ok());
  EXPECT_EQ(due(), std::to_string(kNow + 3000));
}

TEST_F(RecordStoreTest, AnOlderRecordIsDecidedAgain) {
  const auto old = Move("u", State::kInProgress);
  ASSERT_TRUE(old.ok());
  const auto newer = Move("u", State::kApproved);
  ASSERT_TRUE(newer.ok());
  std::vector<State> seen;
  const auto decide = [&](const Record& record) -> std::optional<Change> {
    seen.push_back(record.state);
    return To(record, State::kRejected);
  };
  EXPECT_EQ(UpdateFrom(old->record, decide, true).status().code(),
            absl::StatusCode::kAborted);
  EXPECT_EQ(*Load("u"), newer->record);
  seen.clear();
  const auto updated = UpdateFrom(old->record, decide, false);
  ASSERT_TRUE(updated.ok());
  EXPECT_EQ(seen, (std::vector{State::kInProgress, State::kApproved}));
  EXPECT_EQ(updated->record.version, 3u);
  EXPECT_TRUE(
      VerifyAuditChain("u", Trail("u"), updated->record.audit_head).ok());
  // A record that was erased meanwhile is decided as a new one.
  Command({"DEL", RecordKey("u")});
  const auto anew = UpdateFrom(updated->record, decide, false);
  ASSERT_TRUE(anew.ok());
  EXPECT_EQ(anew->record.version, 1u);
}

TEST_F(RecordStoreTest, GivesUpWhenOthersAreAlwaysFirst) {
  // `decide` runs between read and write, on loop 0; node 1 writes meanwhile.
  int decided = 0;
  const auto result = Update("u", [&](const Record& record) {
    ++decided;
    Node& other = *nodes_[1];
    std::promise<void> done;
    other.loop.Post([&] {
      other.loop.Spawn([](Node& other, std::promise<void>* done) -> Task<void> {
        (void)co_await other.store.Update(
            "u", [](const Record& r) { return To(r, State::kInProgress); });
        done->set_value();
      }(other, &done));
    });
    done.get_future().wait();
    return To(record, State::kApproved);
  });
  EXPECT_EQ(result.status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(decided, 16);
  EXPECT_EQ(Load("u")->state, State::kInProgress);
}

constexpr int kWriters = 4;
constexpr int kWrites = 125;

Task<void> CountUp(RecordStore& store, std::atomic<int>* running) {
  for (int done = 0; done < kWrites;) {
    const auto outcome = co_await store.Update("u", [](const Record& record) {
      Change change =
          To(record, record.state == State::kPending ? State::kInProgress
                                                     : State::kPending);
      change.record.polled_attempt = record.polled_attempt.value_or(0) + 1;
      return change;
    });
    if (outcome.ok()) {
      ++done;
    } else if (!absl::IsAborted(outcome.status())) {
      ADD_FAILURE() << outcome.status();
      break;
    }
  }
  --*running;
}

TEST_F(RecordStoreTest, ConcurrentWritersLoseNothing) {
  std::atomic<int> running = 2 * kWriters;
  for (const auto& node : nodes_) {
    node->loop.Post([&] {
      for (int i = 0; i < kWriters; ++i) {
        node->loop.Spawn(CountUp(node->store, &running));
      }
    });
  }
  ASSERT_TRUE(Eventually([&] { return running == 0; }));
  constexpr int kTotal = 2 * kWriters * kWrites;
  const auto record = Load("u");
  ASSERT_TRUE(record.ok());
  EXPECT_EQ(record->polled_attempt, kTotal);
  EXPECT_EQ(record->version, static_cast<uint64_t>(kTotal));
  const auto trail = Trail("u");
  EXPECT_EQ(trail.size(), static_cast<size_t>(kTotal));
  EXPECT_TRUE(VerifyAuditChain("u", trail, record->audit_head).ok());
  EXPECT_EQ(Outbox("u").size(), static_cast<size_t>(kTotal));
}

TEST_F(RecordStoreTest, StoresAnyRecordOverAnyOther) {
  EXPECT_TRUE(rc::check([&] {
    Record last;
    Command({"DEL", RecordKey("u")});
    for (int i = 0; i < 3; ++i) {
      const Record wanted = AnyRecord("u");
      const auto outcome =
          Update("u", [&](const Record&) { return To(wanted, wanted.state); });
      RC_ASSERT(outcome.ok());
      last = wanted;
      last.version = i + 1;
      last.updated_ms = kNow;
      last.audit_head = outcome->record.audit_head;
      RC_ASSERT(outcome->record == last);
      RC_ASSERT(*Load("u") == last);
    }
  }));
}

TEST_F(RecordStoreTest, LeavesFieldsOfANewerVersionAlone) {
  ASSERT_TRUE(Update("u", [](const Record& record) {
                Change change = To(record, State::kRejected);
                change.record.reject_reason = "blurred";
                return change;
              }).ok());
  Command({"HSET", RecordKey("u"), "from_the_future", "kept"});
  ASSERT_TRUE(Update("u", [](const Record& record) {
                Change change = To(record, State::kApproved);
                change.record.reject_reason.clear();
                return change;
              }).ok());
  EXPECT_EQ(Command({"HGET", RecordKey("u"), "from_the_future"}).text, "kept");
  EXPECT_EQ(Command({"HEXISTS", RecordKey("u"), "reject_reason"}).integer, 0);
}

TEST_F(RecordStoreTest, AFailedWriteWritesNothing) {
  const auto before = Move("u", State::kInProgress);
  ASSERT_TRUE(before.ok());
  // Memory is full.
  Command({"CONFIG", "SET", "maxmemory", "1"});
  EXPECT_EQ(Move("u", State::kApproved).status().code(),
            absl::StatusCode::kUnavailable);
  Command({"CONFIG", "SET", "maxmemory", "0"});
  // A key of the wrong type, each of those written after the first.
  for (const std::string& key : {AuditKey("u"), OutboxKey(BucketOf("u")),
                                 WaitingKey(BucketOf("u"))}) {
    Command({"RENAME", key, "aside"});
    Command({"SET", key, "text"});
    EXPECT_EQ(Move("u", State::kApproved).status().code(),
              absl::StatusCode::kInternal);
    Command({"DEL", key});
    Command({"RENAME", "aside", key});
  }
  EXPECT_EQ(*Load("u"), before->record);
  EXPECT_EQ(Trail("u").size(), 1u);
  EXPECT_EQ(Outbox("u").size(), 1u);
  EXPECT_TRUE(Move("u", State::kApproved).ok());
}

TEST_F(RecordStoreTest, ManyAtOnceComeInOrderEachWithItsOwnError) {
  ASSERT_TRUE(Move("a", State::kApproved).ok());
  Command({"SET", RecordKey("broken"), "text"});
  Command({"HSET", RecordKey("strange"), "v", "1", "state", "unheard-of"});
  const std::vector<std::string> users = {"nobody", "a", "broken", "strange",
                                          "a"};
  using Records = std::vector<absl::StatusOr<Record>>;
  const Records whole =
      Run<Records>([&] { return nodes_[0]->store.LoadMany(users); });
  const Records statuses =
      Run<Records>([&] { return nodes_[0]->store.LoadStatuses(users); });
  ASSERT_EQ(whole.size(), users.size());
  ASSERT_EQ(statuses.size(), users.size());
  EXPECT_EQ(*whole[1], *Load("a"));
  for (const size_t i : {0, 1, 4}) {
    ASSERT_TRUE(whole[i].ok());
    ASSERT_TRUE(statuses[i].ok());
    EXPECT_EQ(whole[i]->user_id, users[i]);
    EXPECT_EQ(*statuses[i], StatusOf(*whole[i]));
  }
  for (const Records* records : {&whole, &statuses}) {
    EXPECT_EQ((*records)[2].status().code(), absl::StatusCode::kInternal);
    EXPECT_EQ((*records)[3].status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST_F(RecordStoreTest, TheTrailShowsTampering) {
  for (State state : {State::kInProgress, State::kRetry, State::kApproved}) {
    ASSERT_TRUE(Move("u", state).ok());
  }
  const std::string head = Load("u")->audit_head;
  const std::vector<AuditFieldList> trail = Trail("u");
  ASSERT_TRUE(VerifyAuditChain("u", trail, head).ok());
  EXPECT_FALSE(VerifyAuditChain("v", trail, head).ok());
  EXPECT_FALSE(VerifyAuditChain("u", trail, "").ok());
  for (size_t i = 0; i < trail.size(); ++i) {
    auto missing = trail;
    missing.erase(missing.begin() + static_cast<ptrdiff_t>(i));
    EXPECT_FALSE(VerifyAuditChain("u", missing, head).ok());
    for (size_t field = 0; field < trail[i].size(); ++field) {
      auto changed = trail;
      changed[i][field].second += "x";
      EXPECT_FALSE(VerifyAuditChain("u", changed, head).ok());
    }
  }
}

}  // namespace
}  // namespace kyc::store
