#include "services/kyc/store/api_key_store.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <string_view>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "services/base/error.h"
#include "services/base/log.h"
#include "services/base/status_macros.h"

namespace kyc::store {
namespace {

using async::RedisReply;
using async::Task;
using domain::ApiKey;

constexpr int64_t kUseInterval = 60'000;
constexpr char kAllKeys[] = "kyc:{keys}:all";

std::string IdKey(const std::string& id) {
  return absl::StrCat("kyc:{keys}:id:", id);
}

std::string HashKey(const std::string& hash) {
  return absl::StrCat("kyc:{keys}:hash:", hash);
}

std::string OrgKey(const std::string& org_id) {
  return absl::StrCat("kyc:{keys}:org:", org_id);
}

std::string TenantKey(const domain::Tenant& tenant) {
  return absl::StrCat("kyc:{keys}:env:", tenant.org_id, ":", tenant.env_id);
}

std::string AudienceKey(const std::string& audience) {
  return absl::StrCat("kyc:{keys}:audience:", audience);
}

std::string HashOf(const base::Secret& text) {
  std::array<char, 32> digest;
  EVP_Digest(text.Reveal().data(), text.Reveal().size(),
             reinterpret_cast<unsigned char*>(digest.data()), nullptr,
             EVP_sha256(), nullptr);
  return absl::BytesToHexString({digest.data(), digest.size()});
}

template <size_t size>
bool FillRandom(std::array<unsigned char, size>* bytes) {
  return RAND_bytes(bytes->data(), size) == 1;
}

// KEYS: by id, by hash, all, those of the environment, those of the
// organisation, the audience's owner. ARGV: id, time of creation, audience,
// organisation, then the fields. What can fail does so before the first
// write. An audience belongs to the organisation that named it first.
const async::RedisScript& CreateScript() {
  static const auto* const script = new async::RedisScript(R"lua(
redis.call('ZCARD', KEYS[3])
redis.call('ZCARD', KEYS[4])
redis.call('ZCARD', KEYS[5])
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then return 0 end
if ARGV[3] ~= '' then
  local owner = redis.call('GET', KEYS[6])
  if owner and owner ~= ARGV[4] then return 2 end
  redis.call('SET', KEYS[6], ARGV[4])
end
redis.call('HSET', KEYS[1], unpack(ARGV, 5))
redis.call('SET', KEYS[2], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[4], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[5], ARGV[2], ARGV[1])
return 1
)lua");
  return *script;
}

// KEYS: by id. ARGV: now. Answers the key, or nothing where there is none.
const async::RedisScript& RevokeScript() {
  static const auto* const script = new async::RedisScript(R"lua(
if redis.call('HEXISTS', KEYS[1], 'name') == 1 then
  redis.call('HSETNX', KEYS[1], 'revoked_at', ARGV[1])
end
return redis.call('HGETALL', KEYS[1])
)lua");
  return *script;
}

// KEYS: by id. ARGV: now, the time up to which an older note gives way.
const async::RedisScript& NoteUseScript() {
  static const auto* const script = new async::RedisScript(R"lua(
local last = tonumber(redis.call('HGET', KEYS[1], 'last_used_at') or '0')
if last <= tonumber(ARGV[2]) and redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSET', KEYS[1], 'last_used_at', ARGV[1])
end
return 1
)lua");
  return *script;
}

// A key's hash; SIS-404-001 for an empty one.
absl::StatusOr<ApiKey> Decode(std::string id, const RedisReply& reply) {
  const std::vector<RedisReply>& fields = reply.elements;
  if (fields.empty()) return base::Error(v1::ERROR_REASON_API_KEY_NOT_FOUND);
  ApiKey key;
  key.id = std::move(id);
  bool readable = true;
  for (size_t i = 0; i + 1 < fields.size(); i += 2) {
    const std::string& name = fields[i].text;
    const std::string& value = fields[i + 1].text;
    const auto number = [&](int64_t* out) {
      readable = readable && absl::SimpleAtoi(value, out);
    };
    if (name == "name") key.name = value;
    if (name == "org") key.tenant.org_id = value;
    if (name == "env") key.tenant.env_id = value;
    if (name == "scopes") key.scopes = absl::StrSplit(value, ',');
    if (name == "audience") key.audience = value;
    if (name == "created_at") number(&key.created_at_ms);
    if (name == "revoked_at") number(&key.revoked_at_ms);
    if (name == "last_used_at") number(&key.last_used_at_ms);
  }
  if (!readable || key.tenant.org_id.empty() || key.tenant.env_id.empty()) {
    return absl::DataLossError("unreadable API key");
  }
  return key;
}

absl::Status NotFound() {
  return base::Error(v1::ERROR_REASON_API_KEY_NOT_FOUND);
}

absl::Status Refused() { return base::Error(v1::ERROR_REASON_API_KEY_INVALID); }

}  // namespace

Task<absl::StatusOr<ApiKeyStore::Created>> ApiKeyStore::Create(ApiKey key) {
  domain::KeyEntropy entropy;
  std::array<unsigned char, 10> id_entropy;
  if (!FillRandom(&entropy) || !FillRandom(&id_entropy)) {
    co_return absl::InternalError("no randomness");
  }
  Created created = {std::move(key), domain::MakeKeyText(entropy)};
  ApiKey& made = created.key;
  made.id = domain::MakeKeyId(id_entropy);
  made.created_at_ms = clock_.NowMs();
  made.revoked_at_ms = made.last_used_at_ms = 0;
  std::vector<std::string> keys = {IdKey(made.id),
                                   HashKey(HashOf(created.text)), kAllKeys,
                                   TenantKey(made.tenant),
                                   OrgKey(made.tenant.org_id),
                                   AudienceKey(made.audience)};
  const std::string now = absl::StrCat(made.created_at_ms);
  std::vector<std::string> arguments = {
      made.id,      now,
      made.audience, made.tenant.org_id,
      "name",       made.name,
      "org",        made.tenant.org_id,
      "env",        made.tenant.env_id,
      "scopes",     absl::StrJoin(made.scopes, ","),
      "audience",   made.audience,
      "created_at", now};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Eval(CreateScript(), std::move(keys),
                                           std::move(arguments)));
  if (reply.integer == 2) {
    co_return base::Error(
        v1::ERROR_REASON_REQUEST_VALIDATION_FAILED, {},
        {.violations = {{base::Violation::Where::kPointer, "/audience",
                         "belongs to another organisation"}}});
  }
  if (reply.integer != 1) co_return absl::InternalError("a key came twice");
  co_return created;
}

