// Documents, submission and details against a real server on loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "services/async/http_stub_for_test.h"
#include "services/base/metrics.h"
#include "services/base/status_macros.h"
#include "services/kyc/provider/provider.h"
#include "services/kyc/provider/sumsub/signer.h"
#include "services/kyc/provider/sumsub/sumsub.h"

namespace kyc::provider::sumsub {
namespace {

using async::HttpStub;
using async::StubAnswer;
using async::StubRequest;
using domain::FileType;
using std::chrono::milliseconds;
using std::chrono::steady_clock;
using std::string_literals::operator""s;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Status = SubmittedDocument::Status;

constexpr char kSecretKey[] = "k7Vq2LrZ9bXtW4mNc0JdSyHf3GpAeUoB";
constexpr char kId[] = "66f1a0b2c3d4e5f60718293a";
const std::string kPath = std::string("/resources/applicants/") + kId;

StubAnswer Answer(int status, std::string body) {
  StubAnswer answer;
  answer.status = status;
  answer.body = std::move(body);
  return answer;
}

StubAnswer Uploaded(std::string image_id, std::string body) {
  StubAnswer answer = Answer(200, std::move(body));
  if (!image_id.empty()) answer.headers = {{"X-Image-Id", image_id}};
  return answer;
}

// A part's content, by the boundary that the header names.
std::string Part(const StubRequest& request, const std::string& name) {
  const std::string type = request.Header("content-type");
  const std::string delimiter = "--" + type.substr(type.find("boundary=") + 9);
  const size_t disposition =
      request.body.find("form-data; name=\"" + name + "\"");
  const size_t begin = request.body.find("\r\n\r\n", disposition) + 4;
  return request.body.substr(
      begin, request.body.find("\r\n" + delimiter, begin) - begin);
}

template <typename T>
async::Task<void> RunInto(std::function<async::Task<T>()> start,
                          std::shared_ptr<std::promise<T>> promise) {
  promise->set_value(co_await start());
}

class DocumentsTest : public ::testing::Test {
 protected:
  DocumentsTest() { Launch(stub_.url()); }
  ~DocumentsTest() override { runtime_->Stop(); }

  void Launch(const std::string& base_url) {
    if (runtime_) runtime_->Stop();
    provider_.reset();
    http_.reset();
    runtime_.emplace(1);
    http_.emplace(runtime_->loop(0), async::HttpClient::Options());
    Options options;
    options.base_url = base_url;
    options.app_token = base::Secret("sbx:token");
    options.secret_key = base::Secret(kSecretKey);
    options.support_address = "help@example.test";
    options.timeout = milliseconds(1000);
    options.upload_timeout = milliseconds(1500);
    provider_ =
        MakeProvider(*http_, limits_, base::SystemClock(), std::move(options));
    runtime_->Start();
  }

  template <typename T>
  T Run(std::function<async::Task<T>()> start) {
    auto promise = std::make_shared<std::promise<T>>();
    runtime_->loop(0).Post([this, start = std::move(start), promise] {
      runtime_->loop(0).Spawn(RunInto<T>(start, promise));
    });
    return promise->get_future().get();
  }

  absl::StatusOr<UploadedDocument> Upload(const std::string& file,
                                          FileType type = FileType::kJpeg,
                                          domain::DocumentMetadata metadata = {
                                              "ID_CARD", "GBR", "FRONT_SIDE"}) {
    return Run<absl::StatusOr<UploadedDocument>>([&] {
      DocumentBody body;
      // In pieces, as it arrives.
      for (size_t at = 0; at < file.size(); at += 1000) {
        body.Append(file.substr(at, 1000));
      }
      return provider_->UploadDocument({}, kId, metadata, type,
                                       std::move(body));
    });
  }
  absl::Status Submit() {
    return Run<absl::Status>([&] { return provider_->Submit({}, kId); });
  }
  absl::StatusOr<std::vector<RequiredStep>> Steps() {
    return Run<absl::StatusOr<std::vector<RequiredStep>>>(
        [&] { return provider_->GetRequiredSteps({}, kId); });
  }
  absl::StatusOr<ApplicantDetails> Details() {
    return Run<absl::StatusOr<ApplicantDetails>>(
        [&] { return provider_->GetDetails({}, kId); });
  }

