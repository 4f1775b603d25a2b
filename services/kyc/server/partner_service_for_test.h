// What the tests of partners share: KycService, WalletService and
// PartnerService over gRPC, with redis and a scripted web server as SumSub,
// and their client.
#ifndef KYC_SERVICES_KYC_SERVER_PARTNER_SERVICE_FOR_TEST_H_
#define KYC_SERVICES_KYC_SERVER_PARTNER_SERVICE_FOR_TEST_H_

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/async/grpc_status.h"
#include "services/async/http_stub_for_test.h"
#include "services/async/loop.h"
#include "services/async/redis_for_test.h"
#include "services/base/clock.h"
#include "services/base/error.h"
#include "services/base/signing_key.h"
#include "services/kyc/domain/pint_for_test.h"
#include "services/kyc/server/engines.h"
#include "services/kyc/server/kyc_service.h"
#include "services/kyc/server/partner_service.h"
#include "services/kyc/server/wallet_service.h"
#include "services/kyc/server/watch_hub.h"

namespace kyc::server {

// Before the example expires, and after the time of redis's clock.
inline constexpr int64_t kNow = 1'893'000'000'000;
inline constexpr char kUser[] = "user-abc123";
inline constexpr int kMostDownloads = 3;
inline constexpr char kSubject[] =
    "sr:us:person:safe:0x5FbDB2315678afecb367f032d93F642f64180aa3";

// A SumSub that has an applicant of every user.
async::StubAnswer SumSub(const async::StubRequest& request);

template <typename T>
v1::ErrorReason ReasonOf(const absl::StatusOr<T>& result) {
  return base::ReasonOf(result.status());
}

class PartnerServiceTest : public ::testing::Test {
 protected:
  PartnerServiceTest();
  ~PartnerServiceTest() override;

  Engines::Options Options();

  absl::Status UseKeys(const std::vector<const base::SigningKey*>& keys,
                       const std::string& more = "");

  template <typename Request, typename Response, typename Method, typename Stub>
  absl::StatusOr<Response> Call(Stub& stub, Method method,
                                const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::seconds(30));
    Response response;
    const absl::Status status =
        async::FromGrpcStatus((stub.*method)(&context, request, &response));
    if (!status.ok()) return status;
    return response;
  }

  absl::StatusOr<v1::RegisterWalletResponse> Register(
      const std::string& user, const std::string& eoa, const std::string& safe,
      const std::string& org = "");
  void RegisterUser(const std::string& org = "");
  void CreateApplicant(const std::string& user = kUser);
  std::string Body(const domain::Pint& pint,
                   const std::string& audience = "partner.example");
  absl::StatusOr<v1::ExchangePintResponse> Exchange(
      const v1::PartnerCaller& caller, const std::string& body);
  v1::PintGrant Grant();
  absl::StatusOr<v1::PartnerUser> LookUp(const v1::PartnerCaller& caller,
                                         const std::string& sri);
  absl::StatusOr<v1::Details> ReadKyc(const v1::PartnerCaller& caller,
                                      const v1::PintGrant& grant,
                                      const std::string& user = kUser);
  absl::StatusOr<v1::Pint> Revoke(const std::string& user,
                                  const std::string& pint);
  absl::StatusOr<v1::Pint> GetPint(const v1::PartnerCaller& caller,
                                   const std::string& pint);
  absl::StatusOr<v1::ListPintsResponse> ListPints(
      const v1::PartnerCaller& caller,
      const std::function<void(v1::ListPintsRequest&)>& set =
          [](v1::ListPintsRequest&) {});
  absl::StatusOr<v1::PintStatus> Status(const v1::PartnerCaller& caller,
                                        const std::string& pint);
  absl::StatusOr<v1::ListPintTokensResponse> Tokens(
      const v1::PartnerCaller& caller, const std::string& pint);
  std::vector<v1::ListAccessesResponse::Access> Accesses(int limit = 0);

  // An image that a client reads.
  struct Image {
    Image(v1::PartnerService::Stub& stub, const v1::ReadImageRequest& request);
    // Reads what is left; "<type> <bytes>".
    absl::StatusOr<std::string> ReadAll();
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReader<v1::ReadImageResponse>> reader;
  };
  v1::ReadImageRequest ImageRequest(const v1::PintGrant& grant,
                                    const std::string& image = "7");
  absl::StatusOr<std::string> ReadImage(const v1::ReadImageRequest& request);

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
  const domain::TestAccount owner_;
};

}  // namespace kyc::server

#endif  // KYC_SERVICES_KYC_SERVER_PARTNER_SERVICE_FOR_TEST_H_
