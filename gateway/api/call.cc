#include "gateway/api/call.h"

#include <ctime>
#include <utility>
#include <vector>

namespace kyc::gateway {

void ReplaceHeader(std::string_view name, std::string value,
                   async::ServerResponse* response) {
  std::erase_if(response->headers,
                [&](const auto& field) { return field.first == name; });
  response->headers.emplace_back(name, std::move(value));
}

std::string_view StateName(v1::VerificationState state) {
  switch (state) {
    case v1::VERIFICATION_STATE_IN_PROGRESS:
      return "in_progress";
    case v1::VERIFICATION_STATE_APPROVED:
      return "approved";
    case v1::VERIFICATION_STATE_REJECTED:
      return "rejected";
    case v1::VERIFICATION_STATE_RETRY:
      return "retry";
    default:
      return "pending";
  }
}

void WriteTime(const Call& call, std::string_view key, int64_t epoch_ms,
               base::JsonWriter* json) {
  json->Key(key);
  if (epoch_ms == 0) {
    json->Null();
    return;
  }
  const auto seconds = static_cast<std::time_t>(epoch_ms / 1000);
  std::tm parts{};
  char text[32];
  if (!call.iso_times || gmtime_r(&seconds, &parts) == nullptr) {
    json->Int(epoch_ms);
    return;
  }
  const size_t size =
      std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  json->String({text, size});
}

void WriteLink(std::string_view relation, std::string_view href,
               std::string_view method, base::JsonWriter* json) {
  json->Key(relation).BeginObject().Key("href").String(href);
  if (method != "GET") json->Key("method").String(method);
  json->EndObject();
}

void WriteText(std::string_view key, std::string_view text,
               base::JsonWriter* json) {
  json->Key(key);
  if (text.empty()) {
    json->Null();
  } else {
    json->String(text);
  }
}

}  // namespace kyc::gateway
