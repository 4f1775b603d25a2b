// What partners call, and what users do about it, over real HTTP in front of
// a scripted PartnerService.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <tuple>

#include "gateway/api/dispatcher_for_test.h"

namespace kyc::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kKyc[] = "/v0/users/usr_1/kyc";
constexpr char kImage[] = "/v0/users/usr_1/kyc/document/img-1";
constexpr char kScope[] = "sr:us:pint:identity:kyc_read";

std::string PintToken(const std::string& scope = kScope,
                      const std::string& audience = "partner.example",
                      const TestKey& key = Key()) {
  return key.Token(
      R"({"sub":"sr:us:person:eoa:0x1","exp":1800000600,"jti":"t1",)"
      R"("pint_uri":"sr:us:pint:1","wallet":"0x1","aud":")" +
      audience + R"(","scopes":[")" + scope + "\"]}");
}

class PartnerTest : public DispatcherTest {
 protected:
  explicit PartnerTest(int key_limit = 0) : DispatcherTest(key_limit) {
    caller_.set_id("key_1");
    caller_.set_name("backend");
    caller_.mutable_tenant()->set_org_id("o");
    caller_.mutable_tenant()->set_env_id("e");
    caller_.set_audience("partner.example");
    for (const char* scope :
         {"get_kyc", "lookup", "token_exchange", "get_pints"}) {
      caller_.add_scopes(scope);
    }
    backend_.admin_backend.caller = caller_;
  }
  FakePartnerBackend& partner() { return backend_.partner_backend; }

  // A new key text each time, so that what is remembered of one is not taken
  // for the other.
  Headers With(const v1::ApiKey& key) {
    backend_.admin_backend.caller = key;
    return {{"Authorization", "Bearer k" + std::to_string(++keys_made_)}};
  }
  Headers WithScopes(std::initializer_list<const char*> scopes) {
    v1::ApiKey key = caller_;
    key.clear_scopes();
    for (const char* scope : scopes) key.add_scopes(scope);
    return With(key);
  }
  async::ClientResponse AsPartner(const std::string& method,
                                  const std::string& target,
                                  const std::string& body = "") {
    Headers headers = With(caller_);
    if (!body.empty()) headers.emplace_back("Content-Type", "application/json");
    return Send(method, target, std::move(headers), body);
  }
  async::ClientResponse Read(const std::string& target) {
    return Send(
        "GET", target,
        {{"Authorization", "Bearer k"}, {"x-sumvin-pint-token", PintToken()}});
  }

  v1::ApiKey caller_;
  int keys_made_ = 0;
};

TEST_F(PartnerTest, ErrorsComeInTheOrderOfTheGuide) {
  const std::string token = PintToken();
  const std::string other_scope = PintToken("sr:us:pint:identity:kyc_status");
  const auto with_token = [](Headers headers, const std::string& text) {
    headers.emplace_back("x-sumvin-pint-token", text);
    return headers;
  };
  for (const char* target : {kKyc, kImage}) {
    const auto expect = [&](const Headers& headers, int status,
                            const std::string& code) {
      ExpectProblem(Send("GET", target, headers), status, code, target);
    };
    // The key before anything else.
    expect({}, 401, "SIS-401-001");
    expect({{"x-sumvin-pint-token", token}}, 401, "SIS-401-001");
    // Then the token, whatever the key is for.
    expect(WithScopes({}), 401, "PINT-401-003");
    expect(With(caller_), 401, "PINT-401-003");
    expect(with_token(WithScopes({}), "x"), 401, "PINT-401-004");
    const TestKey stranger(TestKey::Type::kP256, "k");
    for (const std::string& bad :
         {std::string("x"), token + "x", TokenOf("usr_1"),
          PintToken(kScope, "other.example"),
          PintToken(kScope, "partner.example", stranger)}) {
      expect(with_token(With(caller_), bad), 401, "PINT-401-004");
    }
    expect(with_token(with_token(With(caller_), token), token), 401,
           "PINT-401-004");
    // Then what the key is for, then what the token is for.
    expect(with_token(WithScopes({"lookup"}), other_scope), 403, "SIS-403-001");
    expect(with_token(WithScopes({"get_kyc"}), other_scope), 403,
           "PINT-403-003");
  }
  EXPECT_EQ(partner().calls, 0);
}

