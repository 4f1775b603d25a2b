// UTF-8 by RFC 3629.
#ifndef KYC_SERVICES_BASE_UTF8_H_
#define KYC_SERVICES_BASE_UTF8_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace kyc::base {

// The bytes of the character `text` begins with: 1 to 4, or 0 when there is
// no well-formed one (overlong forms, surrogates and what is beyond U+10FFFF
// are none).
size_t Utf8Length(std::string_view text);

bool IsUtf8(std::string_view text);

// The text, with U+FFFD for every byte that begins no character.
std::string ToUtf8(std::string text);

}  // namespace kyc::base

#endif  // KYC_SERVICES_BASE_UTF8_H_
