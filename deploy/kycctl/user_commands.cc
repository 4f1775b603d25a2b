#include "deploy/kycctl/user_commands.h"

#include <grpcpp/channel.h>

#include <cctype>
#include <cstdlib>
#include <ostream>
#include <string>
#include <string_view>

#include "deploy/kycctl/output.h"
#include "deploy/kycctl/rpc.h"
#include "kyc/v1/operator_service.grpc.pb.h"
#include "services/base/json.h"
#include "services/base/status_macros.h"

namespace kyc::kycctl {
namespace {

using Stub = v1::OperatorService::Stub;

Client<v1::OperatorService> Connect(const Args& args) {
  return {kKycProcess, args};
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
      Line(name, OrDash(Printable(value)));
    } else {
      WriteOrNull(name, value, &json_);
    }
  }
  void Time(std::string_view name, int64_t ms) {
    if (!as_json_) {
      Line(name, ShowExactTime(ms));
    } else {
      WriteOrNull(name, ms, &json_);
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
    PrintFacts(20, {{name, value}}, out_);
  }

  const bool as_json_;
  std::ostream& out_;
  std::string text_;
  base::JsonWriter json_;
};

absl::Status Show(const Args& args, std::ostream& out) {
  v1::GetUserRecordRequest request;
  request.set_user_id(args.positional()[0]);
  ASSIGN_OR_RETURN(const v1::UserRecord record,
                   Connect(args).Call(&Stub::GetUserRecord, request));
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

void WriteEntry(const v1::AuditEntry& entry, base::JsonWriter* json) {
  json->BeginObject().Key("id").String(entry.id());
  for (const auto& field : entry.fields()) {
    json->Key(field.name()).String(field.value());
  }
  json->EndObject();
}

void ShowEntry(const v1::AuditEntry& entry, std::ostream& out) {
  std::string time;
  std::string rest;
  for (const auto& field : entry.fields()) {
    if (field.value().empty() || field.name() == "hash") continue;
    if (field.name() == "time_ms") {
      time = ShowExactTime(std::strtoll(field.value().c_str(), nullptr, 10));
      continue;
    }
    rest += " " + Printable(field.name()) + "=" + Printable(field.value());
  }
  PrintRow({entry.id(), time + rest}, out);
}

constexpr Format<v1::AuditEntry> kEntry{WriteEntry, ShowEntry};

absl::Status Audit(const Args& args, std::ostream& out) {
  v1::ListAuditEntriesRequest request;
  request.set_user_id(args.positional()[0]);
  request.set_page_size(1000);
  ListPrinter list(args, out, kEntry);
  RETURN_IF_ERROR(Connect(args).ForEachPage(
      &Stub::ListAuditEntries, request,
      [&](const auto& page) { list.Add(page.entries()); }));
  return list.End();
}

// Says in one line what was done to a user, and in JSON since when it is so.
absl::Status PrintChange(const Args& args, std::ostream& out,
                         const std::string& line, std::string_view member,
                         int64_t since_ms) {
  return PrintLine(args, out, line, [&](base::JsonWriter* json) {
    json->BeginObject();
    WriteOrNull("user_id", args.positional()[0], json);
    WriteOrNull(member, since_ms, json);
    json->EndObject();
  });
}

absl::Status Erase(const Args& args, std::ostream& out) {
  v1::EraseUserRequest request;
  request.set_user_id(args.positional()[0]);
  request.set_operator_name(args.Get("operator"));
  request.set_reference(args.Get("reference"));
  ASSIGN_OR_RETURN(const auto response,
                   Connect(args).Call(&Stub::EraseUser, request));
  const int64_t at = response.erased_at_ms();
  const std::string user = Printable(request.user_id());
  return PrintChange(args, out,
                     response.was_unknown()
                         ? "nothing was stored of " + user +
                               "; what may still come is not kept"
                         : "erased " + user + " at " + ShowExactTime(at),
                     "erased_at", at);
}

// A command that sets or lifts a legal hold with `method`.
template <typename Request>
auto ChangeHold(grpc::Status (Stub::*method)(grpc::ClientContext*,
                                             const Request&, v1::LegalHold*)) {
  return [method](const Args& args, std::ostream& out) -> absl::Status {
    Request request;
    request.set_user_id(args.positional()[0]);
    request.set_operator_name(args.Get("operator"));
    request.set_reference(args.Get("reference"));
    ASSIGN_OR_RETURN(const v1::LegalHold hold,
                     Connect(args).Call(method, request));
    const std::string on = "legal hold on " + Printable(request.user_id());
    const int64_t since = hold.since_ms();
    return PrintChange(
        args, out,
        since == 0 ? "no " + on : on + " since " + ShowExactTime(since),
        "legal_hold_since", since);
  };
}

void WriteFinding(const v1::AuditFinding& finding, base::JsonWriter* json) {
  json->BeginObject()
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
}

void ShowFinding(const v1::AuditFinding& finding, std::ostream& out) {
  if (finding.problem().empty()) return;  // Verify counts those.
  PrintRow({"BROKEN", Printable(finding.user_id()),
            "entry " + OrDash(finding.entry_id()), finding.problem()},
           out);
}

constexpr Format<v1::AuditFinding> kFinding{WriteFinding, ShowFinding};

// The result of a whole check; a failure where something is wrong.
absl::Status Verify(const Args& args, std::ostream& out) {
  const bool all = args.IsOn("all");
  if (all != args.positional().empty()) {
    return absl::InvalidArgumentError("name one USER, or give --all");
  }
  v1::VerifyAuditRequest request;
  if (!all) request.set_user_id(args.positional()[0]);
  request.set_page_size(100);
  ListPrinter list(args, out, kFinding);
  int64_t users = 0;
  int64_t entries = 0;
  int64_t problems = 0;
  RETURN_IF_ERROR(Connect(args).ForEachPage(
      &Stub::VerifyAudit, request, [&](const auto& page) {
        for (const v1::AuditFinding& finding : page.findings()) {
          ++users;
          entries += finding.entries();
          if (!finding.problem().empty()) ++problems;
        }
        list.Add(page.findings());
      }));
  RETURN_IF_ERROR(list.End());
  if (!args.IsOn("json")) {
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
  const Flag address = AddressFlag(kKycProcess);
  const Flag json = JsonFlag();
  const Flag by{"operator", "NAME", "Who does it, for the audit trail.",
                LoginName(), false};
  const Flag reference{"reference", "TEXT",
                       "Why, for the audit trail: a case's number. No personal "
                       "data.",
                       "", false};
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
       ChangeHold(&Stub::SetLegalHold)},
      {"user release",
       "lifts a legal hold",
       {"kycctl user release usr_1 --reference=court-42"},
       {by, reference, json, address},
       {"USER"},
       ChangeHold(&Stub::ReleaseLegalHold)},
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
