// Consents: PINTs, the tokens they are exchanged for, and the keys that sign
// those.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <utility>

#include "services/async/grpc_client.h"
#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/async/task.h"
#include "services/base/error.h"
#include "services/base/json.h"
#include "services/base/signing_key.h"
#include "services/kyc/domain/pint_for_test.h"
#include "services/kyc/server/engines.h"
#include "services/kyc/server/partner_service.h"
#include "services/kyc/server/partner_service_for_test.h"
#include "services/kyc/store/pint_store.h"

namespace kyc::server {
namespace {

using domain::Pint;
using domain::TestAccount;

std::string Decode64(std::string text) {
  std::string bytes;
  uint32_t window = 0;
  int bits = 0;
  for (const char c : text) {
    const std::string alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    window = window << 6 | static_cast<uint32_t>(alphabet.find(c));
    if ((bits += 6) >= 8)
      bytes.push_back(static_cast<char>(window >> (bits -= 8)));
  }
  return bytes;
}

async::Task<void> EraseInto(async::Loop& loop, async::RedisOptions options,
                            std::promise<absl::Status>& done) {
  async::Redis redis(loop, std::move(options));
  done.set_value(co_await store::EraseConsents(redis, kUser));
}

TEST_F(PartnerServiceTest, ATokenSaysWhatWasSigned) {
  RegisterUser();
  CreateApplicant();
  Pint pint = domain::ExamplePint();
  pint.scopes.emplace_back("sr:us:pint:spend:execute?max=20&asset=USDC@sei");
  const auto exchanged = Exchange(caller_, Body(pint));
  ASSERT_TRUE(exchanged.ok()) << exchanged.status();
  EXPECT_FALSE(exchanged->already_existed());
  EXPECT_EQ(exchanged->sri(), kSubject);
  EXPECT_EQ(exchanged->audience(), "partner.example");
  EXPECT_EQ(exchanged->expires_at_ms(), 1'893'456'000'000);
  ASSERT_EQ(exchanged->scopes_size(), 2);
  EXPECT_EQ(exchanged->scopes(1), pint.scopes[1]);

  const std::string token = exchanged->token();
  const size_t dot = token.find('.');
  const size_t last = token.rfind('.');
  EXPECT_EQ(Decode64(token.substr(0, dot)),
            R"({"alg":"ES256","typ":"JWT","kid":")" + first_key_.Thumbprint() +
                "\"}");
  const auto document = base::JsonDocument::Parse(
      Decode64(token.substr(dot + 1, last - dot - 1)));
  ASSERT_TRUE(document.ok());
  const base::JsonValue claims = document->root();
  EXPECT_EQ(claims["iss"].AsString(), "https://issuer.example");
  EXPECT_EQ(claims["sub"].AsString(), kSubject);
  EXPECT_EQ(claims["aud"].AsString(), "partner.example");
  EXPECT_EQ(claims["jti"].StringOr("").size(), 32u);
  EXPECT_EQ(claims["iat"].AsInt(), kNow / 1000);
  EXPECT_EQ(claims["exp"].AsInt(), 1'893'456'000);
  EXPECT_EQ(claims["wallet"].AsString(),
            "0x5FbDB2315678afecb367f032d93F642f64180aa3");
  EXPECT_EQ(claims["kyc_status"].AsString(), "pending");
  EXPECT_EQ(claims["scopes"].Elements().at(1).AsString(), pint.scopes[1]);
  EXPECT_EQ(claims["pint_uri"].AsString(), exchanged->pint_id());
  EXPECT_EQ(claims["signer_type"].AsString(), "user");
  EXPECT_EQ(claims["verification_tier"].AsString(), "enhanced");
  EXPECT_EQ(claims["pint_signature"].AsString(),
            domain::HexText(owner_.Sign(domain::PintDigest(pint, 1329))));

  // The same again is another token of the same PINT.
  const auto again = Exchange(caller_, Body(pint));
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->already_existed());
  EXPECT_EQ(again->pint_id(), exchanged->pint_id());
  EXPECT_NE(again->token(), token);
  EXPECT_EQ(Tokens(caller_, again->pint_id())->tokens_size(), 2);
}

TEST_F(PartnerServiceTest, AnEoaIsAWalletToo) {
  ASSERT_TRUE(Register(kUser, domain::ToText(owner_.address()), "").ok());
  Pint pint = domain::ExamplePint();
  pint.wallet = owner_.address();
  const auto exchanged = Exchange(caller_, Body(pint));
  ASSERT_TRUE(exchanged.ok()) << exchanged.status();
  EXPECT_EQ(exchanged->sri(),
            "sr:us:person:eoa:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
}

TEST_F(PartnerServiceTest, WhatIsWrongWithAnExchangeIsSaidInOrder) {
  const Pint example = domain::ExamplePint();
  // Nobody has registered the wallet.
  EXPECT_EQ(ReasonOf(Exchange(caller_, Body(example))),
            v1::ERROR_REASON_PINT_SIGNATURE_INVALID);
  RegisterUser();
  EXPECT_EQ(ReasonOf(Exchange(caller_, "{}")),
            v1::ERROR_REASON_PINT_PAYLOAD_INVALID);
  const auto exchanged = Exchange(caller_, Body(example));
  ASSERT_TRUE(exchanged.ok());

  // A PINT of which everything is wrong, put right step by step.
  Pint pint = example;
  pint.statement = "another";
  pint.scopes = {"sr:us:pint:admin:all"};
  pint.expires_at = domain::ToUint256(1'893'000'000);
  const TestAccount thief(1);
  const auto signed_by = [&](const TestAccount& account,
                             const std::string& audience) {
    return domain::RenderPintBody(
        pint, account.Sign(domain::PintDigest(pint, 1329)), audience);
  };
  EXPECT_EQ(ReasonOf(Exchange(caller_, signed_by(thief, "other.example"))),
            v1::ERROR_REASON_PINT_NONCE_REUSED);
  pint.nonce = domain::ToUint256(8);
  EXPECT_EQ(ReasonOf(Exchange(caller_, signed_by(thief, "other.example"))),
            v1::ERROR_REASON_PINT_AUDIENCE_INVALID);
  EXPECT_EQ(ReasonOf(Exchange(
                caller_, domain::RenderPintBody(pint, std::string(130, '\1'),
                                                "partner.example"))),
            v1::ERROR_REASON_PINT_SIGNER_UNSUPPORTED);
  EXPECT_EQ(ReasonOf(Exchange(caller_, signed_by(thief, "partner.example"))),
            v1::ERROR_REASON_PINT_SIGNATURE_INVALID);
  EXPECT_EQ(ReasonOf(Exchange(caller_, Body(pint))),
            v1::ERROR_REASON_PINT_SCOPE_NOT_ALLOWED);
  pint.scopes = example.scopes;
  EXPECT_EQ(ReasonOf(Exchange(caller_, Body(pint))),
            v1::ERROR_REASON_PINT_EXPIRED);
  pint.expires_at = domain::ToUint256(2'300'000'000);
  EXPECT_EQ(ReasonOf(Exchange(caller_, Body(pint))),
            v1::ERROR_REASON_PINT_PAYLOAD_INVALID);
  // For another chain.
  pint.expires_at = example.expires_at;
  EXPECT_EQ(ReasonOf(Exchange(
                caller_, domain::RenderPintBody(
                             pint, owner_.Sign(domain::PintDigest(pint, 1)),
                             "partner.example"))),
            v1::ERROR_REASON_PINT_SIGNATURE_INVALID);
  EXPECT_TRUE(Exchange(caller_, Body(pint)).ok());

  ASSERT_TRUE(Revoke(kUser, exchanged->pint_id()).ok());
  EXPECT_EQ(ReasonOf(Exchange(caller_, Body(example))),
            v1::ERROR_REASON_PINT_REVOKED);
  v1::PartnerCaller without = caller_;
  without.clear_audience();
  EXPECT_EQ(ReasonOf(Exchange(without, Body(example))),
            v1::ERROR_REASON_PINT_AUDIENCE_INVALID);
}

TEST_F(PartnerServiceTest, AnOrganisationSeesItsOwnPintsAlone) {
  RegisterUser();
  const std::string id = Grant().pint_id();
  const auto pint = GetPint(caller_, id);
  ASSERT_TRUE(pint.ok()) << pint.status();
  EXPECT_EQ(pint->status(), v1::Pint::STATUS_ACTIVE);
  EXPECT_EQ(pint->nonce(), "7");
  EXPECT_EQ(pint->version(), "1");
  EXPECT_EQ(pint->sri(), kSubject);
  EXPECT_EQ(pint->signer(), domain::ToText(owner_.address()));
  EXPECT_EQ(pint->statement(), "KYC data access for Example Partner");
  const auto list = ListPints(caller_);
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->pints_size(), 1);
  EXPECT_EQ(list->pints(0).id(), id);
  EXPECT_EQ(list->limit(), 20);
  EXPECT_EQ(list->next_cursor(), "");
  EXPECT_EQ(Tokens(caller_, id)->tokens_size(), 1);

  const std::string unknown = "sr:us:pint:" + std::string(32, '0');
  EXPECT_EQ(GetPint(stranger_, id).status(),
            GetPint(stranger_, unknown).status());
  EXPECT_EQ(ReasonOf(GetPint(stranger_, id)), v1::ERROR_REASON_PINT_NOT_FOUND);
  EXPECT_EQ(ReasonOf(Tokens(stranger_, id)), v1::ERROR_REASON_PINT_NOT_FOUND);
  EXPECT_EQ(ListPints(stranger_)->pints_size(), 0);
  // Nor can it exchange what was signed for another.
  EXPECT_EQ(ReasonOf(Exchange(stranger_,
                              Body(domain::ExamplePint(), "stranger.example"))),
            v1::ERROR_REASON_PINT_NONCE_REUSED);
  // Whether it holds is for everybody who is shown a token.
  EXPECT_EQ(Status(stranger_, id)->status(), v1::Pint::STATUS_ACTIVE);
  EXPECT_EQ(ReasonOf(Status(stranger_, unknown)),
            v1::ERROR_REASON_PINT_NOT_FOUND);
  // The user alone takes it back.
  EXPECT_EQ(ReasonOf(Revoke("another", id)), v1::ERROR_REASON_PINT_NOT_FOUND);
  clock_.Advance(5);
  EXPECT_EQ(Revoke(kUser, id)->revoked_at_ms(), kNow + 5);
  EXPECT_EQ(Revoke(kUser, id)->revoked_at_ms(), kNow + 5);
  EXPECT_EQ(Status(stranger_, id)->status(), v1::Pint::STATUS_REVOKED);
  EXPECT_EQ(Status(stranger_, id)->revoked_at_ms(), kNow + 5);
}

TEST_F(PartnerServiceTest, ListsOfPintsAreFiltered) {
  RegisterUser();
  Pint pint = domain::ExamplePint();
  for (int nonce = 1; nonce <= 3; ++nonce) {
    pint.nonce = domain::ToUint256(nonce);
    ASSERT_TRUE(Exchange(caller_, Body(pint)).ok());
    clock_.Advance(1);
  }
  pint.nonce = domain::ToUint256(4);
  pint.expires_at = domain::ToUint256(1'893'000'100);
  const auto brief = Exchange(caller_, Body(pint));
  ASSERT_TRUE(brief.ok());
  clock_.Advance(1'000'000);
  const auto nonces =
      [&](const std::function<void(v1::ListPintsRequest&)>& set) {
        std::string all;
        const auto list = ListPints(caller_, set);
        EXPECT_TRUE(list.ok()) << list.status();
        if (!list.ok()) return all;
        for (const v1::Pint& found : list->pints()) all += found.nonce();
        return all + (list->next_cursor().empty() ? "" : "…");
      };
  using Request = v1::ListPintsRequest;
  EXPECT_EQ(nonces([](Request&) {}), "4321");
  EXPECT_EQ(nonces([](Request& r) { r.set_order("asc"); }), "1234");
  EXPECT_EQ(nonces([](Request& r) { r.set_limit(2); }), "43…");
  EXPECT_EQ(nonces([](Request& r) { r.set_status("active"); }), "321");
  EXPECT_EQ(nonces([](Request& r) { r.set_status("expired"); }), "4");
  EXPECT_EQ(nonces([](Request& r) { r.set_status("revoked"); }), "");
  EXPECT_EQ(nonces([](Request& r) { r.set_status("pending"); }), "");
  EXPECT_EQ(nonces([](Request& r) {
              r.set_wallet("0x5FBDB2315678AFECB367F032D93F642F64180AA3");
            }),
            "4321");
  EXPECT_EQ(nonces([](Request& r) {
              r.set_wallet("0x5fbdb2315678afecb367f032d93f642f64180aa4");
            }),
            "");
  const auto wrong = ListPints(caller_, [](Request& r) {
    r.set_limit(51);
    r.set_sort("name");
    r.set_order("up");
    r.set_cursor("x");
    r.set_wallet("y");
    r.set_status("z");
  });
  EXPECT_EQ(ReasonOf(wrong), v1::ERROR_REASON_REQUEST_VALIDATION_FAILED);
  EXPECT_EQ(base::ExtrasOf(wrong.status()).violations.size(), 6u);
}

TEST_F(PartnerServiceTest, KeysRotate) {
  RegisterUser();
  const auto kids = [&] {
    std::string all;
    const auto keys =
        Call<v1::ListSigningKeysRequest, v1::ListSigningKeysResponse>(
            *stub_, &v1::PartnerService::Stub::ListSigningKeys,
            v1::ListSigningKeysRequest());
    EXPECT_TRUE(keys.ok());
    EXPECT_EQ(keys->issuer(), "https://issuer.example");
    const auto document = base::JsonDocument::Parse(keys->jwks_json());
    EXPECT_TRUE(document.ok());
    for (const base::JsonValue& key : document->root()["keys"].Elements()) {
      EXPECT_FALSE(key["d"].exists());
      EXPECT_EQ(key["alg"].AsString(), "ES256");
      all += key["kid"].StringOr("") + " ";
    }
    return all;
  };
  const auto signer = [&] {
    const std::string token =
        Exchange(caller_, Body(domain::ExamplePint()))->token();
    const auto header =
        base::JsonDocument::Parse(Decode64(token.substr(0, token.find('.'))));
    return header->root()["kid"].StringOr("") + " ";
  };
  const std::string first = first_key_.Thumbprint() + " ";
  EXPECT_EQ(kids(), first);
  EXPECT_EQ(signer(), first);
  const base::SigningKey second_key = *base::SigningKey::Generate();
  const std::string second = second_key.Thumbprint() + " ";
  ASSERT_TRUE(UseKeys({&second_key, &first_key_}).ok());
  EXPECT_EQ(kids(), second + first);
  EXPECT_EQ(signer(), second);
  // What cannot be read changes nothing.
  EXPECT_FALSE(UseKeys({}, "nothing").ok());
  EXPECT_FALSE(UseKeys({&first_key_},
                       "-----BEGIN PRIVATE KEY-----\nAAAA\n"
                       "-----END PRIVATE KEY-----\n")
                   .ok());
  EXPECT_FALSE(engines_.partner_keys().Load("/nowhere/keys.pem").ok());
  EXPECT_EQ(kids(), second + first);
}

TEST_F(PartnerServiceTest, AnErasedUserHasNoConsents) {
  RegisterUser();
  CreateApplicant();
  const v1::PintGrant grant = Grant();
  ASSERT_TRUE(ReadKyc(caller_, grant).ok());
  std::promise<absl::Status> erased;
  runtime_.loop(0).Spawn(EraseInto(runtime_.loop(0), redis_.options(), erased));
  EXPECT_TRUE(erased.get_future().get().ok());
  EXPECT_EQ(ReasonOf(ReadKyc(caller_, grant)),
            v1::ERROR_REASON_PINT_TOKEN_INVALID);
  EXPECT_EQ(ReasonOf(LookUp(caller_, kSubject)),
            v1::ERROR_REASON_SRI_NOT_FOUND);
  EXPECT_EQ(ReasonOf(Exchange(caller_, Body(domain::ExamplePint()))),
            v1::ERROR_REASON_PINT_SIGNATURE_INVALID);
  EXPECT_EQ(ListPints(caller_)->pints_size(), 0);
}

class WithoutKeysTest : public PartnerServiceTest {};

TEST_F(WithoutKeysTest, PartnersAreToldToComeBack) {
  RegisterUser();
  async::Runtime runtime(1);
  Engines engines(runtime, clock_, Options());  // Before the runtime starts.
  runtime.Start();
  EXPECT_TRUE(engines.partner_keys().empty());
  PartnerService service(engines, 1);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                           &port);
  builder.RegisterService(&service);
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  stub_ = v1::PartnerService::NewStub(
      async::OpenChannel("127.0.0.1:" + std::to_string(port)));
  const std::string id = "sr:us:pint:" + std::string(32, '0');
  EXPECT_EQ(ReasonOf(LookUp(caller_, kSubject)), v1::ERROR_REASON_UNAVAILABLE);
  EXPECT_EQ(ReasonOf(Exchange(caller_, Body(domain::ExamplePint()))),
            v1::ERROR_REASON_UNAVAILABLE);
  EXPECT_EQ(ReasonOf(GetPint(caller_, id)), v1::ERROR_REASON_UNAVAILABLE);
  EXPECT_EQ(ReasonOf(ListPints(caller_)), v1::ERROR_REASON_UNAVAILABLE);
  EXPECT_EQ(ReasonOf(Status(caller_, id)), v1::ERROR_REASON_UNAVAILABLE);
  EXPECT_EQ(ReasonOf(ReadKyc(caller_, v1::PintGrant())),
            v1::ERROR_REASON_UNAVAILABLE);
  EXPECT_EQ(ReasonOf(ReadImage(ImageRequest(v1::PintGrant()))),
            v1::ERROR_REASON_UNAVAILABLE);
  // What is the user's own works.
  EXPECT_TRUE(Accesses().empty());
  EXPECT_EQ(ReasonOf(Revoke(kUser, id)), v1::ERROR_REASON_PINT_NOT_FOUND);
  server->Shutdown(std::chrono::system_clock::now());
  runtime.Stop();  // Before the engines go.
}

}  // namespace
}  // namespace kyc::server
