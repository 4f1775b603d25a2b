// Trails over a real redis-server, and what others may do to them there.
#include "services/kyc/store/audit_trail.h"

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/async/redis_for_test.h"
#include "services/base/clock.h"
#include "services/kyc/store/record_store.h"

namespace kyc::store {
namespace {

using async::RedisReply;
using async::Task;
using domain::Record;
using domain::State;

class AuditTrailTest : public ::testing::Test {
 protected:
  AuditTrailTest()
      : redis_(runtime_.loop(0), server_.options()),
        records_(redis_, base::SystemClock()),
        trail_(redis_, records_) {
    runtime_.Start();
  }
  ~AuditTrailTest() override { runtime_.Stop(); }

  template <typename Make>
  auto Run(Make make) {
    using T = typename decltype(make())::value_type;
    auto promise = std::make_shared<std::promise<T>>();
    auto future = promise->get_future();
    runtime_.loop(0).Spawn(Drive<Make, T>(std::move(make), promise));
    EXPECT_EQ(future.wait_for(std::chrono::seconds(60)),
              std::future_status::ready);
    return future.get();
  }
  template <typename Make, typename T>
  static Task<void> Drive(Make make, std::shared_ptr<std::promise<T>> promise) {
    promise->set_value(co_await make());
  }

  RedisReply Command(std::vector<std::string> args) {
    auto reply = Run([&] { return redis_.Command(args); });
    EXPECT_TRUE(reply.ok()) << reply.status();
    return reply.ok() ? *std::move(reply) : RedisReply();
  }
  void Move(const std::string& user, State state) {
    ASSERT_TRUE(Run([&] {
                  return records_.Update(user, [&](const Record& record) {
                    RecordStore::Change change{record, {}};
                    change.record.state = state;
                    change.audit.actor = "API";
                    change.audit.action = "test";
                    return std::make_optional(change);
                  });
                }).ok());
  }
  // Four changes and an access.
  void MakeTrail(const std::string& user) {
    for (State state : {State::kInProgress, State::kRetry, State::kInProgress,
                        State::kApproved}) {
      Move(user, state);
    }
    AuditEntry access;
    access.actor = "PARTNER";
    ASSERT_TRUE(Run([&] { return records_.AppendAudit(user, access); }).ok());
  }
  AuditTrail::Finding Verify(const std::string& user) {
    auto finding = Run([&] { return trail_.Verify(user); });
    EXPECT_TRUE(finding.ok()) << finding.status();
    return finding.ok() ? *std::move(finding) : AuditTrail::Finding();
  }
  std::vector<AuditTrail::Entry> Entries(const std::string& user) {
    return *Run([&] { return trail_.List(user, "", 1000); });
  }
  // Writes a trail anew with these entries, under their ids.
  void Rewrite(const std::string& user,
               const std::vector<AuditTrail::Entry>& entries) {
    Command({"DEL", AuditKey(user)});
    for (const AuditTrail::Entry& entry : entries) {
      std::vector<std::string> command = {"XADD", AuditKey(user), entry.id};
      for (const auto& [name, value] : entry.fields) {
        command.push_back(name);
        command.push_back(value);
      }
      Command(std::move(command));
    }
  }

