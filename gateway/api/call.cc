#include "gateway/api/call.h"

#include <ctime>

namespace kyc::gateway {

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
