#include "deploy/sandbox/data_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include "services/base/json.h"
#include "services/base/log.h"
#include "services/base/status_macros.h"

namespace kyc::sandbox {
namespace {

using base::JsonValue;
using base::JsonWriter;

constexpr int64_t kFormat = 1;
constexpr size_t kMaxFileBytes = size_t{1} << 30;

void WriteStrings(JsonWriter& json, const std::vector<std::string>& texts) {
  json.BeginArray();
  for (const std::string& text : texts) json.String(text);
  json.EndArray();
}

std::vector<std::string> ReadStrings(JsonValue value) {
  std::vector<std::string> texts;
  for (const JsonValue& element : value.Elements()) {
    texts.push_back(element.StringOr(""));
  }
  return texts;
}

void WriteResult(JsonWriter& json, const ReviewResult& result) {
  json.BeginObject();
  json.Key("answer").String(result.answer);
  json.Key("reject_type").String(result.reject_type);
  json.Key("moderation_comment").String(result.moderation_comment);
  json.Key("client_comment").String(result.client_comment);
  WriteStrings(json.Key("labels"), result.labels);
  WriteStrings(json.Key("button_ids"), result.button_ids);
  json.EndObject();
}

std::optional<ReviewResult> ReadResult(JsonValue value) {
  if (!value.IsObject()) return std::nullopt;
  return ReviewResult{value["answer"].StringOr(""),
                      value["reject_type"].StringOr(""),
                      value["moderation_comment"].StringOr(""),
                      value["client_comment"].StringOr(""),
                      ReadStrings(value["labels"]),
                      ReadStrings(value["button_ids"])};
}

void WriteImage(JsonWriter& json, const Image& image) {
  json.BeginObject();
  json.Key("id").Int(image.id);
  json.Key("step").String(image.step);
  json.Key("document_type").String(image.document_type);
  json.Key("sub_type").String(image.sub_type);
  json.Key("country").String(image.country);
  json.Key("mime").String(image.mime);
  json.Key("size").Int(image.size);
  json.Key("added_ms").Int(image.added_ms);
  json.Key("attempt_id").String(image.attempt_id);
  json.Key("source").String(image.source);
  json.Key("deactivated").Bool(image.deactivated);
  if (image.review) WriteResult(json.Key("review"), *image.review);
  json.EndObject();
}

Image ReadImage(JsonValue value) {
  Image image;
  image.id = value["id"].AsInt().value_or(0);
  image.step = value["step"].StringOr("");
  image.document_type = value["document_type"].StringOr("");
  image.sub_type = value["sub_type"].StringOr("");
  image.country = value["country"].StringOr("");
  image.mime = value["mime"].StringOr("");
  image.size = value["size"].AsInt().value_or(0);
  image.added_ms = value["added_ms"].AsInt().value_or(0);
  image.attempt_id = value["attempt_id"].StringOr("");
  image.source = value["source"].StringOr("");
  image.deactivated = value["deactivated"].AsBool().value_or(false);
  image.review = ReadResult(value["review"]);
  return image;
}

void WriteApplicant(JsonWriter& json, const Applicant& applicant) {
  json.BeginObject();
  json.Key("id").String(applicant.id);
  json.Key("external_user_id").String(applicant.external_user_id);
  json.Key("type").String(applicant.type);
  json.Key("platform").String(applicant.platform);
  json.Key("email").String(applicant.email);
  json.Key("phone").String(applicant.phone);
  json.Key("lang").String(applicant.lang);
  json.Key("fixed_info").BeginArray();
  for (const auto& [name, value] : applicant.fixed_info) {
    json.BeginArray().String(name).String(value).EndArray();
  }
  json.EndArray();
  if (applicant.info) {
    json.Key("info").BeginObject();
    json.Key("first_name").String(applicant.info->first_name);
    json.Key("last_name").String(applicant.info->last_name);
    json.Key("dob").String(applicant.info->dob);
    json.Key("country").String(applicant.info->country);
    json.Key("nationality").String(applicant.info->nationality);
    json.EndObject();
  }
  json.Key("level").String(applicant.level);
  json.Key("created_ms").Int(applicant.created_ms);
  json.Key("deactivated").Bool(applicant.deactivated);
  json.Key("status").String(ReviewStatusName(applicant.status));
  if (applicant.result) WriteResult(json.Key("result"), *applicant.result);
  json.Key("review_id").String(applicant.review_id);
  json.Key("attempt_id").String(applicant.attempt_id);
  json.Key("attempt_count").Int(applicant.attempt_count);
  json.Key("review_created_ms").Int(applicant.review_created_ms);
  json.Key("pending_ms").Int(applicant.pending_ms);
  json.Key("reviewed_ms").Int(applicant.reviewed_ms);
  if (applicant.planned) {
    json.Key("planned").BeginObject();
    json.Key("due_ms").Int(applicant.planned->due_ms);
    json.Key("outcome").String(OutcomeName(applicant.planned->outcome));
    json.EndObject();
  }
  json.Key("sdk_steps").BeginArray();
  for (const std::string& step : applicant.sdk_steps) json.String(step);
  json.EndArray();
  json.Key("images").BeginArray();
  for (const Image& image : applicant.images) WriteImage(json, image);
  json.EndArray();
  json.Key("last_event_ms").Int(applicant.last_event_ms);
  json.EndObject();
}

absl::StatusOr<Applicant> ReadApplicant(JsonValue value) {
  Applicant applicant;
  applicant.id = value["id"].StringOr("");
  applicant.external_user_id = value["external_user_id"].StringOr("");
  applicant.type = value["type"].StringOr("individual");
  applicant.platform = value["platform"].StringOr("API");
  applicant.email = value["email"].StringOr("");
  applicant.phone = value["phone"].StringOr("");
  applicant.lang = value["lang"].StringOr("");
  for (const JsonValue& entry : value["fixed_info"].Elements()) {
    const std::vector<JsonValue> pair = entry.Elements();
    if (pair.size() != 2) return absl::InvalidArgumentError("bad fixed_info");
    applicant.fixed_info.emplace_back(pair[0].StringOr(""),
                                      pair[1].StringOr(""));
  }
  const JsonValue info = value["info"];
  if (info.IsObject()) {
    applicant.info = PersonalInfo{
        info["first_name"].StringOr(""), info["last_name"].StringOr(""),
        info["dob"].StringOr(""), info["country"].StringOr(""),
        info["nationality"].StringOr("")};
  }
  applicant.level = value["level"].StringOr("");
  applicant.created_ms = value["created_ms"].AsInt().value_or(0);
  applicant.deactivated = value["deactivated"].AsBool().value_or(false);
  const auto status = ParseReviewStatus(value["status"].StringOr(""));
  if (!status) return absl::InvalidArgumentError("unknown review status");
  applicant.status = *status;
  applicant.result = ReadResult(value["result"]);
  applicant.review_id = value["review_id"].StringOr("");
  applicant.attempt_id = value["attempt_id"].StringOr("");
  applicant.attempt_count = value["attempt_count"].AsInt().value_or(0);
  applicant.review_created_ms = value["review_created_ms"].AsInt().value_or(0);
  applicant.pending_ms = value["pending_ms"].AsInt().value_or(0);
  applicant.reviewed_ms = value["reviewed_ms"].AsInt().value_or(0);
  const JsonValue planned = value["planned"];
  if (planned.IsObject()) {
    const auto outcome = ParseOutcome(planned["outcome"].StringOr(""));
    if (!outcome) return absl::InvalidArgumentError("unknown outcome");
    applicant.planned =
        PlannedReview{planned["due_ms"].AsInt().value_or(0), *outcome};
  }
  for (const std::string& step : ReadStrings(value["sdk_steps"])) {
    applicant.sdk_steps.insert(step);
  }
  for (const JsonValue& image : value["images"].Elements()) {
    applicant.images.push_back(ReadImage(image));
  }
  applicant.last_event_ms = value["last_event_ms"].AsInt().value_or(0);
  if (applicant.id.empty() || applicant.external_user_id.empty()) {
    return absl::InvalidArgumentError("an applicant lacks its ids");
  }
  return applicant;
}

bool WriteAll(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(written);
  }
  return true;
}

// Writes beside the file and renames, so that a reader or a crash never meets
// half of it.
bool ReplaceFile(const std::string& path, std::string_view text) {
  const std::string beside = path + ".new";
  const int fd =
      open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return false;
  const bool written = WriteAll(fd, text) && fsync(fd) == 0;
  return close(fd) == 0 && written &&
         std::rename(beside.c_str(), path.c_str()) == 0;
}

}  // namespace

