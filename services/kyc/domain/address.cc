#include "services/kyc/domain/address.h"

#include <algorithm>

#include "services/kyc/domain/keccak.h"

namespace kyc::domain {
namespace {

constexpr size_t kAddressText = 42;

int DigitOf(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::optional<std::string> ParseHexBytes(std::string_view text) {
  if (!text.starts_with("0x") || text.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 2 - 1);
  for (size_t i = 2; i < text.size(); i += 2) {
    const int high = DigitOf(text[i]);
    const int low = DigitOf(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes.push_back(static_cast<char>(high << 4 | low));
  }
  return bytes;
}

std::optional<Address> ParseAddress(std::string_view text) {
  if (text.size() != kAddressText) return std::nullopt;
  const std::optional<std::string> bytes = ParseHexBytes(text);
  if (!bytes) return std::nullopt;
  Address address;
  std::copy(bytes->begin(), bytes->end(), address.bytes.begin());
  return address;
}

std::string LowerCaseText(const Address& address) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "0x";
  for (const unsigned char byte : address.bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

std::string ToText(const Address& address) {
  std::string text = LowerCaseText(address);
  // A letter is a capital where the digest of the digits has its high bit.
  const Digest digest = Keccak256(std::string_view(text).substr(2));
  for (size_t i = 2; i < text.size(); ++i) {
    const size_t digit = i - 2;
    const int nibble = digest[digit / 2] >> (digit % 2 == 0 ? 4 : 0) & 15;
    if (nibble >= 8 && text[i] >= 'a') {
      text[i] = static_cast<char>(text[i] - 'a' + 'A');
    }
  }
  return text;
}

}  // namespace kyc::domain
