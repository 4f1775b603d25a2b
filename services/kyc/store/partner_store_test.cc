// Wallets and PINTs over a real redis-server.
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/async/redis_for_test.h"
#include "services/base/clock.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"
#include "services/kyc/domain/pint_for_test.h"
#include "services/kyc/store/pint_store.h"
#include "services/kyc/store/wallet_store.h"

namespace kyc::store {
namespace {

using async::RedisReply;
using async::Task;
using domain::Address;
using domain::Wallet;

// Far ahead: Redis lets keys go by its own clock.
constexpr int64_t kNow = 4'000'000'000'000;

template <typename T>
Task<void> Keep(std::function<Task<T>()> start,
                std::shared_ptr<std::promise<T>> promise) {
  promise->set_value(co_await start());
}

Task<absl::StatusOr<int>> EraseAnd(async::Redis& redis, std::string user) {
  CO_RETURN_IF_ERROR(co_await EraseConsents(redis, std::move(user)));
  co_return 0;
}

class PartnerStoreTest : public ::testing::Test {
 protected:
  PartnerStoreTest()
      : redis_(runtime_.loop(0), server_.options()),
        wallets_(redis_, clock_),
        pints_(redis_, clock_) {
    runtime_.Start();
  }
  ~PartnerStoreTest() override { runtime_.Stop(); }

  template <typename F>
  auto Start(F start) {
    using T = typename decltype(start())::value_type;
    auto promise = std::make_shared<std::promise<T>>();
    auto future = promise->get_future();
    runtime_.loop(0).Post([this, start, promise] {
      runtime_.loop(0).Spawn(Keep<T>(start, promise));
    });
    return future;
  }
  template <typename F>
  auto Run(F start) {
    return Start(std::move(start)).get();
  }
  RedisReply Command(std::vector<std::string> words) {
    return Run([&] { return redis_.Command(words); }).value();
  }

  static Address AddressOf(int number) {
    Address address;
    address.bytes[0] = 0xab;
    address.bytes[19] = static_cast<unsigned char>(number);
    return address;
  }
  static Wallet WalletOf(std::string user, int eoa, int safe = 0) {
    Wallet wallet;
    wallet.user_id = std::move(user);
    wallet.eoa = AddressOf(eoa);
    if (safe != 0) wallet.safe = AddressOf(safe);
    wallet.chain_id = 1329;
    return wallet;
  }
  absl::StatusOr<WalletStore::Registered> Register(Wallet wallet) {
    return Run([&] { return wallets_.Register(wallet); });
  }
  std::string OwnerOf(int address) {
    const auto wallet =
        Run([&] { return wallets_.Find(AddressOf(address)); }).value();
    return wallet ? wallet->user_id : "";
  }

  // A PINT of the wallet 1, which is usr_1's.
  static PintRecord Consent(uint64_t nonce, std::string org = "org_a") {
    PintRecord record;
    record.user_id = "usr_1";
    record.org_id = std::move(org);
    record.pint = domain::ExamplePint();
    record.pint.wallet = AddressOf(1);
    record.pint.nonce = domain::ToUint256(nonce);
    record.pint.resources = {"a", "\"b\""};
    record.digest = "digest of " + std::to_string(nonce);
    record.expires_at_ms = kNow + 1000 * static_cast<int64_t>(nonce);
    return record;
  }
  absl::StatusOr<PintStore::Exchanged> Exchange(PintRecord record,
                                                std::string jti = "jti") {
    const PintToken token = {std::move(jti), "partner.example", "key_1", kNow,
                             record.expires_at_ms};
    return Run([&] { return pints_.Exchange(record, token); });
  }
  absl::Status Erase(const std::string& user) {
    return Run([&] { return EraseAnd(redis_, user); }).status();
  }
  std::optional<PintRecord> Get(const std::string& id) {
    return Run([&] { return pints_.Get(id); }).value();
  }

