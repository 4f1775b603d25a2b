#include "services/kyc/domain/pint.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "services/base/error.h"
#include "services/base/json.h"
#include "services/kyc/domain/sri.h"

namespace kyc::domain {
namespace {

using base::JsonValue;

constexpr size_t kMaxStatement = 4096;
constexpr size_t kMaxItems = 32;
constexpr size_t kMaxItem = 1024;
// So that a token, which holds them all, stays of a size that is taken.
constexpr size_t kMaxScope = 512;
constexpr size_t kMaxScopes = 4096;
constexpr size_t kMaxAudience = 255;
constexpr size_t kMaxSignature = 4096;
// Seconds up to the year 5138; milliseconds since 1973.
constexpr uint64_t kSurelyMilliseconds = 100'000'000'000;

// The whole catalogue; a domain's actions in turn.
struct ScopeDomain {
  std::string_view name;
  std::vector<std::string_view> actions;
};

const std::vector<ScopeDomain>& Catalogue() {
  static const auto& catalogue = *new std::vector<ScopeDomain>{
      {"identity",
       {"kyc_read", "kyc_status", "proof_of_personhood", "age_over_18"}},
      {"spend", {"execute"}},
      {"accounts", {"read"}},
      {"transactions", {"read"}},
      {"cards", {"read"}},
      {"personalization", {"read"}},
      {"perpetual", {"read"}},
  };
  return catalogue;
}

// Reads members and keeps the first thing that is wrong.
class Reader {
 public:
  absl::Status status() const { return status_; }

  void Fail(std::string pointer, std::string detail) {
    if (!status_.ok()) return;
    status_ = base::Error(
        v1::ERROR_REASON_PINT_PAYLOAD_INVALID, {},
        {.violations = {{base::Violation::Where::kPointer, std::move(pointer),
                         std::move(detail)}}});
  }

  std::string Text(JsonValue value, const std::string& pointer, size_t most) {
    const std::optional<std::string_view> text = value.AsString();
    if (!text || text->size() > most) {
      Fail(pointer,
           "must be a text of at most " + std::to_string(most) + " bytes");
      return {};
    }
    return std::string(*text);
  }

  std::vector<std::string> Texts(JsonValue value, const std::string& pointer) {
    std::vector<std::string> texts;
    const std::vector<JsonValue> elements = value.Elements();
    if (!value.IsArray() || elements.size() > kMaxItems) {
      Fail(pointer, "must be an array of at most 32 texts");
      return texts;
    }
    for (size_t i = 0; i < elements.size(); ++i) {
      texts.push_back(
          Text(elements[i], pointer + "/" + std::to_string(i), kMaxItem));
    }
    return texts;
  }

  Uint256 Number(JsonValue value, const std::string& pointer) {
    std::optional<std::string_view> digits = value.AsNumberText();
    if (!digits) digits = value.AsString();
    const std::optional<Uint256> number =
        ParseUint256(digits.value_or(std::string_view()));
    if (!number) {
      Fail(pointer, "must be a whole number from 0 to 2^256 - 1");
    }
    return number.value_or(Uint256());
  }

  Address AddressAt(JsonValue value, const std::string& pointer) {
    const std::optional<Address> address =
        ParseAddress(value.AsString().value_or(std::string_view()));
    if (!address) Fail(pointer, "must be 0x and 40 hexadecimal digits");
    return address.value_or(Address());
  }

  // A member by either of its names.
  JsonValue Member(JsonValue pint, const char* camel, const char* snake) {
    const JsonValue value = pint[camel];
    if (!pint[snake].exists()) return value;
    if (value.exists()) {
      Fail(std::string("/pint/") + snake, "stands there under two names");
    }
    return pint[snake];
  }

