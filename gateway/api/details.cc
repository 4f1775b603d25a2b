#include "gateway/api/details.h"

#include <utility>

#include "gateway/api/links.h"
#include "gateway/http/query.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

void WritePersonalInfo(const v1::Details& details, base::JsonWriter* json) {
  json->Key("personal_info");
  if (!details.has_personal_info()) {
    json->Null();
    return;
  }
  const v1::Details::PersonalInfo& info = details.personal_info();
  json->BeginObject();
  WriteText("first_name", info.first_name(), json);
  WriteText("last_name", info.last_name(), json);
  WriteText("date_of_birth", info.date_of_birth(), json);
  WriteText("nationality", info.nationality(), json);
  WriteText("country_of_residence", info.country_of_residence(), json);
  json->EndObject();
}

void WriteDocuments(const Call& call, const v1::Details& details,
                    base::JsonWriter* json) {
  json->Key("documents").BeginArray();
  for (const v1::Details::Document& document : details.documents()) {
    json->BeginObject().Key("document_type").String(document.document_type());
    WriteText("country", document.country(), json);
    // This dialect's word for it.
    const bool approved = document.status() == "approved";
    json->Key("status").String(approved ? "verified" : document.status());
    WriteTime(call, "submitted_at", document.submitted_at_ms(), json);
    json->EndObject();
  }
  json->EndArray();
}

void WriteRejection(const v1::Verification& verification,
                    base::JsonWriter* json) {
  const bool retry = verification.state() == v1::VERIFICATION_STATE_RETRY;
  json->Key("rejection");
  if (!retry && verification.state() != v1::VERIFICATION_STATE_REJECTED) {
    json->Null();
    return;
  }
  json->BeginObject().Key("can_retry").Bool(retry);
  WriteText("message", verification.reject_reason(), json);
  json->EndObject();
}

}  // namespace

async::Task<absl::Status> GetDetails(Call& call) {
  v1::GetDetailsRequest request;
  request.set_user_id(call.user_id);
  CO_ASSIGN_OR_RETURN(const bool refresh,
                      BoolParameter(call.request.query(), "refresh"));
  request.set_refresh(refresh);
  CO_ASSIGN_OR_RETURN(
      const v1::Details details,
      co_await call.backend.GetDetails(call.context, std::move(request)));
  const v1::Verification& verification = details.verification();
  base::JsonWriter json(&call.response.body);
  json.BeginObject().Key("status").String(StateName(verification.state()));
  WriteTime(call, "verified_at", verification.verified_at_ms(), &json);
  WriteTime(call, "rejected_at", verification.rejected_at_ms(), &json);
  WriteTime(call, "started_at", details.started_at_ms(), &json);
  WritePersonalInfo(details, &json);
  WriteDocuments(call, details, &json);
  json.Key("verification_complete")
      .Bool(details.verification_complete())
      .Key("verification_passed")
      .Bool(details.verification_passed());
  WriteRejection(verification, &json);
  json.Key("_links").Raw(DetailsLinks()).EndObject();
  co_return absl::OkStatus();
}

}  // namespace kyc::gateway