  static void ExpectSigned(const StubRequest& request) {
    EXPECT_EQ(request.Header("x-app-access-sig"),
              Sign(base::Secret(kSecretKey),
                   std::stoll(request.Header("x-app-access-ts")),
                   request.method, request.target, {request.body}));
  }

  HttpStub stub_;
  Limits limits_{256};
  std::optional<async::Runtime> runtime_;
  std::optional<async::HttpClient> http_;
  std::unique_ptr<Provider> provider_;
};

TEST_F(DocumentsTest, AFileArrivesByteForByteAndSigned) {
  std::string file = "\xff\xd8\xff\xe0\0\r\n--\r\n--kyc-\r\n\r\n"s;
  for (int i = 0; i < 300'000; ++i) file += static_cast<char>(i * 31 + i / 7);
  stub_.Push(Uploaded("1880042117", R"({"idDocType":"ID_CARD"})"));
  const auto uploaded = Upload(file);
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  EXPECT_EQ(uploaded->image_id, "1880042117");
  EXPECT_TRUE(uploaded->warnings.empty());
  EXPECT_TRUE(uploaded->errors.empty());
  const StubRequest request = stub_.requests().at(0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, kPath + "/info/idDoc");
  EXPECT_THAT(request.Header("content-type"),
              HasSubstr("multipart/form-data; boundary=kyc-"));
  EXPECT_EQ(request.Header("x-return-doc-warnings"), "true");
  EXPECT_EQ(request.Header("content-length"),
            std::to_string(request.body.size()));
  EXPECT_TRUE(Part(request, "content") == file);
  ExpectSigned(request);
}

TEST_F(DocumentsTest, TheBodyIsMetadataThenTheFile) {
  stub_.Push(Uploaded("1", "{}"));
  ASSERT_TRUE(
      Upload("file", FileType::kPdf, {"PROOF_OF_ADDRESS", "FRA", ""}).ok());
  const StubRequest request = stub_.requests().at(0);
  const std::string type = request.Header("content-type");
  const std::string b = type.substr(type.find("boundary=") + 9);
  const std::string metadata = Part(request, "metadata");
  EXPECT_EQ(metadata.substr(0, metadata.find_last_not_of(' ') + 1),
            R"({"idDocType":"UTILITY_BILL","country":"FRA"})");
  EXPECT_EQ(
      request.body,
      "--" + b +
          "\r\nContent-Disposition: form-data; name=\"metadata\"\r\n"
          "Content-Type: application/json\r\n\r\n" +
          metadata + "\r\n--" + b +
          "\r\nContent-Disposition: form-data; name=\"content\"; "
          "filename=\"document.pdf\"\r\nContent-Type: application/pdf\r\n\r\n"
          "file\r\n--" +
          b + "--\r\n");
  // Another request has another boundary, another type another name.
  stub_.Push(Uploaded("1", "{}"));
  ASSERT_TRUE(Upload("f", FileType::kWebp).ok());
  EXPECT_NE(stub_.requests().at(1).Header("content-type"), type);
  EXPECT_THAT(stub_.requests().at(1).body,
              HasSubstr("filename=\"document.webp\"\r\nContent-Type: "
                        "image/webp\r\n"));
  EXPECT_THAT(stub_.requests().at(1).body,
              HasSubstr("\"idDocSubType\":\"FRONT_SIDE\"}"));
}

TEST_F(DocumentsTest, TagsArePassedOnAndTheImageIdMayStandInTheBody) {
  stub_.Push(
      Uploaded("", R"({"id":214466703,"errors":["screenshot"],)"
                   R"("warnings":["badSelfie",7,"<b>","a b",null,"x-1_Y"]})"));
  const auto uploaded = Upload("file");
  ASSERT_TRUE(uploaded.ok()) << uploaded.status();
  EXPECT_EQ(uploaded->image_id, "214466703");
  EXPECT_THAT(uploaded->errors, ElementsAre("screenshot"));
  EXPECT_THAT(uploaded->warnings, ElementsAre("badSelfie", "x-1_Y"));
  stub_.Push(Uploaded("", R"({"idDocType":"ID_CARD","country":"GBR"})"));
  EXPECT_EQ(Upload("file")->image_id, "");
  for (const char* nonsense : {"{}", "[]", "null", "<html>", R"({"id":"/"})"}) {
    stub_.Push(Uploaded("", nonsense));
    EXPECT_EQ(Upload("file").status().code(), absl::StatusCode::kUnavailable)
        << nonsense;
  }
}

TEST_F(DocumentsTest, AnUploadThatMayHaveArrivedIsNeverRepeated) {
  size_t sent = 0;
  const auto expect = [&](StubAnswer answer, absl::StatusCode code) {
    stub_.Push(std::move(answer));
    EXPECT_EQ(Upload("file").status().code(), code);
    EXPECT_EQ(stub_.requests().size(), ++sent);
  };
  expect(Answer(503, "{}"), absl::StatusCode::kUnavailable);
  expect(Answer(429, "{}"), absl::StatusCode::kResourceExhausted);
  expect(StubAnswer::Close(), absl::StatusCode::kUnavailable);
  expect(Answer(409, R"({"errorCode":1006})"),
         absl::StatusCode::kFailedPrecondition);
  expect(Answer(400, R"({"errorCode":1005})"),
         absl::StatusCode::kInvalidArgument);
  expect(Answer(404, "{}"), absl::StatusCode::kNotFound);
  expect(Answer(401, "{}"), absl::StatusCode::kPermissionDenied);
  const auto begin = steady_clock::now();
  expect(StubAnswer::Hang(), absl::StatusCode::kDeadlineExceeded);
  // Its own limit, not that of other calls.
  EXPECT_GT(steady_clock::now() - begin, milliseconds(1300));
  EXPECT_LT(steady_clock::now() - begin, milliseconds(2500));
}

TEST_F(DocumentsTest, OneThatNeverLeftIsRepeated) {
  const auto attempts = [] {
    const std::string all = base::RenderMetrics();
    const std::string line =
        "kyc_provider_requests_total{operation=\"upload_document\","
        "result=\"unreachable\"} ";
    const size_t at = all.find(line);
    return at == std::string::npos ? 0
                                   : std::stoi(all.substr(at + line.size()));
  };
  std::string nobody;
  {
    HttpStub gone;
    nobody = gone.url();
  }
  Launch(nobody);
  const int before = attempts();
  EXPECT_EQ(Upload("file").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(attempts(), before + 3);
}

TEST_F(DocumentsTest, RequiredSteps) {
  stub_.Push(Answer(
      200, R"({"IDENTITY":{"reviewResult":{"moderationComment":)"
           R"("Write to ${clientSupportEmail}.","clientComment":"internal",)"
           R"("reviewAnswer":"RED"},"imageIds":[1880042117,214466703]},)"
           R"("SELFIE":{"reviewResult":{},"imageIds":[]},)"
           R"("SELFIE2":{"reviewResult":null,"imageIds":null},)"
           R"("PROOF_OF_RESIDENCE":null,)"
           R"("QUESTIONNAIRE":{"imageIds":["1"],)"
           R"("reviewResult":{"reviewAnswer":"YELLOW"}}})"));
  const auto steps = Steps();
  ASSERT_TRUE(steps.ok()) << steps.status();
  ASSERT_EQ(steps->size(), 5u);
  const auto at = [&](int i) { return steps->at(i); };
  EXPECT_EQ(at(0).type, "IDENTITY");
  EXPECT_TRUE(at(0).has_documents);
  EXPECT_EQ(at(0).review_answer, "RED");
  EXPECT_EQ(at(0).moderation_comment, "Write to help@example.test.");
  for (int i : {1, 2, 3}) {
    EXPECT_FALSE(at(i).has_documents) << i;
    EXPECT_EQ(at(i).review_answer, "");
    EXPECT_EQ(at(i).moderation_comment, "");
  }
  EXPECT_EQ(at(3).type, "PROOF_OF_ADDRESS");
  EXPECT_EQ(at(4).type, "QUESTIONNAIRE");
  EXPECT_TRUE(at(4).has_documents);
  EXPECT_EQ(at(4).review_answer, "");
  EXPECT_EQ(stub_.requests().at(0).target, kPath + "/requiredIdDocsStatus");
  ExpectSigned(stub_.requests().at(0));

  stub_.Push(Answer(200, "{}"));
  EXPECT_TRUE(Steps()->empty());
  for (const char* nonsense :
       {"[]", "null", "<html>", R"({"description":"x"})", R"({"a":[]})"}) {
    stub_.Push(Answer(200, nonsense));
    EXPECT_EQ(Steps().status().code(), absl::StatusCode::kUnavailable)
        << nonsense;
  }
}

constexpr char kOk[] = R"({"ok":1})";

TEST_F(DocumentsTest, Submits) {
  stub_.Push(Answer(200, kOk));
  EXPECT_TRUE(Submit().ok());
  const StubRequest request = stub_.requests().at(0);
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, kPath + "/status/pending");
  EXPECT_EQ(request.body, "");
  ExpectSigned(request);
  for (const char* nonsense : {"{}", R"({"ok":0})", "<html>"}) {
    stub_.Push(Answer(200, nonsense));
    EXPECT_EQ(Submit().code(), absl::StatusCode::kUnavailable) << nonsense;
  }
}

TEST_F(DocumentsTest, SubmittingWithoutDocumentsSaysSo) {
  stub_.Push(
      Answer(409, R"({"description":"NOT ALL REQUIRED documents or data are )"
                  R"(submitted. Make sure to complete [SELFIE]","code":409})"));
  const absl::Status status = Submit();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(status.GetPayload(kIncompletePayload).has_value());
  EXPECT_EQ(stub_.requests().size(), 1u);
}

TEST_F(DocumentsTest, SubmittedAlreadyIsSubmitted) {
  const std::string refusals[] = {
      R"({"code":409,"errorCode":3000,"errorName":"already-in-the-state"})",
      R"({"code":409,"description":"Applicant is being checked"})"};
  for (const std::string& refusal : refusals) {
    for (const char* status : {"pending", "prechecked", "queued", "onHold"}) {
      stub_.Push(Answer(409, refusal));
      stub_.Push(Answer(200, R"({"reviewStatus":")"s + status + R"("})"));
      EXPECT_TRUE(Submit().ok()) << status;
      EXPECT_EQ(stub_.requests().back().target, kPath + "/status");
    }
    stub_.Push(Answer(409, refusal));
    stub_.Push(Answer(200, R"({"reviewStatus":"completed"})"));
    EXPECT_EQ(Submit().code(), absl::StatusCode::kAlreadyExists);
    for (const char* status : {"init", "awaitingUser"}) {
      stub_.Push(Answer(409, refusal));
      stub_.Push(Answer(200, R"({"reviewStatus":")"s + status + R"("})"));
      const absl::Status refused = Submit();
      EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
      EXPECT_FALSE(refused.GetPayload(kIncompletePayload).has_value());
    }
  }
}

constexpr char kApplicant[] = R"({
  "id":"66f1a0b2c3d4e5f60718293a","createdAt":"2025-03-02 10:15:30",
  "info":{"firstName":"JANE","lastName":"SMITH","middleName":"ANN",
    "dob":"1990-05-15","country":"GBR",
    "addresses":[{"country":"FRA"}],
    "idDocs":[{"idDocType":"PASSPORT","country":"GBR","nationality":"GBR",
               "number":"123456789"}]},
  "fixedInfo":{"firstName":"Fixed","nationality":"DEU","country":"ITA"},
  "requiredIdDocs":{"docSets":[
    {"idDocSetType":"IDENTITY","types":["PASSPORT","ID_CARD"]},
    {"idDocSetType":"PROOF_OF_RESIDENCE","types":["UTILITY_BILL"]},
    {"idDocSetType":"QUESTIONNAIRE"}]},
  "review":{"reviewStatus":"pending","createDate":"2025-03-02 10:21:44+0000"}})";

