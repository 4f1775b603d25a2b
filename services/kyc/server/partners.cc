#include "services/kyc/server/partners.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/base/error.h"
#include "services/base/json.h"
#include "services/base/log.h"
#include "services/base/status_macros.h"
#include "services/kyc/domain/pint.h"
#include "services/kyc/server/provider_errors.h"

namespace kyc::server {
namespace {

using async::CallContext;
using async::Task;
using domain::Address;
using domain::Wallet;
using store::PintRecord;
using store::PintToken;

std::string Hex(std::string_view bytes) {
  return absl::BytesToHexString({bytes.data(), bytes.size()});
}

std::string Hex(const domain::Digest& digest) {
  return Hex({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

absl::StatusOr<std::string> RandomHex() {
  std::array<char, 16> random;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(random.data()),
                 random.size()) != 1) {
    return absl::InternalError("no randomness");
  }
  return Hex({random.data(), random.size()});
}

base::Violation Wrong(std::string pointer, std::string detail) {
  return {base::Violation::Where::kPointer, std::move(pointer),
          std::move(detail)};
}

// What a token says of the user's verification.
std::string_view TokenStatus(const domain::Record& record) {
  switch (record.state) {
    case domain::State::kApproved:
      return "verified";
    case domain::State::kRejected:
      return "none";
    case domain::State::kInProgress:
    case domain::State::kRetry:
      return "pending";
    case domain::State::kPending:
      break;
  }
  return record.applicant_id.empty() ? "none" : "pending";
}

absl::Status UserNotFound() {
  return base::Error(v1::ERROR_REASON_SRI_NOT_FOUND);
}

}  // namespace

domain::PersonSri SubjectOf(const PintRecord& pint) {
  return {"us", pint.kind, pint.pint.wallet};
}

Task<absl::StatusOr<store::WalletStore::Registered>> Partners::RegisterWallet(
    std::string user_id, domain::Tenant tenant, std::string eoa,
    std::string safe, int64_t chain_id) {
  base::ErrorExtras extras;
  const std::optional<Address> account = domain::ParseAddress(eoa);
  const std::optional<Address> contract = domain::ParseAddress(safe);
  const auto usable = [](const std::optional<Address>& address) {
    return address && !address->IsZero();
  };
  constexpr char kNoAddress[] =
      "must be 0x and 40 hexadecimal digits, not all of them 0";
  if (!usable(account)) {
    extras.violations.push_back(Wrong("/primary_eoa_address", kNoAddress));
  }
  if (!safe.empty() && !usable(contract)) {
    extras.violations.push_back(
        Wrong("/primary_smart_wallet_address", kNoAddress));
  } else if (contract && contract == account) {
    extras.violations.push_back(Wrong("/primary_smart_wallet_address",
                                      "must not be the EOA's address"));
  }
  if (chain_id != 0 && static_cast<uint64_t>(chain_id) != config_.chain_id) {
    extras.violations.push_back(
        Wrong("/chain_id", absl::StrCat("must be ", config_.chain_id)));
  }
  if (!extras.violations.empty()) {
    co_return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED, {},
                          std::move(extras));
  }
  Wallet wallet;
  wallet.user_id = std::move(user_id);
  wallet.eoa = *account;
  wallet.safe = contract;
  wallet.chain_id = static_cast<int64_t>(config_.chain_id);
  wallet.tenant = std::move(tenant);
  co_return co_await wallets_.Register(std::move(wallet));
}

Task<absl::StatusOr<Partners::FoundUser>> Partners::LookUp(PartnerCaller caller,
                                                           std::string text) {
  CO_ASSIGN_OR_RETURN(domain::PersonSri sri, domain::ParsePersonSri(text));
  CO_ASSIGN_OR_RETURN(std::optional<Wallet> wallet,
                      co_await wallets_.Find(sri.address));
  if (!wallet) co_return UserNotFound();
  const bool is_of_kind = sri.kind == domain::WalletKind::kEoa
                              ? wallet->eoa == sri.address
                              : wallet->safe == sri.address;
  if (!is_of_kind) co_return UserNotFound();
  CO_ASSIGN_OR_RETURN(const bool visible,
                      co_await MaySee(std::move(caller), *wallet));
  if (!visible) co_return UserNotFound();
  co_return FoundUser{std::move(sri), *std::move(wallet)};
}

Task<absl::StatusOr<bool>> Partners::MaySee(PartnerCaller caller,
                                            Wallet wallet) {
  domain::Tenant tenant = std::move(wallet.tenant);
  if (tenant == domain::Tenant()) {
    CO_ASSIGN_OR_RETURN(domain::Record record,
                        co_await records_.Load(wallet.user_id));
    tenant = std::move(record.tenant);
  }
  if (tenant == domain::Tenant() || tenant == caller.tenant) co_return true;
  for (const std::optional<Address>& address :
       {wallet.safe, std::optional(wallet.eoa)}) {
    if (!address) continue;
    CO_ASSIGN_OR_RETURN(
        const bool active,
        co_await pints_.HasActive(caller.tenant.org_id, *address));
    if (active) co_return true;
  }
  co_return false;
}

Task<absl::StatusOr<Partners::Token>> Partners::Exchange(
    CallContext context, PartnerCaller caller, std::string body_json) {
  CO_ASSIGN_OR_RETURN(const domain::PintRequest request,
                      domain::ParsePintRequest(body_json));
  const domain::Pint& pint = request.pint;
  const domain::Digest digest = domain::PintDigest(pint, config_.chain_id);
  const int64_t now_ms = clock_.NowMs();
  const int64_t expires_at_ms = domain::ExpiryMs(pint);
  if (expires_at_ms - now_ms > kMaxPintLifeMs) {
    co_return base::Error(
        v1::ERROR_REASON_PINT_PAYLOAD_INVALID, {},
        {.violations = {Wrong("/pint/expiresAt",
                              "must be at most 10 years ahead")}});
  }

  // The nonce first. Of other organisations' PINTs the caller learns nothing
  // before it has shown the wallet owner's signature.
  CO_ASSIGN_OR_RETURN(const std::optional<PintRecord> held,
                      co_await pints_.Find(pint.wallet, pint.nonce));
  if (held && held->org_id == caller.tenant.org_id &&
      held->digest != Hex(digest)) {
    co_return base::Error(v1::ERROR_REASON_PINT_NONCE_REUSED);
  }
  if (caller.audience.empty() ||
      !base::ConstantTimeEquals(caller.audience, request.audience)) {
    co_return base::Error(v1::ERROR_REASON_PINT_AUDIENCE_INVALID);
  }
  CO_ASSIGN_OR_RETURN(const Address signer,
                      domain::RecoverSigner(digest, request.signature));
  CO_ASSIGN_OR_RETURN(const std::optional<Wallet> wallet,
                      co_await wallets_.Find(pint.wallet));
  if (!wallet || wallet->eoa != signer) {
    co_return base::Error(v1::ERROR_REASON_PINT_SIGNATURE_INVALID);
  }
  CO_RETURN_IF_ERROR(domain::CheckPintScopes(pint.scopes));
  if (held && held->org_id == caller.tenant.org_id &&
      held->revoked_at_ms != 0) {
    co_return base::Error(v1::ERROR_REASON_PINT_REVOKED);
  }
  if (expires_at_ms <= now_ms) {
    co_return base::Error(v1::ERROR_REASON_PINT_EXPIRED);
  }

  CO_ASSIGN_OR_RETURN(const domain::Record record,
                      co_await records_.Load(wallet->user_id));
  PintRecord consent;
  consent.user_id = wallet->user_id;
  consent.org_id = caller.tenant.org_id;
  consent.kind = pint.wallet == wallet->eoa ? domain::WalletKind::kEoa
                                            : domain::WalletKind::kSafe;
  consent.signer = signer;
  consent.digest = Hex(digest);
  consent.pint = pint;
  consent.expires_at_ms = expires_at_ms;
  PintToken token;
  CO_ASSIGN_OR_RETURN(token.jti, RandomHex());
  token.audience = request.audience;
  token.key_id = caller.key_id;
  token.issued_at_ms = now_ms;
  token.expires_at_ms = expires_at_ms;
  CO_ASSIGN_OR_RETURN(store::PintStore::Exchanged exchanged,
                      co_await pints_.Exchange(std::move(consent), token));
  CO_ASSIGN_OR_RETURN(
      base::Secret text,
      Mint(exchanged.record, token, record, request.signature));
  base::LogInfo("PINT exchanged",
                {{"pint_id", exchanged.record.id},
                 {"org_id", caller.tenant.org_id},
                 {"key_id", caller.key_id},
                 {"again", exchanged.already_existed}},
                &context.trace);
  co_return Token{std::move(text), std::move(exchanged.record),
                  std::move(token.audience), exchanged.already_existed};
}

absl::StatusOr<base::Secret> Partners::Mint(const PintRecord& pint,
                                            const PintToken& token,
                                            const domain::Record& record,
                                            std::string_view signature) const {
  const bool spends = std::any_of(pint.pint.scopes.begin(),
                                  pint.pint.scopes.end(), domain::IsSpendScope);
  std::string claims;
  base::JsonWriter json(&claims);
  json.BeginObject();
  json.Key("iss").String(config_.issuer);
  json.Key("sub").String(domain::ToText(SubjectOf(pint)));
  json.Key("aud").String(token.audience);
  json.Key("jti").String(token.jti);
  json.Key("iat").Int(token.issued_at_ms / 1000);
  json.Key("exp").Int(token.expires_at_ms / 1000);
  json.Key("wallet").String(domain::ToText(pint.pint.wallet));
  json.Key("kyc_status").String(TokenStatus(record));
  json.Key("scopes").BeginArray();
  for (const std::string& scope : pint.pint.scopes) json.String(scope);
  json.EndArray();
  json.Key("pint_uri").String(pint.id);
  json.Key("signer_type").String("user");
  json.Key("verification_tier").String(spends ? "enhanced" : "standard");
  if (spends) json.Key("pint_signature").String("0x" + Hex(signature));
  json.EndObject();
  return keys_.Sign(claims);
}

Task<absl::StatusOr<PintRecord>> Partners::GetPint(PartnerCaller caller,
                                                   std::string id) {
  CO_ASSIGN_OR_RETURN(std::optional<PintRecord> pint,
                      co_await pints_.Get(std::move(id)));
  if (!pint || pint->org_id != caller.tenant.org_id) {
    co_return base::Error(v1::ERROR_REASON_PINT_NOT_FOUND);
  }
  co_return *std::move(pint);
}

Task<absl::Status> Partners::Check(PartnerCaller caller, PintGrant grant,
                                   std::string user_id) {
  CO_ASSIGN_OR_RETURN(const std::optional<PintRecord> pint,
                      co_await pints_.Get(grant.pint_id));
  if (!pint || !pint->IsActive(clock_.NowMs()) ||
      pint->org_id != caller.tenant.org_id || caller.audience.empty() ||
      grant.audience != caller.audience ||
      grant.subject != domain::ToText(SubjectOf(*pint))) {
    co_return base::Error(v1::ERROR_REASON_PINT_TOKEN_INVALID);
  }
  // Nothing is said of whether there is such a user.
  if (pint->user_id != user_id) {
    co_return base::Error(v1::ERROR_REASON_PINT_SUBJECT_MISMATCH);
  }
  CO_ASSIGN_OR_RETURN(const std::optional<Wallet> wallet,
                      co_await wallets_.Get(std::move(user_id)));
  if (!wallet || !wallet->Has(pint->pint.wallet)) co_return UserNotFound();
  co_return absl::OkStatus();
}

Task<absl::Status> Partners::RecordAccess(CallContext context,
                                          PartnerCaller caller, PintGrant grant,
                                          std::string user_id, Access access) {
  access.partner = caller.tenant;
  access.key_id = caller.key_id;
  access.pint_id = grant.pint_id;
  CO_RETURN_IF_ERROR(
      co_await accesses_.Add(context, user_id, std::move(access)));
  co_return co_await Check(std::move(caller), std::move(grant),
                           std::move(user_id));
}

Task<absl::StatusOr<Details::Result>> Partners::ReadDetails(
    CallContext context, PartnerCaller caller, PintGrant grant,
    std::string user_id) {
  CO_RETURN_IF_ERROR(co_await Check(caller, grant, user_id));
  CO_ASSIGN_OR_RETURN(Details::Result details,
                      co_await details_.Get(context, user_id, false));
  Access access;
  access.action = kReadDetails;
  CO_RETURN_IF_ERROR(co_await RecordAccess(context, std::move(caller),
                                           std::move(grant), std::move(user_id),
                                           std::move(access)));
  co_return details;
}

Task<absl::StatusOr<std::unique_ptr<provider::ImageStream>>>
Partners::ReadImage(CallContext context, PartnerCaller caller, PintGrant grant,
                    std::string user_id, std::string image_id) {
  CO_RETURN_IF_ERROR(co_await Check(caller, grant, user_id));
  CO_ASSIGN_OR_RETURN(const Details::Result details,
                      co_await details_.Get(context, user_id, false));
  const provider::ApplicantDetails& known = *details.known;
  const bool is_users = std::any_of(
      known.documents.begin(), known.documents.end(),
      [&](const provider::SubmittedDocument& document) {
        return std::find(document.image_ids.begin(), document.image_ids.end(),
                         image_id) != document.image_ids.end();
      });
  if (!is_users) co_return base::Error(v1::ERROR_REASON_IMAGE_NOT_FOUND);
  absl::StatusOr<std::unique_ptr<provider::ImageStream>> image =
      co_await provider_.OpenImage(context, known.inspection_id, image_id);
  if (absl::IsNotFound(image.status())) {
    co_return base::Error(v1::ERROR_REASON_IMAGE_NOT_FOUND);
  }
  if (!image.ok()) {
    co_return ProviderError(image.status(),
                            v1::ERROR_REASON_PROVIDER_UNAVAILABLE,
                            "Failed to fetch the image from KYC provider");
  }
  Access access;
  access.action = kReadImage;
  access.image_id = std::move(image_id);
  CO_RETURN_IF_ERROR(co_await RecordAccess(context, std::move(caller),
                                           std::move(grant), std::move(user_id),
                                           std::move(access)));
  co_return image;
}

}  // namespace kyc::server
