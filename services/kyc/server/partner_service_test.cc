// Wallets, consents and what partners read, over gRPC, with redis and a
// scripted web server as SumSub.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "services/async/grpc_client.h"
#include "services/async/grpc_server.h"
#include "services/async/grpc_status.h"
#include "services/async/http_stub_for_test.h"
#include "services/async/redis_for_test.h"
#include "services/base/error.h"
#include "services/base/json.h"
#include "services/base/signing_key.h"
#include "services/kyc/domain/pint_for_test.h"
#include "services/kyc/server/kyc_service.h"
#include "services/kyc/server/partner_service.h"
#include "services/kyc/server/wallet_service.h"

namespace kyc::server {
namespace {

using async::StubAnswer;
using async::StubRequest;
using domain::Pint;
using domain::TestAccount;
using std::chrono::seconds;

// Before the example expires, and after the time of redis's clock.
constexpr int64_t kNow = 1'893'000'000'000;
constexpr char kUser[] = "user-abc123";
constexpr int kMostDownloads = 3;
constexpr char kSubject[] =
    "sr:us:person:safe:0x5FbDB2315678afecb367f032d93F642f64180aa3";

// A SumSub that has an applicant of every user.
StubAnswer SumSub(const StubRequest& request) {
  const auto ends = [&](const char* with) {
    return request.target.ends_with(with);
  };
  StubAnswer answer;
  if (request.target.starts_with("/resources/applicants?")) {
    answer.status = 201;
    answer.body = R"({"id":"66f1a0b2c3d4e5f60718293a"})";
  } else if (ends("/one")) {
    answer.body =
        R"({"id":"66f1a0b2c3d4e5f60718293a","inspectionId":"insp",)"
        R"("createdAt":"2025-03-02 10:15:30","info":{"firstName":"JANE",)"
        R"("lastName":"SMITH","dob":"1990-05-15","nationality":"GBR"}})";
  } else if (ends("/metadata/resources")) {
    answer.body = R"({"items":[{"id":"7","addedDate":"2025-03-02 10:20:11",)"
                  R"("idDocDef":{"country":"GBR","idDocType":"PASSPORT"},)"
                  R"("reviewResult":{"reviewAnswer":"GREEN"}},{"id":"8",)"
                  R"("idDocDef":{"country":"GBR","idDocType":"PASSPORT"}}]})";
  } else if (request.target == "/resources/inspections/insp/resources/7") {
    answer.headers = {{"Content-Type", "image/png"}};
    answer.body = std::string(10'000'000, '\x89');
  } else {
    answer.status = 404;
    answer.body = "{}";
  }
  return answer;
}

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

class PartnerServiceTest : public ::testing::Test {
 protected:
  PartnerServiceTest()
      : engines_(runtime_, clock_, Options()),
        watch_hub_(runtime_.loop(0), redis_.options(), clock_),
        kyc_(engines_, watch_hub_, 1),
        wallets_(engines_),
        partners_(engines_, kMostDownloads) {
    sumsub_.SetHandler(SumSub);
    runtime_.Start();
    grpc::ServerBuilder builder;
    async::ApplyServerDefaults(builder);
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(),
                             &port);
    builder.RegisterService(&kyc_);
    builder.RegisterService(&wallets_);
    builder.RegisterService(&partners_);
    server_ = builder.BuildAndStart();
    const auto channel =
        async::OpenChannel("127.0.0.1:" + std::to_string(port));
    kyc_stub_ = v1::KycService::NewStub(channel);
    wallet_stub_ = v1::WalletService::NewStub(channel);
    stub_ = v1::PartnerService::NewStub(channel);
    caller_.set_key_id("key_a");
    caller_.mutable_tenant()->set_org_id("org_a");
    caller_.mutable_tenant()->set_env_id("live");
    caller_.set_audience("partner.example");
    stranger_.set_key_id("key_b");
    stranger_.mutable_tenant()->set_org_id("org_b");
    stranger_.mutable_tenant()->set_env_id("live");
    stranger_.set_audience("stranger.example");
    EXPECT_TRUE(UseKeys({&first_key_}).ok());
  }
  ~PartnerServiceTest() override {
    watch_hub_.streams().CancelAll();
    partners_.streams().CancelAll();
    server_->Shutdown(std::chrono::system_clock::now());
    runtime_.Stop();
    ::unlink(key_file_.c_str());
  }

