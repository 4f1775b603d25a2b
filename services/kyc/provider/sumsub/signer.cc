#include "services/kyc/provider/sumsub/signer.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <cstdlib>

namespace kyc::provider::sumsub {
namespace {

void AppendHex(std::string& out, unsigned char byte, std::string_view digits) {
  out += digits[byte >> 4];
  out += digits[byte & 15];
}

}  // namespace

std::string Sign(const base::Secret& secret_key, int64_t time_s,
                 std::string_view method, std::string_view path_and_query,
                 std::string_view body) {
  std::string text = std::to_string(time_s);
  text.reserve(text.size() + method.size() + path_and_query.size() +
               body.size());
  text.append(method).append(path_and_query).append(body);
  const std::string_view key = secret_key.Reveal();
  unsigned char mac[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(text.data()), text.size(),
           mac, &size) == nullptr) {
    std::abort();  // No memory.
  }
  std::string hex;
  hex.reserve(2 * size);
  for (unsigned int i = 0; i < size; ++i) {
    AppendHex(hex, mac[i], "0123456789abcdef");
  }
  return hex;
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
      out += '%';
      AppendHex(out, static_cast<unsigned char>(c), "0123456789ABCDEF");
    }
  }
  return out;
}

}  // namespace kyc::provider::sumsub
