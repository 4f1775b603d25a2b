// Wallets, and who finds users by them.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>

#include "services/base/error.h"
#include "services/kyc/domain/pint_for_test.h"
#include "services/kyc/server/partner_service_for_test.h"

namespace kyc::server {
namespace {

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
  EXPECT_EQ(ReasonOf(LookUp(next_door, lower)), v1::ERROR_REASON_SRI_NOT_FOUND);
  const auto pint =
      Exchange(stranger_, Body(domain::ExamplePint(), "stranger.example"));
  ASSERT_TRUE(pint.ok()) << pint.status();
  EXPECT_TRUE(LookUp(stranger_, lower).ok());
  ASSERT_TRUE(Revoke(kUser, pint->pint_id()).ok());
  EXPECT_EQ(ReasonOf(LookUp(stranger_, lower)), v1::ERROR_REASON_SRI_NOT_FOUND);
}

}  // namespace
}  // namespace kyc::server