TEST_F(PartnerTest, AKeyWithoutAudienceReadsNothing) {
  v1::ApiKey key = caller_;
  key.clear_audience();
  Headers headers = With(key);
  headers.emplace_back("x-sumvin-pint-token", PintToken(kScope, ""));
  ExpectProblem(Send("GET", kKyc, headers), 401, "PINT-401-004", kKyc);
}

TEST_F(PartnerTest, ShowsTheVerification) {
  v1::Details details;
  v1::Verification& verification = *details.mutable_verification();
  verification.set_state(v1::VERIFICATION_STATE_APPROVED);
  verification.set_verified_at_ms(1704067200000);
  details.set_started_at_ms(1704060000000);
  v1::Details::PersonalInfo& info = *details.mutable_personal_info();
  info.set_first_name("Jane");
  info.set_last_name("Smith");
  info.set_date_of_birth("1990-05-15");
  info.set_nationality("GBR");
  info.set_country_of_residence("GBR");
  v1::Details::Document& document = *details.add_documents();
  document.set_document_type("PASSPORT");
  document.set_country("GBR");
  document.set_status("approved");
  document.add_image_ids("img-abc123");
  document.add_image_ids("img-def456");
  details.set_verification_complete(true);
  details.set_verification_passed(true);
  partner().read_kyc = details;

  const async::ClientResponse response = Read("/v0/users/did%3Ax%2F1/kyc");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(
      response.body,
      R"({"status":"approved","verified_at":1704067200000,"rejected_at":null,)"
      R"("started_at":1704060000000,"personal_info":{"first_name":"Jane",)"
      R"("last_name":"Smith","date_of_birth":"1990-05-15",)"
      R"("nationality":"GBR","country_of_residence":"GBR"},"documents":[{)"
      R"("document_type":"PASSPORT","country":"GBR","status":"approved",)"
      R"("submitted_at":null,"image_ids":["img-abc123","img-def456"]}],)"
      R"("verification_complete":true,"verification_passed":true,)"
      R"("rejection":null,"_links":{"self":{"href":)"
      R"("/v0/users/did%3Ax%2F1/kyc"}}})");
  EXPECT_EQ(response.Header("cache-control"), "no-store");
  const v1::ReadKycRequest& request = partner().read_kyc_request;
  EXPECT_EQ(request.user_id(), "did:x/1");
  EXPECT_EQ(request.caller().key_id(), "key_1");
  EXPECT_EQ(request.caller().key_name(), "backend");
  EXPECT_EQ(request.caller().tenant().org_id(), "o");
  EXPECT_EQ(request.caller().tenant().env_id(), "e");
  EXPECT_EQ(request.caller().audience(), "partner.example");
  EXPECT_EQ(request.grant().pint_id(), "sr:us:pint:1");
  EXPECT_EQ(request.grant().jti(), "t1");
  EXPECT_EQ(request.grant().subject(), "sr:us:person:eoa:0x1");
  EXPECT_THAT(request.grant().scopes(), ElementsAre(kScope));
}

TEST_F(PartnerTest, PassesTheEnginesRefusalsOn) {
  for (const auto& [reason, status, code] :
       {std::tuple(v1::ERROR_REASON_PINT_TOKEN_INVALID, 401, "PINT-401-004"),
        std::tuple(v1::ERROR_REASON_PINT_SUBJECT_MISMATCH, 403, "PINT-403-004"),
        std::tuple(v1::ERROR_REASON_SRI_NOT_FOUND, 404, "SRI-404-001"),
        std::tuple(v1::ERROR_REASON_APPLICANT_NOT_FOUND, 404, "KYC-404-001"),
        std::tuple(v1::ERROR_REASON_IMAGE_NOT_FOUND, 404, "KYC-404-002"),
        std::tuple(v1::ERROR_REASON_PROVIDER_UNAVAILABLE, 502,
                   "KYC-502-001")}) {
    partner().read_kyc = base::Error(reason);
    ExpectProblem(Read(kKyc), status, code, kKyc);
    partner().image_end = base::Error(reason);
    const async::ClientResponse image = Read(kImage);
    ExpectProblem(image, status, code, kImage);
    EXPECT_EQ(image.Header("cache-control"), "no-store");
  }
}

v1::ReadImageResponse Start(const std::string& type, int64_t size) {
  v1::ReadImageResponse message;
  message.mutable_start()->set_content_type(type);
  message.mutable_start()->set_content_length(size);
  return message;
}

