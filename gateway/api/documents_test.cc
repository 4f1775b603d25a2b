// Uploads, submission and details over real HTTP.
#include "gateway/api/documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <string>
#include <utility>

#include "gateway/api/dispatcher_for_test.h"
#include "gateway/api/upload_form.h"
#include "services/base/error.h"

namespace kyc::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const char kPath[] = "/v0/kyc/documents";
const Headers kForm = {{"content-type", "multipart/form-data; boundary=B"}};

std::string Field(const std::string& name, const std::string& value) {
  return "--B\r\nContent-Disposition: form-data; name=\"" + name +
         "\"\r\n\r\n" + value + "\r\n";
}

std::string File(
    const std::string& bytes,
    const std::string& parameters = "name=\"file\"; filename=\"p.jpg\"") {
  return "--B\r\nContent-Disposition: form-data; " + parameters +
         "\r\nContent-Type: image/jpeg\r\n\r\n" + bytes + "\r\n";
}

const char kEnd[] = "--B--\r\n";

class DocumentsTest : public DispatcherTest {
 protected:
  DocumentsTest() {
    v1::UploadDocumentResponse& document = *backend_.upload;
    document.set_document_type("PASSPORT");
    document.set_country("GBR");
    document.set_image_id("img_abc123");
  }

  async::ClientResponse Upload(const std::string& body) {
    return Call("POST", kPath, kForm, body);
  }

  // The file as the messages have it; each chunk within its bound.
  std::string SentFile() const {
    std::string file;
    for (const v1::UploadDocumentRequest& message : backend_.sent.messages) {
      EXPECT_LE(message.chunk().size(), UploadForm::kMaxChunk);
      file += message.chunk();
    }
    return file;
  }

  void ExpectViolation(const std::string& body, const std::string& field,
                       const std::string& detail) {
    const async::ClientResponse response = Upload(body);
    ExpectProblem(response, 422, "KYC-422-002", kPath);
    EXPECT_THAT(response.body,
                HasSubstr("\"errors\":[{\"pointer\":\"/" + field + "\""));
    EXPECT_THAT(response.body, HasSubstr(detail));
    EXPECT_TRUE(backend_.sent.cancelled);
  }
};

TEST_F(DocumentsTest, PassesADocumentOn) {
  std::string bytes(3 * UploadForm::kMaxChunk, '\0');
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = "\r\n--B\xFF\0"[i % 7];
  std::replace(bytes.begin(), bytes.end(), 'B', 'A');
  const std::string body = Field("document_type", "PASSPORT") + File(bytes) +
                           Field("other", std::string(5000, 'x')) +
                           Field("country", "GBR") + kEnd;
  Headers headers = kForm;
  headers.emplace_back("x-juno-orgid", "o-1:e-1");
  async::ClientResponse response = Call("POST", kPath, headers, body);
  EXPECT_EQ(response.status, 201);
  const std::string links =
      R"("_links":{"self":{"href":"/v0/kyc/documents","method":"POST"},)"
      R"("required-docs":{"href":"/v0/kyc/documents/required"},)"
      R"("applicant":{"href":"/v0/kyc/applicant","method":"POST"},)"
      R"("status":{"href":"/v0/kyc/status"}}})";
  EXPECT_EQ(response.body,
            R"({"document_type":"PASSPORT","country":"GBR","side":null,)"
            R"("image_id":"img_abc123",)" +
                links);
  const auto& messages = backend_.sent.messages;
  ASSERT_GE(messages.size(), 5u);
  EXPECT_EQ(messages.front().start().user_id(), "usr_1");
  EXPECT_EQ(messages.front().start().tenant().env_id(), "e-1");
  EXPECT_EQ(SentFile(), bytes);
  const auto& metadata = messages.back().metadata();
  EXPECT_EQ(metadata.document_type(), "PASSPORT");
  EXPECT_EQ(metadata.country(), "GBR");
  EXPECT_FALSE(metadata.has_side());
  EXPECT_EQ(metadata.file_name(), "p.jpg");
  EXPECT_EQ(metadata.content_type(), "image/jpeg");
  EXPECT_FALSE(backend_.sent.cancelled);
  const auto left =
      backend_.sent.context.deadline - std::chrono::steady_clock::now();
  EXPECT_GT(left, std::chrono::seconds(35));
  EXPECT_LT(left, std::chrono::seconds(60));

  backend_.upload->set_side("FRONT_SIDE");
  backend_.upload->add_warnings("grayscale");
  EXPECT_EQ(Upload(kEnd).body, R"({"document_type":"PASSPORT","country":"GBR",)"
                               R"("side":"FRONT_SIDE","image_id":"img_abc123",)"
                               R"("warnings":["grayscale"],)" +
                                   links);
}

