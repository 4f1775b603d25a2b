#include "services/webhook/intake.h"

#include <grpcpp/client_context.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <map>
#include <string>
#include <thread>

#include "google/rpc/status.pb.h"
#include "kyc/v1/webhook_service.grpc.pb.h"
#include "services/async/grpc_client.h"
#include "services/async/grpc_status.h"
#include "services/async/redis_for_test.h"
#include "services/base/error.h"
#include "services/webhook/event_stream.h"
#include "services/webhook/partition.h"
#include "services/webhook/webhook_for_test.h"

namespace kyc::webhook {
namespace {

using std::chrono::milliseconds;

std::string Sign(const std::string& key, const std::string& body) {
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(body.data()), body.size(), mac,
       &size);
  std::string hex;
  char byte[3];
  for (unsigned int i = 0; i < size; ++i) {
    std::snprintf(byte, sizeof(byte), "%02x", mac[i]);
    hex += byte;
  }
  return hex;
}

class IntakeTest : public testing::Test {
 protected:
  IntakeTest()
      : probe_(redis_.options()),
        runtime_(2),
        first_(runtime_.loop(0), IntakeOptions()),
        second_(runtime_.loop(1), IntakeOptions()),
        secrets_(path_),
        service_(
            MakeIntakeService({.runtime = &runtime_,
                               .redis = {&first_, &second_},
                               .secrets = &secrets_,
                               .algorithms = {DigestAlgorithm::kSha256},
                               .partitions = kTestPartitions,
                               .clock = &base::SystemClock()})) {
    WriteSecrets("old\nnew\n");
    EXPECT_TRUE(secrets_.Load().ok());
    runtime_.Start();
    const std::string address = FreshUnixAddress();
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    stub_ = v1::WebhookService::NewStub(async::OpenChannel(address));
  }
  ~IntakeTest() override {
    server_->Shutdown(std::chrono::system_clock::now());
    runtime_.Stop();
    std::remove(path_.c_str());
  }

  async::RedisOptions IntakeOptions() const {
    async::RedisOptions options = redis_.options();
    options.command_timeout = kIntakeLimit;
    return options;
  }

  void WriteSecrets(const std::string& text) {
    std::ofstream(path_, std::ios::trunc) << text;
  }

