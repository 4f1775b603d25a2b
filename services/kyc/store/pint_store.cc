#include "services/kyc/store/pint_store.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"
#include "services/kyc/store/pint_codec.h"
#include "services/kyc/store/wallet_store.h"

namespace kyc::store {
namespace {

using async::RedisReply;
using async::Task;
using domain::Address;

constexpr std::string_view kIdPrefix = "sr:us:pint:";
constexpr size_t kOpaqueChars = 32;
constexpr int64_t kKeptMs = int64_t{90} * 24 * 3600 * 1000;
constexpr char kMaxTokens[] = "50";
constexpr size_t kMaxActive = 64;
// PINTs that are looked at for one page.
constexpr size_t kMaxLookedAt = 500;

std::string OfWallet(const Address& wallet, std::string_view what) {
  return absl::StrCat("kyc:{wallet:", domain::LowerCaseText(wallet), "}:",
                      std::string(what));
}

std::string PintKey(const Address& wallet, std::string_view nonce) {
  return absl::StrCat(OfWallet(wallet, "pint:"), std::string(nonce));
}

std::string PintKey(const PintRecord& record) {
  return PintKey(record.pint.wallet, domain::ToDecimal(record.pint.nonce));
}

std::string AtKey(const std::string& id) {
  return absl::StrCat("kyc:{pint:", id.substr(kIdPrefix.size()), "}:at");
}

std::string OrgListKey(const std::string& org_id, bool by_expiry) {
  return absl::StrCat("kyc:{org:", org_id,
                      by_expiry ? "}:pints:expires" : "}:pints:created");
}

// Stands until a PINT's expiry where the PINT was erased: what was signed then
// opens nothing again.
std::string SpentKey(const Address& wallet, std::string_view nonce) {
  return absl::StrCat(OfWallet(wallet, "spent:"), std::string(nonce));
}

// KEYS: the PINT, its tokens, the wallet's PINTs, the wallet's owner, whether
// the PINT was erased. ARGV:
// digest, organisation, user, token, nonce, expiry, until when it is kept, how
// many tokens are, then the PINT's fields. Answers with a word for what is
// refused, or with the PINT as it was before.
const async::RedisScript& ExchangeScript() {
  static const auto* const script = new async::RedisScript(R"lua(
local owner = redis.call('GET', KEYS[4])
if not owner or string.sub(owner, string.find(owner, ' ', 1, true) + 1)
    ~= ARGV[3] then
  return 'other owner'
end
local held = redis.call('HGETALL', KEYS[1])
local by_name = {}
for i = 1, #held, 2 do by_name[held[i]] = held[i + 1] end
if #held > 0 then
  if by_name['digest'] ~= ARGV[1] or by_name['org'] ~= ARGV[2]
      or by_name['user'] ~= ARGV[3] then
    return 'reused'
  end
  if by_name['revoked_at'] then return 'revoked' end
elseif redis.call('EXISTS', KEYS[5]) == 1 then
  return 'revoked'
else
  redis.call('HSET', KEYS[1], unpack(ARGV, 9))
  redis.call('ZADD', KEYS[3], ARGV[6], ARGV[5])
end
redis.call('LPUSH', KEYS[2], ARGV[4])
redis.call('LTRIM', KEYS[2], 0, ARGV[8] - 1)
redis.call('PEXPIREAT', KEYS[1], ARGV[7])
redis.call('PEXPIREAT', KEYS[2], ARGV[7])
return held
)lua");
  return *script;
}

// KEYS: the PINT. ARGV: id, user, now. Answers the PINT, or nothing.
const async::RedisScript& RevokeScript() {
  static const auto* const script = new async::RedisScript(R"lua(
local held = redis.call('HMGET', KEYS[1], 'id', 'user')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return {} end
redis.call('HSETNX', KEYS[1], 'revoked_at', ARGV[3])
return redis.call('HGETALL', KEYS[1])
)lua");
  return *script;
}

absl::StatusOr<std::string> MakeId() {
  std::array<char, kOpaqueChars / 2> random;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(random.data()),
                 random.size()) != 1) {
    return absl::InternalError("no randomness");
  }
  return absl::StrCat(std::string(kIdPrefix),
                      absl::BytesToHexString({random.data(), random.size()}));
}

}  // namespace

bool IsPintId(std::string_view id) {
  return id.size() == kIdPrefix.size() + kOpaqueChars &&
         id.starts_with(kIdPrefix) &&
         id.find_first_not_of("0123456789abcdef", kIdPrefix.size()) ==
             std::string_view::npos;
}

Task<absl::StatusOr<std::optional<PintRecord>>> PintStore::Load(
    std::string key) {
  std::vector<std::string> command = {"HGETALL", std::move(key)};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Command(std::move(command)));
  co_return DecodePint(reply);
}

Task<absl::StatusOr<std::optional<PintRecord>>> PintStore::Find(
    Address wallet, domain::Uint256 nonce) {
  return Load(PintKey(wallet, domain::ToDecimal(nonce)));
}

