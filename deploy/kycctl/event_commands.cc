#include "deploy/kycctl/event_commands.h"

#include <grpcpp/channel.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "deploy/kycctl/rpc.h"
#include "kyc/v1/event_admin_service.grpc.pb.h"
#include "services/base/json.h"
#include "services/base/status_macros.h"

namespace kyc::kycctl {
namespace {

constexpr int kPage = 500;

std::unique_ptr<v1::EventAdminService::Stub> Stub(const Args& args) {
  return v1::EventAdminService::NewStub(OpenWebhookChannel(args));
}

std::string ShowTime(int64_t ms) {
  if (ms == 0) return "-";
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixMillis(ms),
                          absl::UTCTimeZone());
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

void WriteText(std::string_view name, std::string_view text,
               base::JsonWriter* json) {
  json->Key(name);
  if (text.empty()) {
    json->Null();
  } else {
    json->String(text);
  }
}

void WriteLetter(const v1::DeadLetter& letter, bool whole,
                 base::JsonWriter* json) {
  json->BeginObject()
      .Key("id")
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
  WriteText("trace_id", letter.trace_id(), json);
  if (whole) {
    WriteText("type", letter.type(), json);
    WriteText("applicant_id", letter.applicant_id(), json);
    WriteText("correlation_id", letter.correlation_id(), json);
    WriteText("created_at_ms", letter.created_at_ms(), json);
  }
  json->EndObject();
}

absl::Status List(const Args& args, std::ostream& out) {
  const auto stub = Stub(args);
  std::string text;
  base::JsonWriter json(&text);
  json.BeginArray();
  v1::ListDeadLettersRequest request;
  request.set_page_size(kPage);
  do {
    v1::ListDeadLettersResponse page;
    RETURN_IF_ERROR(CallWebhook(args, [&](grpc::ClientContext* context) {
      return stub->ListDeadLetters(context, request, &page);
    }));
    for (const v1::DeadLetter& letter : page.dead_letters()) {
      if (args.IsOn("json")) {
        WriteLetter(letter, /*whole=*/false, &json);
        continue;
      }
      out << letter.id() << "  " << letter.reason() << "  " << letter.attempts()
          << " attempts  received " << ShowTime(letter.received_at_ms())
          << "  given up " << ShowTime(letter.given_up_at_ms()) << "  event "
          << letter.event_id() << "\n";
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  json.EndArray();
  if (args.IsOn("json")) out << text << "\n";
  return absl::OkStatus();
}

absl::Status Show(const Args& args, std::ostream& out) {
  v1::GetDeadLetterRequest request;
  request.set_id(args.positional()[0]);
  const auto stub = Stub(args);
  v1::DeadLetter letter;
  RETURN_IF_ERROR(CallWebhook(args, [&](grpc::ClientContext* context) {
    return stub->GetDeadLetter(context, request, &letter);
  }));
  if (args.IsOn("json")) {
    std::string text;
    base::JsonWriter json(&text);
    WriteLetter(letter, /*whole=*/true, &json);
    out << text << "\n";
    return absl::OkStatus();
  }
  const auto show = [&out](std::string_view name, const std::string& value) {
    out << name << std::string(16 - name.size(), ' ')
        << (value.empty() ? "-" : value) << "\n";
  };
  show("id", letter.id());
  show("event", letter.event_id());
  show("reason", letter.reason());
  show("attempts", std::to_string(letter.attempts()));
  show("received", ShowTime(letter.received_at_ms()));
  show("given up", ShowTime(letter.given_up_at_ms()));
  show("type", letter.type());
  show("applicant", letter.applicant_id());
  show("correlation", letter.correlation_id());
  show("provider's time", letter.created_at_ms());
  show("body", std::to_string(letter.body_bytes()) + " bytes");
  show("trace", letter.trace_id());
  return absl::OkStatus();
}

absl::Status PrintRedriven(const Args& args, std::ostream& out, int64_t count,
                           const std::string& event_id) {
  if (!args.IsOn("json")) {
    out << "redriven " << count;
    if (!event_id.empty()) out << ": " << event_id;
    out << "\n";
    return absl::OkStatus();
  }
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject().Key("redriven").Int(count);
  if (!event_id.empty()) json.Key("event_id").String(event_id);
  json.EndObject();
  out << text << "\n";
  return absl::OkStatus();
}

absl::Status Redrive(const Args& args, std::ostream& out) {
  if (args.positional().empty() != args.IsOn("all")) {
    return absl::InvalidArgumentError("either an ID or --all");
  }
  const auto stub = Stub(args);
  if (!args.IsOn("all")) {
    v1::RedriveDeadLetterRequest request;
    request.set_id(args.positional()[0]);
    v1::RedriveDeadLetterResponse response;
    RETURN_IF_ERROR(CallWebhook(args, [&](grpc::ClientContext* context) {
      return stub->RedriveDeadLetter(context, request, &response);
    }));
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
    RETURN_IF_ERROR(CallWebhook(args, [&](grpc::ClientContext* context) {
      return stub->RedriveDeadLetters(context, request, &response);
    }));
    if (done == 0) all = response.redriven() + response.remaining();
    done += response.redriven();
  } while (response.redriven() > 0 && done < all);
  return PrintRedriven(args, out, done, "");
}

absl::Status Drop(const Args& args, std::ostream& out) {
  v1::DropDeadLetterRequest request;
  request.set_id(args.positional()[0]);
  const auto stub = Stub(args);
  v1::DropDeadLetterResponse response;
  RETURN_IF_ERROR(CallWebhook(args, [&](grpc::ClientContext* context) {
    return stub->DropDeadLetter(context, request, &response);
  }));
  if (args.IsOn("json")) {
    std::string text;
    base::JsonWriter json(&text);
    json.BeginObject().Key("dropped").String(request.id()).EndObject();
    out << text << "\n";
  } else {
    out << "dropped " << request.id() << "\n";
  }
  return absl::OkStatus();
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
  const auto stub = Stub(args);
  int64_t replayed = 0;
  do {
    v1::ReplayEventsResponse response;
    RETURN_IF_ERROR(CallWebhook(args, [&](grpc::ClientContext* context) {
      return stub->ReplayEvents(context, request, &response);
    }));
    replayed += response.replayed();
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  if (args.IsOn("json")) {
    std::string text;
    base::JsonWriter json(&text);
    json.BeginObject().Key("replayed").Int(replayed).EndObject();
    out << text << "\n";
  } else {
    out << "replayed " << replayed << "\n";
  }
  return absl::OkStatus();
}

absl::Status Pending(const Args& args, std::ostream& out) {
  const auto stub = Stub(args);
  std::string text;
  base::JsonWriter json(&text);
  json.BeginArray();
  v1::ListPendingEventsRequest request;
  request.set_page_size(kPage);
  do {
    v1::ListPendingEventsResponse page;
    RETURN_IF_ERROR(CallWebhook(args, [&](grpc::ClientContext* context) {
      return stub->ListPendingEvents(context, request, &page);
    }));
    for (const v1::PendingEvent& event : page.events()) {
      if (args.IsOn("json")) {
        json.BeginObject()
            .Key("id")
            .String(event.id())
            .Key("consumer")
            .String(event.consumer())
            .Key("idle_ms")
            .Int(event.idle_ms())
            .Key("deliveries")
            .Int(event.deliveries())
            .EndObject();
      } else {
        out << event.id() << "  " << event.consumer() << "  idle "
            << absl::FormatDuration(absl::Milliseconds(event.idle_ms())) << "  "
            << event.deliveries() << " deliveries\n";
      }
    }
    request.set_page_token(page.next_page_token());
  } while (!request.page_token().empty());
  json.EndArray();
  if (args.IsOn("json")) out << text << "\n";
  return absl::OkStatus();
}

}  // namespace

std::vector<Command> EventCommands() {
  const Flag address = WebhookAddressFlag();
  const Flag json{"json", "", "Prints JSON.", "", false};
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
