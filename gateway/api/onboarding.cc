#include "gateway/api/onboarding.h"

#include <optional>
#include <utility>

#include "gateway/api/links.h"
#include "gateway/http/query.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

constexpr std::string_view kKycStep = "kyc_verification";

std::string_view StatusName(v1::OnboardingStep::Status status) {
  switch (status) {
    case v1::OnboardingStep::STATUS_CURRENT:
      return "current";
    case v1::OnboardingStep::STATUS_COMPLETED:
      return "completed";
    default:
      return "pending";
  }
}

std::string_view ModeName(v1::KycMode mode) {
  switch (mode) {
    case v1::KYC_MODE_HYBRID:
      return "hybrid";
    case v1::KYC_MODE_DOCUMENT_ONLY:
      return "document_only";
    default:
      return "websdk";  // Also where it could not be read.
  }
}

void WriteStep(const v1::OnboardingStep& step, base::JsonWriter* json) {
  const bool is_kyc = step.step() == kKycStep;
  json->BeginObject()
      .Key("step")
      .String(step.step())
      .Key("status")
      .String(StatusName(step.status()))
      // Whether the platform may waive the step: it never waives this one.
      .Key("gated")
      .Bool(!is_kyc)
      .Key("meta");
  if (is_kyc) {
    json->BeginObject()
        .Key("kyc_mode")
        .String(ModeName(step.kyc_mode()))
        .EndObject();
  } else {
    json->Null();
  }
  json->EndObject();
}

void WriteOnboarding(const v1::Onboarding& onboarding, std::string* body) {
  base::JsonWriter json(body);
  json.BeginObject()
      .Key("_links")
      .Raw(OnboardingLinks())
      .Key("onboarding")
      .BeginObject()
      .Key("current_step")
      .String(onboarding.current_step())
      .Key("is_complete")
      .Bool(onboarding.is_complete())
      .Key("steps")
      .BeginArray();
  for (const v1::OnboardingStep& step : onboarding.steps()) {
    WriteStep(step, &json);
  }
  json.EndArray();
  for (const char* absent :
       {"safe_creation_status", "primary_smart_wallet_address",
        "did_mint_status", "did_token_id"}) {
    json.Key(absent).Null();
  }
  json.EndObject().EndObject();
}

absl::StatusOr<std::string> ParseStep(std::string_view body) {
  absl::StatusOr<base::JsonDocument> document = base::JsonDocument::Parse(body);
  if (!document.ok() || !document->root().IsObject()) {
    return InvalidBody("", "must be a JSON object");
  }
  const std::optional<std::string_view> step =
      document->root()["step"].AsString();
  if (!step || step->empty()) {
    return InvalidBody("/step", "must be the name of a step");
  }
  return std::string(*step);
}

}  // namespace

async::Task<absl::Status> GetOnboarding(Call& call) {
  v1::GetOnboardingRequest request;
  request.set_user_id(call.user_id);
  SetTenant(call, &request);
  CO_ASSIGN_OR_RETURN(
      const v1::Onboarding onboarding,
      co_await call.backend.GetOnboarding(call.context, std::move(request)));
  WriteOnboarding(onboarding, &call.response.body);
  co_return absl::OkStatus();
}

async::Task<absl::Status> SubmitOnboardingStep(Call& call) {
  CO_ASSIGN_OR_RETURN(std::string step, ParseStep(call.body));
  v1::SubmitOnboardingStepRequest request;
  request.set_user_id(call.user_id);
  SetTenant(call, &request);
  request.set_step(std::move(step));
  CO_ASSIGN_OR_RETURN(const v1::Onboarding onboarding,
                      co_await call.backend.SubmitOnboardingStep(
                          call.context, std::move(request)));
  WriteOnboarding(onboarding, &call.response.body);
  co_return absl::OkStatus();
}

}  // namespace kyc::gateway
