#include "services/kyc/server/partner_service_for_test.h"

#include <stdlib.h>
#include <unistd.h>

#include <fstream>

#include "services/async/grpc_client.h"
#include "services/async/grpc_server.h"

namespace kyc::server {

using async::StubAnswer;
using async::StubRequest;
using domain::Pint;
using std::chrono::seconds;

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

PartnerServiceTest::PartnerServiceTest()
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
  const auto channel = async::OpenChannel("127.0.0.1:" + std::to_string(port));
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

PartnerServiceTest::~PartnerServiceTest() {
  watch_hub_.streams().CancelAll();
  partners_.streams().CancelAll();
  server_->Shutdown(std::chrono::system_clock::now());
  runtime_.Stop();
  ::unlink(key_file_.c_str());
}

Engines::Options PartnerServiceTest::Options() {
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

absl::Status PartnerServiceTest::UseKeys(
    const std::vector<const base::SigningKey*>& keys, const std::string& more) {
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

absl::StatusOr<v1::RegisterWalletResponse> PartnerServiceTest::Register(
    const std::string& user, const std::string& eoa, const std::string& safe,
    const std::string& org) {
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

void PartnerServiceTest::RegisterUser(const std::string& org) {
  ASSERT_TRUE(Register(kUser, domain::ToText(owner_.address()),
                       domain::ToText(domain::ExamplePint().wallet), org)
                  .ok());
}

void PartnerServiceTest::CreateApplicant(const std::string& user) {
  v1::CreateApplicantRequest request;
  request.set_user_id(user);
  ASSERT_TRUE((Call<v1::CreateApplicantRequest, v1::CreateApplicantResponse>(
                   *kyc_stub_, &v1::KycService::Stub::CreateApplicant, request))
                  .ok());
}

std::string PartnerServiceTest::Body(const Pint& pint,
                                     const std::string& audience) {
  return domain::RenderPintBody(
      pint, owner_.Sign(domain::PintDigest(pint, 1329)), audience);
}

absl::StatusOr<v1::ExchangePintResponse> PartnerServiceTest::Exchange(
    const v1::PartnerCaller& caller, const std::string& body) {
  v1::ExchangePintRequest request;
  *request.mutable_caller() = caller;
  request.set_body_json(body);
  return Call<v1::ExchangePintRequest, v1::ExchangePintResponse>(
      *stub_, &v1::PartnerService::Stub::ExchangePint, request);
}

v1::PintGrant PartnerServiceTest::Grant() {
  const auto exchanged = Exchange(caller_, Body(domain::ExamplePint()));
  EXPECT_TRUE(exchanged.ok()) << exchanged.status();
  v1::PintGrant grant;
  if (!exchanged.ok()) return grant;
  grant.set_pint_id(exchanged->pint_id());
  grant.set_subject(exchanged->sri());
  grant.set_audience(exchanged->audience());
  return grant;
}

absl::StatusOr<v1::PartnerUser> PartnerServiceTest::LookUp(
    const v1::PartnerCaller& caller, const std::string& sri) {
  v1::LookUpUserRequest request;
  *request.mutable_caller() = caller;
  request.set_sri(sri);
  return Call<v1::LookUpUserRequest, v1::PartnerUser>(
      *stub_, &v1::PartnerService::Stub::LookUpUser, request);
}

absl::StatusOr<v1::Details> PartnerServiceTest::ReadKyc(
    const v1::PartnerCaller& caller, const v1::PintGrant& grant,
    const std::string& user) {
  v1::ReadKycRequest request;
  *request.mutable_caller() = caller;
  *request.mutable_grant() = grant;
  request.set_user_id(user);
  return Call<v1::ReadKycRequest, v1::Details>(
      *stub_, &v1::PartnerService::Stub::ReadKyc, request);
}

absl::StatusOr<v1::Pint> PartnerServiceTest::Revoke(const std::string& user,
                                                    const std::string& pint) {
  v1::RevokePintRequest request;
  request.set_user_id(user);
  request.set_pint_id(pint);
  return Call<v1::RevokePintRequest, v1::Pint>(
      *stub_, &v1::PartnerService::Stub::RevokePint, request);
}

absl::StatusOr<v1::Pint> PartnerServiceTest::GetPint(
    const v1::PartnerCaller& caller, const std::string& pint) {
  v1::GetPintRequest request;
  *request.mutable_caller() = caller;
  request.set_pint_id(pint);
  return Call<v1::GetPintRequest, v1::Pint>(
      *stub_, &v1::PartnerService::Stub::GetPint, request);
}

absl::StatusOr<v1::ListPintsResponse> PartnerServiceTest::ListPints(
    const v1::PartnerCaller& caller,
    const std::function<void(v1::ListPintsRequest&)>& set) {
  v1::ListPintsRequest request;
  *request.mutable_caller() = caller;
  set(request);
  return Call<v1::ListPintsRequest, v1::ListPintsResponse>(
      *stub_, &v1::PartnerService::Stub::ListPints, request);
}

absl::StatusOr<v1::PintStatus> PartnerServiceTest::Status(
    const v1::PartnerCaller& caller, const std::string& pint) {
  v1::GetPintStatusRequest request;
  *request.mutable_caller() = caller;
  request.set_pint_id(pint);
  return Call<v1::GetPintStatusRequest, v1::PintStatus>(
      *stub_, &v1::PartnerService::Stub::GetPintStatus, request);
}

absl::StatusOr<v1::ListPintTokensResponse> PartnerServiceTest::Tokens(
    const v1::PartnerCaller& caller, const std::string& pint) {
  v1::ListPintTokensRequest request;
  *request.mutable_caller() = caller;
  request.set_pint_id(pint);
  return Call<v1::ListPintTokensRequest, v1::ListPintTokensResponse>(
      *stub_, &v1::PartnerService::Stub::ListPintTokens, request);
}

std::vector<v1::ListAccessesResponse::Access> PartnerServiceTest::Accesses(
    int limit) {
  std::vector<v1::ListAccessesResponse::Access> all;
  v1::ListAccessesRequest request;
  request.set_user_id(kUser);
  request.set_limit(limit);
  do {
    const auto page = Call<v1::ListAccessesRequest, v1::ListAccessesResponse>(
        *stub_, &v1::PartnerService::Stub::ListAccesses, request);
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return all;
    all.insert(all.end(), page->accesses().begin(), page->accesses().end());
    request.set_cursor(page->next_cursor());
  } while (!request.cursor().empty());
  return all;
}

PartnerServiceTest::Image::Image(v1::PartnerService::Stub& stub,
                                 const v1::ReadImageRequest& request) {
  context.set_deadline(std::chrono::system_clock::now() + seconds(60));
  reader = stub.ReadImage(&context, request);
}

absl::StatusOr<std::string> PartnerServiceTest::Image::ReadAll() {
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

v1::ReadImageRequest PartnerServiceTest::ImageRequest(
    const v1::PintGrant& grant, const std::string& image) {
  v1::ReadImageRequest request;
  *request.mutable_caller() = caller_;
  *request.mutable_grant() = grant;
  request.set_user_id(kUser);
  request.set_image_id(image);
  return request;
}

absl::StatusOr<std::string> PartnerServiceTest::ReadImage(
    const v1::ReadImageRequest& request) {
  return Image(*stub_, request).ReadAll();
}

}  // namespace kyc::server
