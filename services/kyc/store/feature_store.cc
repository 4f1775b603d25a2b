#include "services/kyc/store/feature_store.h"

#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/base/status_macros.h"

namespace kyc::store {
namespace {

using async::RedisReply;
using async::Task;
using domain::Feature;

// ARGV: now, "1" or "0", the mode or nothing. Answers the fields as stored.
const async::RedisScript& PutScript() {
  static const auto* const script = new async::RedisScript(R"lua(
redis.call('HSETNX', KEYS[1], 'kyc.created_at', ARGV[1])
redis.call('HSET', KEYS[1], 'kyc.updated_at', ARGV[1],
           'kyc.enabled', ARGV[2], 'kyc.mode', ARGV[3])
return redis.call('HMGET', KEYS[1], 'kyc.enabled', 'kyc.mode',
                  'kyc.created_at', 'kyc.updated_at')
)lua");
  return *script;
}

// The fields in the order in which they are asked for everywhere.
absl::StatusOr<std::optional<Feature>> Decode(const RedisReply& reply) {
  const absl::Status unreadable = absl::DataLossError("unreadable feature");
  const std::vector<RedisReply>& fields = reply.elements;
  if (fields.size() != 4) return unreadable;
  if (fields[0].is_nil()) return std::nullopt;
  Feature feature;
  feature.setting.enabled = fields[0].text == "1";
  if (!feature.setting.enabled && fields[0].text != "0") return unreadable;
  if (!fields[1].text.empty()) {
    feature.setting.mode = domain::ParseMode(fields[1].text);
    if (!feature.setting.mode) return unreadable;
  }
  if (!absl::SimpleAtoi(fields[2].text, &feature.created_at_ms) ||
      !absl::SimpleAtoi(fields[3].text, &feature.updated_at_ms)) {
    return unreadable;
  }
  return feature;
}

}  // namespace

std::string FeaturesKey(const domain::Tenant& tenant) {
  return absl::StrCat("kyc:{org:", tenant.org_id, ":", tenant.env_id,
                      "}:features");
}

Task<absl::StatusOr<std::optional<Feature>>> FeatureStore::Get(
    domain::Tenant tenant) {
  std::vector<std::string> command = {"HMGET",          FeaturesKey(tenant),
                                      "kyc.enabled",    "kyc.mode",
                                      "kyc.created_at", "kyc.updated_at"};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Command(std::move(command)));
  co_return Decode(reply);
}

Task<absl::StatusOr<Feature>> FeatureStore::Put(
    domain::Tenant tenant, domain::FeatureSetting setting) {
  std::vector<std::string> keys = {FeaturesKey(tenant)};
  std::vector<std::string> arguments = {
      absl::StrCat(clock_.NowMs()), setting.enabled ? "1" : "0",
      setting.mode ? std::string(domain::ModeName(*setting.mode)) : ""};
  CO_ASSIGN_OR_RETURN(
      const RedisReply reply,
      co_await redis_.Eval(PutScript(), std::move(keys), std::move(arguments)));
  CO_ASSIGN_OR_RETURN(const std::optional<Feature> stored, Decode(reply));
  if (!stored) co_return absl::DataLossError("unreadable feature");
  co_return *stored;
}

Task<absl::Status> FeatureStore::Delete(domain::Tenant tenant) {
  std::vector<std::string> command = {"HDEL",           FeaturesKey(tenant),
                                      "kyc.enabled",    "kyc.mode",
                                      "kyc.created_at", "kyc.updated_at"};
  const absl::StatusOr<RedisReply> reply =
      co_await redis_.Command(std::move(command));
  co_return reply.status();
}

}  // namespace kyc::store
