#include "gateway/api/partner_users.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "gateway/api/details_json.h"
#include "gateway/http/percent.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

// The slowest of what the largest image may take; a client that stops reading
// is given up much earlier.
constexpr std::chrono::minutes kImageLimit(5);

// The image's type as a literal; others than these, which the engine lets
// through, are not passed on.
std::string_view TrustedType(std::string_view type) {
  for (const std::string_view trusted :
       {"image/jpeg", "image/png", "image/webp", "image/heic", "image/heif",
        "application/pdf"}) {
    if (type == trusted) return trusted;
  }
  return {};
}

// The chunks that follow the start.
class ImageBody : public async::BodySource {
 public:
  explicit ImageBody(std::unique_ptr<ImageCall> image)
      : image_(std::move(image)) {}

  async::Task<absl::StatusOr<std::string>> Next() override {
    std::string chunk;
    while (chunk.empty()) {
      CO_ASSIGN_OR_RETURN(std::optional<v1::ReadImageResponse> message,
                          co_await image_->Read());
      if (!message) break;
      chunk = std::move(*message->mutable_chunk());
    }
    co_return chunk;
  }

 private:
  const std::unique_ptr<ImageCall> image_;
};

std::string KycPath(std::string_view user_id) {
  return "/v0/users/" + EncodePathSegment(user_id) + "/kyc";
}

}  // namespace

async::Task<absl::Status> LookUpUser(Call& call) {
  v1::LookUpUserRequest request;
  SetCaller(call, &request);
  request.set_sri(call.path_params[0]);
  CO_ASSIGN_OR_RETURN(const v1::PartnerUser user,
                      co_await call.backend.partner().LookUpUser(
                          call.context, std::move(request)));
  base::JsonWriter json(&call.response.body);
  json.BeginObject()
      .Key("external_id")
      .String(user.user_id())
      .Key("sri")
      .String(user.sri())
      .Key("user")
      .BeginObject()
      .Key("id")
      .String(user.user_id())
      .Key("external_id")
      .String(user.user_id())
      .Key("account_status")
      .String(user.account_status());
  WriteText("primary_eoa_address", user.wallet().eoa_address(), &json);
  WriteText("primary_smart_wallet_address", user.wallet().safe_address(),
            &json);
  json.EndObject().Key("_links").BeginObject();
  WriteLink("self", "/v0/users/" + EncodePathSegment(user.sri()), "GET", &json);
  WriteLink("kyc", KycPath(user.user_id()), "GET", &json);
  json.EndObject().EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> ReadKyc(Call& call) {
  v1::ReadKycRequest request;
  SetCaller(call, &request);
  *request.mutable_grant() = call.grant;
  request.set_user_id(call.path_params[0]);
  CO_ASSIGN_OR_RETURN(const v1::Details details,
                      co_await call.backend.partner().ReadKyc(
                          call.context, std::move(request)));
  base::JsonWriter json(&call.response.body);
  json.BeginObject();
  WriteDetails(call, details, DetailsDialect::kPartner, &json);
  json.Key("_links").BeginObject();
  WriteLink("self", KycPath(call.path_params[0]), "GET", &json);
  json.EndObject().EndObject();
  co_return absl::OkStatus();
}

async::Task<absl::Status> ReadImage(Call& call) {
  v1::ReadImageRequest request;
  SetCaller(call, &request);
  *request.mutable_grant() = call.grant;
  request.set_user_id(call.path_params[0]);
  request.set_image_id(call.path_params[1]);
  std::unique_ptr<ImageCall> image = call.backend.partner().ReadImage(
      {call.context.trace, std::chrono::steady_clock::now() + kImageLimit},
      request);
  CO_ASSIGN_OR_RETURN(const std::optional<v1::ReadImageResponse> first,
                      co_await image->Read());
  const std::string_view type =
      first ? TrustedType(first->start().content_type()) : std::string_view();
  if (type.empty())
    co_return base::Error(v1::ERROR_REASON_PROVIDER_UNAVAILABLE);
  if (const int64_t size = first->start().content_length(); size > 0) {
    call.response.stream_size = static_cast<uint64_t>(size);
  }
  call.response.content_type = type;
  call.response.stream = std::make_unique<ImageBody>(std::move(image));
  ReplaceHeader("Cache-Control", "private, max-age=300", &call.response);
  co_return absl::OkStatus();
}

}  // namespace kyc::gateway