Task<absl::StatusOr<std::optional<PintRecord>>> PintStore::Get(std::string id) {
  if (!IsPintId(id)) co_return std::nullopt;
  std::vector<std::string> command = {"GET", AtKey(id)};
  CO_ASSIGN_OR_RETURN(const RedisReply at,
                      co_await redis_.Command(std::move(command)));
  const size_t space = at.text.find(' ');
  if (at.is_nil() || space == std::string::npos) co_return std::nullopt;
  const std::optional<Address> wallet =
      domain::ParseAddress(at.text.substr(0, space));
  if (!wallet) co_return absl::DataLossError("unreadable place of a PINT");
  CO_ASSIGN_OR_RETURN(
      std::optional<PintRecord> record,
      co_await Load(PintKey(*wallet, at.text.substr(space + 1))));
  // Another id may have won the nonce.
  if (record && record->id != id) record.reset();
  co_return record;
}

Task<absl::StatusOr<PintStore::Exchanged>> PintStore::Exchange(
    PintRecord record, PintToken token) {
  CO_ASSIGN_OR_RETURN(record.id, MakeId());
  record.created_at_ms = clock_.NowMs();
  record.revoked_at_ms = 0;
  const std::string nonce = domain::ToDecimal(record.pint.nonce);
  const std::string expiry = absl::StrCat(record.expires_at_ms);
  const std::string kept_until = absl::StrCat(record.expires_at_ms + kKeptMs);
  const std::string created_list = OrgListKey(record.org_id, false);
  const std::string expires_list = OrgListKey(record.org_id, true);
  async::RedisBatch index;
  index.Add({"SET", AtKey(record.id),
             domain::LowerCaseText(record.pint.wallet) + " " + nonce, "PXAT",
             kept_until});
  index.Add({"ZADD", created_list, absl::StrCat(record.created_at_ms),
             record.id});
  index.Add({"ZADD", expires_list, expiry, record.id});
  index.Add({"ZREMRANGEBYSCORE", expires_list, "-inf",
             absl::StrCat(record.created_at_ms - kKeptMs)});
  for (const auto& reply : co_await redis_.CommandMany(std::move(index))) {
    CO_RETURN_IF_ERROR(reply.status());
  }

  std::vector<std::string> keys = {
      PintKey(record), PintKey(record) + ":tokens",
      OfWallet(record.pint.wallet, "pints"),
      WalletOwnerKey(record.pint.wallet),
      SpentKey(record.pint.wallet, nonce)};
  std::vector<std::string> arguments = {
      record.digest, record.org_id, record.user_id, EncodePintToken(token),
      nonce,         expiry,        kept_until,     kMaxTokens};
  for (std::string& field : EncodePint(record)) {
    arguments.push_back(std::move(field));
  }
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Eval(ExchangeScript(), std::move(keys),
                                           std::move(arguments)));
  if (reply.text.empty() && reply.elements.empty()) {
    co_return Exchanged{std::move(record), false};
  }
  // The id is nobody's. Should this fail, it only lies there until its time.
  async::RedisBatch unused;
  unused.Add({"DEL", AtKey(record.id)});
  unused.Add({"ZREM", created_list, record.id});
  unused.Add({"ZREM", expires_list, record.id});
  co_await redis_.CommandMany(std::move(unused));
  if (reply.text == "other owner") {
    co_return base::Error(v1::ERROR_REASON_PINT_SIGNATURE_INVALID);
  }
  if (reply.text == "reused") {
    co_return base::Error(v1::ERROR_REASON_PINT_NONCE_REUSED);
  }
  if (reply.text == "revoked") {
    co_return base::Error(v1::ERROR_REASON_PINT_REVOKED);
  }
  CO_ASSIGN_OR_RETURN(std::optional<PintRecord> held, DecodePint(reply));
  if (!held) co_return absl::DataLossError("unreadable PINT");
  co_return Exchanged{*std::move(held), true};
}

Task<absl::StatusOr<PintRecord>> PintStore::Revoke(std::string id,
                                                   std::string user_id) {
  CO_ASSIGN_OR_RETURN(std::optional<PintRecord> record, co_await Get(id));
  if (record && record->user_id == user_id) {
    std::vector<std::string> keys = {PintKey(*record)};
    std::vector<std::string> arguments = {id, user_id,
                                          absl::StrCat(clock_.NowMs())};
    CO_ASSIGN_OR_RETURN(const RedisReply reply,
                        co_await redis_.Eval(RevokeScript(), std::move(keys),
                                             std::move(arguments)));
    CO_ASSIGN_OR_RETURN(record, DecodePint(reply));
    if (record) co_return *std::move(record);
  }
  co_return base::Error(v1::ERROR_REASON_PINT_NOT_FOUND);
}

Task<absl::StatusOr<std::vector<PintToken>>> PintStore::Tokens(
    PintRecord record) {
  std::vector<std::string> command = {"LRANGE", PintKey(record) + ":tokens",
                                      "0", "-1"};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Command(std::move(command)));
  std::vector<PintToken> tokens;
  for (const RedisReply& element : reply.elements) {
    CO_ASSIGN_OR_RETURN(PintToken token, DecodePintToken(element.text));
    tokens.push_back(std::move(token));
  }
  co_return tokens;
}

