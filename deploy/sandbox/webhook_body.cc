#include "deploy/sandbox/webhook_body.h"

#include <cstdio>
#include <vector>

namespace kyc::sandbox {
namespace {

std::string Quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          char escaped[8];
          std::snprintf(escaped, sizeof(escaped), "\\u%04X", c);
          out += escaped;
        } else {
          out.push_back(c);
        }
    }
  }
  out.push_back('"');
  return out;
}

std::string Quoted(const std::vector<std::string>& texts) {
  std::string out = "[ ";
  for (size_t i = 0; i < texts.size(); ++i) {
    if (i > 0) out += ", ";
    out += Quoted(texts[i]);
  }
  return out + (texts.empty() ? "]" : " ]");
}

// An object with one member a line.
class PrettyObject {
 public:
  explicit PrettyObject(int depth) : indent_(2 * depth, ' ') {}

  // `value` is JSON already.
  void Add(std::string_view key, std::string_view value) {
    out_ += out_.empty() ? "{\n" : ",\n";
    out_ += indent_ + "  " + Quoted(key) + " : ";
    out_ += value;
  }

  void AddText(std::string_view key, std::string_view value) {
    Add(key, Quoted(value));
  }

  std::string Close() { return out_ + "\n" + indent_ + "}"; }

 private:
  const std::string indent_;
  std::string out_;
};

std::string Render(const ReviewResult& result) {
  PrettyObject object(1);
  if (!result.moderation_comment.empty()) {
    object.AddText("moderationComment", result.moderation_comment);
  }
  if (!result.client_comment.empty()) {
    object.AddText("clientComment", result.client_comment);
  }
  object.AddText("reviewAnswer", result.answer);
  if (result.answer == "RED") {
    object.Add("rejectLabels", Quoted(result.labels));
    if (!result.reject_type.empty()) {
      object.AddText("reviewRejectType", result.reject_type);
    }
    object.Add("buttonIds", Quoted(result.button_ids));
  }
  return object.Close();
}

}  // namespace

std::string RenderWebhook(const Event& event, std::string_view client_id) {
  PrettyObject object(0);
  object.AddText("applicantId", event.applicant_id);
  object.AddText("inspectionId", event.applicant_id);
  object.AddText("applicantType", "individual");
  object.AddText("correlationId", event.correlation_id);
  object.AddText("levelName", event.level);
  if (!event.previous_level.empty()) {
    object.AddText("previousLevelName", event.previous_level);
  }
  object.Add("sandboxMode", "true");
  object.AddText("externalUserId", event.external_user_id);
  object.AddText("type", event.type);
  if (event.result) {
    object.Add("reviewResult", Render(*event.result));
  } else if (event.null_result) {
    object.Add("reviewResult", "null");
  }
  object.AddText("reviewStatus", ReviewStatusName(event.status));
  object.AddText("createdAt", FormatSeconds(event.created_ms) + "+0000");
  object.AddText("createdAtMs", FormatMillis(event.created_ms));
  object.AddText("clientId", client_id);
  return object.Close();
}

}  // namespace kyc::sandbox
