#include "services/kyc/server/operator_service.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/async/grpc_server.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"
#include "services/base/utf8.h"
#include "services/kyc/server/proto_mapping.h"

namespace kyc::server {
namespace {

using async::CallContext;
using async::Task;
using domain::Record;
using Home = Engines::Home;

constexpr int kDefaultPage = 100;
constexpr int kLargestPage = 1000;
constexpr size_t kLongestText = 128;

absl::Status Invalid(std::string_view detail) {
  return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED,
                     std::string(detail));
}

int PageSize(int asked) {
  return asked <= 0 ? kDefaultPage : std::min(asked, kLargestPage);
}

// "1767225600000-0", "0", …; empty is one too.
bool IsPageToken(std::string_view token) {
  return token.size() <= 41 &&
         token.find_first_not_of("0123456789-") == std::string_view::npos;
}

bool IsText(std::string_view text) {
  return text.size() <= kLongestText && base::IsUtf8(text) &&
         std::none_of(text.begin(), text.end(),
                      [](unsigned char c) { return c < 0x20 || c == 0x7f; });
}

template <typename Request>
absl::StatusOr<Operations::By> ByWhom(const Request& request) {
  RETURN_IF_ERROR(CheckUserId(request.user_id()));
  if (!IsText(request.operator_name()) || !IsText(request.reference())) {
    return Invalid(
        "operator_name and reference must be at most 128 bytes of UTF-8 "
        "without "
        "control characters");
  }
  return Operations::By{request.operator_name(), request.reference()};
}

void FillRecord(const Record& record, v1::UserRecord* out) {
  out->set_user_id(record.user_id);
  out->set_version(record.version);
  out->set_updated_at_ms(record.updated_ms);
  out->set_state(ToProto(record.state));
  if (record.tenant != domain::Tenant()) {
    out->mutable_tenant()->set_org_id(record.tenant.org_id);
    out->mutable_tenant()->set_env_id(record.tenant.env_id);
  }
  out->set_applicant_id(record.applicant_id);
  out->set_required_level(record.required_level);
  if (record.decision) {
    out->set_decision(
        std::string(domain::OutcomeName(record.decision->outcome)));
    out->set_decision_level(record.decision->level);
    out->set_decision_at_ms(record.decision->time_ms);
  }
  out->set_verified_at_ms(record.verified_at_ms.value_or(0));
  out->set_rejected_at_ms(record.rejected_at_ms.value_or(0));
  out->set_has_name(!record.first_name.empty() || !record.last_names.empty());
  out->set_has_reject_reason(!record.reject_reason.empty());
  out->set_onboarding_step(record.onboarding_step);
  out->set_unsettled_since_ms(record.unsettled_ms);
  out->set_erased_at_ms(record.erased_ms);
  out->set_legal_hold_since_ms(record.legal_hold_ms);
  out->set_audit_head(record.audit_head);
}

Task<absl::Status> GetUserRecord(Home home,
                                 const v1::GetUserRecordRequest& request,
                                 v1::UserRecord* response) {
  CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  CO_ASSIGN_OR_RETURN(const Record record,
                      co_await home.records.Load(request.user_id()));
  FillRecord(record, response);
  co_return absl::OkStatus();
}

Task<absl::Status> ListAuditEntries(Home home,
                                    const v1::ListAuditEntriesRequest& request,
                                    v1::ListAuditEntriesResponse* response) {
  CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
  if (!IsPageToken(request.page_token())) {
    co_return Invalid("page_token is none that was given out");
  }
  const int count = PageSize(request.page_size());
  CO_ASSIGN_OR_RETURN(std::vector<store::AuditTrail::Entry> entries,
                      co_await home.audit_trail.List(
                          request.user_id(), request.page_token(), count));
  for (store::AuditTrail::Entry& entry : entries) {
    v1::AuditEntry* out = response->add_entries();
    out->set_id(entry.id);
    for (auto& [name, value] : entry.fields) {
      auto* field = out->add_fields();
      // Whoever tampers may write any bytes.
      field->set_name(base::ToUtf8(std::move(name)));
      field->set_value(base::ToUtf8(std::move(value)));
    }
  }
  if (static_cast<int>(entries.size()) == count) {
    response->set_next_page_token(entries.back().id);
  }
  co_return absl::OkStatus();
}

Task<absl::Status> VerifyAudit(Home home, const v1::VerifyAuditRequest& request,
                               v1::VerifyAuditResponse* response) {
  std::vector<std::string> user_ids;
  if (!request.user_id().empty()) {
    CO_RETURN_IF_ERROR(CheckUserId(request.user_id()));
    user_ids.push_back(request.user_id());
  } else {
    if (!IsPageToken(request.page_token())) {
      co_return Invalid("page_token is none that was given out");
    }
    CO_ASSIGN_OR_RETURN(
        store::AuditTrail::Users users,
        co_await home.audit_trail.ListUsers(request.page_token(),
                                            PageSize(request.page_size())));
    user_ids = std::move(users.user_ids);
    response->set_next_page_token(std::move(users.next_cursor));
  }
  for (std::string& user_id : user_ids) {
    CO_ASSIGN_OR_RETURN(store::AuditTrail::Finding finding,
                        co_await home.audit_trail.Verify(user_id));
    v1::AuditFinding* out = response->add_findings();
    out->set_user_id(base::ToUtf8(std::move(user_id)));
    out->set_entries(finding.entries);
    out->set_head(std::move(finding.head));
    if (finding.problem) {
      out->set_problem(std::move(finding.problem->what));
      out->set_entry_id(std::move(finding.problem->entry_id));
    }
  }
  co_return absl::OkStatus();
}

Task<absl::Status> EraseUser(CallContext context, Home home,
                             const v1::EraseUserRequest& request,
                             v1::EraseUserResponse* response) {
  CO_ASSIGN_OR_RETURN(Operations::By by, ByWhom(request));
  CO_ASSIGN_OR_RETURN(
      const Operations::Erasure erasure,
      co_await home.operations.Erase(context, request.user_id(), by));
  response->set_erased_at_ms(erasure.erased_ms);
  response->set_was_unknown(erasure.was_unknown);
  co_return absl::OkStatus();
}

template <typename Request>
Task<absl::Status> ChangeLegalHold(CallContext context, Home home,
                                   const Request& request, bool hold,
                                   v1::LegalHold* response) {
  CO_ASSIGN_OR_RETURN(Operations::By by, ByWhom(request));
  CO_ASSIGN_OR_RETURN(const Record record,
                      co_await home.operations.SetLegalHold(
                          context, request.user_id(), by, hold));
  response->set_since_ms(record.legal_hold_ms);
  co_return absl::OkStatus();
}

}  // namespace