std::string Item(const std::string& id, const std::string& type,
                 const std::string& added, const std::string& more = "") {
  return R"({"id":")" + id + R"(","addedDate":")" + added +
         R"(","idDocDef":{"country":"GBR","idDocType":")" + type + "\"}" +
         more + "}";
}

std::string Items(const std::vector<std::string>& items) {
  std::string list;
  for (const std::string& item : items) {
    list += (list.empty() ? "" : ",") + item;
  }
  return "{\"items\":[" + list + "]}";
}

TEST_F(DocumentsTest, Details) {
  stub_.Push(Answer(200, kApplicant));
  stub_.Push(
      Answer(200, Items({Item("11", "PASSPORT", "2025-03-02 10:20:11",
                              R"(,"reviewResult":{"reviewAnswer":"GREEN"})"),
                         Item("12", "PASSPORT", "2025-03-02 10:20:12",
                              R"(,"reviewResult":{"reviewAnswer":"GREEN"})"),
                         Item("13", "PASSPORT", "2025-03-02 10:20:13",
                              R"(,"deactivated":true)"),
                         Item("14", "UTILITY_BILL", "2025-03-02 10:20:14"),
                         Item("15", "SELFIE", "nonsense",
                              R"(,"reviewResult":{"reviewAnswer":"RED"})")})));
  const auto details = Details();
  ASSERT_TRUE(details.ok()) << details.status();
  EXPECT_EQ(details->started_at_ms, 1740910530000);
  ASSERT_TRUE(details->personal_info.has_value());
  const PersonalInfo& person = *details->personal_info;
  EXPECT_EQ(person.first_name.Reveal(), "JANE");
  EXPECT_EQ(person.last_name.Reveal(), "SMITH");
  EXPECT_EQ(person.date_of_birth.Reveal(), "1990-05-15");
  EXPECT_EQ(person.nationality.Reveal(), "GBR");
  EXPECT_EQ(person.country_of_residence.Reveal(), "FRA");
  ASSERT_EQ(details->documents.size(), 3u);
  const auto& passport = details->documents[0];
  EXPECT_EQ(passport.type, "PASSPORT");
  EXPECT_EQ(passport.country, "GBR");
  EXPECT_EQ(passport.status, Status::kApproved);
  EXPECT_EQ(passport.submitted_at_ms, 1740910812000);
  EXPECT_THAT(passport.image_ids, ElementsAre("11", "12"));
  EXPECT_EQ(details->documents[1].type, "PROOF_OF_ADDRESS");
  EXPECT_EQ(details->documents[1].status, Status::kPending);
  EXPECT_EQ(details->documents[2].type, "SELFIE");
  EXPECT_EQ(details->documents[2].status, Status::kRejected);
  EXPECT_FALSE(details->documents[2].submitted_at_ms.has_value());
  EXPECT_TRUE(details->all_submitted);
  EXPECT_EQ(stub_.requests().at(0).target, kPath + "/one");
  EXPECT_EQ(stub_.requests().at(1).target, kPath + "/metadata/resources");
  ExpectSigned(stub_.requests().at(1));
}

