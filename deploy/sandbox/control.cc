#include "deploy/sandbox/control.h"

#include <algorithm>
#include <initializer_list>

#include "deploy/sandbox/applicant_json.h"
#include "services/base/json.h"

namespace kyc::sandbox {
namespace {

using base::JsonValue;

constexpr int64_t kMaxDelayMs = 24 * 3600 * 1000;
constexpr int64_t kMaxDuplicates = 100;

Reply Ok(std::string body) {
  Reply reply;
  reply.body = std::move(body);
  return reply;
}

Reply Done() { return Ok(R"({"ok":true})"); }

Reply Error(int status, std::string_view what) {
  Reply reply;
  reply.status = status;
  base::JsonWriter json(&reply.body);
  json.BeginObject().Key("error").String(what).EndObject();
  return reply;
}

Reply Error(const ApiError& error) {
  return Error(error.http_status, error.description);
}

// A body's fields, read once by name; the first thing wrong is kept.
class Fields {
 public:
  Fields(std::string_view body, std::initializer_list<std::string_view> known)
      : document_(base::JsonDocument::Parse(body.empty() ? "{}" : body)) {
    if (!document_.ok() || !document_->root().IsObject()) {
      error_ = "the body is not a JSON object";
      return;
    }
    for (const auto& [name, value] : document_->root().Members()) {
      if (std::find(known.begin(), known.end(), name) == known.end()) {
        Fail(name, "is not a field of this call");
      }
    }
  }

  std::string Text(std::string_view name, std::string_view fallback = "") {
    const JsonValue value = Get(name);
    if (value.exists() && !value.AsString()) Fail(name, "is not a text");
    return value.StringOr(fallback);
  }

  int64_t Number(std::string_view name, int64_t fallback, int64_t max) {
    const JsonValue value = Get(name);
    if (!value.exists()) return fallback;
    const auto number = value.AsInt();
    if (!number || *number < 0 || *number > max) {
      Fail(name, "is not a number within its bounds");
      return fallback;
    }
    return *number;
  }

  bool Flag(std::string_view name) {
    const JsonValue value = Get(name);
    if (value.exists() && !value.AsBool()) Fail(name, "is not a boolean");
    return value.AsBool().value_or(false);
  }

  std::vector<std::string> Texts(std::string_view name) {
    std::vector<std::string> texts;
    const JsonValue value = Get(name);
    if (value.exists() && !value.IsArray()) Fail(name, "is not a list");
    for (const JsonValue& element : value.Elements()) {
      if (!element.AsString()) Fail(name, "is not a list of texts");
      texts.push_back(element.StringOr(""));
    }
    return texts;
  }

  // "" while nothing is wrong.
  const std::string& error() const { return error_; }

 private:
  JsonValue Get(std::string_view name) const {
    return document_.ok() ? document_->root()[name] : JsonValue();
  }

  void Fail(std::string_view name, std::string_view what) {
    if (error_.empty()) error_ = std::string(name) + " " + std::string(what);
  }