 private:
  absl::Status status_;
};

// Words of 32 bytes, one after another.
class Words {
 public:
  void Add(const Digest& word) { Append(word.data(), word.size()); }
  void Add(const Uint256& number) {
    Append(number.bytes.data(), number.bytes.size());
  }
  void Add(const Address& address) {
    bytes_.append(32 - address.bytes.size(), '\0');
    Append(address.bytes.data(), address.bytes.size());
  }
  void AddHashOf(std::string_view text) { Add(Keccak256(text)); }
  // A list is the hash of its elements' hashes.
  void AddHashOf(const std::vector<std::string>& texts) {
    Words elements;
    for (const std::string& text : texts) elements.AddHashOf(text);
    Add(elements.Hash());
  }
  Digest Hash() const { return Keccak256(bytes_); }

 private:
  void Append(const unsigned char* bytes, size_t size) {
    bytes_.append(reinterpret_cast<const char*>(bytes), size);
  }
  std::string bytes_;
};

const Digest& DomainType() {
  static const Digest type = Keccak256(
      "EIP712Domain(string name,string version,uint256 chainId,"
      "address verifyingContract)");
  return type;
}

const Digest& PintType(bool with_conditions) {
  static const Digest plain = Keccak256(
      "PurchaseIntent(address wallet,uint256 nonce,string statement,"
      "string[] scopes,string[] resources,uint256 maxAmount,"
      "address maxAmountToken,uint256 expiresAt)");
  static const Digest conditional = Keccak256(
      "PurchaseIntent(address wallet,uint256 nonce,string statement,"
      "string[] scopes,string[] resources,string[] conditions,"
      "uint256 maxAmount,address maxAmountToken,uint256 expiresAt)");
  return with_conditions ? conditional : plain;
}

Digest DomainSeparator(const Pint& pint, uint64_t chain_id) {
  Words words;
  words.Add(DomainType());
  words.AddHashOf("Sumvin Purchase Intent");
  words.AddHashOf(VersionOf(pint));
  words.Add(ToUint256(chain_id));
  words.Add(pint.wallet);
  return words.Hash();
}

Digest StructHash(const Pint& pint) {
  Words words;
  words.Add(PintType(pint.conditions.has_value()));
  words.Add(pint.wallet);
  words.Add(pint.nonce);
  words.AddHashOf(pint.statement);
  words.AddHashOf(pint.scopes);
  words.AddHashOf(pint.resources);
  if (pint.conditions) words.AddHashOf(*pint.conditions);
  words.Add(pint.max_amount);
  words.Add(pint.max_amount_token);
  words.Add(pint.expires_at);
  return words.Hash();
}

// The text up to the next colon, or all of it.
std::string_view TakeSegment(std::string_view* rest) {
  const size_t end = rest->find(':');
  const std::string_view segment = rest->substr(0, end);
  rest->remove_prefix(end == std::string_view::npos ? rest->size() : end + 1);
  return segment;
}

bool IsOfCatalogue(std::string_view scope) {
  std::string_view rest = ScopeName(scope);
  if (TakeSegment(&rest) != "sr" || !IsRegion(TakeSegment(&rest)) ||
      TakeSegment(&rest) != "pint") {
    return false;
  }
  const std::string_view domain = TakeSegment(&rest);
  // No action has a colon, so a sixth segment is none of them.
  for (const ScopeDomain& known : Catalogue()) {
    if (known.name != domain) continue;
    return std::find(known.actions.begin(), known.actions.end(), rest) !=
           known.actions.end();
  }
  return false;
}

}  // namespace

std::string_view VersionOf(const Pint& pint) {
  return pint.conditions ? "3" : "1";
}

int64_t ExpiryMs(const Pint& pint) {
  constexpr uint64_t kLast = std::numeric_limits<int64_t>::max();
  const uint64_t number =
      std::min(ToUint64(pint.expires_at).value_or(kLast), kLast);
  const bool seconds = !pint.conditions && number <= kSurelyMilliseconds;
  return static_cast<int64_t>(seconds ? number * 1000 : number);
}

absl::StatusOr<PintRequest> ParsePintRequest(std::string_view body_json) {
  Reader reader;
  if (body_json.size() > kMaxPintBody) {
    reader.Fail("", "must be at most 65536 bytes");
    return reader.status();
  }
  const auto document = base::JsonDocument::Parse(body_json);
  if (!document.ok() || !document->root().IsObject()) {
    reader.Fail("", "must be a JSON object without repeated members");
    return reader.status();
  }
  const JsonValue root = document->root();
  const JsonValue from = root["pint"];
  if (!from.IsObject()) {
    reader.Fail("/pint", "must be an object");
    return reader.status();
  }
  PintRequest request;
  Pint& pint = request.pint;
  pint.wallet = reader.AddressAt(from["wallet"], "/pint/wallet");
  pint.nonce = reader.Number(from["nonce"], "/pint/nonce");
  pint.statement =
      reader.Text(from["statement"], "/pint/statement", kMaxStatement);
  pint.scopes = reader.Texts(from["scopes"], "/pint/scopes");
  if (pint.scopes.empty()) {
    reader.Fail("/pint/scopes", "must name at least one scope");
  }
  size_t scope_bytes = 0;
  for (const std::string& scope : pint.scopes) {
    scope_bytes += scope.size();
    const bool plain = std::none_of(
        scope.begin(), scope.end(),
        [](unsigned char c) { return c < 0x20 || c == 0x7F; });
    if (!plain || scope.size() > kMaxScope || scope_bytes > kMaxScopes) {
      reader.Fail("/pint/scopes",
                  "must be at most 512 bytes each and 4096 together, without "
                  "control characters");
    }
  }
  pint.resources = reader.Texts(from["resources"], "/pint/resources");
  if (from["conditions"].exists()) {
    pint.conditions = reader.Texts(from["conditions"], "/pint/conditions");
  }
  pint.max_amount = reader.Number(
      reader.Member(from, "maxAmount", "max_amount"), "/pint/maxAmount");
  pint.max_amount_token = reader.AddressAt(
      reader.Member(from, "maxAmountToken", "max_amount_token"),
      "/pint/maxAmountToken");
  pint.expires_at = reader.Number(
      reader.Member(from, "expiresAt", "expires_at"), "/pint/expiresAt");

  const std::optional<std::string> signature =
      ParseHexBytes(root["signature"].AsString().value_or(std::string_view()));
  if (!signature || signature->size() < kSignatureBytes ||
      signature->size() > kMaxSignature) {
    reader.Fail("/signature", "must be 0x and 130 hexadecimal digits");
  } else {
    request.signature = *signature;
  }
  request.audience = reader.Text(root["audience"], "/audience", kMaxAudience);
  if (request.audience.empty()) {
    reader.Fail("/audience", "must not be empty");
  }
  if (!reader.status().ok()) return reader.status();
  return request;
}

Digest PintDigest(const Pint& pint, uint64_t chain_id) {
  std::string bytes = "\x19\x01";
  for (const Digest& part :
       {DomainSeparator(pint, chain_id), StructHash(pint)}) {
    bytes.append(reinterpret_cast<const char*>(part.data()), part.size());
  }
  return Keccak256(bytes);
}

absl::Status CheckPintScopes(const std::vector<std::string>& scopes) {
  for (size_t i = 0; i < scopes.size(); ++i) {
    if (IsOfCatalogue(scopes[i])) continue;
    return base::Error(v1::ERROR_REASON_PINT_SCOPE_NOT_ALLOWED, {},
                       {.violations = {{base::Violation::Where::kPointer,
                                        "/pint/scopes/" + std::to_string(i),
                                        "is not in the catalogue"}}});
  }
  return absl::OkStatus();
}

std::string_view ScopeName(std::string_view scope) {
  return scope.substr(0, scope.find('?'));
}

bool IsSpendScope(std::string_view scope) {
  return ScopeName(scope).ends_with(":pint:spend:execute");
}

}  // namespace kyc::domain