TEST_F(DocumentsTest, DetailsWithoutAllDocumentsAreIncomplete) {
  stub_.Push(Answer(200, kApplicant));
  stub_.Push(
      Answer(200, Items({Item("11", "PASSPORT", "2025-03-02 10:20:11"),
                         Item("12", "UTILITY_BILL", "2025-03-02 10:20:11",
                              R"(,"deactivated":true)")})));
  EXPECT_FALSE(Details()->all_submitted);
  // Recognised, but nothing that was uploaded is there.
  stub_.Push(Answer(200, kApplicant));
  stub_.Push(Answer(200, R"({"items":null})"));
  const auto details = Details();
  ASSERT_TRUE(details.ok());
  EXPECT_EQ(details->documents.size(), 1u);
  EXPECT_FALSE(details->all_submitted);
}

TEST_F(DocumentsTest, AnImageWithoutAnAnswerStandsAsTheApplicantDoes) {
  stub_.Push(Answer(
      200, R"({"id":"66f1a0b2c3d4e5f60718293a","review":{"reviewStatus":)"
           R"("completed","reviewResult":{"reviewAnswer":"GREEN"}}})"));
  stub_.Push(
      Answer(200, Items({Item("1", "PASSPORT", "2025-03-02 10:20:11"),
                         Item("2", "DRIVERS", "2025-03-02 10:20:11",
                              R"(,"reviewResult":{"reviewAnswer":"RED"})"),
                         Item("3", "DRIVERS", "2025-03-02 10:25:11"),
                         Item("4", "ID_CARD", "2025-03-02 10:20:11",
                              R"(,"reviewResult":{"reviewAnswer":"RED"})")})));
  const auto details = Details();
  ASSERT_TRUE(details.ok());
  ASSERT_EQ(details->documents.size(), 3u);
  EXPECT_EQ(details->documents[0].status, Status::kApproved);
  // A refused image of an earlier attempt stays in the list.
  EXPECT_EQ(details->documents[1].status, Status::kApproved);
  EXPECT_EQ(details->documents[2].status, Status::kRejected);
}