v1::ReadImageResponse Chunk(const std::string& bytes) {
  v1::ReadImageResponse message;
  message.set_chunk(bytes);
  return message;
}

TEST_F(PartnerTest, StreamsAnImage) {
  const std::string bytes = std::string(100'000, 'x') + std::string(1, '\0');
  for (const char* type :
       {"image/jpeg", "image/png", "image/webp", "image/heic", "image/heif",
        "application/pdf"}) {
    for (const bool size_known : {true, false}) {
      partner().image = {Start(type, size_known ? bytes.size() : 0),
                         Chunk(bytes.substr(0, 65536)), Chunk(""),
                         Chunk(bytes.substr(65536))};
      const async::ClientResponse image = Read(kImage);
      EXPECT_EQ(image.status, 200);
      EXPECT_EQ(image.body, bytes);
      EXPECT_EQ(image.Header("content-type"), type);
      EXPECT_EQ(image.Header("content-length"),
                size_known ? std::to_string(bytes.size()) : "");
      EXPECT_EQ(image.Header("cache-control"), "private, max-age=300");
      EXPECT_EQ(image.Header("x-content-type-options"), "nosniff");
    }
  }
  const v1::ReadImageRequest& request = partner().read_image_request;
  EXPECT_EQ(request.user_id(), "usr_1");
  EXPECT_EQ(request.image_id(), "img-1");
  EXPECT_EQ(request.caller().key_id(), "key_1");
  EXPECT_EQ(request.grant().pint_id(), "sr:us:pint:1");
  EXPECT_GT(partner().read_image_context.deadline,
            std::chrono::steady_clock::now() + std::chrono::minutes(4));
}

TEST_F(PartnerTest, NothingButImagesIsPassedOn) {
  for (const char* type :
       {"", "text/html", "image/svg+xml", "image/jpeg; charset=x", "IMAGE/JPEG",
        "application/octet-stream"}) {
    partner().image = {Start(type, 4), Chunk("<svg")};
    ExpectProblem(Read(kImage), 502, "KYC-502-001", kImage);
  }
  partner().image = {Chunk("bytes")};
  ExpectProblem(Read(kImage), 502, "KYC-502-001", kImage);
  partner().image = {};
  ExpectProblem(Read(kImage), 502, "KYC-502-001", kImage);
}

TEST_F(PartnerTest, FindsTheUserBehindAnIdentifier) {
  v1::PartnerUser user;
  user.set_user_id("usr/1");
  user.set_sri("sr:us:person:safe:0xAb");
  user.mutable_wallet()->set_eoa_address("0xEo");
  user.mutable_wallet()->set_safe_address("0xAb");
  user.set_account_status("active");
  partner().look_up_user = user;
  const std::string expected =
      R"({"external_id":"usr/1","sri":"sr:us:person:safe:0xAb","user":{)"
      R"("id":"usr/1","external_id":"usr/1","account_status":"active",)"
      R"("primary_eoa_address":"0xEo","primary_smart_wallet_address":"0xAb"},)"
      R"("_links":{"self":{"href":"/v0/users/sr%3Aus%3Aperson%3Asafe%3A0xAb"},)"
      R"("kyc":{"href":"/v0/users/usr%2F1/kyc"}}})";
  for (const char* scope : {"lookup", "get_kyc"}) {
    for (const char* sri :
         {"sr:us:person:safe:0xab", "sr%3Aus%3aperson%3Asafe%3A0xab"}) {
      const async::ClientResponse response =
          Send("GET", "/v0/users/" + std::string(sri), WithScopes({scope}));
      EXPECT_EQ(response.status, 200);
      EXPECT_EQ(response.body, expected);
      EXPECT_EQ(partner().look_up_user_request.sri(), "sr:us:person:safe:0xab");
    }
  }
  ExpectProblem(Send("GET", "/v0/users/x", WithScopes({"get_pints"})), 403,
                "SIS-403-001", "/v0/users/x");
  partner().look_up_user = base::Error(v1::ERROR_REASON_SRI_MALFORMED);
  ExpectProblem(AsPartner("GET", "/v0/users/x"), 400, "SRI-400-001",
                "/v0/users/x");
}

TEST_F(PartnerTest, ExchangesAPint) {
  v1::ExchangePintResponse answer;
  answer.set_token("a.b.c");
  answer.set_pint_id("sr:us:pint:1");
  answer.set_audience("partner.example");
  answer.add_scopes(kScope);
  answer.set_expires_at_ms(1893456000000);
  answer.set_sri("sr:us:person:eoa:0x1");
  partner().exchange_pint = answer;
  const std::string body = R"({"pint": {"nonce": 42}, "signature": "0x"})";
  const async::ClientResponse response =
      AsPartner("POST", "/v0/sis/token/pint", body);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(
      response.body,
      R"({"token":"a.b.c","sig":"a.b.c","id":"sr:us:pint:1",)"
      R"("audience":"partner.example",)"
      R"("scopes":["sr:us:pint:identity:kyc_read"],"expires_at":1893456000,)"
      R"("sri":"sr:us:person:eoa:0x1","_links":{)"
      R"("self":{"href":"/v0/sis/token/pint","method":"POST"},)"
      R"("pint":{"href":"/v0/sis/pint/sr%3Aus%3Apint%3A1"},)"
      R"("pint_status":{"href":"/v0/sis/pint/sr%3Aus%3Apint%3A1/status"},)"
      R"("pint_tokens":{"href":"/v0/pint/sr%3Aus%3Apint%3A1/tokens"},)"
      R"("revoke":{"href":"/v0/pint/sr%3Aus%3Apint%3A1","method":"DELETE"},)"
      R"("jwks":{"href":"/v0/sis/.well-known/jwks.json"}}})");
  EXPECT_EQ(response.Header("cache-control"), "no-store");
  // The engine gets the text as it was sent: numbers are never read here.
  EXPECT_EQ(partner().exchange_pint_request.body_json(), body);
  EXPECT_EQ(partner().exchange_pint_request.caller().key_id(), "key_1");

  ExpectProblem(AsPartner("POST", "/v0/sis/token/pint", "\"\xff\""), 422,
                "KYC-422-002", "/v0/sis/token/pint");
  ExpectProblem(
      AsPartner("POST", "/v0/sis/token/pint", std::string(65537, ' ')), 413,
      "GEN-413-001", "/v0/sis/token/pint");
  ExpectProblem(Send("POST", "/v0/sis/token/pint", WithScopes({"get_kyc"})),
                403, "SIS-403-001", "/v0/sis/token/pint");
}

v1::Pint SomePint() {
  v1::Pint pint;
  pint.set_id("sr:us:pint:1");
  pint.set_status(v1::Pint::STATUS_REVOKED);
  pint.set_sri("sr:us:person:eoa:0x1");
  pint.set_wallet("0x1");
  pint.set_signer("0x2");
  pint.set_nonce("42");
  pint.set_statement("why");
  pint.add_scopes(kScope);
  pint.set_max_amount("0");
  pint.set_max_amount_token("0x0");
  pint.set_expires_at_ms(3);
  pint.set_created_at_ms(1);
  pint.set_revoked_at_ms(2);
  pint.set_version("1");
  return pint;
}

constexpr char kPintJson[] =
    R"({"id":"sr:us:pint:1","status":"revoked",)"
    R"("sri":"sr:us:person:eoa:0x1","wallet":"0x1","signer":"0x2",)"
    R"("signer_type":"user","version":"1","nonce":"42","statement":"why",)"
    R"("scopes":["sr:us:pint:identity:kyc_read"],"resources":[],)"
    R"("max_amount":"0","max_amount_token":"0x0","expires_at":3,)"
    R"("created_at":1,"revoked_at":2,"tokens":)";

constexpr char kPintLinks[] =
    R"("_links":{"self":{"href":"/v0/sis/pint/sr%3Aus%3Apint%3A1"},)"
    R"("pint_status":{"href":"/v0/sis/pint/sr%3Aus%3Apint%3A1/status"},)"
    R"("pint_tokens":{"href":"/v0/pint/sr%3Aus%3Apint%3A1/tokens"}})";

TEST_F(PartnerTest, ShowsPints) {
  partner().get_pint = SomePint();
  v1::ListPintTokensResponse tokens;
  auto& token = *tokens.add_tokens();
  token.set_jti("t1");
  token.set_audience("partner.example");
  token.set_key_id("key_1");
  token.set_issued_at_ms(1);
  token.set_expires_at_ms(3);
  partner().list_pint_tokens = tokens;
  const std::string token_json =
      R"([{"jti":"t1","audience":"partner.example","key_id":"key_1",)"
      R"("issued_at":1,"expires_at":3}])";

  const std::string path = "/v0/sis/pint/sr%3Aus%3Apint%3A1";
  EXPECT_EQ(
      AsPartner("GET", path).body,
      R"({"pint":)" + std::string(kPintJson) + "null}," + kPintLinks + "}");
  EXPECT_EQ(partner().get_pint_request.pint_id(), "sr:us:pint:1");
  EXPECT_EQ(AsPartner("GET", path + "?expand=tokens").body,
            R"({"pint":)" + std::string(kPintJson) + token_json + "}," +
                kPintLinks + "}");
  EXPECT_EQ(partner().list_pint_tokens_request.caller().key_id(), "key_1");
  ExpectProblem(AsPartner("GET", path + "?expand=x"), 422, "KYC-422-002", path);

  v1::Pint third = SomePint();
  third.set_version("3");
  third.add_conditions("c");
  partner().get_pint = third;
  EXPECT_THAT(AsPartner("GET", path).body,
              HasSubstr(R"("resources":[],"conditions":["c"],)"));

  const std::string of_user = "/v0/pint/sr:us:pint:1/tokens";
  const std::string answer =
      R"({"tokens":)" + token_json +
      R"(,"_links":{"self":{"href":"/v0/pint/sr%3Aus%3Apint%3A1/tokens"},)"
      R"("revoke":{"href":"/v0/pint/sr%3Aus%3Apint%3A1","method":"DELETE"}}})";
  EXPECT_EQ(AsPartner("GET", of_user).body, answer);
  EXPECT_TRUE(partner().list_pint_tokens_request.has_caller());
  EXPECT_EQ(Call("GET", of_user).body, answer);
  EXPECT_EQ(partner().list_pint_tokens_request.user_id(), "usr_1");
  // A bad user token is not made good by a key.
  Headers both = With(caller_);
  both.emplace_back("x-juno-jwt", "bad");
  ExpectProblem(Send("GET", of_user, both), 401, "USR-401-001", of_user);
  ExpectProblem(Send("GET", of_user, {}), 401, "SIS-401-001", of_user);
}

TEST_F(PartnerTest, ListsPints) {
  v1::ListPintsResponse list;
  *list.add_pints() = SomePint();
  list.set_next_cursor("next");
  list.set_limit(1);
  partner().list_pints = list;
  EXPECT_EQ(AsPartner("GET",
                      "/v0/sis/pint?wallet=0xA&status=revoked&sort=expires_at"
                      "&order=asc&limit=1&cursor=here")
                .body,
            R"({"data":[{"pint":)" + std::string(kPintJson) + "null}," +
                kPintLinks +
                R"(}],"has_more":true,"cursor":"next","limit":1,)"
                R"("_links":{"self":{"href":"/v0/sis/pint"}}})");
  const v1::ListPintsRequest& request = partner().list_pints_request;
  EXPECT_EQ(request.caller().tenant().org_id(), "o");
  EXPECT_EQ(request.wallet(), "0xA");
  EXPECT_EQ(request.status(), "revoked");
  EXPECT_EQ(request.sort(), "expires_at");
  EXPECT_EQ(request.order(), "asc");
  EXPECT_EQ(request.limit(), 1);
  EXPECT_EQ(request.cursor(), "here");
  partner().list_pints = v1::ListPintsResponse();
  EXPECT_THAT(AsPartner("GET", "/v0/sis/pint").body,
              HasSubstr(R"({"data":[],"has_more":false,"cursor":null,)"));
  for (const char* query :
       {"limit=0", "limit=51", "limit=x", "status=", "wallet=a&wallet=b"}) {
    ExpectProblem(AsPartner("GET", "/v0/sis/pint?" + std::string(query)), 422,
                  "KYC-422-002", "/v0/sis/pint");
  }
}

TEST_F(PartnerTest, AnyKeyMayAskWhetherAPintStands) {
  v1::PintStatus status;
  status.set_pint_id("sr:us:pint:1");
  status.set_status(v1::Pint::STATUS_ACTIVE);
  partner().get_pint_status = status;
  const std::string path = "/v0/sis/pint/sr:us:pint:1/status";
  const std::string links =
      R"("_links":{"self":{"href":"/v0/sis/pint/sr%3Aus%3Apint%3A1/status"},)"
      R"("pint":{"href":"/v0/sis/pint/sr%3Aus%3Apint%3A1"}}})";
  EXPECT_EQ(Send("GET", path, WithScopes({"manage_webhooks"})).body,
            R"({"id":"sr:us:pint:1","valid":true,"reason":null,)"
            R"("revoked_at":null,)" +
                links);
  status.set_status(v1::Pint::STATUS_REVOKED);
  status.set_revoked_at_ms(7);
  partner().get_pint_status = status;
  EXPECT_EQ(AsPartner("GET", path).body,
            R"({"id":"sr:us:pint:1","valid":false,"reason":"revoked",)"
            R"("revoked_at":7,)" +
                links);
  status.set_status(v1::Pint::STATUS_EXPIRED);
  partner().get_pint_status = status;
  EXPECT_THAT(AsPartner("GET", path).body, HasSubstr(R"("reason":"expired")"));
  ExpectProblem(Send("GET", path, {}), 401, "SIS-401-001", path);
}

TEST_F(PartnerTest, TheUserRevokes) {
  partner().revoke_pint = SomePint();
  const async::ClientResponse response =
      Call("DELETE", "/v0/pint/sr%3Aus%3Apint%3A1");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body,
            R"({"id":"sr:us:pint:1","status":"revoked","revoked_at":2,)"
            R"("_links":{"self":{"href":"/v0/pint/sr%3Aus%3Apint%3A1",)"
            R"("method":"DELETE"},"pint_tokens":)"
            R"({"href":"/v0/pint/sr%3Aus%3Apint%3A1/tokens"}}})");
  EXPECT_EQ(partner().revoke_pint_request.user_id(), "usr_1");
  EXPECT_EQ(partner().revoke_pint_request.pint_id(), "sr:us:pint:1");
  const std::string path = "/v0/pint/x";
  ExpectProblem(AsPartner("DELETE", path), 401, "USR-401-001", path);
}