TEST_F(DocumentsTest, LeavesMissingFieldsToTheService) {
  EXPECT_EQ(Upload(kEnd).status, 201);
  ASSERT_EQ(backend_.sent.messages.size(), 2u);
  const auto& metadata = backend_.sent.messages.back().metadata();
  EXPECT_FALSE(metadata.has_document_type() || metadata.has_country() ||
               metadata.has_side() || metadata.has_file_name() ||
               metadata.has_content_type());
  EXPECT_TRUE(backend_.sent.messages.back().has_metadata());

  // A name of other bytes than UTF-8 keeps its ending.
  Upload(File("x", "name=file; filename=\"\xE9\xE9.jpg\"") + kEnd);
  EXPECT_EQ(backend_.sent.messages.back().metadata().file_name(), "??.jpg");
  // An empty file has no chunk.
  Upload(File("") + kEnd);
  EXPECT_EQ(backend_.sent.messages.size(), 2u);
  EXPECT_TRUE(backend_.sent.messages.back().metadata().has_file_name());
}

TEST_F(DocumentsTest, NamesTheFieldAtFault) {
  ExpectViolation(Field("side", "a") + Field("side", "a") + kEnd, "side",
                  "must be given once");
  ExpectViolation(File("a") + File("b") + kEnd, "file", "must be given once");
  const std::string back = File("b", "name=back; filename=b.jpg");
  ExpectViolation(File("a") + back + kEnd, "file", "must be the only file");
  ExpectViolation(back + File("a") + kEnd, "file", "must be the only file");
  EXPECT_EQ(Upload(Field("country", std::string(4096, 'x')) + kEnd).status,
            201);
  ExpectViolation(Field("country", std::string(4097, 'x')) + kEnd, "country",
                  "is too long");
  ExpectViolation(Field("document_type", "\xFF") + kEnd, "document_type",
                  "is not UTF-8 text");
}

TEST_F(DocumentsTest, RefusesBrokenFrames) {
  const std::string whole = Field("country", "GBR") + File("abc") + "--B--";
  for (size_t size = 0; size < whole.size(); size += 7) {
    const async::ClientResponse response = Upload(whole.substr(0, size));
    ExpectProblem(response, 400, "GEN-400-001", kPath);
    EXPECT_TRUE(backend_.sent.cancelled);
  }
  ExpectProblem(
      Call("POST", kPath, {{"content-type", "multipart/form-data"}}, whole),
      400, "GEN-400-001", kPath);
  std::string many;
  for (int i = 0; i < 1000; ++i) many += Field("x", "1");
  const async::ClientResponse response = Upload(many + kEnd);
  ExpectProblem(response, 400, "GEN-400-001", kPath);
  EXPECT_THAT(response.body, HasSubstr("too many parts"));
}