TEST_F(DocumentsTest, APersonOfWhomNothingIsKnown) {
  for (const char* info :
       {"{}", "null", R"({"country":"GBR"})", R"({"firstName":7})"}) {
    stub_.Push(Answer(200, R"({"id":"66f1a0b2c3d4e5f60718293a","info":)"s +
                               info + R"(,"fixedInfo":{"firstName":"F"}})"));
    const auto person = Run<absl::StatusOr<std::optional<PersonalInfo>>>(
        [&] { return provider_->GetPersonalInfo({}, kId); });
    ASSERT_TRUE(person.ok()) << person.status();
    EXPECT_FALSE(person->has_value()) << info;
  }
  stub_.Push(Answer(200, R"({"id":"66f1a0b2c3d4e5f60718293a","info":)"
                         R"({"lastName":"A\u0000B\nC","country":"GBR"},)"
                         R"("fixedInfo":{"nationality":"DEU"}})"));
  const auto person = Run<absl::StatusOr<std::optional<PersonalInfo>>>(
      [&] { return provider_->GetPersonalInfo({}, kId); });
  ASSERT_TRUE(person.ok() && person->has_value());
  EXPECT_EQ((*person)->last_name.Reveal(), "AB\nC");
  EXPECT_EQ((*person)->first_name.Reveal(), "");
  EXPECT_EQ((*person)->nationality.Reveal(), "DEU");
  EXPECT_EQ((*person)->country_of_residence.Reveal(), "GBR");
}