TEST_F(PartnerTest, PublishesTheKeys) {
  partner().list_signing_keys->set_jwks_json(R"({"keys":[]})");
  const async::ClientResponse response =
      Send("GET", "/v0/sis/.well-known/jwks.json", {});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, R"({"keys":[]})");
  EXPECT_EQ(response.Header("cache-control"), "public, max-age=300");
  partner().list_signing_keys = base::Error(v1::ERROR_REASON_UNAVAILABLE);
  const async::ClientResponse away =
      Send("GET", "/v0/sis/.well-known/jwks.json", {});
  EXPECT_EQ(away.status, 503);
  EXPECT_EQ(away.Header("cache-control"), "no-store");
}

TEST_F(PartnerTest, RegistersAWallet) {
  v1::Wallet& wallet = *partner().register_wallet->mutable_wallet();
  wallet.set_user_id("usr_1");
  wallet.set_eoa_address("0xEo");
  wallet.set_chain_id(1329);
  wallet.set_created_at_ms(5);
  const Headers json = {{"Content-Type", "application/json"},
                        {"x-juno-orgid", "o:e"}};
  for (const char* path : {"/v0/user", "/v0/user/"}) {
    const async::ClientResponse response =
        Call("POST", path, json, R"({"primary_eoa_address":"0xeo"})");
    EXPECT_EQ(response.status, 201);
    EXPECT_THAT(response.body,
                HasSubstr(R"("user":{"id":"usr_1","account_status":"active",)"
                          R"("primary_eoa_address":"0xEo",)"
                          R"("primary_smart_wallet_address":null,)"
                          R"("chain_id":1329,"created_at":5}})"));
  }
  const v1::RegisterWalletRequest& request = partner().register_wallet_request;
  EXPECT_EQ(request.user_id(), "usr_1");
  EXPECT_EQ(request.tenant().org_id(), "o");
  EXPECT_EQ(request.eoa_address(), "0xeo");
  EXPECT_EQ(request.safe_address(), "");
  EXPECT_EQ(request.chain_id(), 0);

  partner().register_wallet->set_already_existed(true);
  EXPECT_EQ(Call("POST", "/v0/user", json,
                 R"({"primary_eoa_address":"0xeo","chain_id":1,)"
                 R"("primary_smart_wallet_address":"0xab"})")
                .status,
            208);
  EXPECT_EQ(request.safe_address(), "0xab");
  EXPECT_EQ(request.chain_id(), 1);
  const int calls = partner().calls;
  for (const char* body :
       {"", "[]", "{}", R"({"primary_eoa_address":1})",
        R"({"primary_eoa_address":"0x","chain_id":"1"})",
        R"({"primary_eoa_address":"0x","chain_id":0})",
        R"({"primary_eoa_address":"0x","primary_smart_wallet_address":7})",
        R"({"primary_eoa_address":"0x","primary_smart_wallet_address":""})"}) {
    ExpectProblem(Call("POST", "/v0/user", json, body), 422, "KYC-422-002",
                  "/v0/user");
  }
  EXPECT_EQ(partner().calls, calls);
}

