#include "services/kyc/provider/sumsub/sumsub.h"

#include <functional>
#include <utility>

#include "services/base/json.h"
#include "services/base/status_macros.h"
#include "services/kyc/provider/sumsub/api.h"
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
    ApiCall call = CallFor(Operation::kGetApplicant, applicant_id);
    call.path = PathOf(applicant_id) + "/one";
    call.applicant_id = applicant_id;
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
    ApiCall call = CallFor(Operation::kGetReview, applicant_id);
    call.path = PathOf(applicant_id) + "/status";
    call.applicant_id = applicant_id;
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

 private:
  static ApiCall CallFor(Operation operation, std::string_view subject) {
    ApiCall call;
    call.operation = operation;
    call.user_hash = std::hash<std::string_view>()(subject);
    return call;
  }

  static std::string PathOf(std::string_view applicant_id) {
    return "/resources/applicants/" + PercentEncode(applicant_id);
  }

  static absl::Status NotAnId() {
    return absl::InvalidArgumentError("sumsub: not an applicant id");
  }

  const std::string support_address_;
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