TEST_F(DocumentsTest, DetailsOfAnotherApplicantAreUnreadable) {
  stub_.Push(Answer(200, R"({"id":"000000000000000000000000"})"));
  EXPECT_EQ(Details().status().code(), absl::StatusCode::kUnavailable);
  stub_.Push(Answer(200, kApplicant));
  stub_.Push(Answer(200, R"({"items":{}})"));
  EXPECT_EQ(Details().status().code(), absl::StatusCode::kUnavailable);
  // No resources at all: the applicant is all there is.
  stub_.Push(Answer(200, kApplicant));
  stub_.Push(Answer(404, "{}"));
  EXPECT_TRUE(Details().ok());
  stub_.Push(Answer(404, "{}"));
  EXPECT_EQ(Details().status().code(), absl::StatusCode::kNotFound);
}

// An image's type, size and bytes.
async::Task<absl::StatusOr<std::string>> FetchImage(Provider& provider,
                                                    std::string image_id) {
  CO_ASSIGN_OR_RETURN(
      const std::unique_ptr<ImageStream> image,
      co_await provider.OpenImage({}, kId, std::move(image_id)));
  std::string all =
      image->content_type() + " " + std::to_string(image->size()) + " ";
  while (true) {
    CO_ASSIGN_OR_RETURN(const std::string piece, co_await image->Read());
    if (piece.empty()) co_return all;
    all += piece;
  }
}

