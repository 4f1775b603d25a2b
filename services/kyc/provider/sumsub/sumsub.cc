#include "services/kyc/provider/sumsub/sumsub.h"

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "services/base/json.h"
#include "services/base/status_macros.h"
#include "services/base/trace.h"
#include "services/kyc/provider/sumsub/api.h"
#include "services/kyc/provider/sumsub/documents.h"
#include "services/kyc/provider/sumsub/image.h"
#include "services/kyc/provider/sumsub/review.h"
#include "services/kyc/provider/sumsub/signer.h"

namespace kyc::provider::sumsub {
namespace {

using base::JsonValue;

constexpr size_t kMaxTokenBytes = 8192;

// Absent, or the user that was asked for: nobody is linked to another's
// applicant because an answer went astray.
bool IsAbout(JsonValue named_user, std::string_view user_id) {
  return !named_user.exists() || named_user.IsNull() ||
         TextOf(named_user) == user_id;
}

class SumsubProvider : public Provider {
 public:
  SumsubProvider(async::HttpClient& http, Limits& limits,
                 const base::Clock& clock, Options options)
      : support_address_(options.support_address),
        idle_(options.upload_timeout),
        api_(http, limits, clock, options) {}

  async::Task<absl::StatusOr<std::string>> CreateApplicant(
      async::CallContext context, std::string user_id,
      std::string level) override {
    ApiCall call = CallFor(Operation::kCreateApplicant, user_id);
    call.path = "/resources/applicants?levelName=" + PercentEncode(level);
    base::JsonWriter(&call.body)
        .BeginObject()
        .Key("externalUserId")
        .String(user_id)
        .Key("type")
        .String("individual")
        .EndObject();
    std::string id;
    CO_RETURN_IF_ERROR(co_await api_.Call(
        context, std::move(call), [&id, &user_id](JsonValue answer) {
          id = TextOf(answer["id"]);
          return IsApplicantId(id) &&
                 IsAbout(answer["externalUserId"], user_id);
        }));
    co_return id;
  }

  async::Task<absl::StatusOr<Applicant>> FindApplicant(
      async::CallContext context, std::string user_id) override {
    ApiCall call = CallFor(Operation::kFindApplicant, user_id);
    call.path =
        "/resources/applicants/-;externalUserId=" + PercentEncode(user_id) +
        "/one";
    std::optional<Applicant> applicant;
    CO_RETURN_IF_ERROR(co_await api_.Call(
        context, std::move(call),
        [this, &applicant, &user_id](JsonValue answer) {
          applicant = ParseApplicant(answer, support_address_);
          return applicant.has_value() &&
                 IsAbout(answer["externalUserId"], user_id);
        }));
    co_return *std::move(applicant);
  }

  async::Task<absl::StatusOr<Applicant>> GetApplicant(
      async::CallContext context, std::string applicant_id) override {
    if (!IsApplicantId(applicant_id)) co_return NotAnId();
    ApiCall call = CallAbout(Operation::kGetApplicant, applicant_id, "/one");
    std::optional<Applicant> applicant;
    CO_RETURN_IF_ERROR(co_await api_.Call(
        context, std::move(call),
        [this, &applicant, &applicant_id](JsonValue answer) {
          applicant = ParseApplicant(answer, support_address_);
          return applicant.has_value() && applicant->id == applicant_id;
        }));
    co_return *std::move(applicant);
  }

  async::Task<absl::StatusOr<domain::Poll>> GetReview(
      async::CallContext context, std::string applicant_id) override {
    if (!IsApplicantId(applicant_id)) co_return NotAnId();
    ApiCall call = CallAbout(Operation::kGetReview, applicant_id, "/status");
    std::optional<domain::Poll> poll;
    CO_RETURN_IF_ERROR(co_await api_.Call(
        context, std::move(call),
        [this, &poll, &applicant_id](JsonValue answer) {
          poll = ParseReview(answer, applicant_id, support_address_);
          return poll.has_value();
        }));
    co_return *std::move(poll);
  }

