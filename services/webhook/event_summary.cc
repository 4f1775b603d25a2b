#include "services/webhook/event_summary.h"

#include <algorithm>
#include <cctype>

#include "services/base/json.h"

namespace kyc::webhook {
namespace {

// A text of letters, digits and `others`, as ids and times are; or "".
std::string Plain(base::JsonValue value, std::string_view others) {
  constexpr size_t kMaxBytes = 64;
  const std::string_view text =
      value.AsString().value_or(value.AsNumberText().value_or(""));
  const bool plain =
      text.size() <= kMaxBytes &&
      std::all_of(text.begin(), text.end(), [others](unsigned char c) {
        return std::isalnum(c) != 0 ||
               others.find(static_cast<char>(c)) != std::string_view::npos;
      });
  return plain ? std::string(text) : std::string();
}

}  // namespace

EventSummary Summarize(std::string_view body) {
  const auto document = base::JsonDocument::Parse(body);
  if (!document.ok()) return {};
  const base::JsonValue root = document->root();
  return {.type = Plain(root["type"], ""),
          .applicant_id = Plain(root["applicantId"], ""),
          .correlation_id = Plain(root["correlationId"], "-_"),
          .created_at_ms = Plain(root["createdAtMs"], "-:. +")};
}

}  // namespace kyc::webhook
