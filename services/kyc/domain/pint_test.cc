// The vectors were made with ethers and viem, which agree.
#include "services/kyc/domain/pint.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "services/base/error.h"
#include "services/kyc/domain/pint_for_test.h"

namespace kyc::domain {
namespace {

constexpr uint64_t kChain = 1329;
constexpr char kDigest[] =
    "0xaf81fe4438af3b60f0f22daa84300b918e2208396477865630c58ae057bb1557";
constexpr char kDigest3[] =
    "0x4b402935c024e95b7b3634da001f5f3ee3728432516f3f50b3b5dba995891770";
constexpr char kSignature[] =
    "0xebdabd42e1a7c598f84f204cebbb51e373df6a9e80755c1af07dcc80c29cc980"
    "1607063f2f4abecbce8eb59e9a8282c437570458f2a09ac249758723c08c259e1b";
constexpr char kSignature3[] =
    "0x130029a836dbd4b441f9c9d2e291716ce990a44743c20dea7c49f21ab81e5e00"
    "7ed6f1414e043fc3aa6f7356a3226b3fbc8782e05abef0ad83d8cb33faf8a4b91c";

Pint ExamplePint3() {
  Pint pint = ExamplePint();
  pint.conditions.emplace();
  pint.expires_at = ToUint256(1893456000000);
  return pint;
}

std::string Hex(const Digest& digest) {
  return HexText(
      {reinterpret_cast<const char*>(digest.data()), digest.size()});
}

v1::ErrorReason ReasonOf(const absl::Status& status) {
  return base::ReasonOf(status);
}

TEST(PintTest, DigestsAreThoseOfOtherImplementations) {
  EXPECT_EQ(Hex(PintDigest(ExamplePint(), kChain)), kDigest);
  EXPECT_EQ(Hex(PintDigest(ExamplePint3(), kChain)), kDigest3);
}

TEST(PintTest, SignaturesOfOtherImplementationsNameTheirSigner) {
  const TestAccount account;
  EXPECT_EQ(ToText(account.address()),
            "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
  const std::string signature = *ParseHexBytes(kSignature);
  EXPECT_EQ(RecoverSigner(PintDigest(ExamplePint(), kChain), signature).value(),
            account.address());
  EXPECT_EQ(RecoverSigner(PintDigest(ExamplePint3(), kChain),
                          *ParseHexBytes(kSignature3))
                .value(),
            account.address());
  // Ours are the same: RFC 6979 leaves no choice.
  EXPECT_EQ(account.Sign(PintDigest(ExamplePint(), kChain)), signature);
}

TEST(PintTest, VIsTakenWithAndWithout27) {
  const Digest digest = PintDigest(ExamplePint(), kChain);
  std::string signature = *ParseHexBytes(kSignature);
  signature[64] = 0;
  EXPECT_EQ(RecoverSigner(digest, signature).value(), TestAccount().address());
  for (int v = 0; v < 256; ++v) {
    signature[64] = static_cast<char>(v);
    const auto signer = RecoverSigner(digest, signature);
    if (v == 0 || v == 27) {
      EXPECT_EQ(signer.value(), TestAccount().address());
    } else if (v == 1 || v == 28) {
      EXPECT_FALSE(signer.ok() && *signer == TestAccount().address());
    } else {
      EXPECT_EQ(ReasonOf(signer.status()),
                v1::ERROR_REASON_PINT_SIGNATURE_INVALID)
          << v;
    }
  }
}

TEST(PintTest, AnotherChainIsAnotherSigner) {
  for (const uint64_t chain : {uint64_t{0}, uint64_t{1}, kChain + 1,
                               std::numeric_limits<uint64_t>::max()}) {
    const auto signer = RecoverSigner(PintDigest(ExamplePint(), chain),
                                      *ParseHexBytes(kSignature));
    EXPECT_FALSE(signer.ok() && *signer == TestAccount().address());
  }
}

TEST(PintTest, ASignatureHasNoTwin) {
  const Digest digest = PintDigest(ExamplePint(), kChain);
  for (int number = 0; number < 64; ++number) {
    const TestAccount account(static_cast<unsigned char>(number));
    const std::string signature = account.Sign(digest);
    ASSERT_EQ(RecoverSigner(digest, signature).value(), account.address());
    EXPECT_EQ(ReasonOf(RecoverSigner(digest, Twin(signature)).status()),
              v1::ERROR_REASON_PINT_SIGNATURE_INVALID);
    EXPECT_EQ(Twin(Twin(signature)), signature);
  }
}

TEST(PintTest, WhatNoKeyCanSignIsRefused) {
  const Digest digest = PintDigest(ExamplePint(), kChain);
  const std::string zero(32, '\0');
  const std::string one = std::string(31, '\0') + '\1';
  const std::string over(32, '\xff');
  const std::string v = "\x1b";
  for (const std::string& signature :
       {zero + one + v, one + zero + v, over + one + v, one + over + v,
        zero + zero + v, std::string(), std::string(64, '\1')}) {
    EXPECT_EQ(ReasonOf(RecoverSigner(digest, signature).status()),
              v1::ERROR_REASON_PINT_SIGNATURE_INVALID);
  }
  EXPECT_EQ(ReasonOf(RecoverSigner(digest, std::string(66, '\1')).status()),
            v1::ERROR_REASON_PINT_SIGNER_UNSUPPORTED);
}

TEST(PintTest, EveryOtherByteOfTheSignatureIsRefused) {
  const Digest digest = PintDigest(ExamplePint(), kChain);
  const std::string good = *ParseHexBytes(kSignature);
  for (size_t at = 0; at < 64; ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string changed = good;
      changed[at] = static_cast<char>(byte);
      if (changed == good) continue;
      const auto signer = RecoverSigner(digest, changed);
      ASSERT_FALSE(signer.ok() && *signer == TestAccount().address());
    }
  }
}

// Calls `check` with every PINT that differs from `pint` in one byte.
void ForEachChange(const Pint& pint,
                   const std::function<void(const Pint&)>& check) {
  const auto bytes = [&](auto member) {
    for (size_t i = 0; i < (pint.*member).bytes.size(); ++i) {
      for (int bit = 0; bit < 8; ++bit) {
        Pint changed = pint;
        (changed.*member).bytes[i] ^= 1 << bit;
        check(changed);
      }
    }
  };
  bytes(&Pint::wallet);
  bytes(&Pint::nonce);
  bytes(&Pint::max_amount);
  bytes(&Pint::max_amount_token);
  bytes(&Pint::expires_at);
  for (size_t i = 0; i < pint.statement.size(); ++i) {
    Pint changed = pint;
    changed.statement[i] ^= 1;
    check(changed);
  }
  for (size_t i = 0; i < pint.scopes[0].size(); ++i) {
    Pint changed = pint;
    changed.scopes[0][i] ^= 1;
    check(changed);
  }
  const std::vector<std::function<void(Pint&)>> changes = {
      [](Pint& p) { p.statement += ' '; },
      [](Pint& p) { p.statement.clear(); },
      [](Pint& p) { p.scopes.emplace_back(); },
      [](Pint& p) { p.scopes.push_back(p.scopes[0]); },
      [](Pint& p) { p.scopes[0] += "?max=1"; },
      [](Pint& p) { p.resources.push_back(p.scopes[0]); },
      [](Pint& p) { p.resources.emplace_back(); },
      [](Pint& p) { std::swap(p.scopes, p.resources); },
      [](Pint& p) {
        if (p.conditions) {
          p.conditions.reset();
        } else {
          p.conditions.emplace();
        }
      },
      [](Pint& p) { p.conditions = {{""}}; },
  };
  for (const auto& change : changes) {
    Pint changed = pint;
    change(changed);
    check(changed);
  }
}

TEST(PintTest, EveryChangeOfTheMessageIsAnotherDigest) {
  for (const Pint& pint : {ExamplePint(), ExamplePint3()}) {
    const Digest digest = PintDigest(pint, kChain);
    ForEachChange(pint, [&](const Pint& changed) {
      ASSERT_NE(Hex(PintDigest(changed, kChain)), Hex(digest));
    });
  }
}

RC_GTEST_PROP(PintTest, WhatIsSentIsWhatWasSigned,
              (const std::vector<unsigned char>& text, uint64_t nonce,
               bool conditions, unsigned char number)) {
  Pint pint = ExamplePint();
  const TestAccount account(number);
  pint.nonce = ToUint256(nonce);
  for (const unsigned char c : text) {
    pint.statement.push_back(static_cast<char>(c & 0x7f));
  }
  for (size_t i = 0; i < text.size() % 5; ++i) {
    pint.resources.push_back(pint.statement.substr(0, 100));
  }
  if (conditions) pint.conditions = pint.resources;
  RC_PRE(pint.statement.size() <= 4096u);
  const std::string signature = account.Sign(PintDigest(pint, kChain));
  const auto request =
      ParsePintRequest(RenderPintBody(pint, signature, "partner.example"));
  RC_ASSERT(request.ok());
  RC_ASSERT(request->pint == pint);
  RC_ASSERT(request->audience == "partner.example");
  RC_ASSERT(RecoverSigner(PintDigest(request->pint, kChain),
                          request->signature)
                .value() == account.address());
}

constexpr char kSnakeBody[] = R"({
  "pint": {
    "wallet": "0x5fbdb2315678afecb367f032d93f642f64180aa3",
    "nonce": "7", "statement": "KYC data access for Example Partner",
    "scopes": ["sr:us:pint:identity:kyc_read"], "resources": [],
    "max_amount": "0", "expires_at": 1893456000,
    "max_amount_token": "0x0000000000000000000000000000000000000000",
    "chain_note": null},
  "signature": "0x)";

std::string SnakeBody() {
  return kSnakeBody + std::string(kSignature).substr(2) +
         R"(", "audience": "partner.example", "enforcement_mode": "strict"})";
}