  async::Task<absl::StatusOr<base::Secret>> CreateAccessToken(
      async::CallContext context, std::string user_id, std::string level,
      int ttl_s) override {
    ApiCall call = CallFor(Operation::kCreateAccessToken, user_id);
    call.path = "/resources/accessTokens/sdk";
    base::JsonWriter(&call.body)
        .BeginObject()
        .Key("userId")
        .String(user_id)
        .Key("levelName")
        .String(level)
        .Key("ttlInSecs")
        .Int(ttl_s)
        .EndObject();
    base::Secret token;
    CO_RETURN_IF_ERROR(co_await api_.Call(
        context, std::move(call), [&token, &user_id](JsonValue answer) {
          token = base::Secret(answer["token"].StringOr(""));
          return !token.empty() && token.Reveal().size() <= kMaxTokenBytes &&
                 IsAbout(answer["userId"], user_id);
        }));
    co_return token;
  }

  async::Task<absl::Status> MoveToLevel(async::CallContext context,
                                        std::string applicant_id,
                                        std::string level) override {
    if (!IsApplicantId(applicant_id)) co_return NotAnId();
    ApiCall call = CallAbout(Operation::kMoveToLevel, applicant_id,
                             "/moveToLevel?name=" + PercentEncode(level));
    co_return co_await api_.Call(
        context, std::move(call),
        [](JsonValue answer) { return answer.IsObject(); });
  }

  async::Task<absl::StatusOr<UploadedDocument>> UploadDocument(
      async::CallContext context, std::string applicant_id,
      domain::DocumentMetadata metadata, domain::FileType type,
      DocumentBody file) override {
    if (!IsApplicantId(applicant_id)) co_return NotAnId();
    ApiCall call =
        CallAbout(Operation::kUploadDocument, applicant_id, "/info/idDoc");
    // 128 random bits: no file holds them.
    call.boundary =
        "kyc-" + std::string(base::TraceContext::Start().trace_id());
    call.upload = std::make_shared<const std::vector<std::string>>(
        UploadBody(call.boundary, metadata, type, std::move(file)));
    std::optional<UploadedDocument> uploaded;
    CO_RETURN_IF_ERROR(co_await api_.Call(
        context, std::move(call),
        [&uploaded](JsonValue answer, const async::ClientResponse& response) {
          uploaded = ParseUploaded(answer, response.Header("x-image-id"));
          return uploaded.has_value();
        }));
    co_return *std::move(uploaded);
  }

  async::Task<absl::StatusOr<std::vector<RequiredStep>>> GetRequiredSteps(
      async::CallContext context, std::string applicant_id) override {
    if (!IsApplicantId(applicant_id)) co_return NotAnId();
    ApiCall call = CallAbout(Operation::kGetRequiredSteps, applicant_id,
                             "/requiredIdDocsStatus");
    std::optional<std::vector<RequiredStep>> steps;
    CO_RETURN_IF_ERROR(co_await api_.Call(
        context, std::move(call), [this, &steps](JsonValue answer) {
          steps = ParseRequiredSteps(answer, support_address_);
          return steps.has_value();
        }));
    co_return *std::move(steps);
  }

  async::Task<absl::Status> Submit(async::CallContext context,
                                   std::string applicant_id) override {
    if (!IsApplicantId(applicant_id)) co_return NotAnId();
    ApiCall call =
        CallAbout(Operation::kSubmit, applicant_id, "/status/pending");
    const absl::Status status = co_await api_.Call(
        context, std::move(call),
        [](JsonValue answer) { return answer["ok"].AsInt() == 1; });
    if (status.code() != absl::StatusCode::kFailedPrecondition ||
        status.GetPayload(kIncompletePayload)) {
      co_return status;
    }
    // Refused: perhaps because it is where it should be. The SDK submits, too.
    const absl::StatusOr<domain::Poll> review =
        co_await GetReview(context, applicant_id);
    if (!review.ok()) co_return status;
    if (review->review == domain::Poll::Review::kCompleted) {
      co_return absl::AlreadyExistsError("sumsub: the review is completed");
    }
    co_return review->review == domain::Poll::Review::kInProgress
        ? absl::OkStatus()
        : status;
  }

