#include "services/kyc/domain/pint_for_test.h"

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "services/base/json.h"

namespace kyc::domain {
namespace {

constexpr std::string_view kWellKnownKey =
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
// The order of the group.
constexpr std::string_view kOrder =
    "0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

secp256k1_context* Context() {
  static secp256k1_context* const context =
      secp256k1_context_create(SECP256K1_CONTEXT_SIGN);
  return context;
}

void Require(bool holds) {
  if (!holds) std::abort();
}

std::array<unsigned char, 32> Bytes32(std::string_view hex) {
  const std::string bytes = ParseHexBytes(hex).value();
  std::array<unsigned char, 32> array;
  std::copy(bytes.begin(), bytes.end(), array.begin());
  return array;
}

std::array<unsigned char, 32> Numbered(unsigned char number) {
  std::array<unsigned char, 32> key{};
  key.front() = 1;
  key.back() = number;
  return key;
}

void Strings(base::JsonWriter& json, const std::vector<std::string>& texts) {
  json.BeginArray();
  for (const std::string& text : texts) json.String(text);
  json.EndArray();
}

}  // namespace

TestAccount::TestAccount() : TestAccount(Bytes32(kWellKnownKey)) {}

TestAccount::TestAccount(unsigned char number)
    : TestAccount(Numbered(number)) {}

TestAccount::TestAccount(const std::array<unsigned char, 32>& key) : key_(key) {
  secp256k1_pubkey point;
  Require(secp256k1_ec_pubkey_create(Context(), &point, key_.data()) == 1);
  std::array<unsigned char, 65> bytes;
  size_t size = bytes.size();
  secp256k1_ec_pubkey_serialize(Context(), bytes.data(), &size, &point,
                                SECP256K1_EC_UNCOMPRESSED);
  const Digest hash = Keccak256(
      {reinterpret_cast<const char*>(bytes.data()) + 1, bytes.size() - 1});
  std::copy(hash.end() - 20, hash.end(), address_.bytes.begin());
}

std::string TestAccount::Sign(const Digest& digest) const {
  secp256k1_ecdsa_recoverable_signature signature;
  Require(secp256k1_ecdsa_sign_recoverable(Context(), &signature, digest.data(),
                                           key_.data(), nullptr,
                                           nullptr) == 1);
  std::string bytes(65, '\0');
  int id = 0;
  secp256k1_ecdsa_recoverable_signature_serialize_compact(
      Context(), reinterpret_cast<unsigned char*>(bytes.data()), &id,
      &signature);
  bytes[64] = static_cast<char>(27 + id);
  return bytes;
}

Pint ExamplePint() {
  Pint pint;
  pint.wallet =
      ParseAddress("0x5FbDB2315678afecb367f032d93F642f64180aa3").value();
  pint.nonce = ToUint256(7);
  pint.statement = "KYC data access for Example Partner";
  pint.scopes = {"sr:us:pint:identity:kyc_read"};
  pint.expires_at = ToUint256(1893456000);
  return pint;
}

std::string Twin(std::string signature) {
  const std::array<unsigned char, 32> order = Bytes32(kOrder);
  int borrow = 0;
  for (int i = 31; i >= 0; --i) {
    int difference = order[i] - borrow -
                     static_cast<unsigned char>(signature[32 + i]);
    borrow = difference < 0 ? 1 : 0;
    signature[32 + i] = static_cast<char>(difference + 256 * borrow);
  }
  signature[64] = static_cast<char>(27 + 28 - signature[64]);
  return signature;
}

std::string HexText(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "0x";
  for (const unsigned char byte : bytes) {
    text.push_back(kDigits[byte >> 4]);
    text.push_back(kDigits[byte & 15]);
  }
  return text;
}

std::string RenderPintBody(const Pint& pint, std::string_view signature,
                           std::string_view audience) {
  std::string body;
  base::JsonWriter json(&body);
  json.BeginObject().Key("pint").BeginObject();
  json.Key("wallet").String(ToText(pint.wallet));
  json.Key("nonce").Raw(ToDecimal(pint.nonce));
  json.Key("statement").String(pint.statement);
  Strings(json.Key("scopes"), pint.scopes);
  Strings(json.Key("resources"), pint.resources);
  if (pint.conditions) Strings(json.Key("conditions"), *pint.conditions);
  json.Key("maxAmount").String(ToDecimal(pint.max_amount));
  json.Key("maxAmountToken").String(ToText(pint.max_amount_token));
  json.Key("expiresAt").Raw(ToDecimal(pint.expires_at));
  json.EndObject();
  json.Key("signature").String(HexText(signature));
  json.Key("audience").String(audience);
  json.EndObject();
  return body;
}

}  // namespace kyc::domain
