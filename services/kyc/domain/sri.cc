#include "services/kyc/domain/sri.h"

#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/base/error.h"

namespace kyc::domain {
namespace {

// The text up to the next colon; `rest` is what follows it.
std::string_view TakeSegment(std::string_view* rest) {
  const size_t end = rest->find(':');
  const std::string_view segment = rest->substr(0, end);
  rest->remove_prefix(end == std::string_view::npos ? rest->size() : end + 1);
  return segment;
}

}  // namespace

bool IsRegion(std::string_view region) {
  return region == "us" || region == "eu" || region == "gb";
}

absl::StatusOr<PersonSri> ParsePersonSri(std::string_view text) {
  std::string_view rest = text;
  const bool prefixed = TakeSegment(&rest) == "sr";
  const std::string_view region = TakeSegment(&rest);
  const bool person = TakeSegment(&rest) == "person";
  const std::string_view kind = TakeSegment(&rest);
  // An address has no colon, so what is left is the last segment or wrong.
  const std::optional<Address> address = ParseAddress(rest);
  if (!prefixed || !IsRegion(region) || !person ||
      (kind != "safe" && kind != "eoa") || !address) {
    return base::Error(v1::ERROR_REASON_SRI_MALFORMED);
  }
  return PersonSri{std::string(region),
                   kind == "safe" ? WalletKind::kSafe : WalletKind::kEoa,
                   *address};
}

std::string ToText(const PersonSri& sri) {
  return absl::StrCat("sr:", sri.region, ":person:",
                      sri.kind == WalletKind::kSafe ? "safe" : "eoa", ":",
                      ToText(sri.address));
}

}  // namespace kyc::domain
