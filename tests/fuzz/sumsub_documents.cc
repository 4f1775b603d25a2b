// The provider's answers about documents and persons: whatever their shape,
// what is passed on is text of a bounded size, and ids are fit for a path.
#include <string>

#include "services/base/json.h"
#include "services/base/utf8.h"
#include "services/kyc/provider/sumsub/documents.h"
#include "services/kyc/provider/sumsub/review.h"
#include "tests/fuzz/check.h"

namespace kyc::fuzz {
namespace {

namespace sumsub = provider::sumsub;

constexpr size_t kMaxText = 1000;
constexpr size_t kMaxItems = 200;

void CheckText(std::string_view text) {
  FUZZ_CHECK(text.size() <= kMaxText && base::IsUtf8(text));
  for (const char c : text) {
    FUZZ_CHECK((static_cast<unsigned char>(c) >= ' ' || c == '\n') &&
               c != 0x7f);
  }
}

void CheckPerson(const provider::PersonalInfo& person) {
  for (const base::Pii* field :
       {&person.first_name, &person.last_name, &person.date_of_birth,
        &person.nationality, &person.country_of_residence}) {
    CheckText(field->Reveal());
  }
}

void CheckUploaded(base::JsonValue answer, std::string_view header) {
  const auto uploaded = sumsub::ParseUploaded(answer, header);
  if (!uploaded) return;
  FUZZ_CHECK(uploaded->image_id.empty() ||
             sumsub::IsApplicantId(uploaded->image_id));
  FUZZ_CHECK(uploaded->warnings.size() + uploaded->errors.size() <= kMaxItems);
  for (const std::string& tag : uploaded->warnings) CheckText(tag);
  for (const std::string& tag : uploaded->errors) CheckText(tag);
}

void CheckSteps(base::JsonValue answer) {
  const auto steps = sumsub::ParseRequiredSteps(answer, "help@example.test");
  if (!steps) return;
  FUZZ_CHECK(steps->size() <= kMaxItems);
  for (const provider::RequiredStep& step : *steps) {
    CheckText(step.type);
    CheckText(step.moderation_comment);
    FUZZ_CHECK(step.review_answer.empty() || step.review_answer == "RED" ||
               step.review_answer == "GREEN");
  }
}

void CheckDetails(base::JsonValue root) {
  sumsub::DetailsAnswer answer = sumsub::ParseDetails(root);
  // An applicant and its resources, in one document.
  (void)sumsub::AddResources(root, answer);
  const provider::ApplicantDetails& details = answer.details;
  FUZZ_CHECK(details.documents.size() <= kMaxItems);
  for (const provider::SubmittedDocument& document : details.documents) {
    FUZZ_CHECK(!document.type.empty());
    CheckText(document.type);
    CheckText(document.country);
    for (const std::string& id : document.image_ids) {
      FUZZ_CHECK(sumsub::IsApplicantId(id));
    }
  }
  if (details.personal_info) CheckPerson(*details.personal_info);
}

}  // namespace
}  // namespace kyc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kyc::fuzz;
  const std::string_view text = Text(data, size);
  const auto document = kyc::base::JsonDocument::Parse(text);
  if (!document.ok()) return 0;
  const kyc::base::JsonValue root = document->root();
  CheckUploaded(root, "");
  CheckUploaded(root, root["imageId"].StringOr(""));
  CheckSteps(root);
  CheckDetails(root);
  return 0;
}