  async::RedisForTest server_;
  async::Runtime runtime_{1};
  async::Redis redis_;
  RecordStore records_;
  AuditTrail trail_;
};

TEST_F(AuditTrailTest, WhatNobodyTouchedIsFine) {
  EXPECT_EQ(Verify("nobody").entries, 0);
  EXPECT_FALSE(Verify("nobody").problem);
  MakeTrail("u");
  const AuditTrail::Finding finding = Verify("u");
  EXPECT_FALSE(finding.problem) << finding.problem->what;
  EXPECT_EQ(finding.entries, 5);
  EXPECT_EQ(finding.head, Run([&] { return records_.Load("u"); })->audit_head);
}

TEST_F(AuditTrailTest, EveryChangedByteIsFoundAndItsEntryNamed) {
  MakeTrail("u");
  const auto entries = Entries("u");
  ASSERT_EQ(entries.size(), 5u);
  for (size_t i = 0; i < entries.size(); ++i) {
    for (size_t field = 0; field < entries[i].fields.size(); ++field) {
      auto changed = entries;
      changed[i].fields[field].second += "x";
      Rewrite("u", changed);
      const AuditTrail::Finding finding = Verify("u");
      ASSERT_TRUE(finding.problem) << i << " " << field;
      EXPECT_EQ(finding.problem->entry_id, entries[i].id);
    }
  }
  Rewrite("u", entries);
  EXPECT_FALSE(Verify("u").problem);
}

TEST_F(AuditTrailTest, RemovedInsertedAndMovedEntriesAreFound) {
  MakeTrail("u");
  MakeTrail("v");
  const auto entries = Entries("u");
  for (size_t i = 0; i + 1 < entries.size(); ++i) {
    auto removed = entries;
    removed.erase(removed.begin() + static_cast<ptrdiff_t>(i));
    Rewrite("u", removed);
    EXPECT_EQ(Verify("u").problem->entry_id, entries[i + 1].id);

    auto moved = entries;
    std::swap(moved[i].fields, moved[i + 1].fields);
    Rewrite("u", moved);
    EXPECT_EQ(Verify("u").problem->entry_id, entries[i].id);

    // A good entry of another user's.
    auto inserted = entries;
    inserted[i + 1].fields = Entries("v")[i + 1].fields;
    Rewrite("u", inserted);
    EXPECT_EQ(Verify("u").problem->entry_id, entries[i + 1].id);
  }
  // The end: what is left is a good chain, and the record knows better.
  auto cut = entries;
  cut.pop_back();
  Rewrite("u", cut);
  EXPECT_EQ(Verify("u").problem->entry_id, entries[3].id);
}

TEST_F(AuditTrailTest, TrailsAndRecordsThatAreGoneAreFound) {
  MakeTrail("u");
  Command({"COPY", AuditKey("u"), "trail"});
  Command({"COPY", RecordKey("u"), "record"});
  Command({"DEL", AuditKey("u")});
  EXPECT_EQ(Verify("u").problem->what, "the trail is gone");
  Command({"COPY", "trail", AuditKey("u")});
  Command({"DEL", RecordKey("u")});
  EXPECT_EQ(Verify("u").problem->what, "the record is gone");
  Command({"HSET", RecordKey("u"), "v", "x"});
  EXPECT_EQ(Verify("u").problem->what, "the record cannot be read");
  // Set back to before the last change.
  Command({"COPY", "record", RecordKey("u"), "REPLACE"});
  Move("u", State::kRejected);
  EXPECT_FALSE(Verify("u").problem);
  Command({"COPY", "record", RecordKey("u"), "REPLACE"});
  EXPECT_EQ(Verify("u").problem->entry_id, Entries("u").back().id);
}

TEST_F(AuditTrailTest, AStateThatNoEntryExplainsIsFound) {
  MakeTrail("u");
  Command({"HSET", RecordKey("u"), "state", "rejected"});
  EXPECT_EQ(Verify("u").problem->entry_id, Entries("u").back().id);
  Command({"HSET", RecordKey("u"), "state", "approved", "v", "3"});
  EXPECT_EQ(Verify("u").problem->entry_id, Entries("u").back().id);
}

TEST_F(AuditTrailTest, LongTrailsAreReadByPages) {
  for (int i = 0; i < 1203; ++i) {
    Move("u", i % 2 == 0 ? State::kInProgress : State::kRetry);
  }
  EXPECT_EQ(Verify("u").entries, 1203);
  EXPECT_FALSE(Verify("u").problem);
  const auto first = *Run([&] { return trail_.List("u", "", 2); });
  ASSERT_EQ(first.size(), 2u);
  const auto second = *Run([&] { return trail_.List("u", first[1].id, 2); });
  ASSERT_EQ(second.size(), 2u);
  EXPECT_EQ(second[0].fields.back(), Entries("u")[2].fields.back());
}

TEST_F(AuditTrailTest, FindsAllUsersWhoHaveARecordOrATrail) {
  std::set<std::string> expected;
  for (int i = 0; i < 150; ++i) {
    const std::string user = "usr|" + std::to_string(i) + ":a";
    Move(user, State::kInProgress);
    expected.insert(user);
  }
  Command({"DEL", RecordKey("usr|0:a")});
  Command({"DEL", AuditKey("usr|1:a")});
  Command({"SET", "kyc:events", "no user's"});
  Command({"SET", "kyc:{b000}:user:elsewhere", "not in its bucket"});
  std::set<std::string> found;
  std::string cursor;
  do {
    const auto page = Run([&] { return trail_.ListUsers(cursor, 20); });
    ASSERT_TRUE(page.ok()) << page.status();
    found.insert(page->user_ids.begin(), page->user_ids.end());
    cursor = page->next_cursor;
  } while (!cursor.empty());
  EXPECT_EQ(found, expected);
}

}  // namespace
}  // namespace kyc::store
