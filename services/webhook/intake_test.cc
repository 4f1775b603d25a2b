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

#include "kyc/v1/webhook_service.grpc.pb.h"
#include "services/async/grpc_client.h"
#include "services/async/redis_for_test.h"
#include "services/base/error.h"
#include "services/webhook/event_stream.h"
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
        first_(runtime_.loop(0), redis_.options()),
        second_(runtime_.loop(1), redis_.options()),
        secrets_(path_),
        service_(
            MakeIntakeService({.runtime = &runtime_,
                               .redis = {&first_, &second_},
                               .secrets = &secrets_,
                               .algorithms = {DigestAlgorithm::kHmacSha256Hex},
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
  async::RedisForTest redis_;
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

  const auto stored = probe_.Do({"XRANGE", kEventStream, id, id});
  EXPECT_EQ(stored.elements.size(), 1u);
  std::map<std::string, std::string> entry = probe_.FirstEntry(kEventStream);
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
    EXPECT_EQ(probe_.Length(kEventStream), ++stored);
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
  EXPECT_EQ(probe_.Length(kEventStream), 0);

  request.clear_digest_algorithms();
  EXPECT_TRUE(Ingest(request).ok());
}

TEST_F(IntakeTest, BodiesAreBounded) {
  EXPECT_TRUE(IngestSigned("old", std::string(1 << 20, 'x')).ok());
  const absl::Status status =
      IngestSigned("old", std::string((1 << 20) + 1, 'x'));
  EXPECT_EQ(base::ReasonOf(status), v1::ERROR_REASON_BODY_TOO_LARGE) << status;
  EXPECT_EQ(probe_.Length(kEventStream), 1);
}

TEST_F(IntakeTest, SecretsRotateWithoutARestart) {
  EXPECT_TRUE(IngestSigned("old", "1").ok());
  EXPECT_TRUE(IngestSigned("new", "2").ok());
  WriteSecrets("new\n");
  ASSERT_TRUE(secrets_.Load().ok());
  EXPECT_TRUE(absl::IsUnauthenticated(IngestSigned("old", "3")));
  EXPECT_TRUE(IngestSigned("new", "4").ok());
}

TEST_F(IntakeTest, WithoutRedisTheSenderIsAskedToRepeatWithinASecond) {
  ASSERT_TRUE(IngestSigned("old", "before").ok());
  const auto expect_unavailable = [&](const char* why) {
    const auto start = std::chrono::steady_clock::now();
    const absl::Status status = IngestSigned("old", "lost");
    EXPECT_LT(std::chrono::steady_clock::now() - start, milliseconds(1000))
        << why;
    EXPECT_EQ(base::ReasonOf(status), v1::ERROR_REASON_UNAVAILABLE)
        << why << ": " << status;
  };
  redis_.Freeze();
  expect_unavailable("frozen");
  redis_.Thaw();
  ASSERT_TRUE(Eventually([&] { return IngestSigned("old", "again").ok(); }));
  redis_.Kill();
  expect_unavailable("down");
  expect_unavailable("still down");
  redis_.Restart();
  EXPECT_TRUE(Eventually([&] { return IngestSigned("old", "after").ok(); }));
}

}  // namespace
}  // namespace kyc::webhook
