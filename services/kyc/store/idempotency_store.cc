#include "services/kyc/store/idempotency_store.h"

#include <openssl/evp.h>
#include <openssl/rand.h>

#include <array>
#include <chrono>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
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

// Longer than any request may take.
constexpr char kClaimMs[] = "60000";
constexpr char kAnswerMs[] = "86400000";
// A claim and an answer after it, and what rounding takes.
constexpr char kRecordMs[] = "86470000";

// KEYS: the record, the user's index. ARGV: fingerprint, claim, how long the
// claim holds, how long a record can exist. Answers with a word, or with what
// is stored.
const async::RedisScript& BeginScript() {
  static const auto* const script = new async::RedisScript(R"lua(
local held = redis.call('HMGET', KEYS[1], 'fingerprint', 'status', 'type',
                        'body')
if not held[1] then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'claim', ARGV[2])
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  local time = redis.call('TIME')
  local now = time[1] * 1000
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  redis.call('ZADD', KEYS[2], now + ARGV[4], KEYS[1])
  redis.call('PEXPIRE', KEYS[2], ARGV[4])
  return 'claimed'
end
if held[1] ~= ARGV[1] then return 'reused' end
if not held[2] then return 'in flight' end
return {held[2], held[3], held[4]}
)lua");
  return *script;
}

// KEYS: the record, the user's index. ARGV: claim, then nothing, or: how long
// the answer holds, status, type, body.
const async::RedisScript& EndScript() {
  static const auto* const script = new async::RedisScript(R"lua(
if redis.call('HGET', KEYS[1], 'claim') ~= ARGV[1] then return 0 end
if not ARGV[2] then
  redis.call('ZREM', KEYS[2], KEYS[1])
  return redis.call('DEL', KEYS[1])
end
redis.call('HSET', KEYS[1], 'status', ARGV[3], 'type', ARGV[4],
           'body', ARGV[5])
redis.call('HDEL', KEYS[1], 'claim')
return redis.call('PEXPIRE', KEYS[1], ARGV[2])
)lua");
  return *script;
}

absl::StatusOr<IdempotencyStore::Answer> Decode(const RedisReply& reply) {
  IdempotencyStore::Answer answer;
  if (reply.elements.size() != 3 ||
      !absl::SimpleAtoi(reply.elements[0].text, &answer.status)) {
    return absl::DataLossError("unreadable answer");
  }
  answer.content_type = reply.elements[1].text;
  answer.body = reply.elements[2].text;
  return answer;
}

}  // namespace

std::string IdempotencyRecordKey(std::string_view user_id,
                                 std::string_view key) {
  std::array<char, 32> digest;
  EVP_Digest(key.data(), key.size(),
             reinterpret_cast<unsigned char*>(digest.data()), nullptr,
             EVP_sha256(), nullptr);
  return absl::StrCat(absl::StrFormat("kyc:{b%03d}:idem:", BucketOf(user_id)),
                      std::string(user_id), ":",
                      absl::BytesToHexString({digest.data(), digest.size()}));
}

std::string IdempotencyIndexKey(std::string_view user_id) {
  return absl::StrCat(absl::StrFormat("kyc:{b%03d}:idems:", BucketOf(user_id)),
                      std::string(user_id));
}

Task<absl::StatusOr<IdempotencyStore::Begun>> IdempotencyStore::Begin(
    std::string user_id, std::string key, std::string fingerprint) {
  std::array<char, 16> random;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(random.data()),
                 random.size()) != 1) {
    co_return absl::InternalError("no random bytes");
  }
  Begun begun;
  begun.claim = absl::BytesToHexString({random.data(), random.size()});
  std::vector<std::string> keys = {IdempotencyRecordKey(user_id, key),
                                   IdempotencyIndexKey(user_id)};
  std::vector<std::string> arguments = {std::move(fingerprint), begun.claim,
                                        kClaimMs, kRecordMs};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Eval(BeginScript(), std::move(keys),
                                           std::move(arguments)));
  if (reply.text == "claimed") co_return begun;
  if (reply.text == "reused") {
    co_return base::Error(v1::ERROR_REASON_IDEMPOTENCY_KEY_REUSED);
  }
  if (reply.text == "in flight") {
    base::ErrorExtras extras;
    extras.retry_after = std::chrono::seconds(1);
    co_return base::Error(v1::ERROR_REASON_IDEMPOTENCY_KEY_IN_FLIGHT, {},
                          std::move(extras));
  }
  CO_ASSIGN_OR_RETURN(begun.answer, Decode(reply));
  begun.claim.clear();
  co_return begun;
}

Task<absl::Status> IdempotencyStore::End(std::string user_id, std::string key,
                                         std::string claim,
                                         std::optional<Answer> answer) {
  std::vector<std::string> keys = {IdempotencyRecordKey(user_id, key),
                                   IdempotencyIndexKey(user_id)};
  std::vector<std::string> arguments = {std::move(claim)};
  if (answer) {
    arguments.insert(arguments.end(), {kAnswerMs, absl::StrCat(answer->status),
                                       std::move(answer->content_type),
                                       std::move(answer->body)});
  }
  const absl::StatusOr<RedisReply> reply =
      co_await redis_.Eval(EndScript(), std::move(keys), std::move(arguments));
  co_return reply.status();
}

}  // namespace kyc::store
