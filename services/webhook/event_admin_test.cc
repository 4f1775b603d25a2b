// EventAdminService over gRPC and a real redis-server.
#include <grpcpp/client_context.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "kyc/v1/event_admin_service.grpc.pb.h"
#include "services/async/grpc_client.h"
#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/async/redis_for_test.h"
#include "services/base/clock.h"
#include "services/base/error.h"
#include "services/webhook/event_admin_service.h"
#include "services/webhook/event_stream.h"
#include "services/webhook/partition.h"
#include "services/webhook/webhook_for_test.h"

namespace kyc::webhook {
namespace {

constexpr char kTrace[] = "0af7651916cd43dd8448eb211c80319c";

class EventAdminTest : public testing::Test {
 protected:
  EventAdminTest()
      : probe_(redis_.options()),
        connection_(runtime_.loop(0), redis_.options()),
        service_(MakeEventAdminService(runtime_.loop(0), connection_,
                                       kTestPartitions, base::SystemClock())) {
    runtime_.Start();
    const std::string address = FreshUnixAddress();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    stub_ = v1::EventAdminService::NewStub(async::OpenChannel(address));
  }
  ~EventAdminTest() override {
    server_->Shutdown(std::chrono::system_clock::now());
    runtime_.Stop();
  }

  // Makes one call and gives its answer; `reason` is that of an error, and
  // without one the call must succeed.
  template <typename Request, typename Response>
  Response Call(grpc::Status (v1::EventAdminService::Stub::*method)(
                    grpc::ClientContext*, const Request&, Response*),
                const Request& request,
                v1::ErrorReason reason = v1::ERROR_REASON_UNSPECIFIED) {
    grpc::ClientContext context;
    context.set_wait_for_ready(true);
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(20));
    Response response;
    const absl::Status status = async::FromGrpcStatus(
        (stub_.get()->*method)(&context, request, &response));
    EXPECT_EQ(base::ReasonOf(status), reason) << status;
    return response;
  }

