#include "services/kyc/store/pint_codec.h"

#include <map>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "services/base/json.h"
#include "services/base/status_macros.h"

namespace kyc::store {
namespace {

using base::JsonValue;
using domain::Address;
using domain::Uint256;

std::string EncodeTexts(const std::vector<std::string>& texts) {
  std::string out;
  base::JsonWriter json(&out);
  json.BeginArray();
  for (const std::string& text : texts) json.String(text);
  json.EndArray();
  return out;
}

absl::Status Unreadable() { return absl::DataLossError("unreadable PINT"); }

// A hash's fields; what is missing is empty.
class Fields {
 public:
  explicit Fields(const async::RedisReply& hash) {
    for (size_t i = 0; i + 1 < hash.elements.size(); i += 2) {
      fields_[hash.elements[i].text] = hash.elements[i + 1].text;
    }
  }

  bool readable() const { return readable_; }
  bool Has(const std::string& name) const { return fields_.contains(name); }
  std::string Text(const std::string& name) { return fields_[name]; }
  int64_t Time(const std::string& name) {
    int64_t time = 0;
    if (Has(name)) Require(absl::SimpleAtoi(fields_[name], &time));
    return time;
  }
  Address AddressOf(const std::string& name) {
    const std::optional<Address> address = domain::ParseAddress(fields_[name]);
    Require(address.has_value());
    return address.value_or(Address());
  }
  Uint256 Number(const std::string& name) {
    const std::optional<Uint256> number = domain::ParseUint256(fields_[name]);
    Require(number.has_value());
    return number.value_or(Uint256());
  }
  std::vector<std::string> Texts(const std::string& name) {
    std::vector<std::string> texts;
    const auto document = base::JsonDocument::Parse(fields_[name]);
    Require(document.ok() && document->root().IsArray());
    if (!readable_) return texts;
    for (const JsonValue& value : document->root().Elements()) {
      texts.push_back(value.StringOr(""));
    }
    return texts;
  }
  void Require(bool holds) { readable_ = readable_ && holds; }

 private:
  std::map<std::string, std::string> fields_;
  bool readable_ = true;
};

}  // namespace

std::vector<std::string> EncodePint(const PintRecord& record) {
  const domain::Pint& pint = record.pint;
  std::vector<std::string> fields = {
      "id",
      record.id,
      "user",
      record.user_id,
      "org",
      record.org_id,
      "kind",
      record.kind == domain::WalletKind::kSafe ? "safe" : "eoa",
      "signer",
      domain::LowerCaseText(record.signer),
      "digest",
      record.digest,
      "wallet",
      domain::LowerCaseText(pint.wallet),
      "nonce",
      domain::ToDecimal(pint.nonce),
      "statement",
      pint.statement,
      "scopes",
      EncodeTexts(pint.scopes),
      "resources",
      EncodeTexts(pint.resources),
      "max_amount",
      domain::ToDecimal(pint.max_amount),
      "max_amount_token",
      domain::LowerCaseText(pint.max_amount_token),
      "expires",
      domain::ToDecimal(pint.expires_at),
      "expires_at",
      absl::StrCat(record.expires_at_ms),
      "created_at",
      absl::StrCat(record.created_at_ms)};
  if (pint.conditions) {
    fields.emplace_back("conditions");
    fields.push_back(EncodeTexts(*pint.conditions));
  }
  return fields;
}

absl::StatusOr<std::optional<PintRecord>> DecodePint(
    const async::RedisReply& hash) {
  if (hash.elements.empty()) return std::nullopt;
  Fields fields(hash);
  PintRecord record;
  record.id = fields.Text("id");
  record.user_id = fields.Text("user");
  record.org_id = fields.Text("org");
  record.kind = fields.Text("kind") == "safe" ? domain::WalletKind::kSafe
                                              : domain::WalletKind::kEoa;
  record.signer = fields.AddressOf("signer");
  record.digest = fields.Text("digest");
  record.expires_at_ms = fields.Time("expires_at");
  record.created_at_ms = fields.Time("created_at");
  record.revoked_at_ms = fields.Time("revoked_at");
  domain::Pint& pint = record.pint;
  pint.wallet = fields.AddressOf("wallet");
  pint.nonce = fields.Number("nonce");
  pint.statement = fields.Text("statement");
  pint.scopes = fields.Texts("scopes");
  pint.resources = fields.Texts("resources");
  if (fields.Has("conditions")) pint.conditions = fields.Texts("conditions");
  pint.max_amount = fields.Number("max_amount");
  pint.max_amount_token = fields.AddressOf("max_amount_token");
  pint.expires_at = fields.Number("expires");
  fields.Require(IsPintId(record.id) && !record.user_id.empty() &&
                 !record.org_id.empty() && record.expires_at_ms > 0);
  if (!fields.readable()) return Unreadable();
  return record;
}

std::string EncodePintToken(const PintToken& token) {
  std::string out;
  base::JsonWriter json(&out);
  json.BeginObject();
  json.Key("jti").String(token.jti);
  json.Key("audience").String(token.audience);
  json.Key("key_id").String(token.key_id);
  json.Key("issued_at").Int(token.issued_at_ms);
  json.Key("expires_at").Int(token.expires_at_ms);
  json.EndObject();
  return out;
}

absl::StatusOr<PintToken> DecodePintToken(std::string_view json) {
  const auto document = base::JsonDocument::Parse(json);
  if (!document.ok()) return Unreadable();
  const JsonValue root = document->root();
  PintToken token;
  token.jti = root["jti"].StringOr("");
  token.audience = root["audience"].StringOr("");
  token.key_id = root["key_id"].StringOr("");
  token.issued_at_ms = root["issued_at"].AsInt().value_or(0);
  token.expires_at_ms = root["expires_at"].AsInt().value_or(0);
  return token;
}

}  // namespace kyc::store
