#include "deploy/kycctl/pint_commands.h"

#include <openssl/rand.h>

#include <cstdint>
#include <cstring>
#include <ctime>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "deploy/kycctl/key_file.h"
#include "deploy/kycctl/wallet_key.h"
#include "services/base/json.h"
#include "services/base/status_macros.h"
#include "services/kyc/domain/pint.h"

namespace kyc::kycctl {
namespace {

using domain::Pint;

absl::StatusOr<WalletKey> ReadWallet(const std::string& path) {
  ASSIGN_OR_RETURN(std::string text, ReadKeyFile(path));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) {
    text.pop_back();
  }
  absl::StatusOr<WalletKey> key = WalletKey::Parse(text);
  if (!key.ok()) {
    return absl::FailedPreconditionError(path + ": " +
                                         std::string(key.status().message()));
  }
  return key;
}

absl::Status Keygen(const Args& args, std::ostream& out) {
  const std::string& path = args.Get("key_file");
  if (!FileExists(path)) {
    ASSIGN_OR_RETURN(const WalletKey fresh, WalletKey::Generate());
    RETURN_IF_ERROR(WriteKeyFile(path, fresh.ToHex() + "\n", 0600));
  }
  ASSIGN_OR_RETURN(const WalletKey key, ReadWallet(path));
  out << ToText(key.address()) << "\n";
  return absl::OkStatus();
}

absl::StatusOr<domain::Address> ReadAddress(std::string_view flag,
                                            const std::string& text) {
  const std::optional<domain::Address> address = domain::ParseAddress(text);
  if (address) return *address;
  return absl::InvalidArgumentError("--" + std::string(flag) +
                                    " wants 0x and 40 hexadecimal digits");
}

absl::StatusOr<domain::Uint256> ReadNumber(std::string_view flag,
                                           const std::string& text) {
  const std::optional<domain::Uint256> number = domain::ParseUint256(text);
  if (number) return *number;
  return absl::InvalidArgumentError("--" + std::string(flag) +
                                    " wants a decimal number");
}

std::vector<std::string> SplitList(const std::string& text) {
  return absl::StrSplit(text, ',', absl::SkipEmpty());
}

uint64_t RandomNonce() {
  unsigned char bytes[sizeof(uint64_t)];
  uint64_t nonce = 0;
  if (RAND_bytes(bytes, sizeof(bytes)) != 1) return std::time(nullptr);
  std::memcpy(&nonce, bytes, sizeof(nonce));
  return nonce;
}

absl::StatusOr<domain::Uint256> ReadExpiry(const Args& args) {
  if (!args.Get("expires_at").empty()) {
    return ReadNumber("expires_at", args.Get("expires_at"));
  }
  absl::Duration ttl;
  if (!absl::ParseDuration(args.Get("ttl"), &ttl) || ttl < absl::Seconds(1) ||
      ttl > absl::Hours(24 * 3650)) {
    return absl::InvalidArgumentError(
        "--ttl wants a duration from 1s to 87600h, such as 90s or 1h");
  }
  return domain::ToUint256(std::time(nullptr) + absl::ToInt64Seconds(ttl));
}

absl::StatusOr<Pint> ReadPint(const Args& args, const WalletKey& key) {
  Pint pint;
  pint.wallet = key.address();
  if (!args.Get("wallet").empty()) {
    ASSIGN_OR_RETURN(pint.wallet, ReadAddress("wallet", args.Get("wallet")));
  }
  pint.nonce = domain::ToUint256(RandomNonce());
  if (!args.Get("nonce").empty()) {
    ASSIGN_OR_RETURN(pint.nonce, ReadNumber("nonce", args.Get("nonce")));
  }
  pint.statement = args.Get("statement");
  pint.scopes = SplitList(args.Get("scopes"));
  pint.resources = SplitList(args.Get("resources"));
  ASSIGN_OR_RETURN(pint.max_amount,
                   ReadNumber("max_amount", args.Get("max_amount")));
  ASSIGN_OR_RETURN(
      pint.max_amount_token,
      ReadAddress("max_amount_token", args.Get("max_amount_token")));
  ASSIGN_OR_RETURN(pint.expires_at, ReadExpiry(args));
  return pint;
}

void WriteTexts(std::string_view key, const std::vector<std::string>& texts,
                base::JsonWriter* json) {
  json->Key(key).BeginArray();
  for (const std::string& text : texts) json->String(text);
  json->EndArray();
}

absl::Status Sign(const Args& args, std::ostream& out) {
  uint64_t chain_id = 0;
  if (!absl::SimpleAtoi(args.Get("chain_id"), &chain_id)) {
    return absl::InvalidArgumentError("--chain_id wants a number");
  }
  ASSIGN_OR_RETURN(const WalletKey key, ReadWallet(args.Get("key_file")));
  ASSIGN_OR_RETURN(const Pint pint, ReadPint(args, key));
  const std::string signature = key.Sign(domain::PintDigest(pint, chain_id));
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject()
      .Key("pint")
      .BeginObject()
      .Key("wallet")
      .String(ToText(pint.wallet))
      .Key("nonce")
      .Raw(ToDecimal(pint.nonce))
      .Key("statement")
      .String(pint.statement);
  WriteTexts("scopes", pint.scopes, &json);
  WriteTexts("resources", pint.resources, &json);
  json.Key("maxAmount")
      .Raw(ToDecimal(pint.max_amount))
      .Key("maxAmountToken")
      .String(ToText(pint.max_amount_token))
      .Key("expiresAt")
      .Raw(ToDecimal(pint.expires_at))
      .EndObject()
      .Key("signature")
      .String(HexText(signature))
      .Key("audience")
      .String(args.Get("audience"))
      .EndObject();
  out << text << "\n";
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> PintCommands() {
  const Flag key_file{"key_file", "PATH", "0x and 64 hexadecimal digits.", "",
                      true};
  return {
      {"pint keygen",
       "creates a wallet's key for trying out, and prints its address",
       {"kycctl pint keygen --key_file=wallet.key"},
       {{"key_file", "PATH", "Created with mode 0600 if absent.", "", true}},
       {},
       Keygen},
      {"pint sign",
       "signs a consent (PINT) and prints the body that exchanges it",
       {"kycctl pint sign --key_file=wallet.key --audience=partner.example",
        "kycctl pint sign --key_file=wallet.key --wallet=0x… --nonce=42 "
        "--audience=partner.example --ttl=24h"},
       {key_file,
        {"audience", "TEXT", "The audience of the partner's API key.", "",
         true},
        {"wallet", "ADDRESS", "The Safe; without it the key's own account.", "",
         false},
        {"scopes", "LIST", "Separated by commas.",
         "sr:us:pint:identity:kyc_read", false},
        {"resources", "LIST", "Separated by commas.", "", false},
        {"statement", "TEXT", "What the user reads when signing.",
         "KYC data access", false},
        {"nonce", "NUMBER", "Without it a random one.", "", false},
        {"max_amount", "NUMBER", "Of the token's smallest unit.", "0", false},
        {"max_amount_token", "ADDRESS", "The token's contract.",
         "0x0000000000000000000000000000000000000000", false},
        {"expires_at", "SECONDS", "Since 1970; wins over --ttl.", "", false},
        {"ttl", "DURATION", "Time until it expires.", "1h", false},
        {"chain_id", "NUMBER", "kyc_server's --partner_chain_id.", "1329",
         false}},
       {},
       Sign},
  };
}

}  // namespace kyc::kycctl