std::string RenderData(const Applicants& applicants) {
  std::string out;
  JsonWriter json(&out);
  json.BeginObject();
  json.Key("format").Int(kFormat);
  json.Key("applicants").BeginArray();
  applicants.ForEach([&](const Applicant& a) { WriteApplicant(json, a); });
  json.EndArray().EndObject();
  return out;
}

absl::Status RestoreData(std::string_view text, Applicants* applicants) {
  base::JsonDocument::Limits limits;
  limits.max_bytes = kMaxFileBytes;
  ASSIGN_OR_RETURN(const base::JsonDocument document,
                   base::JsonDocument::Parse(text, limits));
  const JsonValue root = document.root();
  if (root["format"].AsInt() != kFormat) {
    return absl::InvalidArgumentError("not a data file of this sandbox");
  }
  for (const JsonValue& value : root["applicants"].Elements()) {
    ASSIGN_OR_RETURN(Applicant applicant, ReadApplicant(value));
    const std::string level = applicant.level;
    if (!applicants->Restore(std::move(applicant))) {
      return absl::InvalidArgumentError(
          "an applicant stands twice, or its level '" + level +
          "' is none of --levels");
    }
  }
  return absl::OkStatus();
}

absl::Status LoadDataFile(const std::string& path, Applicants* applicants) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return absl::OkStatus();
    return absl::InvalidArgumentError(path + ": " + std::strerror(errno));
  }
  std::ostringstream text;
  text << file.rdbuf();
  const absl::Status status = RestoreData(text.str(), applicants);
  if (status.ok()) return status;
  return absl::InvalidArgumentError(path + ": " +
                                    std::string(status.message()));
}

FileWriter::FileWriter(std::string path)
    : path_(std::move(path)), thread_([this] { Run(); }) {}

FileWriter::~FileWriter() {
  {
    base::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  wake_.NotifyOne();
  thread_.join();
}

void FileWriter::Write(std::string text) {
  {
    base::MutexLock lock(&mutex_);
    due_ = std::move(text);
  }
  wake_.NotifyOne();
}

void FileWriter::Run() {
  while (true) {
    std::string text;
    {
      base::MutexLock lock(&mutex_);
      while (!due_ && !stopping_) wake_.Wait(&mutex_);
      if (!due_) return;
      text = *std::move(due_);
      due_.reset();
    }
    if (!ReplaceFile(path_, text)) {
      base::LogError("cannot write the data file",
                     {{"path", path_}, {"error", std::strerror(errno)}});
    }
  }
}

}  // namespace kyc::sandbox