TEST_F(DocumentsTest, RefusesOtherMediaTypes) {
  for (const Headers& headers :
       {Headers{{"content-type", "application/json"}},
        Headers{{"content-type", "multipart/mixed; boundary=B"}},
        Headers{{"content-type", "image/jpeg"}}, Headers{},
        Headers{kForm.front(), kForm.front()}}) {
    const async::ClientResponse response = Call("POST", kPath, headers, kEnd);
    ExpectProblem(response, 415, "GEN-415-001", kPath);
    EXPECT_THAT(response.body, HasSubstr("multipart/form-data"));
  }
  EXPECT_TRUE(backend_.sent.messages.empty());
  ExpectProblem(Send("POST", kPath, kForm, kEnd), 401, "USR-401-001", kPath);
}

TEST_F(DocumentsTest, RefusesWhatIsTooLarge) {
  const std::string most(UploadForm::kMaxFileBytes, 'x');
  EXPECT_EQ(Upload(File(most) + kEnd).status, 201);
  EXPECT_EQ(SentFile().size(), most.size());
  ExpectProblem(Upload(File(most + "x") + kEnd), 413, "GEN-413-001", kPath);
  EXPECT_TRUE(backend_.sent.cancelled);
  backend_.sent = {};
  ExpectProblem(
      Upload(Field("other", std::string(UploadForm::kMaxBodyBytes, 'x')) +
             kEnd),
      413, "GEN-413-001", kPath);
  EXPECT_TRUE(backend_.sent.messages.empty());
}

TEST_F(DocumentsTest, TheServicesErrorEndsTheUpload) {
  const std::string body = File(std::string(300'000, 'x')) + kEnd;
  for (const size_t taken : {size_t{0}, size_t{2}, SIZE_MAX}) {
    backend_.upload_limit = taken;
    backend_.upload = base::Error(v1::ERROR_REASON_APPLICANT_NOT_FOUND);
    ExpectProblem(Upload(body), 404, "KYC-404-001", kPath);
    backend_.upload = absl::UnavailableError("x");
    ExpectProblem(Upload(body), 503, "GEN-503-001", kPath);
    backend_.upload = absl::DeadlineExceededError("x");
    ExpectProblem(Upload(body), 504, "GEN-504-001", kPath);
  }
}

// A connection on which a test sends what it likes.
class RawClient {
 public:
  explicit RawClient(int port) : fd_(socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(static_cast<uint16_t>(port));
    EXPECT_EQ(
        connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)),
        0);
  }
  ~RawClient() { close(fd_); }
  void Send(const std::string& text) {
    EXPECT_EQ(send(fd_, text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
  }
  void StopSending() { EXPECT_EQ(shutdown(fd_, SHUT_WR), 0); }
  // What comes until the peer closes, or `limit` is over.
  std::string Receive(std::chrono::milliseconds limit) {
    std::string text;
    const auto until = std::chrono::steady_clock::now() + limit;
    while (true) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          until - std::chrono::steady_clock::now());
      pollfd wait{fd_, POLLIN, 0};
      if (left.count() <= 0 ||
          poll(&wait, 1, static_cast<int>(left.count())) <= 0) {
        return text;
      }
      char buffer[4096];
      const ssize_t size = recv(fd_, buffer, sizeof(buffer), 0);
      if (size <= 0) return text;
      text.append(buffer, static_cast<size_t>(size));
    }
  }

 private:
  const int fd_;
};

std::string Head(const std::string& more) {
  return "POST " + std::string(kPath) +
         " HTTP/1.1\r\nHost: a\r\nx-juno-jwt: " + TokenOf("usr_1") +
         "\r\nContent-Type: multipart/form-data; boundary=B\r\n" + more +
         "\r\n\r\n";
}

TEST_F(DocumentsTest, AsksNobodyToSendTooMuch) {
  RawClient client(server_->port());
  client.Send(Head("Content-Length: 17825793\r\nExpect: 100-continue"));
  const std::string answer = client.Receive(std::chrono::seconds(5));
  EXPECT_THAT(answer, ::testing::StartsWith("HTTP/1.1 413"));
  EXPECT_THAT(answer, Not(HasSubstr("100 Continue")));
  EXPECT_TRUE(backend_.sent.messages.empty());
}

