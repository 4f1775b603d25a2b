#include "deploy/kycctl/user_commands.h"

#include <grpcpp/channel.h>

#include <cctype>
#include <cstdlib>
#include <ostream>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "deploy/kycctl/rpc.h"
#include "kyc/v1/operator_service.grpc.pb.h"
#include "services/base/json.h"
#include "services/base/status_macros.h"

namespace kyc::kycctl {
namespace {

std::unique_ptr<v1::OperatorService::Stub> OperatorStub(const Args& args) {
  return v1::OperatorService::NewStub(OpenKycChannel(args));
}

// Makes one call of the service and gives its answer.
template <typename Response, typename Request, typename Method>
absl::StatusOr<Response> Call(const Args& args, Method method,
                              const Request& request) {
  const auto stub = OperatorStub(args);
  Response response;
  RETURN_IF_ERROR(CallKyc(args, [&](grpc::ClientContext* context) {
    return (stub.get()->*method)(context, request, &response);
  }));
  return response;
}

std::string ShowTime(int64_t ms) {
  if (ms == 0) return "-";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", absl::FromUnixMillis(ms),
                          absl::UTCTimeZone());
}

std::string StateName(v1::VerificationState state) {
  constexpr std::string_view kPrefix = "VERIFICATION_STATE_";
  std::string name = v1::VerificationState_Name(state).substr(kPrefix.size());
  for (char& c : name) c = static_cast<char>(std::tolower(c));
  return name;
}

// What is not safe on a terminal is shown as '?': ids are any text.
std::string Printable(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '?';
  }
  return out;
}

// One fact after the other, as lines or as the members of a JSON object.
class Facts {
 public:
  Facts(const Args& args, std::ostream& out)
      : as_json_(args.IsOn("json")), out_(out), json_(&text_) {
    if (as_json_) json_.BeginObject();
  }
  void Text(std::string_view name, const std::string& value) {
    if (!as_json_) {
      Line(name, value.empty() ? "-" : Printable(value));
    } else if (value.empty()) {
      json_.Key(name).Null();
    } else {
      json_.Key(name).String(value);
    }
  }
  void Time(std::string_view name, int64_t ms) {
    if (!as_json_) {
      Line(name, ShowTime(ms));
    } else if (ms == 0) {
      json_.Key(name).Null();
    } else {
      json_.Key(name).Int(ms);
    }
  }
  void Number(std::string_view name, int64_t value) {
    if (!as_json_) {
      Line(name, std::to_string(value));
    } else {
      json_.Key(name).Int(value);
    }
  }
  void Switch(std::string_view name, bool value) {
    if (!as_json_) {
      Line(name, value ? "yes" : "no");
    } else {
      json_.Key(name).Bool(value);
    }
  }
  void End() {
    if (!as_json_) return;
    json_.EndObject();
    out_ << text_ << "\n";
  }

 private:
  void Line(std::string_view name, const std::string& value) {
    constexpr size_t kWidth = 20;
    out_ << name << std::string(kWidth - name.size(), ' ') << value << "\n";
  }

  const bool as_json_;
  std::ostream& out_;
  std::string text_;
  base::JsonWriter json_;
};

absl::Status Show(const Args& args, std::ostream& out) {
  v1::GetUserRecordRequest request;
  request.set_user_id(args.positional()[0]);
  ASSIGN_OR_RETURN(
      const v1::UserRecord record,
      Call<v1::UserRecord>(args, &v1::OperatorService::Stub::GetUserRecord,
                           request));
  if (record.version() == 0) {
    return absl::NotFoundError("nothing is stored of this user");
  }
  Facts facts(args, out);
  facts.Text("user_id", record.user_id());
  facts.Text("state", StateName(record.state()));
  facts.Number("version", static_cast<int64_t>(record.version()));
  facts.Time("updated_at", record.updated_at_ms());
  facts.Text("org_id", record.tenant().org_id());
  facts.Text("env_id", record.tenant().env_id());
  facts.Text("applicant_id", record.applicant_id());
  facts.Text("required_level", record.required_level());
  facts.Text("decision", record.decision());
  facts.Text("decision_level", record.decision_level());
  facts.Time("decision_at", record.decision_at_ms());
  facts.Time("verified_at", record.verified_at_ms());
  facts.Time("rejected_at", record.rejected_at_ms());
  facts.Switch("has_name", record.has_name());
  facts.Switch("has_reject_reason", record.has_reject_reason());
  facts.Text("onboarding_step", record.onboarding_step());
  facts.Time("unsettled_since", record.unsettled_since_ms());
  facts.Time("erased_at", record.erased_at_ms());
  facts.Time("legal_hold_since", record.legal_hold_since_ms());
  facts.Text("audit_head", record.audit_head());
  facts.End();
  return absl::OkStatus();
}

