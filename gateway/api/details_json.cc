#include "gateway/api/details_json.h"

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
                    DetailsDialect dialect, base::JsonWriter* json) {
  const bool for_partner = dialect == DetailsDialect::kPartner;
  json->Key("documents").BeginArray();
  for (const v1::Details::Document& document : details.documents()) {
    json->BeginObject().Key("document_type").String(document.document_type());
    WriteText("country", document.country(), json);
    const bool verified = !for_partner && document.status() == "approved";
    json->Key("status").String(verified ? "verified" : document.status());
    WriteTime(call, "submitted_at", document.submitted_at_ms(), json);
    if (for_partner) {
      json->Key("image_ids").BeginArray();
      for (const std::string& id : document.image_ids()) json->String(id);
      json->EndArray();
    }
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

void WriteDetails(const Call& call, const v1::Details& details,
                  DetailsDialect dialect, base::JsonWriter* json) {
  const v1::Verification& verification = details.verification();
  json->Key("status").String(StateName(verification.state()));
  WriteTime(call, "verified_at", verification.verified_at_ms(), json);
  WriteTime(call, "rejected_at", verification.rejected_at_ms(), json);
  WriteTime(call, "started_at", details.started_at_ms(), json);
  WritePersonalInfo(details, json);
  WriteDocuments(call, details, dialect, json);
  json->Key("verification_complete")
      .Bool(details.verification_complete())
      .Key("verification_passed")
      .Bool(details.verification_passed());
  WriteRejection(verification, json);
}

}  // namespace kyc::gateway