grpc::ServerUnaryReactor* OperatorService::GetUserRecord(
    grpc::CallbackServerContext* rpc, const v1::GetUserRecordRequest* request,
    v1::UserRecord* response) {
  const Home home = engines_.For(request->user_id());
  return async::RunUnary(rpc, home.loop, "OperatorService/GetUserRecord",
                         [home, request, response](CallContext) {
                           return server::GetUserRecord(home, *request,
                                                        response);
                         });
}

grpc::ServerUnaryReactor* OperatorService::ListAuditEntries(
    grpc::CallbackServerContext* rpc,
    const v1::ListAuditEntriesRequest* request,
    v1::ListAuditEntriesResponse* response) {
  const Home home = engines_.For(request->user_id());
  return async::RunUnary(rpc, home.loop, "OperatorService/ListAuditEntries",
                         [home, request, response](CallContext) {
                           return server::ListAuditEntries(home, *request,
                                                           response);
                         });
}

grpc::ServerUnaryReactor* OperatorService::VerifyAudit(
    grpc::CallbackServerContext* rpc, const v1::VerifyAuditRequest* request,
    v1::VerifyAuditResponse* response) {
  const Home home = engines_.For(request->user_id());
  return async::RunUnary(rpc, home.loop, "OperatorService/VerifyAudit",
                         [home, request, response](CallContext) {
                           return server::VerifyAudit(home, *request, response);
                         });
}

grpc::ServerUnaryReactor* OperatorService::EraseUser(
    grpc::CallbackServerContext* rpc, const v1::EraseUserRequest* request,
    v1::EraseUserResponse* response) {
  const Home home = engines_.For(request->user_id());
  return async::RunUnary(rpc, home.loop, "OperatorService/EraseUser",
                         [home, request, response](CallContext context) {
                           return server::EraseUser(context, home, *request,
                                                    response);
                         });
}

grpc::ServerUnaryReactor* OperatorService::SetLegalHold(
    grpc::CallbackServerContext* rpc, const v1::SetLegalHoldRequest* request,
    v1::LegalHold* response) {
  const Home home = engines_.For(request->user_id());
  return async::RunUnary(rpc, home.loop, "OperatorService/SetLegalHold",
                         [home, request, response](CallContext context) {
                           return ChangeLegalHold(context, home, *request, true,
                                                  response);
                         });
}

grpc::ServerUnaryReactor* OperatorService::ReleaseLegalHold(
    grpc::CallbackServerContext* rpc,
    const v1::ReleaseLegalHoldRequest* request, v1::LegalHold* response) {
  const Home home = engines_.For(request->user_id());
  return async::RunUnary(rpc, home.loop, "OperatorService/ReleaseLegalHold",
                         [home, request, response](CallContext context) {
                           return ChangeLegalHold(context, home, *request,
                                                  false, response);
                         });
}

}  // namespace kyc::server