Task<absl::StatusOr<ApiKey>> ApiKeyStore::Get(std::string id) {
  if (!domain::IsTenantId(id)) co_return NotFound();
  std::vector<std::string> command = {"HGETALL", IdKey(id)};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Command(std::move(command)));
  co_return Decode(std::move(id), reply);
}

Task<absl::StatusOr<std::vector<ApiKey>>> ApiKeyStore::List(
    std::optional<domain::Tenant> tenant) {
  const std::string list = !tenant                   ? std::string(kAllKeys)
                           : tenant->env_id.empty() ? OrgKey(tenant->org_id)
                                                    : TenantKey(*tenant);
  std::vector<std::string> command = {"ZREVRANGE", list, "0",
                                      absl::StrCat(kMaxListedKeys - 1)};
  CO_ASSIGN_OR_RETURN(const RedisReply ids,
                      co_await redis_.Command(std::move(command)));
  async::RedisBatch batch;
  for (const RedisReply& id : ids.elements) {
    batch.Add({"HGETALL", IdKey(id.text)});
  }
  std::vector<ApiKey> keys;
  if (ids.elements.empty()) co_return keys;
  const auto replies = co_await redis_.CommandMany(std::move(batch));
  for (size_t i = 0; i < replies.size(); ++i) {
    CO_RETURN_IF_ERROR(replies[i].status());
    CO_ASSIGN_OR_RETURN(ApiKey key, Decode(ids.elements[i].text, *replies[i]));
    keys.push_back(std::move(key));
  }
  co_return keys;
}

Task<absl::StatusOr<ApiKey>> ApiKeyStore::Revoke(std::string id) {
  if (!domain::IsTenantId(id)) co_return NotFound();
  std::vector<std::string> keys = {IdKey(id)};
  std::vector<std::string> arguments = {absl::StrCat(clock_.NowMs())};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Eval(RevokeScript(), std::move(keys),
                                           std::move(arguments)));
  co_return Decode(std::move(id), reply);
}

Task<absl::StatusOr<ApiKey>> ApiKeyStore::Verify(base::Secret text) {
  if (!domain::IsKeyText(text.Reveal())) co_return Refused();
  std::vector<std::string> by_hash = {"GET", HashKey(HashOf(text))};
  CO_ASSIGN_OR_RETURN(RedisReply id,
                      co_await redis_.Command(std::move(by_hash)));
  if (id.is_nil()) co_return Refused();
  CO_ASSIGN_OR_RETURN(ApiKey key, co_await Get(std::move(id.text)));
  if (key.revoked_at_ms != 0) co_return Refused();
  const int64_t now = clock_.NowMs();
  if (key.last_used_at_ms + kUseInterval <= now) {
    co_await NoteUse(key.id, now);
    key.last_used_at_ms = now;
  }
  co_return key;
}

Task<void> ApiKeyStore::NoteUse(std::string id, int64_t now_ms) {
  std::vector<std::string> keys = {IdKey(id)};
  std::vector<std::string> arguments = {absl::StrCat(now_ms),
                                        absl::StrCat(now_ms - kUseInterval)};
  const absl::StatusOr<RedisReply> noted = co_await redis_.Eval(
      NoteUseScript(), std::move(keys), std::move(arguments));
  if (!noted.ok()) {
    // The key is good all the same.
    base::LogWarning("the use of an API key was not noted", {{"key_id", id}});
  }
}

}  // namespace kyc::store
