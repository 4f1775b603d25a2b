// KycService's RPCs around documents over gRPC, with redis and a scripted web
// server as SumSub.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "kyc/v1/kyc_service.grpc.pb.h"
#include "services/async/grpc_client.h"
#include "services/async/grpc_server.h"
#include "services/async/grpc_status.h"
#include "services/async/http_stub_for_test.h"
#include "services/async/redis_for_test.h"
#include "services/base/error.h"
#include "services/kyc/server/kyc_service.h"

namespace kyc::server {
namespace {

using async::StubAnswer;
using async::StubRequest;
using std::chrono::milliseconds;
using std::chrono::seconds;
using Request = v1::UploadDocumentRequest;

constexpr int kMostUploads = 2;

// A SumSub with one applicant.
StubAnswer SumSub(const StubRequest& request) {
  const auto ends = [&](const char* with) {
    return request.target.ends_with(with);
  };
  StubAnswer answer;
  if (request.target.starts_with("/resources/applicants?")) {
    answer.status = 201;
    answer.body = R"({"id":"66f1a0b2c3d4e5f60718293a"})";
  } else if (ends("/info/idDoc")) {
    answer.headers = {{"X-Image-Id", "1880042117"}};
    answer.body = R"({"idDocType":"PASSPORT","errors":["screenshot"],)"
                  R"("warnings":["badSelfie"]})";
  } else if (ends("/requiredIdDocsStatus")) {
    answer.body = R"({"IDENTITY":{"imageIds":[1],"reviewResult":)"
                  R"({"reviewAnswer":"RED","moderationComment":"Blurred."}},)"
                  R"("PROOF_OF_RESIDENCE":{"imageIds":[2]}})";
  } else if (ends("/status/pending")) {
    answer.body = R"({"ok":1})";
  } else if (ends("/one")) {
    answer.body =
        R"({"id":"66f1a0b2c3d4e5f60718293a",)"
        R"("createdAt":"2025-03-02 10:15:30","info":{"firstName":"JANE",)"
        R"("lastName":"SMITH","dob":"1990-05-15","nationality":"GBR"},)"
        R"("requiredIdDocs":{"docSets":[{"types":["PASSPORT"]}]}})";
  } else if (ends("/metadata/resources")) {
    answer.body = R"({"items":[{"id":"7","addedDate":"2025-03-02 10:20:11",)"
                  R"("idDocDef":{"country":"GBR","idDocType":"PASSPORT"},)"
                  R"("reviewResult":{"reviewAnswer":"RED"}}]})";
  } else {
    answer.status = 404;
    answer.body = "{}";
  }
  return answer;
}

class UploadTest : public ::testing::Test {
 protected:
  UploadTest()
      : engines_(runtime_, base::SystemClock(), Options()),
        watch_hub_(runtime_.loop(0), redis_.options(), base::SystemClock()),
        service_(engines_, watch_hub_, kMostUploads) {
    sumsub_.SetHandler(SumSub);
    runtime_.Start();
    grpc::ServerBuilder builder;
    async::ApplyServerDefaults(builder);
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    stub_ = v1::KycService::NewStub(
        async::OpenChannel("127.0.0.1:" + std::to_string(port)));
  }
  ~UploadTest() override {
    watch_hub_.streams().CancelAll();
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

  // One call; the last message has been written when it is done.
  struct Call {
    explicit Call(v1::KycService::Stub& stub) {
      context.set_deadline(std::chrono::system_clock::now() + seconds(20));
      writer = stub.UploadDocument(&context, &response);
    }
    Call& Start(const std::string& user = "u") {
      Request message;
      message.mutable_start()->set_user_id(user);
      writer->Write(message);
      return *this;
    }
    // False when the server has answered already.
    bool Chunk(std::string bytes) {
      Request message;
      message.set_chunk(std::move(bytes));
      return writer->Write(message);
    }
    Call& File(const std::string& bytes) {
      for (size_t at = 0; at < bytes.size(); at += 65536) {
        if (!Chunk(bytes.substr(at, 65536))) break;
      }
      return *this;
    }
    Call& Metadata(const std::string& name = "scan.jpg",
                   const std::string& type = "image/jpeg",
                   const std::string& side = "") {
      Request message;
      auto* metadata = message.mutable_metadata();
      metadata->set_document_type("PASSPORT");
      metadata->set_country("GBR");
      if (!side.empty()) metadata->set_side(side);
      metadata->set_file_name(name);
      metadata->set_content_type(type);
      writer->Write(message);
      return *this;
    }
    absl::Status Finish() {
      writer->WritesDone();
      return async::FromGrpcStatus(writer->Finish());
    }

    grpc::ClientContext context;
    v1::UploadDocumentResponse response;
    std::unique_ptr<grpc::ClientWriter<Request>> writer;
  };

  void CreateApplicant() {
    grpc::ClientContext context;
    v1::CreateApplicantRequest request;
    v1::CreateApplicantResponse response;
    request.set_user_id("u");
    ASSERT_TRUE(stub_->CreateApplicant(&context, request, &response).ok());
  }

  int Uploads() {
    int uploads = 0;
    for (const StubRequest& request : sumsub_.requests()) {
      uploads += request.target.ends_with("/info/idDoc") ? 1 : 0;
    }
    return uploads;
  }

  static std::string Jpeg(size_t size) {
    std::string file = "\xff\xd8\xff\xe0";
    for (size_t i = file.size(); i < size; ++i) {
      file += static_cast<char>(i * 7 + i / 251);
    }
    return file;
  }

  async::RedisForTest redis_;
  async::HttpStub sumsub_;
  async::Runtime runtime_{2};
  Engines engines_;
  WatchHub watch_hub_;
  KycService service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::KycService::Stub> stub_;
};

TEST_F(UploadTest, AFilePassesThroughByteForByte) {
  CreateApplicant();
  const std::string file = Jpeg(10'485'760);
  Call call(*stub_);
  const absl::Status status = call.Start()
                                  .File(file)
                                  .Metadata("a.JPEG", "image/jpeg", "BACK_SIDE")
                                  .Finish();
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(call.response.document_type(), "PASSPORT");
  EXPECT_EQ(call.response.country(), "GBR");
  EXPECT_EQ(call.response.side(), "BACK_SIDE");
  EXPECT_EQ(call.response.image_id(), "1880042117");
  ASSERT_EQ(call.response.warnings_size(), 2);
  EXPECT_EQ(call.response.warnings(0), "screenshot");
  EXPECT_EQ(call.response.warnings(1), "badSelfie");
  ASSERT_EQ(Uploads(), 1);
  const std::string body = sumsub_.requests().back().body;
  const size_t at = body.find(file.substr(0, 64));
  ASSERT_NE(at, std::string::npos);
  EXPECT_TRUE(body.compare(at, file.size(), file) == 0);
  grpc::ClientContext context;
  v1::GetStatusRequest request;
  v1::Verification verification;
  request.set_user_id("u");
  ASSERT_TRUE(stub_->GetStatus(&context, request, &verification).ok());
  EXPECT_EQ(verification.state(), v1::VERIFICATION_STATE_IN_PROGRESS);
}

TEST_F(UploadTest, WhatIsWrongNeverReachesTheProvider) {
  CreateApplicant();
  const auto upload = [&](const std::string& file, const std::string& name,
                          const std::string& type, const std::string& side) {
    return Call(*stub_).Start().File(file).Metadata(name, type, side).Finish();
  };
  EXPECT_EQ(upload(Jpeg(10), "a.heic", "image/heic", "").message(),
            "Unsupported file type: image/heic. Allowed: application/pdf, "
            "image/jpeg, image/png, image/webp");
  EXPECT_EQ(base::ReasonOf(upload("GIF89a", "a.jpg", "image/jpeg", "")),
            v1::ERROR_REASON_INVALID_DOCUMENT_TYPE);
  EXPECT_EQ(base::ReasonOf(upload("", "a.jpg", "image/jpeg", "")),
            v1::ERROR_REASON_INVALID_DOCUMENT_TYPE);
  const absl::Status large = upload(Jpeg(12582912), "a.jpg", "image/jpeg", "");
  EXPECT_EQ(base::ReasonOf(large), v1::ERROR_REASON_FILE_TOO_LARGE);
  EXPECT_EQ(large.message(),
            "File size 12582912 exceeds maximum of 10485760 bytes (10MB).");
  const absl::Status side = upload(Jpeg(10), "a.jpg", "image/jpeg", "LEFT");
  EXPECT_EQ(base::ReasonOf(side), v1::ERROR_REASON_REQUEST_VALIDATION_FAILED);
  EXPECT_EQ(base::ExtrasOf(side).violations.at(0).name, "/side");
  Request empty;
  empty.mutable_metadata();
  Call call(*stub_);
  call.Start();
  call.writer->Write(empty);
  EXPECT_EQ(base::ExtrasOf(call.Finish()).violations.size(), 3u);
  EXPECT_EQ(Uploads(), 0);
}

TEST_F(UploadTest, ReadingEndsAtSixteenMebibytes) {
  CreateApplicant();
  EXPECT_EQ(base::ReasonOf(
                Call(*stub_).Start().File(Jpeg(16 << 20)).Metadata().Finish()),
            v1::ERROR_REASON_FILE_TOO_LARGE);
  Call call(*stub_);
  call.Start();
  const std::string chunk(65536, 'x');
  int written = 0;
  while (written < 10'000 && call.Chunk(chunk)) ++written;
  EXPECT_LT(written, 1000);
  EXPECT_EQ(base::ReasonOf(call.Finish()), v1::ERROR_REASON_BODY_TOO_LARGE);
}

TEST_F(UploadTest, MessagesOutOfOrder) {
  CreateApplicant();
  const auto reason = v1::ERROR_REASON_REQUEST_VALIDATION_FAILED;
  EXPECT_EQ(base::ReasonOf(Call(*stub_).Metadata().Finish()), reason);
  EXPECT_EQ(base::ReasonOf(Call(*stub_).File("x").Finish()), reason);
  EXPECT_EQ(base::ReasonOf(Call(*stub_).Start().Start().Finish()), reason);
  EXPECT_EQ(base::ReasonOf(Call(*stub_).Start("a\nb").Finish()), reason);
  EXPECT_EQ(
      base::ReasonOf(
          Call(*stub_).Start().File(Jpeg(9)).Metadata().Metadata().Finish()),
      reason);
  EXPECT_EQ(Call(*stub_).Start().File(Jpeg(9)).Finish().code(),
            absl::StatusCode::kCancelled);
  EXPECT_EQ(Call(*stub_).Finish().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(Uploads(), 0);
}

TEST_F(UploadTest, AUserWithoutAnApplicant) {
  EXPECT_EQ(base::ReasonOf(
                Call(*stub_).Start("other").File(Jpeg(9)).Metadata().Finish()),
            v1::ERROR_REASON_APPLICANT_NOT_FOUND);
}

TEST_F(UploadTest, OnlySoManyAtATime) {
  CreateApplicant();
  std::vector<std::unique_ptr<Call>> open;
  for (int i = 0; i < kMostUploads; ++i) {
    open.push_back(std::make_unique<Call>(*stub_));
    open.back()->Start();
    // More than a connection's window: the server reads, so it has a place.
    open.back()->File(Jpeg(4 << 20));
  }
  const absl::Status refused =
      Call(*stub_).Start().File(Jpeg(9)).Metadata().Finish();
  EXPECT_EQ(base::ReasonOf(refused), v1::ERROR_REASON_UNAVAILABLE);
  EXPECT_EQ(base::ExtrasOf(refused).retry_after, seconds(1));
  // One that goes away gives its place back, and so does one that ends.
  open[0]->context.TryCancel();
  EXPECT_TRUE(open[1]->Metadata().Finish().ok());
  const auto end = std::chrono::steady_clock::now() + seconds(10);
  int taken = 0;
  while (taken < 5 && std::chrono::steady_clock::now() < end) {
    taken +=
        Call(*stub_).Start().File(Jpeg(9)).Metadata().Finish().ok() ? 1 : 0;
  }
  EXPECT_EQ(taken, 5);
  open[0]->writer->Finish();
}

TEST_F(UploadTest, RequiredDocumentsSubmissionAndDetails) {
  CreateApplicant();
  {
    grpc::ClientContext context;
    v1::GetRequiredDocumentsRequest request;
    v1::RequiredDocuments required;
    request.set_user_id("u");
    ASSERT_TRUE(stub_->GetRequiredDocuments(&context, request, &required).ok());
    ASSERT_EQ(required.steps_size(), 2);
    EXPECT_EQ(required.steps(0).step_type(), "IDENTITY");
    EXPECT_TRUE(required.steps(0).has_documents());
    EXPECT_EQ(required.steps(0).review_answer(), "RED");
    EXPECT_EQ(required.steps(0).moderation_comment(), "Blurred.");
    EXPECT_EQ(required.steps(1).step_type(), "PROOF_OF_ADDRESS");
    EXPECT_EQ(required.steps(1).review_answer(), "");
    EXPECT_TRUE(required.all_uploaded());
  }
  {
    grpc::ClientContext context;
    v1::SubmitRequest request;
    v1::SubmitResponse submitted;
    request.set_user_id("u");
    ASSERT_TRUE(stub_->Submit(&context, request, &submitted).ok());
    EXPECT_EQ(submitted.applicant_id(), "66f1a0b2c3d4e5f60718293a");
  }
  grpc::ClientContext context;
  v1::GetDetailsRequest request;
  v1::Details details;
  request.set_user_id("u");
  ASSERT_TRUE(stub_->GetDetails(&context, request, &details).ok());
  EXPECT_EQ(details.verification().state(), v1::VERIFICATION_STATE_IN_PROGRESS);
  EXPECT_EQ(details.started_at_ms(), 1740910530000);
  EXPECT_EQ(details.personal_info().first_name(), "JANE");
  EXPECT_EQ(details.personal_info().last_name(), "SMITH");
  EXPECT_EQ(details.personal_info().date_of_birth(), "1990-05-15");
  EXPECT_EQ(details.personal_info().nationality(), "GBR");
  EXPECT_EQ(details.personal_info().country_of_residence(), "");
  ASSERT_EQ(details.documents_size(), 1);
  EXPECT_EQ(details.documents(0).document_type(), "PASSPORT");
  EXPECT_EQ(details.documents(0).country(), "GBR");
  EXPECT_EQ(details.documents(0).status(), "rejected");
  EXPECT_EQ(details.documents(0).submitted_at_ms(), 1740910811000);
  ASSERT_EQ(details.documents(0).image_ids_size(), 1);
  EXPECT_TRUE(details.verification_complete());
  EXPECT_FALSE(details.verification_passed());
}

}  // namespace
}  // namespace kyc::server