Task<absl::StatusOr<PintStore::Page>> PintStore::List(Query query) {
  const std::string list = OrgListKey(query.org_id, query.by_expiry);
  size_t from = 0;
  if (!query.after.empty()) {
    std::vector<std::string> rank = {query.ascending ? "ZRANK" : "ZREVRANK",
                                     list, query.after};
    CO_ASSIGN_OR_RETURN(const RedisReply reply,
                        co_await redis_.Command(std::move(rank)));
    if (reply.is_nil()) co_return Page();
    from = static_cast<size_t>(reply.integer) + 1;
  }
  Page page;
  for (size_t looked_at = 0; looked_at < kMaxLookedAt;) {
    const size_t count = std::min(query.limit + 1, kMaxLookedAt - looked_at);
    std::vector<std::string> range = {
        query.ascending ? "ZRANGE" : "ZREVRANGE", list, absl::StrCat(from),
        absl::StrCat(from + count - 1)};
    CO_ASSIGN_OR_RETURN(const RedisReply ids,
                        co_await redis_.Command(std::move(range)));
    for (const RedisReply& id : ids.elements) {
      if (page.records.size() == query.limit) co_return page;
      CO_ASSIGN_OR_RETURN(std::optional<PintRecord> record,
                          co_await Get(id.text));
      page.next = id.text;
      if (record && record->org_id == query.org_id && query.wanted(*record)) {
        page.records.push_back(*std::move(record));
      }
    }
    if (ids.elements.size() < count) {
      page.next.clear();
      co_return page;
    }
    from += count;
    looked_at += count;
  }
  co_return page;
}

Task<absl::StatusOr<bool>> PintStore::HasActive(std::string org_id,
                                                Address wallet) {
  const int64_t now = clock_.NowMs();
  std::vector<std::string> range = {"ZREVRANGEBYSCORE",
                                    OfWallet(wallet, "pints"),
                                    "+inf",
                                    absl::StrCat("(", now),
                                    "LIMIT",
                                    "0",
                                    absl::StrCat(kMaxActive)};
  CO_ASSIGN_OR_RETURN(const RedisReply nonces,
                      co_await redis_.Command(std::move(range)));
  for (const RedisReply& nonce : nonces.elements) {
    CO_ASSIGN_OR_RETURN(const std::optional<PintRecord> record,
                        co_await Load(PintKey(wallet, nonce.text)));
    if (record && record->org_id == org_id && record->IsActive(now)) {
      co_return true;
    }
  }
  co_return false;
}

Task<absl::Status> PintStore::EraseOf(Address wallet, std::string user_id) {
  const std::string list = OfWallet(wallet, "pints");
  std::vector<std::string> range = {"ZRANGE", list, "0", "-1"};
  CO_ASSIGN_OR_RETURN(const RedisReply nonces,
                      co_await redis_.Command(std::move(range)));
  for (const RedisReply& nonce : nonces.elements) {
    const std::string key = PintKey(wallet, nonce.text);
    CO_ASSIGN_OR_RETURN(const std::optional<PintRecord> record,
                        co_await Load(key));
    if (record && record->user_id != user_id) continue;
    if (record) {
      std::vector<std::string> spend = {
          "SET", SpentKey(wallet, nonce.text), "", "PXAT",
          absl::StrCat(record->expires_at_ms)};
      const auto spent = co_await redis_.Command(std::move(spend));
      CO_RETURN_IF_ERROR(spent.status());
    }
    async::RedisBatch batch;
    batch.Add({"DEL", key, key + ":tokens"});
    if (record) {
      batch.Add({"DEL", AtKey(record->id)});
      batch.Add({"ZREM", OrgListKey(record->org_id, false), record->id});
      batch.Add({"ZREM", OrgListKey(record->org_id, true), record->id});
    }
    batch.Add({"ZREM", list, nonce.text});
    for (const auto& reply : co_await redis_.CommandMany(std::move(batch))) {
      CO_RETURN_IF_ERROR(reply.status());
    }
  }
  co_return absl::OkStatus();
}

Task<absl::Status> EraseConsents(async::Redis& redis, std::string user_id) {
  WalletStore wallets(redis, base::SystemClock());
  PintStore pints(redis, base::SystemClock());
  CO_ASSIGN_OR_RETURN(const std::optional<domain::Wallet> wallet,
                      co_await wallets.Get(user_id));
  if (!wallet) co_return absl::OkStatus();
  CO_RETURN_IF_ERROR(co_await wallets.Release(*wallet));
  for (const std::optional<Address>& address :
       {wallet->safe, std::optional(wallet->eoa)}) {
    if (!address) continue;
    CO_RETURN_IF_ERROR(co_await pints.EraseOf(*address, user_id));
  }
  // Last: while it is there, the next try finds what is left.
  co_return co_await wallets.Forget(std::move(user_id));
}

}  // namespace kyc::store
