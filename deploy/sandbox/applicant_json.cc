#include "deploy/sandbox/applicant_json.h"

#include <set>

#include "services/base/json.h"

namespace kyc::sandbox {
namespace {

using base::JsonWriter;

std::string WithZone(int64_t ms) { return FormatSeconds(ms) + "+0000"; }

void WriteStrings(JsonWriter& json, const std::vector<std::string>& texts) {
  json.BeginArray();
  for (const std::string& text : texts) json.String(text);
  json.EndArray();
}

void WriteResult(JsonWriter& json, const ReviewResult& result) {
  json.BeginObject();
  if (!result.moderation_comment.empty()) {
    json.Key("moderationComment").String(result.moderation_comment);
  }
  if (!result.client_comment.empty()) {
    json.Key("clientComment").String(result.client_comment);
  }
  json.Key("reviewAnswer").String(result.answer);
  if (result.answer == "RED") {
    WriteStrings(json.Key("rejectLabels"), result.labels);
    if (!result.reject_type.empty()) {
      json.Key("reviewRejectType").String(result.reject_type);
    }
    WriteStrings(json.Key("buttonIds"), result.button_ids);
  }
  json.EndObject();
}

void WriteReview(JsonWriter& json, const Applicant& applicant) {
  json.BeginObject();
  json.Key("reviewId").String(applicant.review_id);
  json.Key("attemptId").String(applicant.attempt_id);
  json.Key("attemptCnt").Int(applicant.attempt_count);
  if (applicant.reviewed_ms != 0 && applicant.pending_ms != 0 &&
      applicant.reviewed_ms >= applicant.pending_ms) {
    json.Key("elapsedSincePendingMs")
        .Int(applicant.reviewed_ms - applicant.pending_ms);
  }
  json.Key("levelName").String(applicant.level);
  json.Key("levelAutoCheckMode").Null();
  json.Key("createDate").String(WithZone(applicant.review_created_ms));
  if (applicant.pending_ms != 0) {
    json.Key("startDate").String(WithZone(applicant.pending_ms));
  }
  if (applicant.status == ReviewStatus::kCompleted) {
    json.Key("reviewDate").String(WithZone(applicant.reviewed_ms));
  }
  if (applicant.result) {
    WriteResult(json.Key("reviewResult"), *applicant.result);
  }
  json.Key("reviewStatus").String(ReviewStatusName(applicant.status));
  json.Key("priority").Int(0);
  json.EndObject();
}

void WriteInfo(JsonWriter& json, const Applicant& applicant) {
  json.BeginObject();
  if (applicant.info) {
    const PersonalInfo& info = *applicant.info;
    const auto names = [&] {
      json.Key("firstName").String(info.first_name);
      json.Key("firstNameEn").String(info.first_name);
      json.Key("lastName").String(info.last_name);
      json.Key("lastNameEn").String(info.last_name);
    };
    names();
    json.Key("dob").String(info.dob);
    json.Key("country").String(info.country);
    json.Key("nationality").String(info.nationality);
    json.Key("addresses").BeginArray().BeginObject();
    json.Key("street").String("1 Mill Lane");
    json.Key("town").String("Leeds");
    json.Key("postCode").String("LS1 1AA");
    json.Key("country").String(info.country);
    json.EndObject().EndArray();
    json.Key("idDocs").BeginArray();
    std::set<std::pair<std::string, std::string>> seen;
    for (const Image& image : applicant.images) {
      if (image.deactivated || !image.step.starts_with("IDENTITY") ||
          !seen.emplace(image.document_type, image.country).second) {
        continue;
      }
      json.BeginObject();
      json.Key("idDocType").String(image.document_type);
      json.Key("country").String(image.country);
      names();
      json.Key("issuedDate").String("2021-03-01");
      json.Key("validUntil").String("2031-02-28");
      json.Key("number").String("123456789");
      json.Key("dob").String(info.dob);
      json.Key("ocrDocTypes").Null();
      json.Key("imageFieldsInfo").Null();
      json.EndObject();
    }
    json.EndArray();
  }
  json.EndObject();
}

void WriteRequiredSets(JsonWriter& json, const Applicants& applicants,
                       const Applicant& applicant) {
  json.BeginObject().Key("docSets").BeginArray();
  for (const std::string& step : *applicants.levels().Steps(applicant.level)) {
    json.BeginObject();
    json.Key("idDocSetType").String(step);
    const auto types = DocumentTypes(step);
    if (!types.empty()) {
      json.Key("types").BeginArray();
      for (const std::string_view type : types) json.String(type);
      json.EndArray();
    }
    if (step.starts_with("IDENTITY")) {
      json.Key("subTypes").BeginArray();
      json.String("FRONT_SIDE").String("BACK_SIDE").EndArray();
    }
    if (NeedsLiveness(step))
      json.Key("videoRequired").String("passiveLiveness");
    json.EndObject();
  }
  json.EndArray().EndObject();
}

}  // namespace

std::string RenderApplicant(const Applicants& applicants,
                            const Applicant& applicant) {
  std::string out;
  JsonWriter json(&out);
  json.BeginObject();
  json.Key("id").String(applicant.id);
  json.Key("createdAt").String(FormatSeconds(applicant.created_ms));
  json.Key("createdBy").String("service-svc-sandbox");
  json.Key("key").String("SANDBOXKEY");
  json.Key("clientId").String(kClientId);
  json.Key("inspectionId").String(applicant.id);
  json.Key("externalUserId").String(applicant.external_user_id);
  WriteInfo(json.Key("info"), applicant);
  if (!applicant.fixed_info.empty()) {
    json.Key("fixedInfo").BeginObject();
    for (const auto& [name, value] : applicant.fixed_info) {
      json.Key(name).String(value);
    }
    json.EndObject();
  }
  if (!applicant.email.empty()) json.Key("email").String(applicant.email);
  if (!applicant.phone.empty()) json.Key("phone").String(applicant.phone);
  json.Key("applicantPlatform").String(applicant.platform);
  WriteRequiredSets(json.Key("requiredIdDocs"), applicants, applicant);
  WriteReview(json.Key("review"), applicant);
  if (!applicant.lang.empty()) json.Key("lang").String(applicant.lang);
  json.Key("type").String(applicant.type);
  json.EndObject();
  return out;
}

std::string RenderReview(const Applicant& applicant) {
  std::string out;
  JsonWriter json(&out);
  WriteReview(json, applicant);
  return out;
}

std::string RenderRequiredDocuments(const Applicants& applicants,
                                    const Applicant& applicant) {
  std::string out;
  JsonWriter json(&out);
  json.BeginObject();
  for (const std::string& step : *applicants.levels().Steps(applicant.level)) {
    json.Key(step);
    const auto images = applicants.ActiveImages(applicant, step);
    if (images.empty()) {
      json.Null();
      continue;
    }
    json.BeginObject();
    json.Key("reviewResult");
    const Image& first = *images.front();
    if (first.review) {
      WriteResult(json, *first.review);
    } else {
      json.BeginObject().EndObject();
    }
    json.Key("country").String(first.country);
    json.Key("idDocType").String(first.document_type);
    json.Key("imageIds").BeginArray();
    for (const Image* image : images) json.Int(image->id);
    json.EndArray();
    json.Key("imageReviewResults").BeginObject();
    for (const Image* image : images) {
      json.Key(std::to_string(image->id));
      if (image->review) {
        WriteResult(json, *image->review);
      } else {
        json.BeginObject().EndObject();
      }
    }
    json.EndObject();
    json.Key("forbidden").Bool(false);
    if (IsDoubleSided(first.document_type)) json.Key("doubleSided").Bool(true);
    json.Key("stepStatuses").Null();
    json.EndObject();
  }
  json.EndObject();
  return out;
}

std::string RenderResources(const Applicant& applicant) {
  std::string out;
  JsonWriter json(&out);
  json.BeginObject().Key("items").BeginArray();
  for (const Image& image : applicant.images) {
    json.BeginObject();
    const std::string id = std::to_string(image.id);
    json.Key("id").String(id);
    json.Key("previewId").String(id);
    json.Key("addedDate").String(FormatSeconds(image.added_ms));
    json.Key("fileMetadata").BeginObject();
    json.Key("fileType").String(image.mime.substr(image.mime.find('/') + 1));
    json.Key("fileSize").Int(image.size);
    json.EndObject();
    json.Key("idDocDef").BeginObject();
    json.Key("country").String(image.country);
    json.Key("idDocType").String(image.document_type);
    if (!image.sub_type.empty()) {
      json.Key("idDocSubType").String(image.sub_type);
    }
    json.EndObject();
    if (image.review) WriteResult(json.Key("reviewResult"), *image.review);
    json.Key("deactivated").Bool(image.deactivated);
    json.Key("attemptId").String(image.attempt_id);
    json.Key("source").String(image.source);
    json.EndObject();
  }
  json.EndArray();
  json.Key("totalItems").Int(static_cast<int64_t>(applicant.images.size()));
  json.EndObject();
  return out;
}

}  // namespace kyc::sandbox
