#include "deploy/kycctl/token_commands.h"

#include <ctime>
#include <iostream>
#include <ostream>
#include <string>
#include <string_view>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "deploy/kycctl/jwt.h"
#include "deploy/kycctl/key_file.h"
#include "deploy/kycctl/output.h"
#include "services/base/json.h"
#include "services/base/status_macros.h"

namespace kyc::kycctl {
namespace {

absl::StatusOr<SigningKey> ReadKey(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string pem, ReadKeyFile(path));
  auto key = SigningKey::FromPem(pem);
  if (!key.ok()) {
    return absl::FailedPreconditionError(path + ": " +
                                         std::string(key.status().message()));
  }
  return key;
}

std::string KidOf(const Args& args, const SigningKey& key) {
  return args.Get("kid").empty() ? key.Thumbprint() : args.Get("kid");
}

absl::StatusOr<int64_t> ParseTtl(const std::string& text) {
  absl::Duration ttl;
  if (!absl::ParseDuration(absl::string_view(text.data(), text.size()), &ttl) ||
      ttl < absl::Seconds(1) || ttl > absl::Hours(24 * 365)) {
    return absl::InvalidArgumentError(
        "--ttl wants a duration from 1s to 8760h, such as 90s or 1h");
  }
  return absl::ToInt64Seconds(ttl);
}

absl::Status MintOne(const Args& args, const SigningKey& key, int64_t ttl,
                     const std::string& subject, std::ostream& out) {
  UserClaims claims;
  claims.subject = subject;
  claims.issuer = args.Get("iss");
  claims.audience = args.Get("aud");
  claims.issued_at = std::time(nullptr);
  claims.ttl_seconds = ttl;
  ASSIGN_OR_RETURN(const std::string token,
                   key.Sign(KidOf(args, key), RenderClaims(claims)));
  return PrintLine(args, out, token, [&](base::JsonWriter* json) {
    json->BeginObject();
    json->Key("token").String(token);
    json->Key("sub").String(claims.subject);
    json->Key("expires_at").Int(claims.issued_at + ttl);
    json->EndObject();
  });
}

absl::Status Mint(const Args& args, std::ostream& out) {
  ASSIGN_OR_RETURN(const int64_t ttl, ParseTtl(args.Get("ttl")));
  ASSIGN_OR_RETURN(const SigningKey key, ReadKey(args.Get("key_file")));
  if (args.Get("sub") != "-") {
    return MintOne(args, key, ttl, args.Get("sub"), out);
  }
  std::string subject;
  while (std::getline(std::cin, subject)) {
    RETURN_IF_ERROR(MintOne(args, key, ttl, subject, out));
  }
  return absl::OkStatus();
}

absl::Status Keygen(const Args& args, std::ostream& out) {
  const std::string& key_file = args.Get("key_file");
  const std::string& jwks_file = args.Get("jwks_file");
  if (!FileExists(key_file)) {
    ASSIGN_OR_RETURN(const SigningKey fresh, SigningKey::Generate());
    RETURN_IF_ERROR(WriteKeyFile(key_file, fresh.ToPem(), 0600));
    out << "created " << key_file << "\n";
  }
  ASSIGN_OR_RETURN(const SigningKey key, ReadKey(key_file));
  if (FileExists(jwks_file)) {
    out << "kept " << jwks_file << "\n";
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(
      WriteKeyFile(jwks_file, key.Jwks(KidOf(args, key)) + "\n", 0644));
  out << "created " << jwks_file << "\n";
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> TokenCommands() {
  const Flag kid{"kid", "ID", "Key id; without it the RFC 7638 thumbprint.", "",
                 false};
  return {
      {"token mint",
       "signs a user token (JWT, ES256) and prints it",
       {"kycctl token mint --key_file=user_key.pem --sub=usr_demo",
        "kycctl token mint --key_file=user_key.pem --sub=usr_demo --ttl=24h "
        "--iss=https://id.example.com"},
       {{"key_file", "PATH", "PEM private key on P-256.", "", true},
        {"sub", "USER",
         "The user's id, any text; - reads ids from standard input, a line "
         "each.",
         "", true},
        {"iss", "ISSUER", "Issuer claim; left out if empty.", "", false},
        {"aud", "AUDIENCE", "Audience claim; left out if empty.", "", false},
        {"ttl", "DURATION", "Time until it expires.", "1h", false},
        kid,
        {"json", "", "Prints an object instead of the bare token.", "", false}},
       {},
       Mint},
      {"token keygen",
       "creates the key that signs user tokens, and its public JWKS",
       {"kycctl token keygen --key_file=user_key.pem --jwks_file=jwks.json"},
       {{"key_file", "PATH", "Created with mode 0600 if absent.", "", true},
        {"jwks_file", "PATH", "Public keys for --user_jwks, if absent.", "",
         true},
        kid},
       {},
       Keygen},
  };
}

}  // namespace kyc::kycctl
