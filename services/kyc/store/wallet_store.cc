#include "services/kyc/store/wallet_store.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"
#include "services/kyc/store/record_store.h"

namespace kyc::store {
namespace {

using async::RedisReply;
using async::Task;
using domain::Address;
using domain::Wallet;

// Longer than any request may take: an older claim without a hash was left by
// a crash.
constexpr int64_t kClaimMs = 60'000;

// KEYS: an address's owner. ARGV: the claim, the claim that gives way. Answers
// the claim that holds against this one, or ''.
const async::RedisScript& ClaimScript() {
  static const auto* const script = new async::RedisScript(R"lua(
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[2] then return held end
redis.call('SET', KEYS[1], ARGV[1])
return ''
)lua");
  return *script;
}

// KEYS: an address's owner. ARGV: the claim.
const async::RedisScript& GiveBackScript() {
  static const auto* const script = new async::RedisScript(R"lua(
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
)lua");
  return *script;
}

// KEYS: the user's wallet. ARGV: eoa, safe or '', then name and value of the
// other fields. Answers whether anything is new, or 'other'.
const async::RedisScript& WriteScript() {
  static const auto* const script = new async::RedisScript(R"lua(
local held = redis.call('HMGET', KEYS[1], 'eoa', 'safe')
if held[1] and held[1] ~= ARGV[1] then return 'other' end
if held[2] and ARGV[2] ~= '' and held[2] ~= ARGV[2] then return 'other' end
local new = 0
if not held[1] then
  redis.call('HSET', KEYS[1], 'eoa', ARGV[1], unpack(ARGV, 3))
  new = 1
end
if ARGV[2] ~= '' and not held[2] then
  redis.call('HSET', KEYS[1], 'safe', ARGV[2])
  new = 1
end
return new
)lua");
  return *script;
}

struct ClaimParts {
  int64_t at_ms = 0;
  std::string user_id;
};

absl::StatusOr<ClaimParts> ParseClaim(const std::string& text) {
  const size_t space = text.find(' ');
  ClaimParts parts;
  if (space == std::string::npos ||
      !absl::SimpleAtoi(text.substr(0, space), &parts.at_ms)) {
    return absl::DataLossError("unreadable owner of a wallet");
  }
  parts.user_id = text.substr(space + 1);
  return parts;
}

absl::StatusOr<std::optional<Wallet>> Decode(std::string user_id,
                                             const RedisReply& reply) {
  if (reply.elements.empty()) return std::nullopt;
  Wallet wallet;
  wallet.user_id = std::move(user_id);
  bool readable = true;
  bool has_eoa = false;
  for (size_t i = 0; i + 1 < reply.elements.size(); i += 2) {
    const std::string& name = reply.elements[i].text;
    const std::string& value = reply.elements[i + 1].text;
    const auto number = [&](int64_t* out) {
      readable = readable && absl::SimpleAtoi(value, out);
    };
    if (name == "eoa" || name == "safe") {
      const std::optional<Address> address = domain::ParseAddress(value);
      readable = readable && address;
      if (name == "safe") {
        wallet.safe = address;
      } else if (address) {
        wallet.eoa = *address;
        has_eoa = true;
      }
    }
    if (name == "chain_id") number(&wallet.chain_id);
    if (name == "org") wallet.tenant.org_id = value;
    if (name == "env") wallet.tenant.env_id = value;
    if (name == "created_at") number(&wallet.created_at_ms);
  }
  if (!readable || !has_eoa) return absl::DataLossError("unreadable wallet");
  return wallet;
}

absl::Status Taken() { return base::Error(v1::ERROR_REASON_WALLET_TAKEN); }

}  // namespace

std::string WalletKey(std::string_view user_id) {
  return absl::StrCat(absl::StrFormat("kyc:{b%03d}:wallet:", BucketOf(user_id)),
                      std::string(user_id));
}

std::string WalletOwnerKey(const Address& address) {
  return absl::StrCat("kyc:{wallet:", domain::LowerCaseText(address),
                      "}:owner");
}

Task<absl::StatusOr<std::optional<Wallet>>> WalletStore::Get(
    std::string user_id) {
  std::vector<std::string> command = {"HGETALL", WalletKey(user_id)};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Command(std::move(command)));
  co_return Decode(std::move(user_id), reply);
}

Task<absl::StatusOr<std::optional<Wallet>>> WalletStore::Find(Address address) {
  std::vector<std::string> command = {"GET", WalletOwnerKey(address)};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Command(std::move(command)));
  if (reply.is_nil()) co_return std::nullopt;
  CO_ASSIGN_OR_RETURN(ClaimParts claim, ParseClaim(reply.text));
  CO_ASSIGN_OR_RETURN(std::optional<Wallet> wallet,
                      co_await Get(std::move(claim.user_id)));
  if (wallet && !wallet->Has(address)) wallet.reset();
  co_return wallet;
}

