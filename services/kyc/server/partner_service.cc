#include "services/kyc/server/partner_service.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/async/grpc_server_stream.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"
#include "services/kyc/server/details_mapping.h"
#include "services/kyc/server/proto_mapping.h"
#include "services/kyc/server/wallet_service.h"

namespace kyc::server {
namespace {

using async::CallContext;
using async::Task;
using store::PintRecord;
using store::PintStore;
using ImageWriter = async::StreamWriter<v1::ReadImageResponse>;

constexpr int kMaxPints = 50;
constexpr int kDefaultPints = 20;
constexpr int kMaxAccesses = 100;
constexpr int kDefaultAccesses = 50;

PartnerCaller CallerOf(const v1::PartnerCaller& caller) {
  return {caller.key_id(), TenantOf(caller.tenant()), caller.audience()};
}

PintGrant GrantOf(const v1::PintGrant& grant) {
  return {grant.pint_id(), grant.subject(), grant.audience()};
}

absl::Status CheckCaller(const Partners& partners,
                         const v1::PartnerCaller& caller) {
  if (partners.keys().empty()) {
    return base::Error(v1::ERROR_REASON_UNAVAILABLE);
  }
  return domain::CheckTenant(TenantOf(caller.tenant()));
}

base::Violation WrongParameter(std::string name, std::string detail) {
  return {base::Violation::Where::kParameter, std::move(name),
          std::move(detail)};
}

v1::Pint::Status StatusOf(const PintRecord& record, int64_t now_ms) {
  if (record.revoked_at_ms != 0) return v1::Pint::STATUS_REVOKED;
  return record.IsActive(now_ms) ? v1::Pint::STATUS_ACTIVE
                                 : v1::Pint::STATUS_EXPIRED;
}

void FillPint(const PintRecord& record, int64_t now_ms, v1::Pint* out) {
  const domain::Pint& pint = record.pint;
  out->set_id(record.id);
  out->set_status(StatusOf(record, now_ms));
  out->set_sri(domain::ToText(SubjectOf(record)));
  out->set_wallet(domain::ToText(pint.wallet));
  out->set_signer(domain::ToText(record.signer));
  out->set_nonce(domain::ToDecimal(pint.nonce));
  out->set_statement(pint.statement);
  for (const std::string& scope : pint.scopes) out->add_scopes(scope);
  for (const std::string& text : pint.resources) out->add_resources(text);
  if (pint.conditions) {
    for (const std::string& text : *pint.conditions) out->add_conditions(text);
  }
  out->set_max_amount(domain::ToDecimal(pint.max_amount));
  out->set_max_amount_token(domain::ToText(pint.max_amount_token));
  out->set_expires_at_ms(record.expires_at_ms);
  out->set_created_at_ms(record.created_at_ms);
  out->set_revoked_at_ms(record.revoked_at_ms);
  out->set_version(std::string(domain::VersionOf(pint)));
}

Task<absl::Status> LookUpUser(Partners& partners,
                              const v1::LookUpUserRequest& request,
                              v1::PartnerUser* response) {
  CO_RETURN_IF_ERROR(CheckCaller(partners, request.caller()));
  CO_ASSIGN_OR_RETURN(
      const Partners::FoundUser found,
      co_await partners.LookUp(CallerOf(request.caller()), request.sri()));
  response->set_user_id(found.wallet.user_id);
  response->set_sri(domain::ToText(found.sri));
  FillWallet(found.wallet, response->mutable_wallet());
  response->set_account_status("active");
  co_return absl::OkStatus();
}

Task<absl::Status> ExchangePint(CallContext context, Partners& partners,
                                const v1::ExchangePintRequest& request,
                                v1::ExchangePintResponse* response) {
  CO_RETURN_IF_ERROR(CheckCaller(partners, request.caller()));
  CO_ASSIGN_OR_RETURN(
      Partners::Token token,
      co_await partners.Exchange(context, CallerOf(request.caller()),
                                 request.body_json()));
  response->set_token(std::string(token.text.Reveal()));
  response->set_pint_id(token.pint.id);
  response->set_audience(std::move(token.audience));
  for (const std::string& scope : token.pint.pint.scopes) {
    response->add_scopes(scope);
  }
  response->set_expires_at_ms(token.pint.expires_at_ms);
  response->set_sri(domain::ToText(SubjectOf(token.pint)));
  response->set_already_existed(token.already_existed);
  co_return absl::OkStatus();
}

Task<absl::Status> GetPint(Partners& partners, const base::Clock& clock,
                           const v1::GetPintRequest& request,
                           v1::Pint* response) {
  CO_RETURN_IF_ERROR(CheckCaller(partners, request.caller()));
  CO_ASSIGN_OR_RETURN(const PintRecord record,
                      co_await partners.GetPint(CallerOf(request.caller()),
                                                request.pint_id()));
  FillPint(record, clock.NowMs(), response);
  co_return absl::OkStatus();
}

// The parameters as a query, or all that is wrong with them.
absl::StatusOr<PintStore::Query> ParseQuery(const v1::ListPintsRequest& request,
                                            int64_t now_ms) {
  base::ErrorExtras extras;
  PintStore::Query query;
  query.org_id = request.caller().tenant().org_id();
  query.limit = request.limit() == 0 ? kDefaultPints : request.limit();
  if (request.limit() < 0 || request.limit() > kMaxPints) {
    extras.violations.push_back(
        WrongParameter("limit", "must be from 1 to 50"));
  }
  query.by_expiry = request.sort() == "expires_at";
  if (!query.by_expiry && !request.sort().empty() &&
      request.sort() != "created_at") {
    extras.violations.push_back(
        WrongParameter("sort", "must be created_at or expires_at"));
  }
  query.ascending = request.order() == "asc";
  if (!query.ascending && !request.order().empty() &&
      request.order() != "desc") {
    extras.violations.push_back(
        WrongParameter("order", "must be asc or desc"));
  }
  query.after = request.cursor();
  if (!query.after.empty() && !store::IsPintId(query.after)) {
    extras.violations.push_back(
        WrongParameter("cursor", "must be the cursor of the page before"));
  }
  const std::optional<domain::Address> wallet =
      domain::ParseAddress(request.wallet());
  if (!request.wallet().empty() && !wallet) {
    extras.violations.push_back(
        WrongParameter("wallet", "must be 0x and 40 hexadecimal digits"));
  }
  const std::string& name = request.status();
  std::optional<v1::Pint::Status> status;
  if (name == "active") status = v1::Pint::STATUS_ACTIVE;
  if (name == "revoked") status = v1::Pint::STATUS_REVOKED;
  if (name == "expired") status = v1::Pint::STATUS_EXPIRED;
  // Every PINT here has been exchanged, so none is pending.
  if (name == "pending") status = v1::Pint::STATUS_UNSPECIFIED;
  if (!name.empty() && !status) {
    extras.violations.push_back(WrongParameter(
        "status", "must be active, pending, revoked or expired"));
  }
  if (!extras.violations.empty()) {
    return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED, {},
                       std::move(extras));
  }
  query.wanted = [wallet, status, now_ms](const PintRecord& record) {
    return (!wallet || record.pint.wallet == *wallet) &&
           (!status || StatusOf(record, now_ms) == *status);
  };
  return query;
}

Task<absl::Status> ListPints(Partners& partners, const base::Clock& clock,
                             const v1::ListPintsRequest& request,
                             v1::ListPintsResponse* response) {
  CO_RETURN_IF_ERROR(CheckCaller(partners, request.caller()));
  const int64_t now_ms = clock.NowMs();
  CO_ASSIGN_OR_RETURN(PintStore::Query query, ParseQuery(request, now_ms));
  response->set_limit(static_cast<int>(query.limit));
  CO_ASSIGN_OR_RETURN(PintStore::Page page,
                      co_await partners.pints().List(std::move(query)));
  for (const PintRecord& record : page.records) {
    FillPint(record, now_ms, response->add_pints());
  }
  response->set_next_cursor(std::move(page.next));
  co_return absl::OkStatus();
}

Task<absl::Status> GetPintStatus(Partners& partners, const base::Clock& clock,
                                 const v1::GetPintStatusRequest& request,
                                 v1::PintStatus* response) {
  CO_RETURN_IF_ERROR(CheckCaller(partners, request.caller()));
  CO_ASSIGN_OR_RETURN(const std::optional<PintRecord> record,
                      co_await partners.pints().Get(request.pint_id()));
  if (!record) co_return base::Error(v1::ERROR_REASON_PINT_NOT_FOUND);
  response->set_pint_id(record->id);
  response->set_status(StatusOf(*record, clock.NowMs()));
  response->set_revoked_at_ms(record->revoked_at_ms);
  co_return absl::OkStatus();
}

Task<absl::Status> ListPintTokens(Partners& partners,
                                  const v1::ListPintTokensRequest& request,
                                  v1::ListPintTokensResponse* response) {
  if (!request.has_user_id()) {
    CO_RETURN_IF_ERROR(CheckCaller(partners, request.caller()));
  }
  CO_ASSIGN_OR_RETURN(std::optional<PintRecord> record,
                      co_await partners.pints().Get(request.pint_id()));
  const bool shown =
      record && (request.has_user_id()
                     ? record->user_id == request.user_id()
                     : record->org_id == request.caller().tenant().org_id());
  if (!shown) co_return base::Error(v1::ERROR_REASON_PINT_NOT_FOUND);
  CO_ASSIGN_OR_RETURN(const std::vector<store::PintToken> tokens,
                      co_await partners.pints().Tokens(*std::move(record)));
  for (const store::PintToken& token : tokens) {
    v1::ListPintTokensResponse::Token* to = response->add_tokens();
    to->set_jti(token.jti);
    to->set_audience(token.audience);
    to->set_key_id(token.key_id);
    to->set_issued_at_ms(token.issued_at_ms);
    to->set_expires_at_ms(token.expires_at_ms);
  }
  co_return absl::OkStatus();
}

Task<absl::Status> RevokePint(Partners& partners, const base::Clock& clock,
                              const v1::RevokePintRequest& request,
                              v1::Pint* response) {
  CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  CO_ASSIGN_OR_RETURN(const PintRecord record,
                      co_await partners.pints().Revoke(request.pint_id(),
                                                       request.user_id()));
  FillPint(record, clock.NowMs(), response);
  co_return absl::OkStatus();
}

Task<absl::Status> ListSigningKeys(const Partners& partners,
                                   v1::ListSigningKeysResponse* response) {
  if (partners.keys().empty()) {
    co_return base::Error(v1::ERROR_REASON_UNAVAILABLE);
  }
  response->set_jwks_json(partners.keys().Jwks());
  response->set_issuer(partners.config().issuer);
  co_return absl::OkStatus();
}

Task<absl::Status> ReadKyc(CallContext context, Partners& partners,
                           const v1::ReadKycRequest& request,
                           v1::Details* response) {
  CO_RETURN_IF_ERROR(CheckCaller(partners, request.caller()));
  CO_ASSIGN_OR_RETURN(
      const Details::Result details,
      co_await partners.ReadDetails(context, CallerOf(request.caller()),
                                    GrantOf(request.grant()),
                                    request.user_id()));
  FillDetails(details, response);
  co_return absl::OkStatus();
}

// One of the images that are on their way.
class Download {
 public:
  Download(std::atomic<int>& count, int most)
      : count_(count), fits_(count.fetch_add(1) < most) {}
  ~Download() { count_.fetch_sub(1); }
  Download(const Download&) = delete;
  Download& operator=(const Download&) = delete;
  bool fits() const { return fits_; }

