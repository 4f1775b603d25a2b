#include "gateway/http/query.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "gateway/http/percent.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

absl::Status Invalid(base::Violation::Where where, std::string_view name,
                     std::string_view detail) {
  base::ErrorExtras extras;
  extras.violations.push_back({where, std::string(name), std::string(detail)});
  return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED, {},
                     std::move(extras));
}

char ToLower(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; }

std::string_view Trim(std::string_view text) {
  constexpr std::string_view kBlanks = " \t";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

std::string_view TakePair(std::string_view* query) {
  const size_t end = query->find('&');
  const std::string_view pair = query->substr(0, end);
  *query = end == std::string_view::npos ? std::string_view()
                                         : query->substr(end + 1);
  return pair;
}

std::optional<std::string> KeyOf(std::string_view pair) {
  return PercentDecode(pair.substr(0, pair.find('=')), /*plus_is_space=*/true);
}

// Nothing for what is not percent-encoded text.
std::optional<std::string> ValueOf(std::string_view pair) {
  const size_t equals = pair.find('=');
  if (equals == std::string_view::npos) return std::string();
  return PercentDecode(pair.substr(equals + 1), /*plus_is_space=*/true);
}

}  // namespace

absl::Status InvalidParameter(std::string_view name, std::string_view detail) {
  return Invalid(base::Violation::Where::kParameter, name, detail);
}

absl::Status InvalidBody(std::string_view pointer, std::string_view detail) {
  return Invalid(base::Violation::Where::kPointer, pointer, detail);
}

absl::StatusOr<std::optional<std::string>> QueryParameter(
    std::string_view query, std::string_view name) {
  std::optional<std::string> found;
  while (!query.empty()) {
    const std::string_view pair = TakePair(&query);
    if (KeyOf(pair) != name) continue;
    if (found) return InvalidParameter(name, "must be given once");
    found = ValueOf(pair);
    if (!found) return InvalidParameter(name, "is not percent-encoded text");
  }
  return found;
}

bool HasParameterValue(std::string_view query, std::string_view name,
                       std::string_view value) {
  while (!query.empty()) {
    const std::string_view pair = TakePair(&query);
    if (KeyOf(pair) == name && ValueOf(pair) == value) return true;
  }
  return false;
}

absl::StatusOr<bool> BoolParameter(std::string_view query,
                                   std::string_view name) {
  if (query.empty()) return false;
  ASSIGN_OR_RETURN(const std::optional<std::string> value,
                   QueryParameter(query, name));
  if (!value || *value == "false") return false;
  if (*value == "true") return true;
  return InvalidParameter(name, "must be true or false");
}

absl::StatusOr<std::optional<int>> IntParameter(std::string_view query,
                                                std::string_view name,
                                                int least, int most) {
  ASSIGN_OR_RETURN(const std::optional<std::string> text,
                   QueryParameter(query, name));
  if (!text) return std::nullopt;
  int value = 0;
  const char* const end = text->data() + text->size();
  const auto parsed = std::from_chars(text->data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end || value < least ||
      value > most) {
    return InvalidParameter(name, "must be a number from " +
                                      std::to_string(least) + " to " +
                                      std::to_string(most));
  }
  return value;
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return ToLower(x) == ToLower(y); });
}

bool IsJsonMediaType(std::string_view content_type) {
  return EqualsIgnoreCase(Trim(content_type.substr(0, content_type.find(';'))),
                          "application/json");
}

}  // namespace kyc::gateway
