// What partners read with a user's consent, and what of it the user sees.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "services/async/http_stub_for_test.h"
#include "services/kyc/domain/pint_for_test.h"
#include "services/kyc/server/partner_service_for_test.h"

namespace kyc::server {
namespace {

using async::StubAnswer;
using async::StubRequest;
using std::chrono::seconds;

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
  ASSERT_TRUE(
      Register("another", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "")
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
    readers.emplace_back([&] { good += ReadKyc(caller_, grant).ok() ? 1 : 0; });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(good, kReaders);
  EXPECT_EQ(Accesses().size(), static_cast<size_t>(kReaders));
}

}  // namespace
}  // namespace kyc::server
