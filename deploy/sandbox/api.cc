#include "deploy/sandbox/api.h"

#include <algorithm>
#include <charconv>

#include "deploy/sandbox/applicant_json.h"
#include "deploy/sandbox/crypto.h"
#include "deploy/sandbox/upload.h"
#include "services/base/json.h"

namespace kyc::sandbox {
namespace {

constexpr char kJson[] = "application/json";
constexpr char kMultipart[] = "multipart/form-data";
constexpr size_t kMaxJsonBytes = 1 << 20;
// Boundaries and metadata beside the file.
constexpr size_t kMultipartOverhead = 1 << 16;

Reply Ok(std::string body) {
  Reply reply;
  reply.body = std::move(body);
  return reply;
}

Reply Accepted() { return Ok(R"({"ok":1})"); }

Reply NoApplicant() {
  return ErrorReply(PlainError(404, "Applicant not found"));
}

Reply BadRequest(std::string_view what) {
  return ErrorReply(PlainError(400, what));
}

// "Application/JSON; charset=utf-8" -> "application/json".
std::string MediaType(std::string_view header) {
  header = header.substr(0, header.find(';'));
  while (!header.empty() && header.back() == ' ') header.remove_suffix(1);
  std::string out(header);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  return out;
}

std::string Parameter(const std::map<std::string, std::string>& query,
                      const std::string& name) {
  const auto found = query.find(name);
  return found == query.end() ? "" : found->second;
}

std::optional<int64_t> ParseNumber(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::vector<std::string> Strings(base::JsonValue value) {
  std::vector<std::string> texts;
  for (const base::JsonValue& element : value.Elements()) {
    texts.push_back(element.StringOr(""));
  }
  return texts;
}

}  // namespace

Reply ErrorReply(const ApiError& error) {
  Reply reply;
  reply.status = error.http_status;
  reply.body = RenderError(error, RandomHex(32));
  return reply;
}

struct Api::Route {
  std::string_view method;
  std::string_view pattern;
  Reply (Api::*handler)(const Call&);
  std::string_view media_type;  // That the body must have; "" takes any.
  std::string name;             // "GET /resources/…"
};

const std::vector<Api::Route>& Api::Routes() {
  static const auto* const routes = [] {
    auto* list = new std::vector<Route>{
        {"POST", "/resources/applicants", &Api::Create, kJson, ""},
        {"GET", "/resources/applicants/{id}/one", &Api::ReadOne, "", ""},
        {"GET", "/resources/applicants/{id}/status", &Api::ReadStatus, "", ""},
        {"POST", "/resources/accessTokens", &Api::TokenByQuery, "", ""},
        {"POST", "/resources/accessTokens/sdk", &Api::TokenByBody, kJson, ""},
        {"POST", "/resources/applicants/{id}/info/idDoc", &Api::AddDocument,
         kMultipart, ""},
        {"GET", "/resources/applicants/{id}/requiredIdDocsStatus",
         &Api::ReadRequired, "", ""},
        {"POST", "/resources/applicants/{id}/status/pending", &Api::Submit, "",
         ""},
        {"GET", "/resources/inspections/{inspectionId}/resources/{imageId}",
         &Api::ReadImage, "", ""},
        {"GET", "/resources/applicants/{id}/metadata/resources",
         &Api::ReadResources, "", ""},
        {"POST", "/resources/applicants/{id}/reset", &Api::Reset, "", ""},
        {"POST", "/resources/applicants/{id}/moveToLevel", &Api::MoveToLevel,
         "", ""},
        {"POST", "/resources/applicants/{id}/status/testCompleted",
         &Api::TestCompleted, kJson, ""},
        {"PATCH", "/resources/applicants/{id}/presence/deactivated",
         &Api::Deactivate, "", ""},
        {"PATCH", "/resources/applicants/{id}/presence/activated",
         &Api::Activate, "", ""},
        {"GET", "/resources/status/api", &Api::Health, "", ""},
    };
    for (Route& route : *list) {
      route.name = std::string(route.method) + " " + std::string(route.pattern);
    }
    return list;
  }();
  return *routes;
}

Api::Api(Credentials credentials, Applicants* applicants,
         const base::Clock* clock, bool accept_webp)
    : credentials_(std::move(credentials)),
      applicants_(applicants),
      clock_(clock),
      accept_webp_(accept_webp) {}

std::string_view Api::RouteOf(std::string_view method, std::string_view path) {
  std::vector<std::string_view> captured;
  for (const Route& route : Routes()) {
    if (route.method == method && MatchPath(route.pattern, path, &captured)) {
      return route.name;
    }
  }
  return "unknown";
}

size_t Api::MaxBodyBytes(std::string_view path) {
  return path.ends_with("/info/idDoc") ? kMaxFileBytes + kMultipartOverhead
                                       : kMaxJsonBytes;
}

Reply Api::Handle(const Request& request) {
  if (Refusal refusal = CheckRequest(
          credentials_,
          {request.method, request.target, request.body,
           request.Headers("x-app-token"), request.Headers("x-app-access-ts"),
           request.Headers("x-app-access-sig")},
          clock_->NowMs())) {
    return ErrorReply(*refusal);
  }
  std::vector<std::string_view> captured;
  const Route* match = nullptr;
  std::string allowed;
  for (const Route& route : Routes()) {
    if (!MatchPath(route.pattern, request.path(), &captured)) continue;
    if (route.method == request.method) {
      match = &route;
      break;
    }
    if (!allowed.empty()) allowed += ", ";
    allowed += route.method;
  }
  if (match == nullptr && allowed.empty()) {
    return ErrorReply(PlainError(404, "Not found"));
  }
  if (match == nullptr) {
    Reply reply = ErrorReply(PlainError(405, "Method not allowed"));
    reply.headers.emplace_back("Allow", allowed);
    return reply;
  }
  if (!request.Header("transfer-encoding").empty() ||
      !request.Header("content-encoding").empty()) {
    return BadRequest("Chunked and compressed bodies are not accepted");
  }
  if (!match->media_type.empty() &&
      MediaType(request.Header("content-type")) != match->media_type) {
    return ErrorReply(PlainError(415, "Unsupported media type"));
  }
  auto query = ParseQuery(request.query());
  if (!query) return BadRequest("Malformed query");
  return (this->*match->handler)({request, captured, *std::move(query)});
}

Applicant* Api::FindById(const Call& call) {
  return applicants_->Find(call.captured[0]);
}

Reply Api::Create(const Call& call) {
  const auto document = base::JsonDocument::Parse(call.request.body);
  if (!document.ok() || !document->root().IsObject()) {
    return BadRequest("The body is not a JSON object");
  }
  const base::JsonValue root = document->root();
  Applicants::NewApplicant fields;
  fields.external_user_id = root["externalUserId"].StringOr("");
  fields.level = Parameter(call.query, "levelName");
  fields.type = root["type"].StringOr("individual");
  fields.email = root["email"].StringOr("");
  fields.phone = root["phone"].StringOr("");
  fields.lang = root["lang"].StringOr("");
  for (const auto& [name, value] : root["fixedInfo"].Members()) {
    if (const auto text = value.AsString()) {
      fields.fixed_info.emplace_back(name, *text);
    }
  }
  if (fields.external_user_id.empty()) {
    return BadRequest("Field 'externalUserId' is missing");
  }
  if (fields.level.empty())
    return BadRequest("Parameter 'levelName' is missing");
  if (fields.type != "individual" && fields.type != "company") {
    return BadRequest("Field 'type' is unknown");
  }
  Applicant* applicant = nullptr;
  if (Refusal refusal = applicants_->Create(std::move(fields), &applicant)) {
    return ErrorReply(*refusal);
  }
  Reply reply = Ok(RenderApplicant(*applicants_, *applicant));
  reply.status = 201;
  return reply;
}

Reply Api::ReadOne(const Call& call) {
  constexpr std::string_view kByExternalId = "-;externalUserId=";
  const std::string_view id = call.captured[0];
  const Applicant* applicant = nullptr;
  if (id.starts_with(kByExternalId)) {
    const auto external_id = PercentDecode(id.substr(kByExternalId.size()));
    if (!external_id) return BadRequest("Malformed externalUserId");
    applicant = applicants_->FindByExternalId(*external_id);
  } else {
    applicant = applicants_->Find(id);
  }
  // A deactivated applicant is not shown, though creating it again is a 409.
  if (applicant == nullptr || applicant->deactivated) return NoApplicant();
  return Ok(RenderApplicant(*applicants_, *applicant));
}

Reply Api::ReadStatus(const Call& call) {
  const Applicant* applicant = FindById(call);
  if (applicant == nullptr || applicant->deactivated) return NoApplicant();
  return Ok(RenderReview(*applicant));
}

Reply Api::MintToken(const std::string& user_id, const std::string& level,
                     int64_t ttl_seconds) {
  if (user_id.empty()) return BadRequest("'userId' is missing");
  if (level.empty()) return BadRequest("'levelName' is missing");
  if (ttl_seconds <= 0) return BadRequest("'ttlInSecs' is not positive");
  if (applicants_->levels().Steps(level) == nullptr) {
    return BadRequest("Level '" + level + "' is not found");
  }
  const Applicant* applicant = applicants_->FindByExternalId(user_id);
  if (applicant != nullptr && applicant->deactivated) {
    return ErrorReply(PlainError(404, "Applicant is deactivated"));
  }
  applicants_->RememberToken(user_id, level);
  std::string body;
  base::JsonWriter json(&body);
  json.BeginObject();
  json.Key("token").String("_act-sbx-" + RandomHex(64));
  json.Key("userId").String(user_id);
  json.EndObject();
  return Ok(std::move(body));
}

Reply Api::TokenByQuery(const Call& call) {
  const std::string ttl = Parameter(call.query, "ttlInSecs");
  const auto seconds = ttl.empty() ? 600 : ParseNumber(ttl);
  if (!seconds) return BadRequest("'ttlInSecs' is not a number");
  return MintToken(Parameter(call.query, "userId"),
                   Parameter(call.query, "levelName"), *seconds);
}

Reply Api::TokenByBody(const Call& call) {
  const auto document = base::JsonDocument::Parse(call.request.body);
  if (!document.ok() || !document->root().IsObject()) {
    return BadRequest("The body is not a JSON object");
  }
  const base::JsonValue root = document->root();
  const auto ttl = root["ttlInSecs"].exists() ? root["ttlInSecs"].AsInt() : 600;
  if (!ttl) return BadRequest("'ttlInSecs' is not a number");
  return MintToken(root["userId"].StringOr(""), root["levelName"].StringOr(""),
                   *ttl);
}

Reply Api::AddDocument(const Call& call) {
  Applicant* applicant = FindById(call);
  if (applicant == nullptr) return NoApplicant();
  DocumentUpload upload;
  if (Refusal refusal = ParseUpload(call.request.Header("content-type"),
                                    call.request.body, accept_webp_, &upload)) {
    return ErrorReply(*refusal);
  }
  UploadScript script;
  if (upload_script_.count > 0) {
    --upload_script_.count;
    script = upload_script_;
  }
  Reply reply;
  if (upload.has_file) {
    const Image* image = nullptr;
    if (Refusal refusal = applicants_->AddDocument(
            *applicant,
            {upload.document_type, upload.sub_type, upload.country, upload.mime,
             std::string(upload.bytes), script.errors.empty()},
            &image)) {
      return ErrorReply(*refusal);
    }
    reply.headers.emplace_back("X-Image-Id", std::to_string(image->id));
  }
  base::JsonWriter json(&reply.body);
  json.BeginObject();
  json.Key("idDocType").String(upload.document_type);
  json.Key("country").String(upload.country);
  if (!upload.sub_type.empty()) {
    json.Key("idDocSubType").String(upload.sub_type);
  }
  for (const auto& [name, value] : upload.fields) json.Key(name).String(value);
  if (call.request.Header("x-return-doc-warnings") == "true") {
    for (const auto& [name, tags] : {std::pair("errors", &script.errors),
                                     std::pair("warnings", &script.warnings)}) {
      if (tags->empty()) continue;
      json.Key(name).BeginArray();
      for (const std::string& tag : *tags) json.String(tag);
      json.EndArray();
    }
  }
  json.EndObject();
  return reply;
}

Reply Api::ReadRequired(const Call& call) {
  const Applicant* applicant = FindById(call);
  if (applicant == nullptr || applicant->deactivated) return NoApplicant();
  return Ok(RenderRequiredDocuments(*applicants_, *applicant));
}

Reply Api::Submit(const Call& call) {
  Applicant* applicant = FindById(call);
  if (applicant == nullptr) return NoApplicant();
  if (Refusal refusal = applicants_->Submit(*applicant)) {
    return ErrorReply(*refusal);
  }
  return Accepted();
}

Reply Api::ReadImage(const Call& call) {
  const Applicant* applicant = FindById(call);
  const auto image_id = ParseNumber(call.captured[1]);
  if (applicant != nullptr && image_id) {
    for (const Image& image : applicant->images) {
      if (image.id != *image_id || image.bytes == nullptr) continue;
      Reply reply;
      reply.content_type = image.mime;
      reply.file = image.bytes;
      return reply;
    }
  }
  return ErrorReply(PlainError(404, "Image not found"));
}

Reply Api::ReadResources(const Call& call) {
  const Applicant* applicant = FindById(call);
  if (applicant == nullptr || applicant->deactivated) return NoApplicant();
  return Ok(RenderResources(*applicant));
}

Reply Api::Reset(const Call& call) {
  Applicant* applicant = FindById(call);
  if (applicant == nullptr) return NoApplicant();
  if (Refusal refusal = applicants_->Reset(*applicant)) {
    return ErrorReply(*refusal);
  }
  return Accepted();
}

Reply Api::MoveToLevel(const Call& call) {
  Applicant* applicant = FindById(call);
  if (applicant == nullptr || applicant->deactivated) return NoApplicant();
  if (Refusal refusal =
          applicants_->MoveToLevel(*applicant, Parameter(call.query, "name"))) {
    return ErrorReply(*refusal);
  }
  return Ok(RenderApplicant(*applicants_, *applicant));
}

Reply Api::TestCompleted(const Call& call) {
  Applicant* applicant = FindById(call);
  if (applicant == nullptr) return NoApplicant();
  const auto document = base::JsonDocument::Parse(call.request.body);
  if (!document.ok() || !document->root().IsObject()) {
    return BadRequest("The body is not a JSON object");
  }
  const base::JsonValue root = document->root();
  ReviewResult result;
  result.answer = root["reviewAnswer"].StringOr("");
  result.reject_type = root["reviewRejectType"].StringOr("");
  result.moderation_comment = root["moderationComment"].StringOr("");
  result.client_comment = root["clientComment"].StringOr("");
  result.labels = Strings(root["rejectLabels"]);
  if (result.answer != "GREEN" && result.answer != "RED") {
    return BadRequest("Field 'reviewAnswer' is neither GREEN nor RED");
  }
  const bool known_type =
      result.reject_type.empty() ||
      (result.answer == "RED" &&
       (result.reject_type == "RETRY" || result.reject_type == "FINAL"));
  if (!known_type) return BadRequest("Field 'reviewRejectType' does not fit");
  applicants_->Decide(*applicant, std::move(result));
  return Accepted();
}

Reply Api::Deactivate(const Call& call) {
  Applicant* applicant = FindById(call);
  if (applicant == nullptr) return NoApplicant();
  applicants_->SetDeactivated(*applicant, true);
  return Accepted();
}

Reply Api::Activate(const Call& call) {
  Applicant* applicant = FindById(call);
  if (applicant == nullptr) return NoApplicant();
  applicants_->SetDeactivated(*applicant, false);
  return Accepted();
}

Reply Api::Health(const Call&) { return Ok(R"({"status":"ok"})"); }

}  // namespace kyc::sandbox
