// Key sets from a URL somebody configured: every key that is kept can be
// found, has the algorithm of its type, and takes no signature of nobody's.
#include "gateway/auth/jwks.h"

#include <string>

#include "services/base/json.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kyc;
  const std::string_view text = fuzz::Text(data, size);
  const auto keys = gateway::KeySet::Parse(text);
  if (!keys.ok()) return 0;
  FUZZ_CHECK(keys->size() > 0);
  FUZZ_CHECK(keys->Find("") == nullptr);
  const auto document = base::JsonDocument::Parse(text);
  FUZZ_CHECK(document.ok());
  size_t found = 0;
  for (const base::JsonValue& jwk : document->root()["keys"].Elements()) {
    const gateway::VerificationKey* key = keys->Find(jwk["kid"].StringOr(""));
    if (key == nullptr) continue;
    ++found;
    FUZZ_CHECK(key->id() == jwk["kid"].AsString());
    FUZZ_CHECK(key->algorithm() == "RS256" || key->algorithm() == "ES256" ||
               key->algorithm() == "EdDSA");
    FUZZ_CHECK(!key->Verify("text", ""));
    FUZZ_CHECK(!key->Verify("text", std::string(64, '\0')));
    FUZZ_CHECK(!key->Verify("text", std::string(256, '\1')));
  }
  // Several of one kid are kept once.
  FUZZ_CHECK(found >= keys->size());
  return 0;
}