  Engines::Options Options() {
    Engines::Options options;
    options.redis = redis_.options();
    options.sumsub.base_url = sumsub_.url();
    options.sumsub.app_token = base::Secret("t");
    options.sumsub.secret_key = base::Secret("s");
    options.engine.levels.websdk = "full";
    options.engine.steps =
        *domain::OnboardingSteps::Parse("created,kyc_verification,complete");
    options.partner.issuer = "https://issuer.example";
    return options;
  }

  absl::Status UseKeys(const std::vector<const base::SigningKey*>& keys,
                       const std::string& more = "") {
    if (key_file_.empty()) {
      key_file_ = ::testing::TempDir() + "/partner_keys_XXXXXX";
      ::close(::mkstemp(key_file_.data()));
    }
    std::ofstream out(key_file_);
    for (const base::SigningKey* key : keys) out << key->ToPem();
    out << more;
    out.close();
    return engines_.partner_keys().Load(key_file_);
  }

  template <typename Request, typename Response, typename Method, typename Stub>
  absl::StatusOr<Response> Call(Stub& stub, Method method,
                                const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(30));
    Response response;
    const absl::Status status =
        async::FromGrpcStatus((stub.*method)(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }

  absl::StatusOr<v1::RegisterWalletResponse> Register(
      const std::string& user, const std::string& eoa, const std::string& safe,
      const std::string& org = "") {
    v1::RegisterWalletRequest request;
    request.set_user_id(user);
    request.set_eoa_address(eoa);
    request.set_safe_address(safe);
    if (!org.empty()) {
      request.mutable_tenant()->set_org_id(org);
      request.mutable_tenant()->set_env_id("live");
    }
    return Call<v1::RegisterWalletRequest, v1::RegisterWalletResponse>(
        *wallet_stub_, &v1::WalletService::Stub::RegisterWallet, request);
  }
  void RegisterUser(const std::string& org = "") {
    ASSERT_TRUE(Register(kUser, domain::ToText(owner_.address()),
                         domain::ToText(domain::ExamplePint().wallet), org)
                    .ok());
  }
  void CreateApplicant(const std::string& user = kUser) {
    v1::CreateApplicantRequest request;
    request.set_user_id(user);
    ASSERT_TRUE((Call<v1::CreateApplicantRequest, v1::CreateApplicantResponse>(
                     *kyc_stub_, &v1::KycService::Stub::CreateApplicant,
                     request))
                    .ok());
  }
  std::string Body(const Pint& pint,
                   const std::string& audience = "partner.example") {
    return domain::RenderPintBody(
        pint, owner_.Sign(domain::PintDigest(pint, 1329)), audience);
  }
  absl::StatusOr<v1::ExchangePintResponse> Exchange(
      const v1::PartnerCaller& caller, const std::string& body) {
    v1::ExchangePintRequest request;
    *request.mutable_caller() = caller;
    request.set_body_json(body);
    return Call<v1::ExchangePintRequest, v1::ExchangePintResponse>(
        *stub_, &v1::PartnerService::Stub::ExchangePint, request);
  }
  v1::PintGrant Grant() {
    const auto exchanged = Exchange(caller_, Body(domain::ExamplePint()));
    EXPECT_TRUE(exchanged.ok()) << exchanged.status();
    v1::PintGrant grant;
    if (!exchanged.ok()) return grant;
    grant.set_pint_id(exchanged->pint_id());
    grant.set_subject(exchanged->sri());
    grant.set_audience(exchanged->audience());
    return grant;
  }
  absl::StatusOr<v1::PartnerUser> LookUp(const v1::PartnerCaller& caller,
                                         const std::string& sri) {
    v1::LookUpUserRequest request;
    *request.mutable_caller() = caller;
    request.set_sri(sri);
    return Call<v1::LookUpUserRequest, v1::PartnerUser>(
        *stub_, &v1::PartnerService::Stub::LookUpUser, request);
  }
  absl::StatusOr<v1::Details> ReadKyc(const v1::PartnerCaller& caller,
                                      const v1::PintGrant& grant,
                                      const std::string& user = kUser) {
    v1::ReadKycRequest request;
    *request.mutable_caller() = caller;
    *request.mutable_grant() = grant;
    request.set_user_id(user);
    return Call<v1::ReadKycRequest, v1::Details>(
        *stub_, &v1::PartnerService::Stub::ReadKyc, request);
  }
  absl::StatusOr<v1::Pint> Revoke(const std::string& user,
                                  const std::string& pint) {
    v1::RevokePintRequest request;
    request.set_user_id(user);
    request.set_pint_id(pint);
    return Call<v1::RevokePintRequest, v1::Pint>(
        *stub_, &v1::PartnerService::Stub::RevokePint, request);
  }
  absl::StatusOr<v1::Pint> GetPint(const v1::PartnerCaller& caller,
                                   const std::string& pint) {
    v1::GetPintRequest request;
    *request.mutable_caller() = caller;
    request.set_pint_id(pint);
    return Call<v1::GetPintRequest, v1::Pint>(
        *stub_, &v1::PartnerService::Stub::GetPint, request);
  }
  absl::StatusOr<v1::ListPintsResponse> ListPints(
      const v1::PartnerCaller& caller,
      const std::function<void(v1::ListPintsRequest&)>& set =
          [](v1::ListPintsRequest&) {}) {
    v1::ListPintsRequest request;
    *request.mutable_caller() = caller;
    set(request);
    return Call<v1::ListPintsRequest, v1::ListPintsResponse>(
        *stub_, &v1::PartnerService::Stub::ListPints, request);
  }
  absl::StatusOr<v1::PintStatus> Status(const v1::PartnerCaller& caller,
                                        const std::string& pint) {
    v1::GetPintStatusRequest request;
    *request.mutable_caller() = caller;
    request.set_pint_id(pint);
    return Call<v1::GetPintStatusRequest, v1::PintStatus>(
        *stub_, &v1::PartnerService::Stub::GetPintStatus, request);
  }
  absl::StatusOr<v1::ListPintTokensResponse> Tokens(
      const v1::PartnerCaller& caller, const std::string& pint) {
    v1::ListPintTokensRequest request;
    *request.mutable_caller() = caller;
    request.set_pint_id(pint);
    return Call<v1::ListPintTokensRequest, v1::ListPintTokensResponse>(
        *stub_, &v1::PartnerService::Stub::ListPintTokens, request);
  }
  std::vector<v1::ListAccessesResponse::Access> Accesses(int limit = 0) {
    std::vector<v1::ListAccessesResponse::Access> all;
    v1::ListAccessesRequest request;
    request.set_user_id(kUser);
    request.set_limit(limit);
    do {
      const auto page =
          Call<v1::ListAccessesRequest, v1::ListAccessesResponse>(
              *stub_, &v1::PartnerService::Stub::ListAccesses, request);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return all;
      all.insert(all.end(), page->accesses().begin(), page->accesses().end());
      request.set_cursor(page->next_cursor());
    } while (!request.cursor().empty());
    return all;
  }

  // An image that a client reads.
  struct Image {
    Image(v1::PartnerService::Stub& stub, const v1::ReadImageRequest& request) {
      context.set_deadline(std::chrono::system_clock::now() + seconds(60));
      reader = stub.ReadImage(&context, request);
    }
    // Reads what is left; "<type> <bytes>".
    absl::StatusOr<std::string> ReadAll() {
      std::string all;
      v1::ReadImageResponse message;
      while (reader->Read(&message)) {
        if (message.has_start()) all += message.start().content_type() + " ";
        EXPECT_LE(message.chunk().size(), 65536u);
        all += message.chunk();
      }
      const absl::Status status = async::FromGrpcStatus(reader->Finish());
      if (!status.ok()) return status;
      return all;
    }
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::ReadImageResponse>> reader;
  };
  v1::ReadImageRequest ImageRequest(const v1::PintGrant& grant,
                                    const std::string& image = "7") {
    v1::ReadImageRequest request;
    *request.mutable_caller() = caller_;
    *request.mutable_grant() = grant;
    request.set_user_id(kUser);
    request.set_image_id(image);
    return request;
  }
  absl::StatusOr<std::string> ReadImage(const v1::ReadImageRequest& request) {
    return Image(*stub_, request).ReadAll();
  }

  async::RedisForTest redis_;
  async::HttpStub sumsub_;
  async::Runtime runtime_{2};
  base::FakeClock clock_{kNow};
  Engines engines_;
  WatchHub watch_hub_;
  KycService kyc_;
  WalletService wallets_;
  PartnerService partners_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<v1::KycService::Stub> kyc_stub_;
  std::unique_ptr<v1::WalletService::Stub> wallet_stub_;
  std::unique_ptr<v1::PartnerService::Stub> stub_;
  const base::SigningKey first_key_ = *base::SigningKey::Generate();
  std::string key_file_;
  v1::PartnerCaller caller_;
  v1::PartnerCaller stranger_;
  const TestAccount owner_;
};

async::Task<void> EraseInto(async::Loop& loop, async::RedisOptions options,
                            std::promise<absl::Status>& done) {
  async::Redis redis(loop, std::move(options));
  done.set_value(co_await store::EraseConsents(redis, kUser));
}

template <typename T>
v1::ErrorReason ReasonOf(const absl::StatusOr<T>& result) {
  return base::ReasonOf(result.status());
}

TEST_F(PartnerServiceTest, AWalletIsRegisteredByItsUser) {
  const std::string eoa = "0xF39FD6E51AAD88F6F4CE6AB8827279CFFFB92266";
  const auto first = Register(kUser, eoa, "");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(first->already_existed());
  EXPECT_EQ(first->wallet().eoa_address(),
            "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
  EXPECT_EQ(first->wallet().chain_id(), 1329);
  EXPECT_EQ(first->wallet().created_at_ms(), kNow);
  EXPECT_TRUE(Register(kUser, eoa, "")->already_existed());
  EXPECT_EQ(ReasonOf(Register("another", eoa, "")),
            v1::ERROR_REASON_WALLET_TAKEN);

  v1::GetWalletRequest get;
  get.set_user_id(kUser);
  const auto wallet = Call<v1::GetWalletRequest, v1::Wallet>(
      *wallet_stub_, &v1::WalletService::Stub::GetWallet, get);
  EXPECT_EQ(wallet->eoa_address(), first->wallet().eoa_address());
  get.set_user_id("another");
  EXPECT_EQ((Call<v1::GetWalletRequest, v1::Wallet>(
                 *wallet_stub_, &v1::WalletService::Stub::GetWallet, get))
                ->eoa_address(),
            "");
}

TEST_F(PartnerServiceTest, WhatIsWrongWithAWalletIsSaid) {
  const std::string zero = "0x0000000000000000000000000000000000000000";
  const std::string good = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
  const auto named = [&](const std::string& eoa, const std::string& safe,
                         int64_t chain = 0) {
    v1::RegisterWalletRequest request;
    request.set_user_id(kUser);
    request.set_eoa_address(eoa);
    request.set_safe_address(safe);
    request.set_chain_id(chain);
    const absl::Status status =
        Call<v1::RegisterWalletRequest, v1::RegisterWalletResponse>(
            *wallet_stub_, &v1::WalletService::Stub::RegisterWallet, request)
            .status();
    std::string names;
    for (const base::Violation& wrong : base::ExtrasOf(status).violations) {
      names += wrong.name;
    }
    return names;
  };
  EXPECT_EQ(named("", ""), "/primary_eoa_address");
  EXPECT_EQ(named(zero, ""), "/primary_eoa_address");
  EXPECT_EQ(named(good + "0", "", 1), "/primary_eoa_address/chain_id");
  EXPECT_EQ(named(good, "0x1"), "/primary_smart_wallet_address");
  EXPECT_EQ(named(good, good), "/primary_smart_wallet_address");
  EXPECT_EQ(named(good, "", 1), "/chain_id");
  EXPECT_EQ(named(good, "", -1329), "/chain_id");
  EXPECT_EQ(named(good, "", 1329), "");
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
  ASSERT_TRUE(
      Register(kUser, domain::ToText(owner_.address()), "").ok());
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

TEST_F(PartnerServiceTest, APartnerReadsWithConsentAndTheUserSeesIt) {
  RegisterUser();
  CreateApplicant();
  const v1::PintGrant grant = Grant();
  const auto details = ReadKyc(caller_, grant);
  ASSERT_TRUE(details.ok()) << details.status();
  EXPECT_EQ(details->personal_info().first_name(), "JANE");
  ASSERT_EQ(details->documents_size(), 1);
  EXPECT_EQ(details->documents(0).image_ids_size(), 2);
  clock_.Advance(1000);
  const auto image = ReadImage(ImageRequest(grant));
  ASSERT_TRUE(image.ok()) << image.status();
  EXPECT_TRUE(*image == "image/png " + std::string(10'000'000, '\x89'));

  for (const int limit : {0, 1}) {
    const auto accesses = Accesses(limit);
    ASSERT_EQ(accesses.size(), 2u);
    EXPECT_EQ(accesses[0].what(), "document_image");
    EXPECT_EQ(accesses[0].image_id(), "7");
    EXPECT_EQ(accesses[0].time_ms(), kNow + 1000);
    EXPECT_EQ(accesses[1].what(), "kyc_details");
    EXPECT_EQ(accesses[1].image_id(), "");
    EXPECT_EQ(accesses[1].time_ms(), kNow);
    EXPECT_EQ(accesses[1].partner().org_id(), "org_a");
    EXPECT_EQ(accesses[1].partner().env_id(), "live");
    EXPECT_EQ(accesses[1].key_id(), "key_a");
    EXPECT_EQ(accesses[1].pint_id(), grant.pint_id());
    EXPECT_NE(accesses[0].id(), accesses[1].id());
  }
}

TEST_F(PartnerServiceTest, WhatIsRefusedIsNotRead) {
  RegisterUser();
  ASSERT_TRUE(Register("another",
                       "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "")
                  .ok());
  CreateApplicant("another");
  const v1::PintGrant grant = Grant();
  EXPECT_EQ(ReasonOf(ReadKyc(caller_, grant)),
            v1::ERROR_REASON_APPLICANT_NOT_FOUND);
  CreateApplicant();

  // Whether there is such a user is not said.
  for (const char* user : {"another", "nobody", ""}) {
    EXPECT_EQ(ReasonOf(ReadKyc(caller_, grant, user)),
              v1::ERROR_REASON_PINT_SUBJECT_MISMATCH);
  }
  // Of another organisation, for another audience, of no PINT, of another
  // subject than the PINT's.
  EXPECT_EQ(ReasonOf(ReadKyc(stranger_, grant)),
            v1::ERROR_REASON_PINT_TOKEN_INVALID);
  v1::PartnerCaller other_key = caller_;
  other_key.set_audience("other.example");
  EXPECT_EQ(ReasonOf(ReadKyc(other_key, grant)),
            v1::ERROR_REASON_PINT_TOKEN_INVALID);
  v1::PintGrant forged = grant;
  forged.set_pint_id("sr:us:pint:" + std::string(32, 'a'));
  EXPECT_EQ(ReasonOf(ReadKyc(caller_, forged)),
            v1::ERROR_REASON_PINT_TOKEN_INVALID);
  forged = grant;
  forged.set_subject("sr:us:person:eoa:" + domain::ToText(owner_.address()));
  EXPECT_EQ(ReasonOf(ReadKyc(caller_, forged)),
            v1::ERROR_REASON_PINT_TOKEN_INVALID);

  EXPECT_EQ(ReasonOf(ReadImage(ImageRequest(grant, "999"))),
            v1::ERROR_REASON_IMAGE_NOT_FOUND);
  EXPECT_EQ(ReasonOf(ReadImage(ImageRequest(grant, "../7"))),
            v1::ERROR_REASON_IMAGE_NOT_FOUND);
  // In the list, but gone at the provider.
  EXPECT_EQ(ReasonOf(ReadImage(ImageRequest(grant, "8"))),
            v1::ERROR_REASON_IMAGE_NOT_FOUND);
  EXPECT_TRUE(Accesses().empty());

  ASSERT_TRUE(ReadKyc(caller_, grant).ok());
  clock_.Advance(456'000'000);
  EXPECT_EQ(ReasonOf(ReadKyc(caller_, grant)),
            v1::ERROR_REASON_PINT_TOKEN_INVALID);
  clock_.Advance(-456'000'000);
  ASSERT_TRUE(ReadKyc(caller_, grant).ok());
  ASSERT_TRUE(Revoke(kUser, grant.pint_id()).ok());
  EXPECT_EQ(ReasonOf(ReadKyc(caller_, grant)),
            v1::ERROR_REASON_PINT_TOKEN_INVALID);
  EXPECT_EQ(ReasonOf(ReadImage(ImageRequest(grant))),
            v1::ERROR_REASON_PINT_TOKEN_INVALID);
  EXPECT_EQ(Accesses().size(), 2u);
}

TEST_F(PartnerServiceTest, AProviderThatFailsIsA502) {
  RegisterUser();
  CreateApplicant();
  const v1::PintGrant grant = Grant();
  sumsub_.SetHandler([](const StubRequest&) {
    StubAnswer answer;
    answer.status = 500;
    return answer;
  });
  EXPECT_EQ(ReasonOf(ReadKyc(caller_, grant)),
            v1::ERROR_REASON_PROVIDER_UNAVAILABLE);
  sumsub_.SetHandler([](const StubRequest& request) {
    StubAnswer answer = SumSub(request);
    if (request.target.ends_with("/resources/7")) {
      answer.headers = {{"Content-Type", "text/html"}};
    }
    return answer;
  });
  EXPECT_EQ(ReasonOf(ReadImage(ImageRequest(grant))),
            v1::ERROR_REASON_PROVIDER_UNAVAILABLE);
  EXPECT_TRUE(Accesses().empty());
  // One that breaks off has been read in part.
  sumsub_.SetHandler([](const StubRequest& request) {
    if (!request.target.ends_with("/resources/7")) return SumSub(request);
    return StubAnswer::Raw(
        "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
        "Content-Length: 100\r\n\r\nonly this");
  });
  EXPECT_EQ(ReasonOf(ReadImage(ImageRequest(grant))),
            v1::ERROR_REASON_PROVIDER_UNAVAILABLE);
  EXPECT_EQ(Accesses().size(), 1u);
}

TEST_F(PartnerServiceTest, AClientThatStopsReadingStallsItselfAlone) {
  RegisterUser();
  CreateApplicant();
  const v1::PintGrant grant = Grant();
  std::vector<std::unique_ptr<Image>> stalled;
  for (int i = 1; i < kMostDownloads; ++i) {
    stalled.push_back(std::make_unique<Image>(*stub_, ImageRequest(grant)));
    v1::ReadImageResponse message;
    ASSERT_TRUE(stalled.back()->reader->Read(&message));
  }
  // The others go on.
  EXPECT_TRUE(ReadImage(ImageRequest(grant)).ok());
  EXPECT_TRUE(ReadKyc(caller_, grant).ok());
  // With all places taken the next is told so at once.
  stalled.push_back(std::make_unique<Image>(*stub_, ImageRequest(grant)));
  v1::ReadImageResponse message;
  ASSERT_TRUE(stalled.back()->reader->Read(&message));
  EXPECT_EQ(ReasonOf(ReadImage(ImageRequest(grant))),
            v1::ERROR_REASON_UNAVAILABLE);
  // Those who go leave their places; those who read on get all of it.
  stalled.pop_back();
  EXPECT_EQ(stalled[0]->ReadAll()->size(), 10'000'000u);
  stalled[1]->context.TryCancel();
  const auto end = std::chrono::steady_clock::now() + seconds(20);
  absl::StatusOr<std::string> image;
  while (std::chrono::steady_clock::now() < end) {
    image = ReadImage(ImageRequest(grant));
    if (image.ok()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  EXPECT_TRUE(image.ok()) << image.status();
}

TEST_F(PartnerServiceTest, ManyReadsOfOneUserAllStandInTheLog) {
  RegisterUser();
  CreateApplicant();
  const v1::PintGrant grant = Grant();
  constexpr int kReaders = 16;
  std::vector<std::thread> readers;
  std::atomic<int> good = 0;
  for (int i = 0; i < kReaders; ++i) {
    readers.emplace_back(
        [&] { good += ReadKyc(caller_, grant).ok() ? 1 : 0; });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(good, kReaders);
  EXPECT_EQ(Accesses().size(), static_cast<size_t>(kReaders));
}

TEST_F(PartnerServiceTest, UsersAreFoundByWhomTheyMayBeKnownTo) {
  RegisterUser("org_a");
  const std::string lower =
      "sr:us:person:safe:0x5fbdb2315678afecb367f032d93f642f64180aa3";
  const auto user = LookUp(caller_, lower);
  ASSERT_TRUE(user.ok()) << user.status();
  EXPECT_EQ(user->user_id(), kUser);
  EXPECT_EQ(user->sri(), kSubject);
  EXPECT_EQ(user->account_status(), "active");
  EXPECT_EQ(user->wallet().safe_address(),
            "0x5FbDB2315678afecb367f032d93F642f64180aa3");
  EXPECT_EQ(ReasonOf(LookUp(caller_, "sr:us:person:safe:0x")),
            v1::ERROR_REASON_SRI_MALFORMED);
  // A Safe is no EOA.
  std::string eoa = lower;
  eoa.replace(eoa.find("safe"), 4, "eoa");
  EXPECT_EQ(ReasonOf(LookUp(caller_, eoa)), v1::ERROR_REASON_SRI_NOT_FOUND);

  // Another organisation does not see the user, or the environment next door,
  // before it holds a PINT, and no longer than it does.
  const absl::Status unseen = LookUp(stranger_, lower).status();
  const absl::Status none =
      LookUp(stranger_,
             "sr:us:person:safe:0x5fbdb2315678afecb367f032d93f642f64180aa4")
          .status();
  EXPECT_EQ(unseen, none);
  EXPECT_EQ(base::ReasonOf(unseen), v1::ERROR_REASON_SRI_NOT_FOUND);
  v1::PartnerCaller next_door = caller_;
  next_door.mutable_tenant()->set_env_id("test");
  EXPECT_EQ(ReasonOf(LookUp(next_door, lower)),
            v1::ERROR_REASON_SRI_NOT_FOUND);
  const auto pint =
      Exchange(stranger_, Body(domain::ExamplePint(), "stranger.example"));
  ASSERT_TRUE(pint.ok()) << pint.status();
  EXPECT_TRUE(LookUp(stranger_, lower).ok());
  ASSERT_TRUE(Revoke(kUser, pint->pint_id()).ok());
  EXPECT_EQ(ReasonOf(LookUp(stranger_, lower)),
            v1::ERROR_REASON_SRI_NOT_FOUND);
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
  EXPECT_EQ(ReasonOf(Exchange(stranger_, Body(domain::ExamplePint(),
                                              "stranger.example"))),
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
