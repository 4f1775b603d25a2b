#include "services/kyc/server/details_mapping.h"

#include <string>

#include "services/kyc/server/proto_mapping.h"

namespace kyc::server {
namespace {

using DocumentStatus = provider::SubmittedDocument::Status;

const char* StatusName(DocumentStatus status) {
  switch (status) {
    case DocumentStatus::kApproved:
      return "approved";
    case DocumentStatus::kRejected:
      return "rejected";
    case DocumentStatus::kPending:
      break;
  }
  return "pending";
}

void FillPersonalInfo(const provider::PersonalInfo& person,
                      v1::Details::PersonalInfo* out) {
  out->set_first_name(std::string(person.first_name.Reveal()));
  out->set_last_name(std::string(person.last_name.Reveal()));
  out->set_date_of_birth(std::string(person.date_of_birth.Reveal()));
  out->set_nationality(std::string(person.nationality.Reveal()));
  out->set_country_of_residence(
      std::string(person.country_of_residence.Reveal()));
}

}  // namespace

void FillDetails(const Details::Result& result, v1::Details* out) {
  const provider::ApplicantDetails& known = *result.known;
  FillVerification(result.record, out->mutable_verification());
  out->set_started_at_ms(known.started_at_ms.value_or(0));
  if (known.personal_info) {
    FillPersonalInfo(*known.personal_info, out->mutable_personal_info());
  }
  for (const provider::SubmittedDocument& document : known.documents) {
    v1::Details::Document* to = out->add_documents();
    to->set_document_type(document.type);
    to->set_country(document.country);
    to->set_status(StatusName(document.status));
    to->set_submitted_at_ms(document.submitted_at_ms.value_or(0));
    for (const std::string& id : document.image_ids) to->add_image_ids(id);
  }
  // A review that came to its end had all it needs.
  const domain::State state = result.record.state;
  out->set_verification_passed(state == domain::State::kApproved);
  out->set_verification_complete(known.all_submitted ||
                                 state == domain::State::kApproved ||
                                 state == domain::State::kRejected);
}

}  // namespace kyc::server