  async::Task<absl::StatusOr<ApplicantDetails>> GetDetails(
      async::CallContext context, std::string applicant_id) override {
    if (!IsApplicantId(applicant_id)) co_return NotAnId();
    DetailsAnswer details;
    CO_RETURN_IF_ERROR(co_await ReadApplicant(
        context, applicant_id,
        [&details](JsonValue answer) { details = ParseDetails(answer); }));
    ApiCall call = CallAbout(Operation::kGetResources, applicant_id,
                             "/metadata/resources");
    const absl::Status status = co_await api_.Call(
        context, std::move(call), [&details](JsonValue answer) {
          return answer.IsObject() && AddResources(answer, details);
        });
    if (!status.ok() && status.code() != absl::StatusCode::kNotFound) {
      co_return status;
    }
    co_return std::move(details.details);
  }

  async::Task<absl::StatusOr<std::unique_ptr<ImageStream>>> OpenImage(
      async::CallContext context, std::string inspection_id,
      std::string image_id) override {
    if (!IsApplicantId(inspection_id) || !IsApplicantId(image_id)) {
      co_return absl::NotFoundError("sumsub: no such image");
    }
    ApiCall call = CallFor(Operation::kGetImage, inspection_id);
    call.path = "/resources/inspections/" + PercentEncode(inspection_id) +
                "/resources/" + PercentEncode(image_id);
    CO_ASSIGN_OR_RETURN(async::BodyStream body,
                        co_await api_.Open(context, std::move(call)));
    co_return MakeImageStream(std::move(body), idle_);
  }

  async::Task<absl::StatusOr<std::optional<PersonalInfo>>> GetPersonalInfo(
      async::CallContext context, std::string applicant_id) override {
    if (!IsApplicantId(applicant_id)) co_return NotAnId();
    std::optional<PersonalInfo> person;
    CO_RETURN_IF_ERROR(co_await ReadApplicant(
        context, applicant_id,
        [&person](JsonValue answer) { person = ParsePersonalInfo(answer); }));
    co_return person;
  }

 private:
  async::Task<absl::Status> ReadApplicant(async::CallContext context,
                                          std::string applicant_id,
                                          std::function<void(JsonValue)> read) {
    ApiCall call = CallAbout(Operation::kGetApplicant, applicant_id, "/one");
    co_return co_await api_.Call(context, std::move(call),
                                 [&applicant_id, &read](JsonValue answer) {
                                   if (TextOf(answer["id"]) != applicant_id)
                                     return false;
                                   read(answer);
                                   return true;
                                 });
  }

  static ApiCall CallFor(Operation operation, std::string_view subject) {
    ApiCall call;
    call.operation = operation;
    call.name_hash = std::hash<std::string_view>()(subject);
    return call;
  }

  static ApiCall CallAbout(Operation operation, const std::string& applicant_id,
                           std::string_view path) {
    ApiCall call = CallFor(operation, applicant_id);
    call.named_by = CircuitBreaker::NamedBy::kApplicantId;
    call.path = PathOf(applicant_id).append(path);
    call.applicant_id = applicant_id;
    return call;
  }

  static std::string PathOf(std::string_view applicant_id) {
    return "/resources/applicants/" + PercentEncode(applicant_id);
  }

  static absl::Status NotAnId() {
    return absl::InvalidArgumentError("sumsub: not an applicant id");
  }

  const std::string support_address_;
  const std::chrono::milliseconds idle_;  // Of an image.
  Api api_;
};

}  // namespace

std::unique_ptr<Provider> MakeProvider(async::HttpClient& http, Limits& limits,
                                       const base::Clock& clock,
                                       Options options) {
  return std::make_unique<SumsubProvider>(http, limits, clock,
                                          std::move(options));
}

}  // namespace kyc::provider::sumsub