TEST_F(PartnerTest, ShowsTheUsersWalletsWhenAsked) {
  EXPECT_THAT(Call("GET", "/v0/user/me").body, HasSubstr(R"("wallets":null)"));
  EXPECT_THAT(Call("GET", "/v0/user/me?expand=onboarding").body,
              HasSubstr(R"("wallets":null)"));
  EXPECT_EQ(partner().calls, 0);
  const std::string path = "/v0/user/me?expand=x&expand=wallets";
  EXPECT_THAT(Call("GET", path).body, HasSubstr(R"("wallets":[])"));
  EXPECT_EQ(partner().get_wallet_request.user_id(), "usr_1");
  partner().get_wallet->set_eoa_address("0xEo");
  partner().get_wallet->set_safe_address("0xSa");
  partner().get_wallet->set_chain_id(1329);
  EXPECT_THAT(Call("GET", path).body,
              HasSubstr(R"("wallets":[{"type":"eoa","address":"0xEo",)"
                        R"("chain_id":1329},{"type":"safe","address":"0xSa",)"
                        R"("chain_id":1329}])"));
}

TEST_F(PartnerTest, TellsTheUserWhoReadWhat) {
  v1::ListAccessesResponse log;
  auto& details = *log.add_accesses();
  details.set_id("2-0");
  details.set_time_ms(2);
  details.mutable_partner()->set_org_id("o");
  details.mutable_partner()->set_env_id("e");
  details.set_key_id("key_1");
  details.set_pint_id("sr:us:pint:1");
  details.set_what("kyc_details");
  log.set_next_cursor("1-0");
  partner().list_accesses = log;
  EXPECT_EQ(Call("GET", "/v0/user/me/kyc/access-log?limit=1&cursor=3-0").body,
            R"({"data":[{"id":"2-0","accessed_at":2,"partner":{"org_id":"o",)"
            R"("env_id":"e","key_id":"key_1"},"pint_id":"sr:us:pint:1",)"
            R"("what":"kyc_details","image_id":null}],"has_more":true,)"
            R"("cursor":"1-0","limit":1,"_links":{"self":)"
            R"({"href":"/v0/user/me/kyc/access-log"},)"
            R"("user":{"href":"/v0/user/me"}}})");
  EXPECT_EQ(partner().list_accesses_request.user_id(), "usr_1");
  EXPECT_EQ(partner().list_accesses_request.limit(), 1);
  EXPECT_EQ(partner().list_accesses_request.cursor(), "3-0");
  const std::string path = "/v0/user/me/kyc/access-log";
  ExpectProblem(Call("GET", path + "?limit=101"), 422, "KYC-422-002", path);
  ExpectProblem(AsPartner("GET", path), 401, "USR-401-001", path);
}

class LimitedPartnerTest : public PartnerTest {
 protected:
  LimitedPartnerTest() : PartnerTest(/*key_limit=*/2) {}
};

TEST_F(LimitedPartnerTest, EachKeyHasItsLimit) {
  const async::ClientResponse first = Read(kKyc);
  EXPECT_EQ(first.Header("x-ratelimit-limit"), "2");
  EXPECT_EQ(first.Header("x-ratelimit-remaining"), "1");
  EXPECT_NE(first.Header("x-ratelimit-reset"), "");
  // What is refused counts, too.
  EXPECT_EQ(Send("GET", kKyc, {{"Authorization", "Bearer k"}}).status, 401);
  const async::ClientResponse third = Read(kKyc);
  ExpectProblem(third, 429, "GEN-429-001", kKyc);
  EXPECT_EQ(third.Header("x-ratelimit-remaining"), "0");
  EXPECT_EQ(third.Header("retry-after"), "30");
  // Another key is another key.
  caller_.set_id("key_2");
  EXPECT_EQ(AsPartner("GET", "/v0/sis/pint").status, 200);
}

}  // namespace
}  // namespace kyc::gateway
