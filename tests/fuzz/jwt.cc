// User tokens against a fixed key set. An input is a token, or, when it
// begins with a brace, a header's line and claims to be signed here: the
// private key of "ed-1" is known, those of "rsa-1" and "ec-1" are not.
#include <openssl/evp.h>

#include <array>
#include <cstdlib>
#include <limits>
#include <string>
#include <utility>

#include "gateway/auth/jwks.h"
#include "gateway/auth/jwt_for_test.h"
#include "gateway/auth/jwt_verifier.h"
#include "services/base/json.h"
#include "services/base/utf8.h"
#include "tests/fuzz/check.h"

namespace kyc::fuzz {
namespace {

using gateway::EncodeBase64Url;
using gateway::JwtVerifier;
using gateway::KeySet;

constexpr int64_t kNow = 1'800'000'000;  // Seconds.

// The only texts that the forgotten keys ever signed; the corpus has them.
constexpr std::string_view kSigned[] = {
    "eyJhbGciOiJSUzI1NiIsImtpZCI6InJzYS0xIn0.eyJzdWIiOiJ1c3JfMSIsImlzcy"
    "I6Imh0dHBzOi8vbG9naW4uZXhhbXBsZSIsImF1ZCI6ImFwcC0xIiwiZXhwIjoxODAw"
    "MDAwNjAwfQ",
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjLTEifQ.eyJzdWIiOiJ1c3JfMSIsImlzcyI"
    "6Imh0dHBzOi8vbG9naW4uZXhhbXBsZSIsImF1ZCI6ImFwcC0xIiwiZXhwIjoxODAwM"
    "DAwNjAwfQ",
};

constexpr std::string_view kUnknownKeys =
    "{\"kty\":\"RSA\",\"kid\":\"rsa-1\",\"use\":\"sig\",\"alg\":\"RS256"
    "\",\"n\":\"voWbIGftmP1qfKrtTTSvXdIe6qN9R4zYvM-mDVahyaeYczaXHeG9GZ3"
    "fjrMMewzxCnAQl8doNyTEKSqdPB_peoG5Zv182f2XNkUpe581jufSbf_WGf1yd9hCC"
    "NJ_eqrk1yhVLGvt93FBNtKRjSSIlXXO5jOEPyumStgSdDAx_sfNdgdhfkhFMrqb8sG"
    "kSlJvMh54ZQ-_9MDbrQ93V_fjKwDnY6lqAkLfr2NRhnMhUn-rcsCUi0y16zjqCh05c"
    "8irxR5GZ59zDcXdP7nI1Bj4yvRiNLWrtw30e79v3DAclJuyIGz0fqwKmFKwwOa3YYY"
    "75MjWT6BqWaYaS8XQnWDUYw\",\"e\":\"AQAB\"},{\"kty\":\"EC\",\"crv\":"
    "\"P-256\",\"kid\":\"ec-1\",\"x\":\"o8UAvQ_x8fGg6RhkJCLmpK-y9IvBZoP"
    "7xjQ4YlSjTC8\",\"y\":\"AQ2rLzUwoXX3dyUZIw5JP-YHWZDJUXiZMp3EOzgjIn4"
    "\"}";

EVP_PKEY* SigningKey() {
  static EVP_PKEY* const key = [] {
    std::array<unsigned char, 32> seed;
    seed.fill(7);
    return EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, seed.data(),
                                        seed.size());
  }();
  return key;
}

const KeySet& Keys() {
  static const KeySet& keys = *[] {
    unsigned char point[32];
    size_t size = sizeof(point);
    EVP_PKEY_get_raw_public_key(SigningKey(), point, &size);
    const std::string set =
        "{\"keys\":[" + std::string(kUnknownKeys) +
        ",{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"ed-1\",\"x\":\"" +
        EncodeBase64Url({reinterpret_cast<char*>(point), size}) + "\"}]}";
    return new KeySet(KeySet::Parse(set).value());
  }();
  return keys;
}

std::string Sign(std::string_view text) {
  unsigned char signature[64];
  size_t size = sizeof(signature);
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  EVP_DigestSignInit(context, nullptr, nullptr, nullptr, SigningKey());
  EVP_DigestSign(context, signature, &size,
                 reinterpret_cast<const unsigned char*>(text.data()),
                 text.size());
  EVP_MD_CTX_free(context);
  return {reinterpret_cast<char*>(signature), size};
}

bool HasAudience(base::JsonValue claim) {
  if (claim.AsString() == "app-1") return true;
  for (const base::JsonValue& one : claim.Elements()) {
    if (one.AsString() == "app-1") return true;
  }
  return false;
}

// A NumericDate, which may have a fraction; 0 where there is none.
double Seconds(base::JsonValue claim) {
  const auto text = claim.AsNumberText();
  return text ? std::strtod(std::string(*text).c_str(), nullptr) : 0;
}

void CheckClaims(std::string_view text, const gateway::VerifiedToken& token) {
  const auto document = base::JsonDocument::Parse(text);
  FUZZ_CHECK(document.ok());
  const base::JsonValue claims = document->root();
  FUZZ_CHECK(claims["sub"].AsString() == token.subject);
  FUZZ_CHECK(!token.subject.empty() && token.subject.size() <= 256);
  FUZZ_CHECK(base::IsUtf8(token.subject));
  for (const char c : token.subject) {
    FUZZ_CHECK(static_cast<unsigned char>(c) >= ' ' && c != 0x7f);
  }
  FUZZ_CHECK(Seconds(claims["exp"]) > kNow - 60);
  FUZZ_CHECK(token.refused_from_ms > kNow * 1000);
  FUZZ_CHECK(Seconds(claims["nbf"]) < kNow + 61);
  FUZZ_CHECK(claims["iss"].AsString() == "https://login.example");
  FUZZ_CHECK(HasAudience(claims["aud"]));
}

void CheckHeader(std::string_view text) {
  const auto document = base::JsonDocument::Parse(text);
  FUZZ_CHECK(document.ok());
  FUZZ_CHECK(document->root()["alg"].AsString() == "EdDSA");
  FUZZ_CHECK(document->root()["kid"].AsString() == "ed-1");
  FUZZ_CHECK(!document->root()["crit"].exists());
}

void CheckSignedHere(const JwtVerifier& verifier, std::string_view header,
                     std::string_view claims) {
  const std::string text =
      EncodeBase64Url(header) + "." + EncodeBase64Url(claims);
  std::string signature = Sign(text);
  const std::string token = text + "." + EncodeBase64Url(signature);
  const auto verified = verifier.Verify(token, Keys(), kNow * 1000);
  signature[claims.size() % 64] ^= 1;
  const std::string forged = text + "." + EncodeBase64Url(signature);
  FUZZ_CHECK(!verifier.Verify(forged, Keys(), kNow * 1000).ok());
  FUZZ_CHECK(!verifier.Verify(text + ".", Keys(), kNow * 1000).ok());
  if (!verified.ok()) return;
  FUZZ_CHECK(token.size() <= gateway::kMaxTokenBytes);
  CheckHeader(header);
  CheckClaims(claims, *verified);
  if (verified->refused_from_ms < std::numeric_limits<int64_t>::max()) {
    FUZZ_CHECK(!verifier.Verify(token, Keys(), verified->refused_from_ms).ok());
  }
}

}  // namespace
}  // namespace kyc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kyc::fuzz;
  static const JwtVerifier& verifier =
      *new JwtVerifier("https://login.example", "app-1");
  std::string_view text = Text(data, size);
  if (text.starts_with('{')) {
    const std::string_view header = TakeLine(&text);
    CheckSignedHere(verifier, header, text);
    return 0;
  }
  const auto verified = verifier.Verify(text, Keys(), kNow * 1000);
  if (!verified.ok()) return 0;
  const std::string_view body = text.substr(0, text.rfind('.'));
  bool is_known = false;
  for (const std::string_view known : kSigned) is_known |= body == known;
  FUZZ_CHECK(is_known);
  return 0;
}