TEST_F(DocumentsTest, GivesUpAStalledBody) {
  RawClient client(server_->port());
  client.Send(Head("Content-Length: 1000") + Field("country", "GBR"));
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_THAT(client.Receive(std::chrono::seconds(10)),
              ::testing::StartsWith("HTTP/1.1 408"));
  EXPECT_LT(std::chrono::steady_clock::now() - begin,
            std::chrono::milliseconds(7000));
  EXPECT_TRUE(backend_.sent.cancelled);
}

TEST_F(DocumentsTest, AClientThatGoesCancelsTheCall) {
  RawClient client(server_->port());
  client.Send(Head("Content-Length: 100000") + Field("country", "GBR"));
  client.StopSending();
  EXPECT_THAT(client.Receive(std::chrono::seconds(3)),
              ::testing::StartsWith("HTTP/1.1 400"));
  EXPECT_EQ(backend_.sent.messages.size(), 1u);
  EXPECT_TRUE(backend_.sent.cancelled);
}

TEST_F(DocumentsTest, BoundsUploadsInFlight) {
  std::vector<InFlightLimit::Place> places;
  while (auto place = front_.uploads.Take())
    places.push_back(*std::move(place));
  EXPECT_EQ(places.size(), 32u);
  RawClient client(server_->port());
  client.Send(Head("Content-Length: 1000\r\nConnection: close"));
  const std::string answer = client.Receive(std::chrono::seconds(3));
  EXPECT_THAT(answer, ::testing::StartsWith("HTTP/1.1 503"));
  EXPECT_THAT(answer, HasSubstr("Retry-After: 1"));
  EXPECT_THAT(answer, HasSubstr("GEN-503-001"));
  places.pop_back();
  EXPECT_EQ(Upload(kEnd).status, 201);
  EXPECT_EQ(Upload(kEnd).status, 201);
}

TEST_F(DocumentsTest, ShowsRequiredDocuments) {
  const std::string path = "/v0/kyc/documents/required";
  auto* step = backend_.required->add_steps();
  step->set_step_type("IDENTITY");
  step->set_has_documents(true);
  step->set_review_answer("RED");
  step->set_moderation_comment("Blurry");
  backend_.required->add_steps()->set_step_type("SELFIE");
  const std::string links =
      R"("_links":{"self":{"href":"/v0/kyc/documents/required"},)"
      R"("documents":{"href":"/v0/kyc/documents","method":"POST"},)"
      R"("status":{"href":"/v0/kyc/status"})";
  EXPECT_EQ(Call("GET", path).body,
            R"({"steps":[{"step_type":"IDENTITY","has_documents":true,)"
            R"("review_answer":"RED","moderation_comment":"Blurry"},)"
            R"({"step_type":"SELFIE","has_documents":false,)"
            R"("review_answer":null,"moderation_comment":null}],)"
            R"("all_uploaded":false,)" +
                links + "}}");
  EXPECT_EQ(backend_.required_user, "usr_1");
  backend_.required->set_all_uploaded(true);
  EXPECT_THAT(Call("GET", path).body,
              HasSubstr(R"("all_uploaded":true,)" + links +
                        R"(,"submit":{"href":"/v0/kyc/submit",)"
                        R"("method":"POST"}}})"));
  backend_.required = base::Error(v1::ERROR_REASON_PROVIDER_UNAVAILABLE);
  ExpectProblem(Call("GET", path), 502, "KYC-502-001", path);
}

TEST_F(DocumentsTest, Submits) {
  const std::string path = "/v0/kyc/submit";
  backend_.submitted->set_applicant_id("65abc123def456");
  const async::ClientResponse response = Call("POST", path);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body,
            R"({"status":"pending","applicant_id":"65abc123def456",)"
            R"("_links":{"self":{"href":"/v0/kyc/submit","method":"POST"},)"
            R"("status":{"href":"/v0/kyc/status"},)"
            R"("details":{"href":"/v0/kyc/details"}}})");
  EXPECT_EQ(backend_.submit_user, "usr_1");
  backend_.submitted = base::Error(v1::ERROR_REASON_NOT_READY_FOR_SUBMISSION);
  ExpectProblem(Call("POST", path), 409, "KYC-409-001", path);
}