  async::RedisForTest server_;
  async::Runtime runtime_{1};
  base::FakeClock clock_{kNow};
  async::Redis redis_;
  WalletStore wallets_;
  PintStore pints_;
};

v1::ErrorReason ReasonOf(const absl::Status& status) {
  return base::ReasonOf(status);
}

TEST_F(PartnerStoreTest, AWalletIsRegisteredOnceAndMayGetItsSafeLater) {
  Wallet wallet = WalletOf("usr_1", 1);
  wallet.tenant = {"org", "env"};
  const auto first = Register(wallet);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(first->already_existed);
  wallet.created_at_ms = kNow;
  EXPECT_EQ(first->wallet, wallet);
  clock_.Advance(5);
  EXPECT_TRUE(Register(wallet)->already_existed);

  const auto with_safe = Register(WalletOf("usr_1", 1, 2));
  ASSERT_TRUE(with_safe.ok());
  EXPECT_FALSE(with_safe->already_existed);
  wallet.safe = AddressOf(2);
  EXPECT_EQ(with_safe->wallet, wallet);
  EXPECT_TRUE(Register(WalletOf("usr_1", 1, 2))->already_existed);
  EXPECT_TRUE(Register(WalletOf("usr_1", 1))->already_existed);
  EXPECT_EQ(OwnerOf(1), "usr_1");
  EXPECT_EQ(OwnerOf(2), "usr_1");
  EXPECT_EQ(OwnerOf(3), "");
}

TEST_F(PartnerStoreTest, NoAddressHasTwoOwnersAndNobodyTwoWallets) {
  ASSERT_TRUE(Register(WalletOf("usr_1", 1, 2)).ok());
  clock_.Advance(3'600'000);
  const auto keys = Command({"DBSIZE"}).integer;
  for (const Wallet& wallet :
       {WalletOf("usr_2", 1), WalletOf("usr_2", 2), WalletOf("usr_2", 3, 1),
        WalletOf("usr_2", 3, 2), WalletOf("usr_1", 3), WalletOf("usr_1", 1, 3),
        WalletOf("usr_1", 2, 1)}) {
    EXPECT_EQ(ReasonOf(Register(wallet).status()),
              v1::ERROR_REASON_WALLET_TAKEN);
    // Nothing is left behind.
    EXPECT_EQ(Command({"DBSIZE"}).integer, keys);
  }
  EXPECT_TRUE(Register(WalletOf("usr_2", 3, 4)).ok());
}

TEST_F(PartnerStoreTest, OfManyWhoWantAnAddressOneGetsIt) {
  std::vector<std::future<absl::StatusOr<WalletStore::Registered>>> tries;
  for (int i = 0; i < 20; ++i) {
    tries.push_back(Start([this, i] {
      return wallets_.Register(
          WalletOf("usr_" + std::to_string(i), 1, 100 + i));
    }));
  }
  int winners = 0;
  for (auto& attempt : tries) {
    const auto result = attempt.get();
    if (result.ok()) {
      ++winners;
      EXPECT_EQ(OwnerOf(1), result->wallet.user_id);
    } else {
      EXPECT_EQ(ReasonOf(result.status()), v1::ERROR_REASON_WALLET_TAKEN);
    }
  }
  EXPECT_EQ(winners, 1);
  // Two addresses and one hash: the losers gave theirs back.
  EXPECT_EQ(Command({"DBSIZE"}).integer, 3);
}

TEST_F(PartnerStoreTest, AClaimThatACrashLeftIsTakenUp) {
  const std::string claim = std::to_string(kNow) + " usr_1";
  Command({"SET", WalletOwnerKey(AddressOf(1)), claim});
  EXPECT_EQ(OwnerOf(1), "");
  // By others after a minute, by the same user at once.
  EXPECT_EQ(ReasonOf(Register(WalletOf("usr_2", 1)).status()),
            v1::ERROR_REASON_WALLET_TAKEN);
  EXPECT_TRUE(Register(WalletOf("usr_1", 1)).ok());
  Command({"SET", WalletOwnerKey(AddressOf(5)), claim});
  clock_.Advance(60'000);
  EXPECT_TRUE(Register(WalletOf("usr_2", 5)).ok());
  EXPECT_EQ(OwnerOf(5), "usr_2");
  EXPECT_EQ(ReasonOf(Register(WalletOf("usr_3", 1)).status()),
            v1::ERROR_REASON_WALLET_TAKEN);
}

TEST_F(PartnerStoreTest, AnErasedWalletIsFreeAgain) {
  ASSERT_TRUE(Register(WalletOf("usr_1", 1, 2)).ok());
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(Erase("usr_1").ok());
    EXPECT_EQ(Command({"DBSIZE"}).integer, 0);
  }
  EXPECT_TRUE(Register(WalletOf("usr_2", 1, 2)).ok());
}

TEST_F(PartnerStoreTest, AnErasedConsentOpensNothingAgain) {
  ASSERT_TRUE(Register(WalletOf("usr_1", 1)).ok());
  const PintRecord consent = Consent(7);
  ASSERT_TRUE(Exchange(consent, "first").ok());
  ASSERT_TRUE(Erase("usr_1").ok());
  ASSERT_TRUE(Register(WalletOf("usr_1", 1)).ok());
  EXPECT_EQ(ReasonOf(Exchange(consent, "second").status()),
            v1::ERROR_REASON_PINT_REVOKED);
  EXPECT_TRUE(Exchange(Consent(8), "third").ok());
}

TEST_F(PartnerStoreTest, APintIsStoredOnceAndItsTokensAreNoted) {
  ASSERT_TRUE(Register(WalletOf("usr_1", 1)).ok());
  const PintRecord consent = Consent(7);
  const auto first = Exchange(consent, "first");
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_FALSE(first->already_existed);
  PintRecord expected = consent;
  expected.id = first->record.id;
  expected.created_at_ms = kNow;
  EXPECT_TRUE(IsPintId(expected.id));
  EXPECT_EQ(first->record, expected);
  EXPECT_EQ(Get(expected.id), expected);
  EXPECT_EQ(Run([&] {
              return pints_.Find(AddressOf(1), domain::ToUint256(7));
            }).value(),
            expected);

  clock_.Advance(10);
  const auto second = Exchange(consent, "second");
  ASSERT_TRUE(second.ok());
  EXPECT_TRUE(second->already_existed);
  EXPECT_EQ(second->record, expected);
  const auto tokens = Run([&] { return pints_.Tokens(expected); }).value();
  ASSERT_EQ(tokens.size(), 2u);
  EXPECT_EQ(tokens[0].jti, "second");
  EXPECT_EQ(tokens[1], (PintToken{"first", "partner.example", "key_1", kNow,
                                  consent.expires_at_ms}));
  // Owner, wallet, PINT, tokens, list, place, and two of the organisation.
  EXPECT_EQ(Command({"DBSIZE"}).integer, 8);
}

TEST_F(PartnerStoreTest, ANonceStandsForOnePintOfOneOrganisation) {
  ASSERT_TRUE(Register(WalletOf("usr_1", 1)).ok());
  const auto first = Exchange(Consent(7));
  ASSERT_TRUE(first.ok());
  PintRecord other = Consent(7);
  other.digest = "another";
  EXPECT_EQ(ReasonOf(Exchange(other).status()),
            v1::ERROR_REASON_PINT_NONCE_REUSED);
  EXPECT_EQ(ReasonOf(Exchange(Consent(7, "org_b")).status()),
            v1::ERROR_REASON_PINT_NONCE_REUSED);
  EXPECT_EQ(Get(first->record.id), first->record);
  EXPECT_TRUE(Exchange(Consent(8, "org_b")).ok());
}

TEST_F(PartnerStoreTest, OnlyTheOwnersPintsAreTaken) {
  EXPECT_EQ(ReasonOf(Exchange(Consent(7)).status()),
            v1::ERROR_REASON_PINT_SIGNATURE_INVALID);
  ASSERT_TRUE(Register(WalletOf("usr_11", 1)).ok());
  EXPECT_EQ(ReasonOf(Exchange(Consent(7)).status()),
            v1::ERROR_REASON_PINT_SIGNATURE_INVALID);
}

TEST_F(PartnerStoreTest, ARevokedPintStaysSo) {
  ASSERT_TRUE(Register(WalletOf("usr_1", 1)).ok());
  const std::string id = Exchange(Consent(7))->record.id;
  const auto revoke = [&](const std::string& user) {
    return Run([&] { return pints_.Revoke(id, user); });
  };
  EXPECT_EQ(ReasonOf(revoke("usr_2").status()),
            v1::ERROR_REASON_PINT_NOT_FOUND);
  EXPECT_EQ(Get(id)->revoked_at_ms, 0);
  clock_.Advance(1);
  EXPECT_EQ(revoke("usr_1")->revoked_at_ms, kNow + 1);
  clock_.Advance(1);
  EXPECT_EQ(revoke("usr_1")->revoked_at_ms, kNow + 1);
  EXPECT_EQ(ReasonOf(Exchange(Consent(7)).status()),
            v1::ERROR_REASON_PINT_REVOKED);
  EXPECT_FALSE(Get(id)->IsActive(kNow));
  EXPECT_EQ(ReasonOf(Run([&] {
                       return pints_.Revoke(
                           "sr:us:pint:" + std::string(32, '0'), "usr_1");
                     }).status()),
            v1::ERROR_REASON_PINT_NOT_FOUND);
}

TEST_F(PartnerStoreTest, ListsArePagedSortedAndOfOneOrganisation) {
  ASSERT_TRUE(Register(WalletOf("usr_1", 1)).ok());
  for (int nonce = 1; nonce <= 7; ++nonce) {
    // The first made are the last to expire.
    PintRecord record = Consent(nonce);
    record.expires_at_ms = kNow + 1'000'000 - nonce;
    ASSERT_TRUE(Exchange(record).ok());
    clock_.Advance(1);
  }
  ASSERT_TRUE(Exchange(Consent(100, "org_b")).ok());
  const auto nonces = [&](bool by_expiry, bool ascending,
                          std::function<bool(const PintRecord&)> wanted) {
    std::string all;
    PintStore::Query query = {"org_a", by_expiry, ascending, 3, "", wanted};
    do {
      const auto page = Run([&] { return pints_.List(query); }).value();
      for (const PintRecord& record : page.records) {
        all += domain::ToDecimal(record.pint.nonce);
      }
      all += "|";
      query.after = page.next;
    } while (!query.after.empty());
    return all;
  };
  const auto any = [](const PintRecord&) { return true; };
  EXPECT_EQ(nonces(false, false, any), "765|432|1|");
  EXPECT_EQ(nonces(false, true, any), "123|456|7|");
  EXPECT_EQ(nonces(true, true, any), "765|432|1|");
  EXPECT_EQ(nonces(true, false, any), "123|456|7|");
  EXPECT_EQ(nonces(false, false,
                   [](const PintRecord& record) {
                     return record.expires_at_ms > kNow + 1'000'000 - 3;
                   }),
            "21|");
}

TEST_F(PartnerStoreTest, AnActivePintIsOneNeitherRevokedNorExpired) {
  ASSERT_TRUE(Register(WalletOf("usr_1", 1)).ok());
  const auto active = [&](const std::string& org) {
    return Run([&] { return pints_.HasActive(org, AddressOf(1)); }).value();
  };
  EXPECT_FALSE(active("org_a"));
  const std::string id = Exchange(Consent(7))->record.id;
  EXPECT_TRUE(active("org_a"));
  EXPECT_FALSE(active("org_b"));
  clock_.Advance(7000);
  EXPECT_FALSE(active("org_a"));
  clock_.Advance(-7000);
  ASSERT_TRUE(Run([&] { return pints_.Revoke(id, "usr_1"); }).ok());
  EXPECT_FALSE(active("org_a"));
}

TEST_F(PartnerStoreTest, NothingIsLeftOfErasedConsents) {
  ASSERT_TRUE(Register(WalletOf("usr_1", 1, 2)).ok());
  const std::string id = Exchange(Consent(7))->record.id;
  ASSERT_TRUE(Exchange(Consent(8, "org_b")).ok());
  // Of somebody to whom the wallet went afterwards.
  PintRecord later = Consent(9);
  later.user_id = "usr_2";
  Command({"SET", WalletOwnerKey(AddressOf(1)), "1 usr_2"});
  const std::string kept = Exchange(later)->record.id;
  EXPECT_TRUE(Erase("usr_1").ok());
  EXPECT_EQ(Get(id), std::nullopt);
  EXPECT_EQ(Get(kept)->user_id, "usr_2");
  // Owner, PINT, tokens, list, place, and two of the organisation; and that
  // two nonces are spent.
  EXPECT_EQ(Command({"DBSIZE"}).integer, 9);
}

TEST_F(PartnerStoreTest, WhatCannotBeReadIsAnError) {
  ASSERT_TRUE(Register(WalletOf("usr_1", 1)).ok());
  const std::string id = Exchange(Consent(7))->record.id;
  Command({"HSET", "kyc:{wallet:" + domain::LowerCaseText(AddressOf(1)) +
                       "}:pint:7",
           "scopes", "none"});
  EXPECT_TRUE(
      absl::IsDataLoss(Run([&] { return pints_.Get(id); }).status()));
  Command({"HSET", WalletKey("usr_1"), "eoa", "none"});
  EXPECT_TRUE(
      absl::IsDataLoss(Run([&] { return wallets_.Get("usr_1"); }).status()));
}

}  // namespace
}  // namespace kyc::store
