#include "services/webhook/outgoing/subscription_store.h"

#include <openssl/rand.h>

#include <algorithm>
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

namespace kyc::outgoing {

const char kSubscriptionsVersionKey[] = "kyc:{subscriptions}:version";

namespace {

using async::RedisReply;
using async::Task;

constexpr char kAll[] = "kyc:{subscriptions}:all";
constexpr int kMaxConflicts = 16;

std::string IdKey(const std::string& id) {
  return absl::StrCat("kyc:{subscriptions}:id:", id);
}

std::string TenantKey(const Tenant& tenant) {
  return absl::StrCat("kyc:{subscriptions}:env:", tenant.org_id, ":",
                      tenant.env_id);
}

bool IsId(std::string_view id) {
  return id.size() <= 64 && std::all_of(id.begin(), id.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

absl::Status NotFound() {
  return base::Error(v1::ERROR_REASON_SUBSCRIPTION_NOT_FOUND);
}

// KEYS: by id, all, of the tenant, version. ARGV: id, time of creation, the
// most there may be, then the fields. What can fail does so before the first
// write.
const async::RedisScript& CreateScript() {
  static const auto* const script = new async::RedisScript(R"lua(
redis.call('ZCARD', KEYS[2])
if redis.call('ZCARD', KEYS[3]) >= tonumber(ARGV[3]) then return 0 end
redis.call('INCR', KEYS[4])
redis.call('HSET', KEYS[1], unpack(ARGV, 4))
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[1])
redis.call('ZADD', KEYS[3], ARGV[2], ARGV[1])
return 1
)lua");
  return *script;
}

// KEYS: by id, version. ARGV: the revision it must have, then the fields.
// Answers 1, or 0 when another writer came first.
const async::RedisScript& UpdateScript() {
  static const auto* const script = new async::RedisScript(R"lua(
if redis.call('HGET', KEYS[1], 'revision') ~= ARGV[1] then return 0 end
redis.call('INCR', KEYS[2])
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
return 1
)lua");
  return *script;
}

// KEYS: by id, all, of the tenant, version. ARGV: id.
const async::RedisScript& DeleteScript() {
  static const auto* const script = new async::RedisScript(R"lua(
redis.call('INCR', KEYS[4])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return redis.call('DEL', KEYS[1])
)lua");
  return *script;
}

// One secret per line, after the time until which it signs.
std::string EncodeSecrets(const std::vector<SigningSecret>& secrets) {
  std::string text;
  for (const SigningSecret& secret : secrets) {
    absl::StrAppend(&text, secret.until_ms, " ");
    text.append(secret.text.Reveal()).append("\n");
  }
  return text;
}

bool DecodeSecrets(const std::string& text, std::vector<SigningSecret>* out) {
  for (const auto& line : absl::StrSplit(text, '\n', absl::SkipEmpty())) {
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    SigningSecret secret;
    if (!absl::SimpleAtoi(parts.first, &secret.until_ms)) return false;
    secret.text = base::Secret(parts.second);
    out->push_back(std::move(secret));
  }
  return !out->empty();
}

std::vector<std::string> Encode(const Subscription& subscription) {
  return {"org",         subscription.tenant.org_id,
          "env",         subscription.tenant.env_id,
          "url",         subscription.url,
          "types",       absl::StrJoin(subscription.event_types, ","),
          "description", subscription.description,
          "enabled",     subscription.enabled ? "1" : "0",
          "gone",        subscription.gone ? "1" : "0",
          "created_at",  absl::StrCat(subscription.created_at_ms),
          "updated_at",  absl::StrCat(subscription.updated_at_ms),
          "secrets",     EncodeSecrets(subscription.secrets),
          "revision",    absl::StrCat(subscription.revision)};
}

absl::StatusOr<Subscription> Decode(std::string id, const RedisReply& reply) {
  const std::vector<RedisReply>& fields = reply.elements;
  if (fields.empty()) return NotFound();
  Subscription subscription;
  subscription.id = std::move(id);
  bool readable = true;
  for (size_t i = 0; i + 1 < fields.size(); i += 2) {
    const std::string& name = fields[i].text;
    const std::string& value = fields[i + 1].text;
    const auto number = [&](int64_t* out) {
      readable = readable && absl::SimpleAtoi(value, out);
    };
    if (name == "org") subscription.tenant.org_id = value;
    if (name == "env") subscription.tenant.env_id = value;
    if (name == "url") subscription.url = value;
    if (name == "types") subscription.event_types = absl::StrSplit(value, ',');
    if (name == "description") subscription.description = value;
    if (name == "enabled") subscription.enabled = value == "1";
    if (name == "gone") subscription.gone = value == "1";
    if (name == "created_at") number(&subscription.created_at_ms);
    if (name == "updated_at") number(&subscription.updated_at_ms);
    if (name == "revision") number(&subscription.revision);
    if (name == "secrets") {
      readable = readable && DecodeSecrets(value, &subscription.secrets);
    }
  }
  if (!readable || subscription.url.empty() || subscription.secrets.empty()) {
    return absl::DataLossError("unreadable subscription");
  }
  return subscription;
}

}  // namespace

Task<absl::StatusOr<Subscription>> SubscriptionStore::Create(
    Subscription subscription) {
  std::array<char, 10> entropy;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(entropy.data()),
                 entropy.size()) != 1) {
    co_return absl::InternalError("no randomness");
  }
  subscription.id = absl::StrCat(
      "whk_", absl::BytesToHexString({entropy.data(), entropy.size()}));
  subscription.created_at_ms = subscription.updated_at_ms = clock_.NowMs();
  subscription.revision = 1;
  std::vector<std::string> keys = {IdKey(subscription.id), kAll,
                                   TenantKey(subscription.tenant),
                                   kSubscriptionsVersionKey};
  std::vector<std::string> arguments = {
      subscription.id, absl::StrCat(subscription.created_at_ms),
      absl::StrCat(kMaxSubscriptions)};
  for (std::string& text : Encode(subscription)) {
    arguments.push_back(std::move(text));
  }
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Eval(CreateScript(), std::move(keys),
                                           std::move(arguments)));
  if (reply.integer != 1) {
    co_return base::Error(v1::ERROR_REASON_TOO_MANY_SUBSCRIPTIONS);
  }
  co_return subscription;
}