TEST(PintTest, MembersMayBeInSnakeCase) {
  const auto request = ParsePintRequest(SnakeBody());
  ASSERT_TRUE(request.ok()) << request.status();
  EXPECT_EQ(request->pint, ExamplePint());
  EXPECT_EQ(HexText(request->signature), kSignature);
}

TEST(PintTest, NumbersKeepEveryDigit) {
  const std::string most =
      "115792089237316195423570985008687907853269984665640564039457584007913"
      "129639935";
  Pint pint = ExamplePint();
  pint.nonce = ParseUint256(most).value();
  pint.max_amount = pint.nonce;
  const auto request =
      ParsePintRequest(RenderPintBody(pint, std::string(65, '\1'), "a"));
  ASSERT_TRUE(request.ok());
  EXPECT_EQ(ToDecimal(request->pint.nonce), most);
  EXPECT_EQ(ToDecimal(request->pint.max_amount), most);
  EXPECT_FALSE(ParseUint256(most.substr(0, 77) + "6"));
  EXPECT_FALSE(ParseUint256("1" + most));
  // A double would make the two one.
  pint.nonce = ParseUint256("9007199254740993").value();
  EXPECT_EQ(ParsePintRequest(RenderPintBody(pint, std::string(65, '\1'), "a"))
                ->pint.nonce,
            ToUint256(9007199254740993));
}