TEST_F(DocumentsTest, ShowsDetails) {
  const std::string path = "/v0/kyc/details";
  v1::Verification& verification = *backend_.details->mutable_verification();
  verification.set_state(v1::VERIFICATION_STATE_APPROVED);
  verification.set_verified_at_ms(1704067200000);
  backend_.details->set_started_at_ms(1704060000000);
  auto* info = backend_.details->mutable_personal_info();
  info->set_first_name("Jane");
  info->set_last_name("Smith");
  info->set_date_of_birth("1990-05-15");
  info->set_nationality("GBR");
  auto* document = backend_.details->add_documents();
  document->set_document_type("PASSPORT");
  document->set_country("GBR");
  document->set_status("approved");
  document->set_submitted_at_ms(1704061000000);
  backend_.details->set_verification_complete(true);
  backend_.details->set_verification_passed(true);
  EXPECT_EQ(Call("GET", path).body,
            R"({"status":"approved","verified_at":1704067200000,)"
            R"("rejected_at":null,"started_at":1704060000000,)"
            R"("personal_info":{"first_name":"Jane","last_name":"Smith",)"
            R"("date_of_birth":"1990-05-15","nationality":"GBR",)"
            R"("country_of_residence":null},)"
            R"("documents":[{"document_type":"PASSPORT","country":"GBR",)"
            R"("status":"verified","submitted_at":1704061000000}],)"
            R"("verification_complete":true,"verification_passed":true,)"
            R"("rejection":null,)"
            R"("_links":{"self":{"href":"/v0/kyc/details"},)"
            R"("refresh":{"href":"/v0/kyc/details?refresh=true"},)"
            R"("status":{"href":"/v0/kyc/status"},)"
            R"("user":{"href":"/v0/user/me"}}})");
  EXPECT_FALSE(backend_.details_request.refresh());
  const async::ClientResponse iso =
      Call("GET", path + "?refresh=true", {{"X-Timestamp-Format", "iso8601"}});
  EXPECT_TRUE(backend_.details_request.refresh());
  for (const char* time : {R"("verified_at":"2024-01-01T00:00:00Z")",
                           R"("started_at":"2023-12-31T22:00:00Z")",
                           R"("submitted_at":"2023-12-31T22:16:40Z")"}) {
    EXPECT_THAT(iso.body, HasSubstr(time));
  }

  verification.Clear();
  verification.set_state(v1::VERIFICATION_STATE_RETRY);
  verification.set_reject_reason("Blurry");
  backend_.details->clear_personal_info();
  document->set_status("rejected");
  document->clear_country();
  document->clear_submitted_at_ms();
  std::string body = Call("GET", path).body;
  EXPECT_THAT(body, HasSubstr(R"("personal_info":null)"));
  EXPECT_THAT(body, HasSubstr(R"("country":null,"status":"rejected",)"
                              R"("submitted_at":null)"));
  EXPECT_THAT(
      body, HasSubstr(R"("rejection":{"can_retry":true,"message":"Blurry"})"));
  verification.set_state(v1::VERIFICATION_STATE_REJECTED);
  verification.clear_reject_reason();
  EXPECT_THAT(Call("GET", path).body,
              HasSubstr(R"("rejection":{"can_retry":false,"message":null})"));

  ExpectProblem(Call("GET", path + "?refresh=yes"), 422, "KYC-422-002", path);
  backend_.details = base::Error(v1::ERROR_REASON_APPLICANT_NOT_FOUND);
  ExpectProblem(Call("GET", path), 404, "KYC-404-001", path);
}

}  // namespace
}  // namespace kyc::gateway