 private:
  std::atomic<int>& count_;
  const bool fits_;
};

Task<absl::Status> ReadImage(CallContext context, Partners& partners,
                             std::shared_ptr<const Download> download,
                             const v1::ReadImageRequest& request,
                             ImageWriter& writer) {
  CO_RETURN_IF_ERROR(CheckCaller(partners, request.caller()));
  if (!download->fits()) {
    co_return base::Error(v1::ERROR_REASON_UNAVAILABLE);
  }
  CO_ASSIGN_OR_RETURN(
      const std::unique_ptr<provider::ImageStream> image,
      co_await partners.ReadImage(context, CallerOf(request.caller()),
                                  GrantOf(request.grant()), request.user_id(),
                                  request.image_id()));
  v1::ReadImageResponse first;
  first.mutable_start()->set_content_type(image->content_type());
  first.mutable_start()->set_content_length(image->size());
  CO_RETURN_IF_ERROR(co_await writer.Write(std::move(first)));
  while (true) {
    absl::StatusOr<std::string> piece = co_await image->Read();
    if (!piece.ok()) {
      co_return base::Error(v1::ERROR_REASON_PROVIDER_UNAVAILABLE);
    }
    if (piece->empty()) co_return absl::OkStatus();
    v1::ReadImageResponse message;
    message.set_chunk(*std::move(piece));
    CO_RETURN_IF_ERROR(co_await writer.Write(std::move(message)));
  }
}

Task<absl::Status> ListAccesses(AccessLog& accesses,
                                const v1::ListAccessesRequest& request,
                                v1::ListAccessesResponse* response) {
  CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  if (request.limit() < 0 || request.limit() > kMaxAccesses) {
    co_return base::Error(
        v1::ERROR_REASON_REQUEST_VALIDATION_FAILED, {},
        {.violations = {WrongParameter("limit", "must be from 1 to 100")}});
  }
  const int limit = request.limit() == 0 ? kDefaultAccesses : request.limit();
  CO_ASSIGN_OR_RETURN(AccessLog::Page page,
                      co_await accesses.List(request.user_id(), limit,
                                             request.cursor()));
  for (Access& access : page.accesses) {
    v1::ListAccessesResponse::Access* to = response->add_accesses();
    to->set_id(std::move(access.id));
    to->set_time_ms(access.time_ms);
    to->mutable_partner()->set_org_id(std::move(access.partner.org_id));
    to->mutable_partner()->set_env_id(std::move(access.partner.env_id));
    to->set_key_id(std::move(access.key_id));
    to->set_pint_id(std::move(access.pint_id));
    to->set_what(access.action == kReadImage ? "document_image"
                                             : "kyc_details");
    to->set_image_id(std::move(access.image_id));
  }
  response->set_next_cursor(std::move(page.next));
  co_return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* PartnerService::LookUpUser(
    grpc::CallbackServerContext* rpc, const v1::LookUpUserRequest* request,
    v1::PartnerUser* response) {
  Engines::Home home = engines_.For(request->sri());
  return async::RunUnary(
      rpc, home.loop, "PartnerService/LookUpUser",
      [&partners = home.partners, request, response](CallContext) {
        return server::LookUpUser(partners, *request, response);
      });
}

grpc::ServerUnaryReactor* PartnerService::ExchangePint(
    grpc::CallbackServerContext* rpc, const v1::ExchangePintRequest* request,
    v1::ExchangePintResponse* response) {
  Engines::Home home = engines_.For(request->body_json());
  return async::RunUnary(
      rpc, home.loop, "PartnerService/ExchangePint",
      [&partners = home.partners, request, response](CallContext context) {
        return server::ExchangePint(context, partners, *request, response);
      });
}

grpc::ServerUnaryReactor* PartnerService::GetPint(
    grpc::CallbackServerContext* rpc, const v1::GetPintRequest* request,
    v1::Pint* response) {
  Engines::Home home = engines_.For(request->pint_id());
  return async::RunUnary(rpc, home.loop, "PartnerService/GetPint",
                         [this, &partners = home.partners, request,
                          response](CallContext) {
                           return server::GetPint(partners, engines_.clock(),
                                                  *request, response);
                         });
}

grpc::ServerUnaryReactor* PartnerService::ListPints(
    grpc::CallbackServerContext* rpc, const v1::ListPintsRequest* request,
    v1::ListPintsResponse* response) {
  Engines::Home home = engines_.For(request->caller().key_id());
  return async::RunUnary(rpc, home.loop, "PartnerService/ListPints",
                         [this, &partners = home.partners, request,
                          response](CallContext) {
                           return server::ListPints(partners, engines_.clock(),
                                                    *request, response);
                         });
}

grpc::ServerUnaryReactor* PartnerService::GetPintStatus(
    grpc::CallbackServerContext* rpc, const v1::GetPintStatusRequest* request,
    v1::PintStatus* response) {
  Engines::Home home = engines_.For(request->pint_id());
  return async::RunUnary(
      rpc, home.loop, "PartnerService/GetPintStatus",
      [this, &partners = home.partners, request, response](CallContext) {
        return server::GetPintStatus(partners, engines_.clock(), *request,
                                     response);
      });
}

grpc::ServerUnaryReactor* PartnerService::ListPintTokens(
    grpc::CallbackServerContext* rpc, const v1::ListPintTokensRequest* request,
    v1::ListPintTokensResponse* response) {
  Engines::Home home = engines_.For(request->pint_id());
  return async::RunUnary(
      rpc, home.loop, "PartnerService/ListPintTokens",
      [&partners = home.partners, request, response](CallContext) {
        return server::ListPintTokens(partners, *request, response);
      });
}

grpc::ServerUnaryReactor* PartnerService::RevokePint(
    grpc::CallbackServerContext* rpc, const v1::RevokePintRequest* request,
    v1::Pint* response) {
  Engines::Home home = engines_.For(request->user_id());
  return async::RunUnary(rpc, home.loop, "PartnerService/RevokePint",
                         [this, &partners = home.partners, request,
                          response](CallContext) {
                           return server::RevokePint(partners, engines_.clock(),
                                                     *request, response);
                         });
}

grpc::ServerUnaryReactor* PartnerService::ListSigningKeys(
    grpc::CallbackServerContext* rpc, const v1::ListSigningKeysRequest*,
    v1::ListSigningKeysResponse* response) {
  Engines::Home home = engines_.For("");
  return async::RunUnary(rpc, home.loop, "PartnerService/ListSigningKeys",
                         [&partners = home.partners, response](CallContext) {
                           return server::ListSigningKeys(partners, response);
                         });
}

grpc::ServerUnaryReactor* PartnerService::ReadKyc(
    grpc::CallbackServerContext* rpc, const v1::ReadKycRequest* request,
    v1::Details* response) {
  Engines::Home home = engines_.For(request->user_id());
  return async::RunUnary(
      rpc, home.loop, "PartnerService/ReadKyc",
      [&partners = home.partners, request, response](CallContext context) {
        return server::ReadKyc(context, partners, *request, response);
      });
}

grpc::ServerWriteReactor<v1::ReadImageResponse>* PartnerService::ReadImage(
    grpc::CallbackServerContext* rpc, const v1::ReadImageRequest* request) {
  Engines::Home home = engines_.For(request->user_id());
  const auto download =
      std::make_shared<const Download>(downloads_, max_downloads_);
  return async::RunServerStream<v1::ReadImageResponse>(
      rpc, home.loop, streams_, "PartnerService/ReadImage",
      [&partners = home.partners, download, request](CallContext context,
                                                     ImageWriter& writer) {
        return server::ReadImage(context, partners, download, *request, writer);
      });
}

grpc::ServerUnaryReactor* PartnerService::ListAccesses(
    grpc::CallbackServerContext* rpc, const v1::ListAccessesRequest* request,
    v1::ListAccessesResponse* response) {
  Engines::Home home = engines_.For(request->user_id());
  return async::RunUnary(
      rpc, home.loop, "PartnerService/ListAccesses",
      [&partners = home.partners, request, response](CallContext) {
        return server::ListAccesses(partners.accesses(), *request, response);
      });
}

}  // namespace kyc::server
