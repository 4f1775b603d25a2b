#include "services/kyc/provider/sumsub/signer.h"

#include "absl/strings/escaping.h"
#include "services/base/hmac.h"

namespace kyc::provider::sumsub {
namespace {

constexpr std::string_view kHexDigits = "0123456789ABCDEF";

}  // namespace

std::string Sign(const base::Secret& secret_key, int64_t time_s,
                 std::string_view method, std::string_view path_and_query,
                 const std::vector<std::string_view>& body) {
  const std::string time = std::to_string(time_s);
  std::vector<std::string_view> pieces = {time, method, path_and_query};
  pieces.insert(pieces.end(), body.begin(), body.end());
  return absl::BytesToHexString(
      base::Hmac(base::HmacHash::kSha256, secret_key, pieces));
}

std::string PercentEncode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    const bool unreserved = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                            (c >= 'a' && c <= 'z') || c == '-' || c == '.' ||
                            c == '_' || c == '~';
    if (unreserved) {
      out += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out += '%';
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 15];
    }
  }
  return out;
}

}  // namespace kyc::provider::sumsub