  // Dead letters, as the consumer makes them; gives their ids.
  std::vector<std::string> AddDead(int count) {
    std::vector<std::string> ids;
    for (int i = 0; i < count; ++i) {
      const int partition = i % kTestPartitions;
      const std::string n = std::to_string(i);
      ids.push_back(EventId(
          partition,
          probe_
              .Do({"XADD", PartitionKeys(partition).dead, "*", "p", "sumsub",
                   "b", "body " + n, "t", "1700000000000", "tp",
                   "00-" + std::string(kTrace) + "-b7ad6b7169203331-01", "id",
                   "17-" + n, "reason", "INTERNAL", "n", "5", "at",
                   "1700000009000"})
              .text));
    }
    return ids;
  }
  std::vector<v1::DeadLetter> ListAll(int page_size) {
    std::vector<v1::DeadLetter> all;
    v1::ListDeadLettersRequest request;
    request.set_page_size(page_size);
    do {
      const auto page =
          Call(&v1::EventAdminService::Stub::ListDeadLetters, request);
      EXPECT_LE(page.dead_letters_size(), page_size);
      all.insert(all.end(), page.dead_letters().begin(),
                 page.dead_letters().end());
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return all;
  }

  async::RedisForTest redis_;
  RedisProbe probe_;
  async::Runtime runtime_{1};
  async::Redis connection_;
  const std::unique_ptr<grpc::Service> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::EventAdminService::Stub> stub_;
};

using Stub = v1::EventAdminService::Stub;

TEST_F(EventAdminTest, DeadLettersAreListedPageByPage) {
  EXPECT_TRUE(ListAll(10).empty());
  const std::vector<std::string> ids = AddDead(130);
  for (const int page_size : {1, 7, 130, 1000}) {
    std::set<std::string> seen;
    for (const v1::DeadLetter& letter : ListAll(page_size)) {
      EXPECT_TRUE(seen.insert(letter.id()).second) << letter.id();
    }
    EXPECT_EQ(seen, std::set<std::string>(ids.begin(), ids.end()));
  }
  const v1::DeadLetter first = ListAll(10)[0];
  EXPECT_EQ(first.id(), ids[0]);
  EXPECT_EQ(first.event_id(), "e00:17-0");
  EXPECT_EQ(first.reason(), "INTERNAL");
  EXPECT_EQ(first.attempts(), 5);
  EXPECT_EQ(first.received_at_ms(), 1700000000000);
  EXPECT_EQ(first.given_up_at_ms(), 1700000009000);
  EXPECT_EQ(first.body_bytes(), 6);
  EXPECT_EQ(first.trace_id(), kTrace);
  v1::ListDeadLettersRequest wrong;
  wrong.set_page_token("e99:1-1");
  Call(&Stub::ListDeadLetters, wrong,
       v1::ERROR_REASON_REQUEST_VALIDATION_FAILED);
}

TEST_F(EventAdminTest, ALetterIsShownWithoutItsPerson) {
  const std::string body =
      R"({"applicantId":"65abc","externalUserId":"jane@example.com",)"
      R"("type":"applicantReviewed","correlationId":"req-1","fullName":)"
      R"("Jane","createdAtMs":"2026-01-01 10:00:00.123","reviewResult":)"
      R"({"moderationComment":"Jane's face","clientComment":"secret"}})";
  const std::string id =
      EventId(1, probe_
                     .Do({"XADD", PartitionKeys(1).dead, "*", "b", body, "id",
                          "1-1", "reason", "INTERNAL"})
                     .text);
  v1::GetDeadLetterRequest request;
  request.set_id(id);
  const v1::DeadLetter letter = Call(&Stub::GetDeadLetter, request);
  EXPECT_EQ(letter.type(), "applicantReviewed");
  EXPECT_EQ(letter.applicant_id(), "65abc");
  EXPECT_EQ(letter.correlation_id(), "req-1");
  EXPECT_EQ(letter.created_at_ms(), "2026-01-01 10:00:00.123");
  const std::string text = letter.DebugString();
  for (const char* personal : {"ane", "example", "secret", "face"}) {
    EXPECT_EQ(text.find(personal), std::string::npos) << personal;
  }
  // A body of another kind says nothing at all.
  for (const std::string& other :
       {std::string("Jane"), std::string("[]"),
        std::string(R"({"type":"Jane Doe","applicantId":"jane@x",)"
                    R"("correlationId":"J D","createdAtMs":"né"})")}) {
    const std::string other_id = EventId(
        1, probe_.Do({"XADD", PartitionKeys(1).dead, "*", "b", other}).text);
    request.set_id(other_id);
    const v1::DeadLetter bare = Call(&Stub::GetDeadLetter, request);
    EXPECT_EQ(bare.type() + bare.applicant_id() + bare.correlation_id() +
                  bare.created_at_ms(),
              "");
  }
  for (const char* none : {"", "x", "e01:1-1", "e77:1-1"}) {
    request.set_id(none);
    Call(&Stub::GetDeadLetter, request,
         v1::ERROR_REASON_STREAM_ENTRY_NOT_FOUND);
  }
}

TEST_F(EventAdminTest, ARedrivenLetterIsAnEventAgain) {
  const std::vector<std::string> ids = AddDead(2);
  v1::RedriveDeadLetterRequest request;
  request.set_id(ids[1]);
  const std::string event_id =
      Call(&Stub::RedriveDeadLetter, request).event_id();
  EXPECT_EQ(probe_.DeadLetters(), 1);
  auto entry = probe_.Entry(event_id);
  EXPECT_EQ(entry["b"], "body 1");
  EXPECT_EQ(entry["t"], "1700000000000");
  EXPECT_EQ(entry["r"], "17-1");
  EXPECT_EQ(event_id.substr(0, 4), "e01:");
  // Once.
  Call(&Stub::RedriveDeadLetter, request,
       v1::ERROR_REASON_STREAM_ENTRY_NOT_FOUND);
  EXPECT_EQ(probe_.Events(), 1);
}

TEST_F(EventAdminTest, ALetterThatCannotBeRedrivenStays) {
  const std::vector<std::string> ids = AddDead(1);
  probe_.Do({"CONFIG", "SET", "maxmemory", "1"});
  v1::RedriveDeadLetterRequest request;
  request.set_id(ids[0]);
  Call(&Stub::RedriveDeadLetter, request, v1::ERROR_REASON_UNAVAILABLE);
  probe_.Do({"CONFIG", "SET", "maxmemory", "0"});
  EXPECT_EQ(probe_.DeadLetters(), 1);
  EXPECT_EQ(probe_.Events(), 0);
}

TEST_F(EventAdminTest, AllAreRedrivenInBoundedSteps) {
  AddDead(130);
  v1::RedriveDeadLettersRequest request;
  request.set_limit(100);
  auto response = Call(&Stub::RedriveDeadLetters, request);
  EXPECT_EQ(response.redriven(), 100);
  EXPECT_EQ(response.remaining(), 30);
  response = Call(&Stub::RedriveDeadLetters, request);
  EXPECT_EQ(response.redriven(), 30);
  EXPECT_EQ(response.remaining(), 0);
  EXPECT_EQ(probe_.DeadLetters(), 0);
  EXPECT_EQ(probe_.Events(), 130);
}

TEST_F(EventAdminTest, ADroppedLetterIsGone) {
  const std::vector<std::string> ids = AddDead(2);
  v1::DropDeadLetterRequest request;
  request.set_id(ids[0]);
  Call(&Stub::DropDeadLetter, request);
  EXPECT_EQ(probe_.DeadLetters(), 1);
  Call(&Stub::DropDeadLetter, request, v1::ERROR_REASON_STREAM_ENTRY_NOT_FOUND);
  EXPECT_EQ(probe_.Events(), 0);
}

TEST_F(EventAdminTest, APartOfThePastIsReplayedOnce) {
  std::set<std::string> within;
  for (int i = 0; i < 300; ++i) {
    const std::string body = "event " + std::to_string(i);
    probe_.AddEvent(body, "", std::to_string(1000 + i) + "-0");
    if (i >= 50 && i <= 249) within.insert(body);
  }
  v1::ReplayEventsRequest request;
  request.set_from_ms(1050);
  request.set_to_ms(1249);
  request.set_limit(30);
  const auto replay_all = [&] {
    int replayed = 0;
    do {
      const auto response = Call(&Stub::ReplayEvents, request);
      replayed += response.replayed();
      request.set_page_token(response.next_page_token());
    } while (!request.page_token().empty());
    return replayed;
  };
  EXPECT_EQ(replay_all(), 200);
  EXPECT_EQ(probe_.Events(), 500);
  std::set<std::string> repeated;
  for (int i = 0; i < kTestPartitions; ++i) {
    for (const auto& entry :
         probe_.Do({"XRANGE", PartitionKeys(i).events, "2000", "+"}).elements) {
      auto fields = probe_.Entry(EventId(i, entry.elements[0].text));
      EXPECT_FALSE(fields["r"].empty());
      EXPECT_TRUE(repeated.insert(fields["b"]).second);
    }
  }
  EXPECT_EQ(repeated, within);

  // Everything up to now: those that are repetitions are not repeated.
  request.set_from_ms(0);
  request.set_to_ms(INT64_MAX);
  EXPECT_EQ(replay_all(), 300);
  EXPECT_EQ(probe_.Events(), 800);
  request.set_to_ms(-1);
  Call(&Stub::ReplayEvents, request,
       v1::ERROR_REASON_REQUEST_VALIDATION_FAILED);
}

TEST_F(EventAdminTest, PendingEventsAreListed) {
  v1::ListPendingEventsRequest request;
  EXPECT_EQ(Call(&Stub::ListPendingEvents, request).events_size(), 0);
  std::set<std::string> ids;
  for (int i = 0; i < 25; ++i) {
    ids.insert(probe_.AddEvent("event " + std::to_string(i)));
  }
  for (int i = 0; i < kTestPartitions; ++i) {
    const std::string stream = PartitionKeys(i).events;
    probe_.Do({"XGROUP", "CREATE", stream, kConsumerGroup, "0", "MKSTREAM"});
    probe_.Do({"XREADGROUP", "GROUP", kConsumerGroup, "somebody", "STREAMS",
               stream, ">"});
  }
  std::set<std::string> seen;
  request.set_page_size(10);
  do {
    const auto page = Call(&Stub::ListPendingEvents, request);
    for (const v1::PendingEvent& event : page.events()) {
      EXPECT_TRUE(seen.insert(event.id()).second);
      EXPECT_EQ(event.consumer(), "somebody");
      EXPECT_EQ(event.deliveries(), 1);
      EXPECT_GE(event.idle_ms(), 0);
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_EQ(seen, ids);
}

}  // namespace
}  // namespace kyc::webhook