  absl::StatusOr<base::JsonDocument> document_;
  std::string error_;
};

}  // namespace

std::string RequestCounts::Render(size_t applicants) const {
  std::string out;
  base::JsonWriter json(&out);
  json.BeginObject();
  json.Key("applicants").Int(static_cast<int64_t>(applicants));
  json.Key("endpoints").BeginObject();
  int64_t total = 0;
  for (const auto& [route, by_status] : counts_) {
    json.Key(route).BeginObject();
    int64_t count = 0;
    json.Key("by_status").BeginObject();
    for (const auto& [status, number] : by_status) {
      json.Key(std::to_string(status)).Int(number);
      count += number;
    }
    json.EndObject();
    json.Key("count").Int(count);
    json.EndObject();
    total += count;
  }
  json.EndObject();
  json.Key("total").Int(total);
  json.EndObject();
  return out;
}

Reply Control::Handle(const Request& request) {
  std::vector<std::string_view> captured;
  const auto is = [&](std::string_view method, std::string_view pattern) {
    return request.method == method &&
           MatchPath(pattern, request.path(), &captured);
  };
  if (is("POST", "/sandbox/applicants/{user}/sdk") ||
      is("POST", "/sandbox/applicants/{user}/review")) {
    const auto user = PercentDecode(captured[0]);
    if (!user) return Error(400, "the user id is not percent-encoded");
    return request.path().ends_with("/sdk") ? PlaySdk(*user, request)
                                            : Review(*user, request);
  }
  if (is("POST", "/sandbox/outcome")) return SetOutcome(request);
  if (is("POST", "/sandbox/uploads")) return SetUploads(request);
  if (is("POST", "/sandbox/faults")) return SetFault(request);
  if (is("POST", "/sandbox/webhooks")) return SetWebhooks(request);
  if (is("GET", "/sandbox/deliveries")) return ShowDeliveries();
  if (is("GET", "/sandbox/requests")) {
    return Ok(parts_.counts->Render(parts_.applicants->size()));
  }
  if (is("DELETE", "/sandbox/requests")) {
    parts_.counts->Clear();
    return Done();
  }
  return Error(404, "no such call; see --help");
}

Reply Control::PlaySdk(const std::string& user, const Request& request) {
  Fields fields(request.body, {"outcome", "level", "delay_ms"});
  const auto outcome = ParseOutcome(fields.Text("outcome", "approve"));
  const std::string level = fields.Text("level");
  const int64_t delay_ms = fields.Number("delay_ms", 0, kMaxDelayMs);
  if (!fields.error().empty()) return Error(400, fields.error());
  if (!outcome) return Error(400, "outcome is not one that a review has");
  Applicant* applicant = nullptr;
  if (Refusal refusal = parts_.applicants->PlayInSdk(
          user, level, {parts_.clock->NowMs() + delay_ms, *outcome},
          &applicant)) {
    return Error(*refusal);
  }
  return Ok(RenderApplicant(*parts_.applicants, *applicant));
}

Reply Control::Review(const std::string& user, const Request& request) {
  Fields fields(request.body, {"outcome"});
  const std::string text = fields.Text("outcome");
  if (!fields.error().empty()) return Error(400, fields.error());
  Applicant* applicant = parts_.applicants->FindByExternalId(user);
  if (applicant == nullptr) return Error(404, "no such applicant");
  const auto outcome = ParseOutcome(text);
  if (outcome == Outcome::kHold) {
    parts_.applicants->Hold(*applicant);
  } else if (outcome) {
    parts_.applicants->Decide(*applicant, ResultOf(*outcome));
  } else if (text == "reset") {
    if (Refusal refusal = parts_.applicants->Reset(*applicant)) {
      return Error(*refusal);
    }
  } else if (text == "deactivate" || text == "activate") {
    parts_.applicants->SetDeactivated(*applicant, text == "deactivate");
  } else if (text == "delete") {
    parts_.applicants->Delete(*applicant);
  } else {
    return Error(400, "outcome is not one that an officer has");
  }
  return Done();
}

Reply Control::SetOutcome(const Request& request) {
  Fields fields(request.body, {"outcome", "delay_ms"});
  const auto outcome = ParseOutcome(fields.Text("outcome"));
  const int64_t delay_ms = fields.Number("delay_ms", 1000, kMaxDelayMs);
  if (!fields.error().empty()) return Error(400, fields.error());
  if (!outcome) return Error(400, "outcome is not one that a review has");
  parts_.applicants->SetOutcome(*outcome, delay_ms);
  return Done();
}

Reply Control::SetUploads(const Request& request) {
  Fields fields(request.body, {"errors", "warnings", "count"});
  UploadScript script;
  script.errors = fields.Texts("errors");
  script.warnings = fields.Texts("warnings");
  script.count = static_cast<int>(fields.Number("count", 1, 1'000'000));
  if (!fields.error().empty()) return Error(400, fields.error());
  parts_.api->ScriptUploads(std::move(script));
  return Done();
}

Reply Control::SetFault(const Request& request) {
  Fields fields(request.body, {"mode", "delay_ms", "paths", "count"});
  Fault fault;
  const bool known = ParseFaultMode(fields.Text("mode"), &fault);
  fault.delay_ms = fields.Number("delay_ms", 0, kMaxDelayMs);
  fault.paths = fields.Text("paths");
  fault.count = fields.Number("count", -1, 1'000'000);
  if (!fields.error().empty()) return Error(400, fields.error());
  if (!known) return Error(400, "mode is unknown");
  parts_.faults->Set(std::move(fault));
  return Done();
}

Reply Control::SetWebhooks(const Request& request) {
  Fields fields(request.body,
                {"duplicates", "out_of_order", "drop", "delay_ms"});
  WebhookScript script;
  script.duplicates = fields.Number("duplicates", 0, kMaxDuplicates);
  script.out_of_order = fields.Flag("out_of_order");
  script.drop = fields.Flag("drop");
  script.delay_ms = fields.Number("delay_ms", 0, kMaxDelayMs);
  if (!fields.error().empty()) return Error(400, fields.error());
  parts_.script_webhooks(script);
  return Done();
}

Reply Control::ShowDeliveries() const {
  std::string out;
  base::JsonWriter json(&out);
  json.BeginObject().Key("deliveries").BeginArray();
  for (const Delivery& delivery : parts_.deliveries()) {
    json.BeginObject();
    json.Key("type").String(delivery.type);
    json.Key("externalUserId").String(delivery.external_user_id);
    json.Key("attempt").Int(delivery.attempt);
    json.Key("status").Int(delivery.status);
    if (!delivery.error.empty()) json.Key("error").String(delivery.error);
    json.Key("at_ms").Int(delivery.at_ms);
    json.EndObject();
  }
  json.EndArray().EndObject();
  return Ok(std::move(out));
}

}  // namespace kyc::sandbox
