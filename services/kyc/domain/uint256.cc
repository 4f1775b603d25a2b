#include "services/kyc/domain/uint256.h"

#include <algorithm>

namespace kyc::domain {
namespace {

constexpr size_t kMaxDecimal = 78;  // Digits of 2^256 - 1.

}  // namespace

Uint256 ToUint256(uint64_t number) {
  Uint256 wide;
  for (size_t i = wide.bytes.size(); number > 0; number >>= 8) {
    wide.bytes[--i] = static_cast<unsigned char>(number);
  }
  return wide;
}

std::optional<Uint256> ParseUint256(std::string_view decimal) {
  if (decimal.empty() || decimal.size() > kMaxDecimal ||
      (decimal[0] == '0' && decimal.size() > 1)) {
    return std::nullopt;
  }
  Uint256 number;
  for (const char c : decimal) {
    if (c < '0' || c > '9') return std::nullopt;
    int carry = c - '0';
    for (size_t i = number.bytes.size(); i-- > 0;) {
      carry += number.bytes[i] * 10;
      number.bytes[i] = static_cast<unsigned char>(carry);
      carry >>= 8;
    }
    if (carry > 0) return std::nullopt;
  }
  return number;
}

std::string ToDecimal(const Uint256& number) {
  std::array<unsigned char, 32> rest = number.bytes;
  std::string digits;
  do {
    int remainder = 0;
    for (unsigned char& byte : rest) {
      const int part = remainder << 8 | byte;
      byte = static_cast<unsigned char>(part / 10);
      remainder = part % 10;
    }
    digits.push_back(static_cast<char>('0' + remainder));
  } while (std::any_of(rest.begin(), rest.end(),
                       [](unsigned char byte) { return byte != 0; }));
  std::reverse(digits.begin(), digits.end());
  return digits;
}

std::optional<uint64_t> ToUint64(const Uint256& number) {
  uint64_t narrow = 0;
  for (size_t i = 0; i < number.bytes.size(); ++i) {
    if (i < 24 && number.bytes[i] != 0) return std::nullopt;
    narrow = narrow << 8 | number.bytes[i];
  }
  return narrow;
}

}  // namespace kyc::domain
