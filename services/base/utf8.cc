#include "services/base/utf8.h"

#include <cstdint>
#include <cstring>

namespace kyc::base {

// Unicode 15, table 3-7: only the second byte's range depends on the first.
size_t Utf8Length(std::string_view text) {
  const auto byte = [text](size_t i) {
    return i < text.size() ? static_cast<uint8_t>(text[i]) : uint8_t{0};
  };
  const auto in = [](uint8_t value, uint8_t low, uint8_t high) {
    return value >= low && value <= high;
  };
  const uint8_t first = byte(0);
  if (first < 0x80) return text.empty() ? 0 : 1;
  if (in(first, 0xC2, 0xDF)) return in(byte(1), 0x80, 0xBF) ? 2 : 0;
  const bool third = in(byte(2), 0x80, 0xBF);
  if (in(first, 0xE0, 0xEF)) {
    const uint8_t low = first == 0xE0 ? 0xA0 : 0x80;
    const uint8_t high = first == 0xED ? 0x9F : 0xBF;
    return in(byte(1), low, high) && third ? 3 : 0;
  }
  if (in(first, 0xF0, 0xF4)) {
    const uint8_t low = first == 0xF0 ? 0x90 : 0x80;
    const uint8_t high = first == 0xF4 ? 0x8F : 0xBF;
    return in(byte(1), low, high) && third && in(byte(3), 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    // Most text is ASCII: eight bytes at a time.
    uint64_t bytes = 0;
    if (text.size() >= sizeof(bytes)) {
      std::memcpy(&bytes, text.data(), sizeof(bytes));
      if ((bytes & 0x8080808080808080) == 0) {
        text.remove_prefix(sizeof(bytes));
        continue;
      }
    }
    const size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string ToUtf8(std::string text) {
  if (IsUtf8(text)) return text;
  std::string out;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t length = Utf8Length(rest);
    out.append(length > 0 ? rest.substr(0, length) : "\xEF\xBF\xBD");
    rest.remove_prefix(length > 0 ? length : 1);
  }
  return out;
}

}  // namespace kyc::base