  absl::Status Ingest(const v1::IngestSumsubEventRequest& request,
                      std::string* event_id = nullptr) {
    grpc::ClientContext rpc;
    rpc.set_wait_for_ready(true);
    rpc.set_deadline(std::chrono::system_clock::now() +
                     std::chrono::seconds(10));
    rpc.AddMetadata("traceparent",
                    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    v1::IngestSumsubEventResponse response;
    const grpc::Status status =
        stub_->IngestSumsubEvent(&rpc, request, &response);
    if (event_id != nullptr) *event_id = response.event_id();
    return async::FromGrpcStatus(status);
  }
  absl::Status IngestSigned(const std::string& key, const std::string& body) {
    v1::IngestSumsubEventRequest request;
    request.set_body(body);
    request.add_digests(Sign(key, body));
    return Ingest(request);
  }

  const std::string path_ = testing::TempDir() + "/intake_secrets";
  async::RedisForTest redis_{
      async::RedisForTest::Settings{.arguments = {"--enable-debug-command",
                                                  "local"}}};
  RedisProbe probe_;
  async::Runtime runtime_;
  async::Redis first_;
  async::Redis second_;
  SecretFile secrets_;
  const std::unique_ptr<grpc::Service> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::WebhookService::Stub> stub_;
};

TEST_F(IntakeTest, OkMeansStored) {
  v1::IngestSumsubEventRequest request;
  request.set_body("{ \"type\" : \"applicantCreated\" }\n");
  request.add_digests(Sign("old", request.body()));
  request.add_digest_algorithms("HMAC_SHA256_HEX");
  std::string id;
  const absl::Status status = Ingest(request, &id);
  ASSERT_TRUE(status.ok()) << status;

  std::map<std::string, std::string> entry = probe_.Entry(id);
  EXPECT_EQ(entry["p"], "sumsub");
  EXPECT_EQ(entry["b"], request.body());
  EXPECT_EQ(entry["tp"].substr(0, 35), "00-0af7651916cd43dd8448eb211c80319c");
  const int64_t age = base::SystemClock().NowMs() - std::stoll(entry["t"]);
  EXPECT_GE(age, 0);
  EXPECT_LT(age, 10000);
}

TEST_F(IntakeTest, AGoodSignatureIsEnoughWhateverTheBody) {
  int64_t stored = 0;
  for (const std::string& body :
       {std::string(), std::string("null"), std::string("not json"),
        std::string("[1]"), std::string("\0\xff", 2),
        std::string(100000, '[')}) {
    EXPECT_TRUE(IngestSigned("old", body).ok());
    EXPECT_EQ(probe_.Events(), ++stored);
  }
}

TEST_F(IntakeTest, ABadSignatureIsRefusedAndStoresNothing) {
  v1::IngestSumsubEventRequest request;
  request.set_body("body");
  const std::string good = Sign("old", "body");
  const auto refused = [&] {
    const absl::Status status = Ingest(request);
    return status.code() == absl::StatusCode::kUnauthenticated &&
           base::ReasonOf(status) == v1::ERROR_REASON_WEBHOOK_SIGNATURE_INVALID;
  };
  EXPECT_TRUE(refused()) << "no digest";
  request.add_digests(Sign("other", "body"));
  EXPECT_TRUE(refused()) << "wrong secret";
  request.set_digests(0, good);
  request.add_digests(good);
  EXPECT_TRUE(refused()) << "two digests";
  request.mutable_digests()->RemoveLast();
  request.add_digest_algorithms("HMAC_SHA512_HEX");
  EXPECT_TRUE(refused()) << "algorithm not allowed";
  EXPECT_EQ(probe_.Events(), 0);

  request.clear_digest_algorithms();
  EXPECT_TRUE(Ingest(request).ok());
}

TEST_F(IntakeTest, BodiesAreBounded) {
  EXPECT_TRUE(IngestSigned("old", std::string(1 << 20, 'x')).ok());
  const absl::Status status =
      IngestSigned("old", std::string((1 << 20) + 1, 'x'));
  EXPECT_EQ(base::ReasonOf(status), v1::ERROR_REASON_BODY_TOO_LARGE) << status;
  EXPECT_EQ(probe_.Events(), 1);
}

TEST_F(IntakeTest, SecretsRotateWithoutARestart) {
  EXPECT_TRUE(IngestSigned("old", "1").ok());
  EXPECT_TRUE(IngestSigned("new", "2").ok());
  WriteSecrets("new\n");
  ASSERT_TRUE(secrets_.Load().ok());
  EXPECT_TRUE(absl::IsUnauthenticated(IngestSigned("old", "3")));
  EXPECT_TRUE(IngestSigned("new", "4").ok());
}

TEST_F(IntakeTest, ItemsOfABatchHaveAnswersOfTheirOwn) {
  v1::BatchIngestSumsubEventsRequest batch;
  for (int i = 0; i < 50; ++i) {
    v1::IngestSumsubEventRequest& item = *batch.add_requests();
    item.set_body("body " + std::to_string(i));
    item.add_digests(Sign(i % 2 == 0 ? "old" : "new", item.body()));
    item.set_traceparent("00-" + std::string(31, '0') + "1-" +
                         std::string(15, '0') + "1-01");
  }
  batch.mutable_requests(3)->set_digests(0, "wrong");
  batch.mutable_requests(4)->set_body(std::string((1 << 20) + 1, 'x'));
  grpc::ClientContext rpc;
  rpc.set_wait_for_ready(true);
  rpc.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  v1::BatchIngestSumsubEventsResponse response;
  const grpc::Status status =
      stub_->BatchIngestSumsubEvents(&rpc, batch, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  ASSERT_EQ(response.results_size(), 50);
  const auto reason = [&](int item) {
    return base::ReasonOf(async::FromRpcStatus(response.results(item).error()));
  };
  EXPECT_EQ(reason(3), v1::ERROR_REASON_WEBHOOK_SIGNATURE_INVALID);
  EXPECT_EQ(reason(4), v1::ERROR_REASON_BODY_TOO_LARGE);
  for (int i = 0; i < 50; ++i) {
    if (i == 3 || i == 4) continue;
    auto entry = probe_.Entry(response.results(i).response().event_id());
    EXPECT_EQ(entry["b"], batch.requests(i).body());
    EXPECT_EQ(entry["tp"].substr(0, 35), "00-" + std::string(31, '0') + "1");
  }
  EXPECT_EQ(probe_.Events(), 48);
}

TEST_F(IntakeTest, EventsOfAnApplicantAreInOnePartition) {
  for (int i = 0; i < 20; ++i) {
    const std::string n = std::to_string(i);
    ASSERT_TRUE(
        IngestSigned("old", R"({"n":)" + n + R"(,"applicantId":"a"})").ok());
  }
  const int partition =
      PartitionOf(ApplicantKey(R"({"applicantId":"a"})"), kTestPartitions);
  EXPECT_EQ(probe_.Do({"XLEN", PartitionKeys(partition).events}).integer, 20);
}

// Whatever is wrong with Redis, the sender is asked to repeat within a second,
// nothing is half done, and intake goes on by itself afterwards.
class IntakeWithoutRedisTest : public IntakeTest {
 protected:
  void ExpectUnavailable(const char* why) {
    SCOPED_TRACE(why);
    const auto start = std::chrono::steady_clock::now();
    const absl::Status status = IngestSigned("old", "lost");
    EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(1000));
    EXPECT_EQ(base::ReasonOf(status), v1::ERROR_REASON_UNAVAILABLE) << status;
  }
  void ExpectRecovery() {
    EXPECT_TRUE(Eventually([&] { return IngestSigned("old", "again").ok(); }));
  }
};

TEST_F(IntakeWithoutRedisTest, FrozenOrDown) {
  ASSERT_TRUE(IngestSigned("old", "before").ok());
  redis_.Freeze();
  ExpectUnavailable("frozen");
  redis_.Thaw();
  ExpectRecovery();
  redis_.Kill();
  ExpectUnavailable("down");
  ExpectUnavailable("still down");
  redis_.Restart();
  ExpectRecovery();
}

TEST_F(IntakeWithoutRedisTest, Slow) {
  ASSERT_TRUE(IngestSigned("old", "before").ok());
  // Every command has to wait for one that takes long.
  std::thread busy([&] {
    async::RedisOptions options = redis_.options();
    options.command_timeout = std::chrono::seconds(10);
    RedisProbe other(options);
    other.Do({"EVAL",
              "local t = redis.call('TIME') local s = t[1] * 1000 + t[2] / "
              "1000 repeat t = redis.call('TIME') until t[1] * 1000 + t[2] / "
              "1000 > s + 2500",
              "0"});
  });
  std::this_thread::sleep_for(milliseconds(300));
  ExpectUnavailable("slow");
  busy.join();
  ExpectRecovery();
}

TEST_F(IntakeWithoutRedisTest, Loading) {
  // It takes 10 ms for each of its 500 keys, and refuses everything meanwhile.
  probe_.Do({"DEBUG", "POPULATE", "500", "key", "1024"});
  probe_.Do({"CONFIG", "SET", "key-load-delay", "10000"});
  probe_.Do({"CONFIG", "SET", "loading-process-events-interval-bytes", "1024"});
  std::thread loading([&] {
    async::RedisOptions options = redis_.options();
    options.command_timeout = std::chrono::seconds(60);
    RedisProbe other(options);
    other.Do({"DEBUG", "RELOAD"});
  });
  EXPECT_TRUE(Eventually([&] {
    const std::string info = probe_.Do({"INFO", "persistence"}).text;
    return info.find("loading:1") != std::string::npos;
  }));
  ExpectUnavailable("loading");
  loading.join();
  ExpectRecovery();
  EXPECT_EQ(probe_.Events(), 1);
}

TEST_F(IntakeWithoutRedisTest, Full) {
  probe_.Do({"CONFIG", "SET", "maxmemory-policy", "noeviction"});
  probe_.Do({"CONFIG", "SET", "maxmemory", "1"});
  ExpectUnavailable("full");
  EXPECT_EQ(probe_.Events(), 0);
  probe_.Do({"CONFIG", "SET", "maxmemory", "0"});
  ExpectRecovery();
  EXPECT_EQ(probe_.Events(), 1);
}

TEST_F(IntakeWithoutRedisTest, ReadOnly) {
  probe_.Do({"REPLICAOF", "127.0.0.1", "1"});
  ExpectUnavailable("a replica");
  probe_.Do({"REPLICAOF", "NO", "ONE"});
  ExpectRecovery();
  EXPECT_EQ(probe_.Events(), 1);
}

TEST_F(IntakeWithoutRedisTest, WithoutEnoughReplicas) {
  probe_.Do({"CONFIG", "SET", "min-replicas-to-write", "1"});
  ExpectUnavailable("too few replicas");
  probe_.Do({"CONFIG", "SET", "min-replicas-to-write", "0"});
  ExpectRecovery();
  EXPECT_EQ(probe_.Events(), 1);
}

}  // namespace
}  // namespace kyc::webhook