void PrintEntry(const v1::AuditEntry& entry, std::ostream& out) {
  std::string time;
  std::string rest;
  for (const auto& field : entry.fields()) {
    if (field.value().empty() || field.name() == "hash") continue;
    if (field.name() == "time_ms") {
      time = ShowTime(std::strtoll(field.value().c_str(), nullptr, 10));
      continue;
    }
    rest += " " + Printable(field.name()) + "=" + Printable(field.value());
  }
  out << entry.id() << "  " << time << rest << "\n";
}

absl::Status Audit(const Args& args, std::ostream& out) {
  v1::ListAuditEntriesRequest request;
  request.set_user_id(args.positional()[0]);
  request.set_page_size(1000);
  const bool as_json = args.IsOn("json");
  std::string text;
  base::JsonWriter json(&text);
  json.BeginArray();
  do {
    ASSIGN_OR_RETURN(
        const v1::ListAuditEntriesResponse page,
        Call<v1::ListAuditEntriesResponse>(
            args, &v1::OperatorService::Stub::ListAuditEntries, request));
    for (const v1::AuditEntry& entry : page.entries()) {
      if (!as_json) {
        PrintEntry(entry, out);
        continue;
      }
      json.BeginObject().Key("id").String(entry.id());
      for (const auto& field : entry.fields()) {
        json.Key(field.name()).String(field.value());
      }
      json.EndObject();
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  json.EndArray();
  if (as_json) out << text << "\n";
  return absl::OkStatus();
}

absl::Status Erase(const Args& args, std::ostream& out) {
  v1::EraseUserRequest request;
  request.set_user_id(args.positional()[0]);
  request.set_operator_name(args.Get("operator"));
  request.set_reference(args.Get("reference"));
  ASSIGN_OR_RETURN(const v1::EraseUserResponse response,
                   Call<v1::EraseUserResponse>(
                       args, &v1::OperatorService::Stub::EraseUser, request));
  if (args.IsOn("json")) {
    Facts facts(args, out);
    facts.Text("user_id", request.user_id());
    facts.Time("erased_at", response.erased_at_ms());
    facts.End();
  } else if (response.erased_at_ms() == 0) {
    out << "nothing is stored of this user\n";
  } else {
    out << "erased " << Printable(request.user_id()) << " at "
        << ShowTime(response.erased_at_ms()) << "\n";
  }
  return absl::OkStatus();
}

template <typename Request, typename Method>
absl::Status ChangeHold(const Args& args, Method method, std::ostream& out) {
  Request request;
  request.set_user_id(args.positional()[0]);
  request.set_operator_name(args.Get("operator"));
  request.set_reference(args.Get("reference"));
  ASSIGN_OR_RETURN(const v1::LegalHold hold,
                   Call<v1::LegalHold>(args, method, request));
  if (args.IsOn("json")) {
    Facts facts(args, out);
    facts.Text("user_id", request.user_id());
    facts.Time("legal_hold_since", hold.since_ms());
    facts.End();
  } else if (hold.since_ms() == 0) {
    out << "no legal hold on " << Printable(request.user_id()) << "\n";
  } else {
    out << "legal hold on " << Printable(request.user_id()) << " since "
        << ShowTime(hold.since_ms()) << "\n";
  }
  return absl::OkStatus();
}

// The result of a whole check; a failure where something is wrong.
absl::Status Verify(const Args& args, std::ostream& out) {
  const bool all = args.IsOn("all");
  if (all != args.positional().empty()) {
    return absl::InvalidArgumentError("name one USER, or give --all");
  }
  v1::VerifyAuditRequest request;
  if (!all) request.set_user_id(args.positional()[0]);
  request.set_page_size(100);
  const bool as_json = args.IsOn("json");
  std::string text;
  base::JsonWriter json(&text);
  json.BeginArray();
  int64_t users = 0;
  int64_t entries = 0;
  int64_t problems = 0;
  do {
    ASSIGN_OR_RETURN(
        const v1::VerifyAuditResponse page,
        Call<v1::VerifyAuditResponse>(
            args, &v1::OperatorService::Stub::VerifyAudit, request));
    for (const v1::AuditFinding& finding : page.findings()) {
      ++users;
      entries += finding.entries();
      if (!finding.problem().empty()) ++problems;
      if (as_json) {
        json.BeginObject()
            .Key("user_id")
            .String(finding.user_id())
            .Key("entries")
            .Int(finding.entries())
            .Key("head")
            .String(finding.head())
            .Key("ok")
            .Bool(finding.problem().empty())
            .Key("problem")
            .String(finding.problem())
            .Key("entry_id")
            .String(finding.entry_id())
            .EndObject();
      } else if (!finding.problem().empty()) {
        out << "BROKEN  " << Printable(finding.user_id()) << "  entry "
            << (finding.entry_id().empty() ? "-" : finding.entry_id()) << "  "
            << finding.problem() << "\n";
      }
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  json.EndArray();
  if (as_json) {
    out << text << "\n";
  } else {
    out << "checked " << entries << " entries of " << users << " users\n";
  }
  if (problems == 0) return absl::OkStatus();
  return absl::DataLossError(std::to_string(problems) +
                             " audit trail(s) do not verify");
}

std::string LoginName() {
  const char* name = std::getenv("USER");
  return name == nullptr ? "" : name;
}

}  // namespace

std::vector<Command> UserCommands() {
  const Flag address = KycAddressFlag();
  const Flag json{"json", "", "Prints JSON.", "", false};
  const Flag by{"operator", "NAME", "Who does it, for the audit trail.",
                LoginName(), false};
  const Flag reference{"reference", "TEXT",
                       "Why, for the audit trail: a case's number. No personal "
                       "data.",
                       "", false};
  using Stub = v1::OperatorService::Stub;
  return {
      {"user show",
       "shows what is stored of a user, without the name",
       {"kycctl user show usr_1", "kycctl user show usr_1 --json"},
       {json, address},
       {"USER"},
       Show},
      {"user audit",
       "lists what happened to a user, oldest first",
       {"kycctl user audit usr_1", "kycctl user audit usr_1 --json"},
       {json, address},
       {"USER"},
       Audit},
      {"user erase",
       "removes a user's personal data for good; decision and trail stay",
       {"kycctl user erase usr_1 --reference=case-17"},
       {by, reference, json, address},
       {"USER"},
       Erase},
      {"user hold",
       "sets a legal hold: the user cannot be erased",
       {"kycctl user hold usr_1 --reference=court-42"},
       {by, reference, json, address},
       {"USER"},
       [](const Args& args, std::ostream& out) {
         return ChangeHold<v1::SetLegalHoldRequest>(args, &Stub::SetLegalHold,
                                                    out);
       }},
      {"user release",
       "lifts a legal hold",
       {"kycctl user release usr_1 --reference=court-42"},
       {by, reference, json, address},
       {"USER"},
       [](const Args& args, std::ostream& out) {
         return ChangeHold<v1::ReleaseLegalHoldRequest>(
             args, &Stub::ReleaseLegalHold, out);
       }},
      {"audit verify",
       "checks the audit trail of a user, or of all; exit code 1 if one is "
       "broken",
       {"kycctl audit verify usr_1", "kycctl audit verify --all",
        "kycctl audit verify --all --json > heads-$(date +%F).json"},
       {{"all", "", "Checks every user.", "", false}, json, address},
       {"[USER]"},
       Verify},
  };
}

}  // namespace kyc::kycctl
