#include "services/webhook/outgoing/event.h"

#include <openssl/evp.h>

#include <array>
#include <cstdio>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "services/base/json.h"

namespace kyc::outgoing {
namespace {

constexpr std::string_view kTypes[] = {kStatusChanged, "kyc.approved",
                                       "kyc.rejected", "kyc.retry_requested"};

constexpr std::string_view kChannelSuffix = "}:changes";
constexpr std::string_view kPrefix = "kyc:{b";

std::string Key(int bucket, std::string_view rest) {
  char prefix[24];
  std::snprintf(prefix, sizeof(prefix), "kyc:{b%03d}:", bucket);
  return std::string(prefix).append(rest);
}

std::string Rfc3339(int64_t time_ms) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ",
                          absl::FromUnixMillis(time_ms), absl::UTCTimeZone());
}

absl::string_view View(std::string_view text) {
  return {text.data(), text.size()};
}

}  // namespace

std::string OutboxKey(int bucket) { return Key(bucket, "outbox"); }

std::string ChangesChannel(int bucket) { return Key(bucket, "changes"); }

std::optional<int> BucketOfChannel(std::string_view channel) {
  if (!channel.starts_with(kPrefix) || !channel.ends_with(kChannelSuffix)) {
    return std::nullopt;
  }
  channel.remove_prefix(kPrefix.size());
  channel.remove_suffix(kChannelSuffix.size());
  int bucket = 0;
  if (!absl::SimpleAtoi(View(channel), &bucket) || bucket < 0 ||
      bucket >= kBuckets) {
    return std::nullopt;
  }
  return bucket;
}

absl::StatusOr<Change> ParseChange(const std::vector<std::string>& fields) {
  Change change;
  bool readable = true;
  for (size_t i = 0; i + 1 < fields.size(); i += 2) {
    const std::string& name = fields[i];
    const std::string& value = fields[i + 1];
    const auto number = [&](int64_t* out) {
      readable = readable && absl::SimpleAtoi(value, out);
    };
    if (name == "id") change.id = value;
    if (name == "user_id") change.user_id = value;
    if (name == "from") change.from = value;
    if (name == "to") change.to = value;
    if (name == "version") number(&change.version);
    if (name == "time_ms") number(&change.time_ms);
    if (name == "org") change.tenant.org_id = value;
    if (name == "env") change.tenant.env_id = value;
  }
  if (!readable || change.id.empty() || change.user_id.empty() ||
      change.from.empty() || change.to.empty() || change.version <= 0 ||
      change.time_ms <= 0) {
    return absl::DataLossError("unreadable outbox entry");
  }
  return change;
}

std::span<const std::string_view> EventTypes() { return kTypes; }

std::vector<std::string_view> EventTypesOf(const Change& change) {
  std::vector<std::string_view> types = {kStatusChanged};
  if (change.to == "approved") types.push_back("kyc.approved");
  if (change.to == "rejected") types.push_back("kyc.rejected");
  if (change.to == "retry") types.push_back("kyc.retry_requested");
  return types;
}

std::string Payload(std::string_view type, const Change& change) {
  std::string body;
  base::JsonWriter(&body)
      .BeginObject()
      .Key("type")
      .String(type)
      .Key("timestamp")
      .String(Rfc3339(change.time_ms))
      .Key("data")
      .BeginObject()
      .Key("user_id")
      .String(change.user_id)
      .Key("from")
      .String(change.from)
      .Key("to")
      .String(change.to)
      .Key("version")
      .Int(change.version)
      .EndObject()
      .EndObject();
  return body;
}

std::string TestPayload(int64_t time_ms) {
  std::string body;
  base::JsonWriter(&body)
      .BeginObject()
      .Key("type")
      .String(kTestEvent)
      .Key("timestamp")
      .String(Rfc3339(time_ms))
      .Key("data")
      .BeginObject()
      .EndObject()
      .EndObject();
  return body;
}

std::string DeliveryId(int part, std::string_view change_id,
                       std::string_view type, std::string_view subscription) {
  const std::string text =
      absl::StrCat(View(change_id), "\n", View(type), "\n", View(subscription));
  std::array<char, 32> digest;
  EVP_Digest(text.data(), text.size(),
             reinterpret_cast<unsigned char*>(digest.data()), nullptr,
             EVP_sha256(), nullptr);
  return absl::StrCat(
      "msg_", absl::Hex(part),
      absl::BytesToHexString({digest.data(), digest.size()}).substr(0, 31));
}

}  // namespace kyc::outgoing