RC_GTEST_PROP(PintTest, NumbersComeBackAsTheyWere, (uint64_t number)) {
  RC_ASSERT(ToDecimal(ToUint256(number)) == std::to_string(number));
  RC_ASSERT(ParseUint256(std::to_string(number)) == ToUint256(number));
  RC_ASSERT(ToUint64(ToUint256(number)) == number);
}

TEST(PintTest, TheFirstWrongMemberIsNamed) {
  struct Case {
    const char* from;
    const char* to;
    const char* pointer;
  };
  const std::string good = SnakeBody();
  for (const Case& c : std::vector<Case>{
           {R"("0x5fb)", R"("5fb)", "/pint/wallet"},
           {R"("nonce": "7")", R"("nonce": "0x7")", "/pint/nonce"},
           {R"("nonce": "7")", R"("nonce": 7.0)", "/pint/nonce"},
           {R"("nonce": "7")", R"("nonce": 1e3)", "/pint/nonce"},
           {R"("nonce": "7")", R"("nonce": -1)", "/pint/nonce"},
           {R"("nonce": "7")", R"("nonce": "07")", "/pint/nonce"},
           {R"("nonce": "7")", R"("nonce": "")", "/pint/nonce"},
           {R"("nonce": "7")", R"("nonce": null)", "/pint/nonce"},
           {R"("nonce")", R"("nonces")", "/pint/nonce"},
           {R"("statement")", R"("statements")", "/pint/statement"},
           {R"(["sr:us:pint:identity:kyc_read"])", "[]", "/pint/scopes"},
           {R"(["sr:us:pint:identity:kyc_read"])", "\"x\"", "/pint/scopes"},
           {R"(["sr:us:pint:identity:kyc_read"])", "[1]", "/pint/scopes/0"},
           {R"("resources": [])", R"("resources": null)", "/pint/resources"},
           {R"("resources": [])", R"("resources": [], "conditions": null)",
            "/pint/conditions"},
           {R"("max_amount": "0")", R"("max_amount": "0", "maxAmount": 0)",
            "/pint/max_amount"},
           {R"("max_amount": "0",)", "", "/pint/maxAmount"},
           {R"("max_amount_token": "0x)", R"("max_amount_token": "1x)",
            "/pint/maxAmountToken"},
           {R"("expires_at": 1893456000)", R"("expires_at": "soon")",
            "/pint/expiresAt"},
           {R"("signature": "0x)", R"("signature": "0xz)", "/signature"},
           {R"("signature": "0xeb)", R"("signature": "0x)", "/signature"},
           {R"("audience": "partner.example")", R"("audience": "")",
            "/audience"},
           {R"("audience")", R"("aud")", "/audience"},
           {R"("pint": {)", R"("pint": [], "p": {)", "/pint"},
           {R"("pint": {)", R"("pint": 1, "pint": {)", ""},
       }) {
    std::string body = good;
    const size_t at = body.find(c.from);
    ASSERT_NE(at, std::string::npos) << c.from;
    body.replace(at, std::string(c.from).size(), c.to);
    const absl::Status status = ParsePintRequest(body).status();
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_PINT_PAYLOAD_INVALID) << body;
    const auto violations = base::ExtrasOf(status).violations;
    ASSERT_EQ(violations.size(), 1u);
    EXPECT_EQ(violations[0].name, c.pointer) << c.to;
  }
  for (const std::string& body :
       {std::string(), std::string("null"), std::string("[]"),
        std::string("{"), std::string("{}"), std::string(70'000, ' ') + "{}"}) {
    EXPECT_EQ(ReasonOf(ParsePintRequest(body).status()),
              v1::ERROR_REASON_PINT_PAYLOAD_INVALID);
  }
}

TEST(PintTest, SizesAreBounded) {
  const std::string signature(65, '\1');
  const auto ok = [&](const Pint& pint) {
    return ParsePintRequest(RenderPintBody(pint, signature, "a")).ok();
  };
  Pint pint = ExamplePint();
  pint.statement = std::string(4096, 's');
  EXPECT_TRUE(ok(pint));
  pint.statement += 's';
  EXPECT_FALSE(ok(pint));
  pint = ExamplePint();
  pint.resources.resize(32, std::string(1024, 'r'));
  EXPECT_TRUE(ok(pint));
  pint.resources[31] += 'r';
  EXPECT_FALSE(ok(pint));
  pint.resources.assign(33, "r");
  EXPECT_FALSE(ok(pint));
}

TEST(PintTest, ExpiresInSecondsOrInMilliseconds) {
  Pint pint = ExamplePint();
  EXPECT_EQ(ExpiryMs(pint), 1893456000000);
  pint.expires_at = ToUint256(1893456000000);
  EXPECT_EQ(ExpiryMs(pint), 1893456000000);
  EXPECT_EQ(ExpiryMs(ExamplePint3()), 1893456000000);
  pint = ExamplePint3();
  pint.expires_at = ToUint256(1893456000);
  EXPECT_EQ(ExpiryMs(pint), 1893456000);
  pint.expires_at.bytes.fill(0xff);
  EXPECT_EQ(ExpiryMs(pint), std::numeric_limits<int64_t>::max());
  pint.conditions.reset();
  EXPECT_EQ(ExpiryMs(pint), std::numeric_limits<int64_t>::max());
  pint.expires_at = Uint256();
  EXPECT_EQ(ExpiryMs(pint), 0);
}

TEST(PintTest, ScopesAreThoseOfTheCatalogue) {
  EXPECT_TRUE(CheckPintScopes({"sr:us:pint:identity:kyc_read",
                               "sr:eu:pint:identity:kyc_status",
                               "sr:gb:pint:spend:execute?max=20&asset=USDC@sei",
                               "sr:us:pint:personalization:read"})
                  .ok());
  for (const char* scope :
       {"", "sr", "kyc_read", "sr:us:pint:identity", "sr:us:pint:identity:",
        "sr:us:pint:identity:kyc_read:", "sr:us:pint:identity:kyc_read:x",
        "sr:us:pint:identity:KYC_READ", "sr:fr:pint:identity:kyc_read",
        "sr:us:person:identity:kyc_read", "sr:us:pint:identity:execute",
        "sr:us:pint:admin:all", " sr:us:pint:identity:kyc_read",
        "sr:us:pint:identity:kyc_read ", "sr:us:pint:identity:?kyc_read",
        "sr:us:pint:*:*"}) {
    const absl::Status status =
        CheckPintScopes({"sr:us:pint:identity:kyc_read", scope});
    EXPECT_EQ(ReasonOf(status), v1::ERROR_REASON_PINT_SCOPE_NOT_ALLOWED)
        << scope;
    EXPECT_EQ(base::ExtrasOf(status).violations.at(0).name, "/pint/scopes/1");
  }
  EXPECT_EQ(ScopeName("a?b=c?d"), "a");
  EXPECT_EQ(ScopeName("a"), "a");
  EXPECT_TRUE(IsSpendScope("sr:us:pint:spend:execute?max=1"));
  EXPECT_FALSE(IsSpendScope("sr:us:pint:identity:kyc_read"));
}

}  // namespace
}  // namespace kyc::domain
