#include "deploy/kycctl/event_commands.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "deploy/kycctl/output.h"
#include "deploy/kycctl/rpc.h"
#include "kyc/v1/event_admin_service.grpc.pb.h"
#include "services/base/json.h"
#include "services/base/status_macros.h"

namespace kyc::kycctl {
namespace {

constexpr int kPage = 500;

using Stub = v1::EventAdminService::Stub;

Client<v1::EventAdminService> Connect(const Args& args) {
  return {kWebhookProcess, args};
}

// An RFC 3339 time, epoch milliseconds, or how long ago ("2h").
absl::StatusOr<int64_t> ReadTime(std::string_view flag,
                                 const std::string& text) {
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return absl::ToUnixMillis(time);
  }
  if (int64_t ms = 0; absl::SimpleAtoi(text, &ms) && ms >= 0) return ms;
  if (absl::Duration ago;
      absl::ParseDuration(text, &ago) && ago >= absl::ZeroDuration()) {
    return absl::ToUnixMillis(absl::Now() - ago);
  }
  return absl::InvalidArgumentError(
      "--" + std::string(flag) +
      " is no time: 2026-01-31T12:00:00Z, epoch milliseconds, or 2h for two "
      "hours ago");
}

// The members that every dead letter is shown with.
void WriteMembers(const v1::DeadLetter& letter, base::JsonWriter* json) {
  json->Key("id")
      .String(letter.id())
      .Key("event_id")
      .String(letter.event_id())
      .Key("reason")
      .String(letter.reason())
      .Key("attempts")
      .Int(letter.attempts())
      .Key("received_at")
      .Int(letter.received_at_ms())
      .Key("given_up_at")
      .Int(letter.given_up_at_ms())
      .Key("body_bytes")
      .Int(letter.body_bytes());
  WriteOrNull("trace_id", letter.trace_id(), json);
}

void WriteRow(const v1::DeadLetter& letter, base::JsonWriter* json) {
  json->BeginObject();
  WriteMembers(letter, json);
  json->EndObject();
}

void ShowRow(const v1::DeadLetter& letter, std::ostream& out) {
  PrintRow({letter.id(), letter.reason(),
            absl::StrCat(letter.attempts(), " attempts"),
            "received " + ShowTime(letter.received_at_ms()),
            "given up " + ShowTime(letter.given_up_at_ms()),
            "event " + letter.event_id()},
           out);
}

constexpr Format<v1::DeadLetter> kRow{WriteRow, ShowRow};

void WriteWhole(const v1::DeadLetter& letter, base::JsonWriter* json) {
  json->BeginObject();
  WriteMembers(letter, json);
  WriteOrNull("type", letter.type(), json);
  WriteOrNull("applicant_id", letter.applicant_id(), json);
  WriteOrNull("correlation_id", letter.correlation_id(), json);
  WriteOrNull("created_at_ms", letter.created_at_ms(), json);
  json->EndObject();
}

void ShowWhole(const v1::DeadLetter& letter, std::ostream& out) {
  PrintFacts(16,
             {{"id", OrDash(letter.id())},
              {"event", OrDash(letter.event_id())},
              {"reason", OrDash(letter.reason())},
              {"attempts", absl::StrCat(letter.attempts())},
              {"received", ShowTime(letter.received_at_ms())},
              {"given up", ShowTime(letter.given_up_at_ms())},
              {"type", OrDash(letter.type())},
              {"applicant", OrDash(letter.applicant_id())},
              {"correlation", OrDash(letter.correlation_id())},
              {"provider's time", OrDash(letter.created_at_ms())},
              {"body", absl::StrCat(letter.body_bytes(), " bytes")},
              {"trace", OrDash(letter.trace_id())}},
             out);
}

constexpr Format<v1::DeadLetter> kWhole{WriteWhole, ShowWhole};

void WritePending(const v1::PendingEvent& event, base::JsonWriter* json) {
  json->BeginObject()
      .Key("id")
      .String(event.id())
      .Key("consumer")
      .String(event.consumer())
      .Key("idle_ms")
      .Int(event.idle_ms())
      .Key("deliveries")
      .Int(event.deliveries())
      .EndObject();
}

void ShowPending(const v1::PendingEvent& event, std::ostream& out) {
  PrintRow({event.id(), event.consumer(),
            "idle " + absl::FormatDuration(absl::Milliseconds(event.idle_ms())),
            absl::StrCat(event.deliveries(), " deliveries")},
           out);
}

constexpr Format<v1::PendingEvent> kPending{WritePending, ShowPending};

absl::Status List(const Args& args, std::ostream& out) {
  v1::ListDeadLettersRequest request;
  request.set_page_size(kPage);
  ListPrinter list(args, out, kRow);
  RETURN_IF_ERROR(Connect(args).ForEachPage(
      &Stub::ListDeadLetters, request,
      [&](const auto& page) { list.Add(page.dead_letters()); }));
  return list.End();
}

absl::Status Show(const Args& args, std::ostream& out) {
  v1::GetDeadLetterRequest request;
  request.set_id(args.positional()[0]);
  return Print(args, out, kWhole,
               Connect(args).Call(&Stub::GetDeadLetter, request));
}

absl::Status PrintRedriven(const Args& args, std::ostream& out, int64_t count,
                           const std::string& event_id) {
  const std::string which = event_id.empty() ? "" : ": " + event_id;
  return PrintLine(args, out, absl::StrCat("redriven ", count, which),
                   [&](base::JsonWriter* json) {
                     json->BeginObject().Key("redriven").Int(count);
                     if (!event_id.empty()) {
                       json->Key("event_id").String(event_id);
                     }
                     json->EndObject();
                   });
}

absl::Status Redrive(const Args& args, std::ostream& out) {
  if (args.positional().empty() != args.IsOn("all")) {
    return absl::InvalidArgumentError("either an ID or --all");
  }
  const auto client = Connect(args);
  if (!args.IsOn("all")) {
    v1::RedriveDeadLetterRequest request;
    request.set_id(args.positional()[0]);
    ASSIGN_OR_RETURN(const auto response,
                     client.Call(&Stub::RedriveDeadLetter, request));
    return PrintRedriven(args, out, 1, response.event_id());
  }
  // As many as there are now: one that fails again comes back, and is not
  // redriven for ever.
  int64_t done = 0;
  int64_t all = kPage;
  v1::RedriveDeadLettersResponse response;
  do {
    v1::RedriveDeadLettersRequest request;
    request.set_limit(static_cast<int32_t>(
        std::min<int64_t>(kPage, done == 0 ? kPage : all - done)));
    ASSIGN_OR_RETURN(response, client.Call(&Stub::RedriveDeadLetters, request));
    if (done == 0) all = response.redriven() + response.remaining();
    done += response.redriven();
  } while (response.redriven() > 0 && done < all);
  return PrintRedriven(args, out, done, "");
}

absl::Status Drop(const Args& args, std::ostream& out) {
  v1::DropDeadLetterRequest request;
  request.set_id(args.positional()[0]);
  RETURN_IF_ERROR(Connect(args).Call(&Stub::DropDeadLetter, request).status());
  return PrintLine(
      args, out, "dropped " + request.id(), [&](base::JsonWriter* json) {
        json->BeginObject().Key("dropped").String(request.id()).EndObject();
      });
}

absl::Status Replay(const Args& args, std::ostream& out) {
  v1::ReplayEventsRequest request;
  request.set_limit(kPage);
  ASSIGN_OR_RETURN(const int64_t from, ReadTime("from", args.Get("from")));
  int64_t to = absl::ToUnixMillis(absl::Now());
  if (!args.Get("to").empty()) {
    ASSIGN_OR_RETURN(to, ReadTime("to", args.Get("to")));
  }
  if (from > to) {
    return absl::InvalidArgumentError("--from is later than --to");
  }
  request.set_from_ms(from);
  request.set_to_ms(to);
  int64_t replayed = 0;
  RETURN_IF_ERROR(Connect(args).ForEachPage(
      &Stub::ReplayEvents, request,
      [&](const auto& page) { replayed += page.replayed(); }));
  return PrintLine(
      args, out, absl::StrCat("replayed ", replayed),
      [&](base::JsonWriter* json) {
        json->BeginObject().Key("replayed").Int(replayed).EndObject();
      });
}

absl::Status Pending(const Args& args, std::ostream& out) {
  v1::ListPendingEventsRequest request;
  request.set_page_size(kPage);
  ListPrinter list(args, out, kPending);
  RETURN_IF_ERROR(Connect(args).ForEachPage(
      &Stub::ListPendingEvents, request,
      [&](const auto& page) { list.Add(page.events()); }));
  return list.End();
}

}  // namespace