Task<absl::StatusOr<WalletStore::Registered>> WalletStore::Register(
    Wallet wallet) {
  CO_ASSIGN_OR_RETURN(std::optional<Wallet> held, co_await Get(wallet.user_id));
  if (held && (held->eoa != wallet.eoa ||
               (held->safe && wallet.safe && held->safe != wallet.safe))) {
    co_return Taken();
  }
  std::vector<std::pair<Address, std::string>> claims;
  absl::Status claimed;
  for (const std::optional<Address>& address :
       {std::optional(wallet.eoa), wallet.safe}) {
    // Also what is held already: its claim may have got lost.
    if (!address) continue;
    absl::StatusOr<std::string> claim =
        co_await Claim(*address, wallet.user_id);
    claimed = claim.status();
    if (!claimed.ok()) break;
    claims.emplace_back(*address, *std::move(claim));
  }
  bool refused = !claimed.ok();
  if (!refused) {
    wallet.created_at_ms = clock_.NowMs();
    std::vector<std::string> keys = {WalletKey(wallet.user_id)};
    std::vector<std::string> arguments = {
        domain::LowerCaseText(wallet.eoa),
        wallet.safe ? domain::LowerCaseText(*wallet.safe) : std::string(),
        "chain_id",
        absl::StrCat(wallet.chain_id),
        "org",
        wallet.tenant.org_id,
        "env",
        wallet.tenant.env_id,
        "created_at",
        absl::StrCat(wallet.created_at_ms)};
    // After an error nobody knows whether it was written: the claims stay.
    CO_ASSIGN_OR_RETURN(const RedisReply written,
                        co_await redis_.Eval(WriteScript(), std::move(keys),
                                             std::move(arguments)));
    refused = written.text == "other";
    if (refused) claimed = Taken();
    if (!refused) {
      CO_ASSIGN_OR_RETURN(held, co_await Get(std::move(wallet.user_id)));
      if (!held) co_return absl::AbortedError("the wallet was just erased");
      co_return Registered{*std::move(held), written.integer == 0};
    }
  }
  // What another registration of the same user has stored meanwhile stays.
  CO_ASSIGN_OR_RETURN(held, co_await Get(std::move(wallet.user_id)));
  for (auto& [address, claim] : claims) {
    if (held && held->Has(address)) continue;
    CO_RETURN_IF_ERROR(co_await GiveBack(address, std::move(claim)));
  }
  co_return claimed;
}

Task<absl::StatusOr<std::string>> WalletStore::Claim(Address address,
                                                     std::string user_id) {
  const std::string claim = absl::StrCat(clock_.NowMs(), " ", user_id);
  std::string gives_way;
  // The second time a claim that was left behind is taken over.
  for (int attempt = 0; attempt < 2; ++attempt) {
    std::vector<std::string> keys = {WalletOwnerKey(address)};
    std::vector<std::string> arguments = {claim, gives_way};
    CO_ASSIGN_OR_RETURN(RedisReply reply,
                        co_await redis_.Eval(ClaimScript(), std::move(keys),
                                             std::move(arguments)));
    if (reply.text.empty()) co_return claim;
    gives_way = std::move(reply.text);
    CO_ASSIGN_OR_RETURN(ClaimParts other, ParseClaim(gives_way));
    if (other.user_id == user_id) continue;
    if (clock_.NowMs() - other.at_ms < kClaimMs) co_return Taken();
    CO_ASSIGN_OR_RETURN(const std::optional<Wallet> wallet,
                        co_await Get(std::move(other.user_id)));
    if (wallet && wallet->Has(address)) co_return Taken();
  }
  co_return Taken();
}

Task<absl::Status> WalletStore::GiveBack(Address address, std::string claim) {
  std::vector<std::string> keys = {WalletOwnerKey(address)};
  std::vector<std::string> arguments = {std::move(claim)};
  const absl::StatusOr<RedisReply> reply = co_await redis_.Eval(
      GiveBackScript(), std::move(keys), std::move(arguments));
  co_return reply.status();
}

Task<absl::Status> WalletStore::Release(Wallet wallet) {
  for (const std::optional<Address>& address :
       {std::optional(wallet.eoa), wallet.safe}) {
    if (!address) continue;
    std::vector<std::string> get = {"GET", WalletOwnerKey(*address)};
    CO_ASSIGN_OR_RETURN(RedisReply claim,
                        co_await redis_.Command(std::move(get)));
    if (claim.is_nil()) continue;
    CO_ASSIGN_OR_RETURN(const ClaimParts parts, ParseClaim(claim.text));
    if (parts.user_id != wallet.user_id) continue;
    CO_RETURN_IF_ERROR(co_await GiveBack(*address, std::move(claim.text)));
  }
  co_return absl::OkStatus();
}

Task<absl::Status> WalletStore::Forget(std::string user_id) {
  std::vector<std::string> remove = {"DEL", WalletKey(user_id)};
  const absl::StatusOr<RedisReply> removed =
      co_await redis_.Command(std::move(remove));
  co_return removed.status();
}

}  // namespace kyc::store
