#include "deploy/sandbox/request_signature.h"

#include <algorithm>
#include <charconv>

#include "deploy/sandbox/crypto.h"

namespace kyc::sandbox {
namespace {

constexpr int64_t kToleranceMs = 60'000;

bool IsLowerHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

// "sbx:<public part>.<private part>": up to the dot.
std::string_view PublicPart(std::string_view token) {
  return token.substr(0, token.find('.'));
}

bool LooksLikeToken(std::string_view token) {
  return !token.empty() && std::all_of(token.begin(), token.end(), [](char c) {
    return c > ' ' && c < 0x7f;
  });
}

Refusal CheckToken(std::string_view expected, std::string_view given) {
  if (!LooksLikeToken(given)) {
    return CodedError(ErrorCode::kTokenInvalidFormat,
                      "Invalid app token format");
  }
  if (base::ConstantTimeEquals(expected, given)) return std::nullopt;
  const bool same_public = expected.find('.') != std::string_view::npos &&
                           PublicPart(expected) == PublicPart(given);
  return same_public
             ? CodedError(ErrorCode::kTokenPrivatePartMismatch,
                          "App token private part mismatch")
             : CodedError(ErrorCode::kTokenNotFound, "App token not found");
}

Refusal CheckTimestamp(std::string_view text, int64_t now_ms) {
  int64_t seconds = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 0) {
    return CodedError(ErrorCode::kAuthInvalidValue,
                      "Invalid value of X-App-Access-Ts");
  }
  // Compared in seconds: a value in milliseconds must not overflow.
  const int64_t now = now_ms / 1000;
  if (seconds > now + kToleranceMs / 1000 ||
      seconds < now - kToleranceMs / 1000) {
    return CodedError(ErrorCode::kRequestExpired, "Request timestamp expired");
  }
  return std::nullopt;
}

}  // namespace

std::string RequestSignature(const base::Secret& secret_key,
                             std::string_view timestamp,
                             std::string_view method, std::string_view target,
                             std::string_view body) {
  std::string text;
  text.reserve(timestamp.size() + method.size() + target.size() + body.size());
  text.append(timestamp).append(method).append(target).append(body);
  return HmacHex(DigestAlgorithm::kSha256, secret_key.Reveal(), text);
}

Refusal CheckRequest(const Credentials& credentials, const SignedParts& request,
                     int64_t now_ms) {
  if (request.token.empty() || request.timestamp.empty() ||
      request.signature.empty()) {
    return CodedError(ErrorCode::kAuthParamsMissing,
                      "Not all authentication headers are present");
  }
  if (request.token.size() > 1 || request.timestamp.size() > 1 ||
      request.signature.size() > 1) {
    return CodedError(ErrorCode::kAuthInvalidParams,
                      "An authentication header is repeated");
  }
  if (Refusal refusal =
          CheckToken(credentials.app_token.Reveal(), request.token[0])) {
    return refusal;
  }
  if (Refusal refusal = CheckTimestamp(request.timestamp[0], now_ms)) {
    return refusal;
  }
  const std::string& given = request.signature[0];
  if (given.size() != 64 || !IsLowerHex(given)) {
    return CodedError(ErrorCode::kAuthInvalidParams,
                      "X-App-Access-Sig is not a lower-case hex digest");
  }
  const std::string expected =
      RequestSignature(credentials.secret_key, request.timestamp[0],
                       request.method, request.target, request.body);
  if (!base::ConstantTimeEquals(expected, given)) {
    return CodedError(ErrorCode::kSignatureMismatch,
                      "Request signature mismatch");
  }
  return std::nullopt;
}

}  // namespace kyc::sandbox