std::vector<Command> EventCommands() {
  const Flag address = AddressFlag(kWebhookProcess);
  const Flag json = JsonFlag();
  return {
      {"deadletters list",
       "lists the provider events that were given up",
       {"kycctl deadletters list", "kycctl deadletters list --json"},
       {json, address},
       {},
       List},
      {"deadletters show",
       "shows one of them without its personal data",
       {"kycctl deadletters show e03:1767225600000-0"},
       {json, address},
       {"ID"},
       Show},
      {"deadletters redrive",
       "has one of them, or all, applied again",
       {"kycctl deadletters redrive e03:1767225600000-0",
        "kycctl deadletters redrive --all"},
       {{"all", "", "All that there are now.", "", false}, json, address},
       {"[ID]"},
       Redrive},
      {"deadletters drop",
       "deletes one of them for good: it is never applied",
       {"kycctl deadletters drop e03:1767225600000-0"},
       {json, address},
       {"ID"},
       Drop},
      {"events replay",
       "applies the events of a time range again, without a second effect",
       {"kycctl events replay --from=2h",
        "kycctl events replay --from=2026-01-31T12:00:00Z "
        "--to=2026-01-31T13:00:00Z --json"},
       {{"from", "TIME",
         "Received from then on: RFC 3339, epoch milliseconds, or how long "
         "ago.",
         "", true},
        {"to", "TIME", "Received until then; now if left out.", "", false},
        json,
        address},
       {},
       Replay},
      {"events pending",
       "lists the events that were delivered and are not applied yet",
       {"kycctl events pending", "kycctl events pending --json"},
       {json, address},
       {},
       Pending},
  };
}

}  // namespace kyc::kycctl