class ImageTest : public DocumentsTest {
 protected:
  absl::StatusOr<std::string> Fetch(
      const std::string& image_id = "1880042117") {
    return Run<absl::StatusOr<std::string>>(
        [&] { return FetchImage(*provider_, image_id); });
  }
  static StubAnswer Image(std::string type, std::string body) {
    StubAnswer answer = Answer(200, std::move(body));
    if (!type.empty()) answer.headers = {{"Content-Type", std::move(type)}};
    return answer;
  }
};

TEST_F(ImageTest, ComesAsTheProviderSendsIt) {
  const std::string bytes = std::string(300'000, '\xff') + "\0end"s;
  stub_.Push(Image("image/jpeg", bytes));
  EXPECT_EQ(Fetch().value(), "image/jpeg 300004 " + bytes);
  const StubRequest request = stub_.requests().at(0);
  EXPECT_EQ(request.method + " " + request.target,
            std::string("GET /resources/inspections/") + kId +
                "/resources/1880042117");
  ExpectSigned(request);
}

TEST_F(ImageTest, OnlyImagesAndPdfsArePassedOn) {
  for (const auto& [declared, type] :
       std::vector<std::pair<std::string, std::string>>{
           {"image/png", "image/png"},
           {"Image/PNG; charset=utf-8", "image/png"},
           {"image/jpg", "image/jpeg"},
           {"image/webp ", "image/webp"},
           {"application/pdf", "application/pdf"}}) {
    stub_.Push(Image(declared, "x"));
    EXPECT_EQ(Fetch().value(), type + " 1 x") << declared;
  }
  for (const char* declared :
       {"", "text/html", "image/svg+xml", "application/octet-stream",
        "application/json", "image", "image/", "image/png text/html"}) {
    stub_.Push(Image(declared, "x"));
    EXPECT_TRUE(absl::IsUnavailable(Fetch().status())) << declared;
  }
  StubAnswer encoded = Image("image/png", "x");
  encoded.headers.emplace_back("Content-Encoding", "gzip");
  stub_.Push(encoded);
  EXPECT_TRUE(absl::IsUnavailable(Fetch().status()));
}

TEST_F(ImageTest, ErrorsAreThePorts) {
  stub_.Push(Answer(404, R"({"code":404})"));
  EXPECT_TRUE(absl::IsNotFound(Fetch().status()));
  stub_.Push(Answer(401, "{}"));
  EXPECT_TRUE(absl::IsPermissionDenied(Fetch().status()));
  stub_.Push(Answer(302, ""));
  EXPECT_TRUE(absl::IsUnavailable(Fetch().status()));
  // A fault is tried again, the end of a transfer is not.
  stub_.Push(Answer(503, ""));
  stub_.Push(Image("image/png", "good"));
  EXPECT_EQ(Fetch().value(), "image/png 4 good");
  stub_.Push(
      StubAnswer::Raw("HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
                      "Content-Length: 100\r\n\r\nonly this"));
  const size_t before = stub_.requests().size();
  EXPECT_TRUE(absl::IsUnavailable(Fetch().status()));
  EXPECT_EQ(stub_.requests().size(), before + 1);
  StubAnswer huge = StubAnswer::Raw(
      "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
      "Content-Length: 99999999999\r\n\r\nbegin");
  stub_.Push(huge);
  EXPECT_TRUE(absl::IsUnavailable(Fetch().status()));
}

TEST_F(ImageTest, NamesThatAreNoneAreNotAskedFor) {
  for (const char* id : {"", "..", "a/b", "a?b", "a b"}) {
    EXPECT_TRUE(absl::IsNotFound(Fetch(id).status())) << id;
  }
  EXPECT_TRUE(stub_.requests().empty());
}

}  // namespace
}  // namespace kyc::provider::sumsub