Task<absl::StatusOr<Subscription>> SubscriptionStore::Get(std::string id) {
  if (!IsId(id)) co_return NotFound();
  std::vector<std::string> command = {"HGETALL", IdKey(id)};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Command(std::move(command)));
  co_return Decode(std::move(id), reply);
}

Task<absl::StatusOr<std::vector<Subscription>>> SubscriptionStore::List(
    std::optional<Tenant> tenant) {
  std::vector<std::string> command = {
      "ZREVRANGE", tenant ? TenantKey(*tenant) : std::string(kAll), "0",
      absl::StrCat(kMaxListed - 1)};
  CO_ASSIGN_OR_RETURN(const RedisReply ids,
                      co_await redis_.Command(std::move(command)));
  std::vector<Subscription> subscriptions;
  if (ids.elements.empty()) co_return subscriptions;
  async::RedisBatch batch;
  for (const RedisReply& id : ids.elements) {
    batch.Add({"HGETALL", IdKey(id.text)});
  }
  const auto replies = co_await redis_.CommandMany(std::move(batch));
  for (size_t i = 0; i < replies.size(); ++i) {
    CO_RETURN_IF_ERROR(replies[i].status());
    absl::StatusOr<Subscription> each =
        Decode(ids.elements[i].text, *replies[i]);
    if (absl::IsNotFound(each.status())) continue;  // Deleted in between.
    if (!each.ok()) {
      // The others are good all the same.
      base::LogError("unreadable subscription",
                     {{"subscription", ids.elements[i].text}});
      continue;
    }
    subscriptions.push_back(*std::move(each));
  }
  co_return subscriptions;
}

Task<absl::StatusOr<Subscription>> SubscriptionStore::Update(std::string id,
                                                             Alter change) {
  for (int i = 0; i < kMaxConflicts; ++i) {
    CO_ASSIGN_OR_RETURN(Subscription subscription, co_await Get(id));
    CO_RETURN_IF_ERROR(change(subscription));
    std::vector<std::string> keys = {IdKey(id), kSubscriptionsVersionKey};
    std::vector<std::string> arguments = {absl::StrCat(subscription.revision)};
    ++subscription.revision;
    subscription.updated_at_ms = clock_.NowMs();
    for (std::string& text : Encode(subscription)) {
      arguments.push_back(std::move(text));
    }
    CO_ASSIGN_OR_RETURN(const RedisReply reply,
                        co_await redis_.Eval(UpdateScript(), std::move(keys),
                                             std::move(arguments)));
    if (reply.integer == 1) co_return subscription;
  }
  co_return absl::AbortedError("too many writers of one subscription");
}

Task<absl::Status> SubscriptionStore::Delete(std::string id) {
  CO_ASSIGN_OR_RETURN(const Subscription subscription, co_await Get(id));
  std::vector<std::string> keys = {IdKey(id), kAll,
                                   TenantKey(subscription.tenant),
                                   kSubscriptionsVersionKey};
  std::vector<std::string> arguments = {id};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Eval(DeleteScript(), std::move(keys),
                                           std::move(arguments)));
  co_return reply.integer == 1 ? absl::OkStatus() : NotFound();
}

}  // namespace kyc::outgoing
