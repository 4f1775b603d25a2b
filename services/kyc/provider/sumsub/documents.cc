#include "services/kyc/provider/sumsub/documents.h"

#include <algorithm>
#include <utility>

#include "services/kyc/provider/sumsub/review.h"

namespace kyc::provider::sumsub {
namespace {

using base::JsonValue;
using domain::FromSumsubDocumentType;
using Status = SubmittedDocument::Status;

constexpr size_t kMaxTags = 32;
constexpr size_t kMaxTagBytes = 64;
constexpr size_t kMaxFieldBytes = 256;
constexpr size_t kMaxCodeBytes = 64;  // Types, countries, ids.
constexpr size_t kMaxDocuments = 200;
constexpr size_t kMaxImages = 1000;

bool IsMissing(JsonValue value) { return !value.exists() || value.IsNull(); }

// The provider's tags are words; what is not one is left out.
std::vector<std::string> Tags(JsonValue list) {
  std::vector<std::string> tags;
  for (const JsonValue& element : list.Elements()) {
    const std::string tag = element.StringOr("");
    const bool is_word =
        !tag.empty() && tag.size() <= kMaxTagBytes &&
        std::all_of(tag.begin(), tag.end(), [](char c) {
          return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                 (c >= 'a' && c <= 'z') || c == '_' || c == '-';
        });
    if (is_word && tags.size() < kMaxTags) tags.push_back(tag);
  }
  return tags;
}

std::string AnswerText(JsonValue review_result) {
  const std::string answer = review_result["reviewAnswer"].StringOr("");
  return answer == "GREEN" || answer == "RED" ? answer : "";
}

std::string Code(JsonValue value) {
  return PlainText(value.StringOr(""), kMaxCodeBytes);
}

std::string DocumentType(JsonValue holder) {
  return std::string(FromSumsubDocumentType(Code(holder["idDocType"])));
}

base::Pii Field(JsonValue value) {
  return base::Pii(PlainText(value.StringOr(""), kMaxFieldBytes));
}

// The first of them that is not empty.
base::Pii FirstOf(std::initializer_list<JsonValue> values) {
  for (const JsonValue& value : values) {
    base::Pii field = Field(value);
    if (!field.empty()) return field;
  }
  return {};
}

// The document of that type and country, new where there is none. What has no
// answer of its own stands as the applicant does.
SubmittedDocument& DocumentOf(DetailsAnswer& answer, std::string type,
                              std::string country) {
  std::vector<SubmittedDocument>& documents = answer.details.documents;
  for (SubmittedDocument& document : documents) {
    if (document.type == type && document.country == country) return document;
  }
  documents.push_back({std::move(type),
                       std::move(country),
                       answer.approved ? Status::kApproved : Status::kPending,
                       {},
                       {}});
  return documents.back();
}

// A document is as good as the worst of its images. Of an approved applicant
// the best counts: refused images of earlier attempts stay in the list.
Status WithImage(Status status, bool first_image, const std::string& answer,
                 bool applicant_approved) {
  if (applicant_approved) {
    if (answer == "RED") return first_image ? Status::kRejected : status;
    return Status::kApproved;
  }
  if (answer == "RED" || status == Status::kRejected) return Status::kRejected;
  if (answer == "GREEN") return first_image ? Status::kApproved : status;
  return Status::kPending;
}

bool IsApproved(JsonValue applicant) {
  const JsonValue review = applicant["review"];
  return review["reviewStatus"].StringOr("") == "completed" &&
         AnswerText(review["reviewResult"]) == "GREEN";
}

std::vector<std::vector<std::string>> RequiredTypes(JsonValue applicant) {
  std::vector<std::vector<std::string>> required;
  for (const JsonValue& set :
       applicant["requiredIdDocs"]["docSets"].Elements()) {
    std::vector<std::string> types;
    for (const JsonValue& type : set["types"].Elements()) {
      types.emplace_back(FromSumsubDocumentType(type.StringOr("")));
    }
    // A set without types asks for data, not for documents.
    if (!types.empty()) required.push_back(std::move(types));
  }
  return required;
}

bool HasImagesOfAny(const ApplicantDetails& details,
                    const std::vector<std::string>& types) {
  return std::any_of(details.documents.begin(), details.documents.end(),
                     [&](const SubmittedDocument& document) {
                       return !document.image_ids.empty() &&
                              std::find(types.begin(), types.end(),
                                        document.type) != types.end();
                     });
}

}  // namespace

std::vector<std::string> UploadBody(std::string_view boundary,
                                    const domain::DocumentMetadata& metadata,
                                    domain::FileType type, DocumentBody file) {
  std::string json;
  base::JsonWriter writer(&json);
  writer.BeginObject()
      .Key("idDocType")
      .String(domain::ToSumsubDocumentType(metadata.document_type))
      .Key("country")
      .String(metadata.country);
  if (!metadata.side.empty()) {
    writer.Key("idDocSubType").String(metadata.side);
  }
  writer.EndObject();

  const std::string delimiter = "--" + std::string(boundary);
  std::string head = delimiter;
  head.append(
      "\r\nContent-Disposition: form-data; name=\"metadata\"\r\n"
      "Content-Type: application/json\r\n\r\n");
  head.append(json).append("\r\n" + delimiter);
  head.append(
          "\r\nContent-Disposition: form-data; name=\"content\"; "
          "filename=\"document.")
      .append(domain::Extension(type))
      .append("\"\r\nContent-Type: ")
      .append(domain::MediaType(type))
      .append("\r\n\r\n");
  return std::move(file).Frame(std::move(head), "\r\n" + delimiter + "--\r\n");
}

std::optional<UploadedDocument> ParseUploaded(
    JsonValue answer, std::string_view image_id_header) {
  if (!answer.IsObject()) return std::nullopt;
  UploadedDocument uploaded;
  uploaded.image_id = image_id_header;
  for (const char* name : {"imageId", "id"}) {
    if (uploaded.image_id.empty()) uploaded.image_id = TextOf(answer[name]);
  }
  const bool is_about_a_document =
      IsApplicantId(uploaded.image_id) ||
      (uploaded.image_id.empty() && answer["idDocType"].AsString());
  if (!is_about_a_document) return std::nullopt;
  uploaded.warnings = Tags(answer["warnings"]);
  uploaded.errors = Tags(answer["errors"]);
  return uploaded;
}

std::optional<std::vector<RequiredStep>> ParseRequiredSteps(
    JsonValue answer, std::string_view support_address) {
  if (!answer.IsObject()) return std::nullopt;
  std::vector<RequiredStep> steps;
  for (const auto& [name, value] : answer.Members()) {
    if (!value.IsNull() && !value.IsObject()) return std::nullopt;
    RequiredStep step;
    step.type = PlainText(domain::FromSumsubStep(name), kMaxCodeBytes);
    step.has_documents = !value["imageIds"].Elements().empty();
    const JsonValue result = value["reviewResult"];
    step.review_answer = AnswerText(result);
    step.moderation_comment =
        UserReason(result["moderationComment"].StringOr(""), support_address);
    steps.push_back(std::move(step));
    if (steps.size() > kMaxDocuments) return std::nullopt;
  }
  return steps;
}

std::optional<PersonalInfo> ParsePersonalInfo(JsonValue applicant) {
  const JsonValue info = applicant["info"];
  const JsonValue fixed = applicant["fixedInfo"];
  PersonalInfo person;
  person.first_name = Field(info["firstName"]);
  person.last_name = Field(info["lastName"]);
  person.date_of_birth = Field(info["dob"]);
  if (person.first_name.empty() && person.last_name.empty() &&
      person.date_of_birth.empty()) {
    return std::nullopt;  // Nothing was recognised, or all is deleted.
  }
  person.nationality = Field(info["nationality"]);
  for (const JsonValue& document : info["idDocs"].Elements()) {
    if (!person.nationality.empty()) break;
    person.nationality = Field(document["nationality"]);
  }
  if (person.nationality.empty()) {
    person.nationality = Field(fixed["nationality"]);
  }
  const std::vector<JsonValue> addresses = info["addresses"].Elements();
  person.country_of_residence =
      FirstOf({addresses.empty() ? JsonValue() : addresses.front()["country"],
               fixed["country"], info["country"]});
  return person;
}

DetailsAnswer ParseDetails(JsonValue applicant) {
  DetailsAnswer answer;
  ApplicantDetails& details = answer.details;
  answer.approved = IsApproved(applicant);
  answer.required = RequiredTypes(applicant);
  details.started_at_ms = ParseTime(TextOf(applicant["createdAt"]));
  if (!details.started_at_ms) {
    details.started_at_ms =
        ParseTime(TextOf(applicant["review"]["createDate"]));
  }
  details.personal_info = ParsePersonalInfo(applicant);
  details.inspection_id = TextOf(applicant["inspectionId"]);
  for (const JsonValue& document : applicant["info"]["idDocs"].Elements()) {
    std::string type = DocumentType(document);
    if (type.empty() || details.documents.size() >= kMaxDocuments) continue;
    DocumentOf(answer, std::move(type), Code(document["country"]));
  }
  return answer;
}

bool AddResources(JsonValue resources, DetailsAnswer& answer) {
  const JsonValue items = resources["items"];
  if (!IsMissing(items) && !items.IsArray()) return false;
  ApplicantDetails& details = answer.details;
  size_t images = 0;
  for (const JsonValue& item : items.Elements()) {
    const JsonValue definition = item["idDocDef"];
    std::string type = DocumentType(definition);
    const std::string id = TextOf(item["id"]);
    if (type.empty() || !IsApplicantId(id) ||
        item["deactivated"].AsBool().value_or(false)) {
      continue;
    }
    if (++images > kMaxImages || details.documents.size() >= kMaxDocuments) {
      break;
    }
    SubmittedDocument& document =
        DocumentOf(answer, std::move(type), Code(definition["country"]));
    document.status =
        WithImage(document.status, document.image_ids.empty(),
                  AnswerText(item["reviewResult"]), answer.approved);
    if (const auto added_ms = ParseTime(TextOf(item["addedDate"]))) {
      document.submitted_at_ms =
          std::max(document.submitted_at_ms.value_or(0), *added_ms);
    }
    document.image_ids.push_back(id);
  }
  details.all_submitted =
      !answer.required.empty() &&
      std::all_of(answer.required.begin(), answer.required.end(),
                  [&](const std::vector<std::string>& types) {
                    return HasImagesOfAny(details, types);
                  });
  return true;
}

}  // namespace kyc::provider::sumsub
