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
    const size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view()
                                          : query.substr(end + 1);
    const size_t equals = pair.find('=');
    const std::optional<std::string> key =
        PercentDecode(pair.substr(0, equals), /*plus_is_space=*/true);
    if (key != name) continue;
    if (found) return InvalidParameter(name, "must be given once");
    found = equals == std::string_view::npos
                ? std::string()
                : PercentDecode(pair.substr(equals + 1), true);
    if (!found) return InvalidParameter(name, "is not percent-encoded text");
  }
  return found;
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
