#include "services/kyc/server/access_log.h"

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"

namespace kyc::server {
namespace {

using async::RedisReply;
using async::Task;

constexpr std::string_view kPartner = "PARTNER";
// Of one write, and of the wait for one's turn.
constexpr std::chrono::seconds kPatience{10};
// Other processes write too: an entry that lost its place is tried again.
constexpr int kMaxTries = 8;
constexpr size_t kMaxLookedAt = 2000;
constexpr size_t kChunk = 200;

// A stream's ids: "<milliseconds>-<number>".
bool IsEntryId(std::string_view id) {
  const size_t dash = id.find('-');
  const auto digits = [](std::string_view text) {
    return !text.empty() && text.size() <= 20 &&
           text.find_first_not_of("0123456789") == std::string_view::npos;
  };
  return dash != std::string_view::npos && digits(id.substr(0, dash)) &&
         digits(id.substr(dash + 1));
}

// nullopt for entries of another kind.
std::optional<Access> Decode(const RedisReply& entry) {
  if (entry.elements.size() != 2) return std::nullopt;
  Access access;
  access.id = entry.elements[0].text;
  std::string actor;
  const std::vector<RedisReply>& fields = entry.elements[1].elements;
  for (size_t i = 0; i + 1 < fields.size(); i += 2) {
    const std::string& name = fields[i].text;
    const std::string& value = fields[i + 1].text;
    if (name == "actor") actor = value;
    if (name == "action") access.action = value;
    if (name == "reference") access.pint_id = value;
    if (name == "event_id") access.image_id = value;
    if (name == "time_ms") (void)absl::SimpleAtoi(value, &access.time_ms);
    if (name == "actor_id") {
      const std::vector<std::string> parts = absl::StrSplit(value, ':');
      if (parts.size() == 3) {
        access.partner = {parts[0], parts[1]};
        access.key_id = parts[2];
      }
    }
  }
  if (actor != kPartner ||
      (access.action != kReadDetails && access.action != kReadImage)) {
    return std::nullopt;
  }
  return access;
}

}  // namespace

Task<absl::Status> AccessLog::Add(async::CallContext context,
                                  std::string user_id, Access access) {
  const auto end =
      std::chrono::steady_clock::now() + context.Remaining(kPatience);
  while (writing_.contains(user_id)) {
    if (!co_await written_.Wait(end - std::chrono::steady_clock::now())) {
      co_return base::Error(v1::ERROR_REASON_UNAVAILABLE);
    }
  }
  // Given up also when this coroutine is destroyed.
  struct Turn {
    AccessLog& log;
    const std::string& user_id;
    ~Turn() {
      log.writing_.erase(user_id);
      log.written_.Notify();
    }
  } turn{*this, user_id};
  writing_.insert(user_id);

  store::AuditEntry entry;
  entry.actor = kPartner;
  // Ids have no colon.
  entry.actor_id = absl::StrCat(access.partner.org_id, ":",
                                access.partner.env_id, ":", access.key_id);
  entry.action = std::move(access.action);
  entry.reference = std::move(access.pint_id);
  entry.event_id = std::move(access.image_id);
  entry.trace_id = context.trace.trace_id();
  absl::Status status;
  for (int attempt = 0; attempt < kMaxTries; ++attempt) {
    status = (co_await records_.AppendAudit(user_id, entry)).status();
    if (!absl::IsAborted(status)) break;
  }
  co_return status;
}

Task<absl::StatusOr<AccessLog::Page>> AccessLog::List(std::string user_id,
                                                      size_t limit,
                                                      std::string after) {
  if (!after.empty() && !IsEntryId(after)) {
    co_return base::Error(
        v1::ERROR_REASON_REQUEST_VALIDATION_FAILED, {},
        {.violations = {{base::Violation::Where::kParameter, "cursor",
                         "must be the cursor of the page before"}}});
  }
  Page page;
  const std::string key = store::AuditKey(user_id);
  for (size_t looked_at = 0; looked_at < kMaxLookedAt; looked_at += kChunk) {
    std::vector<std::string> command = {
        "XREVRANGE", key, after.empty() ? "+" : "(" + after, "-", "COUNT",
        absl::StrCat(kChunk)};
    CO_ASSIGN_OR_RETURN(const RedisReply entries,
                        co_await redis_.Command(std::move(command)));
    for (const RedisReply& entry : entries.elements) {
      if (page.accesses.size() == limit) {
        page.next = after;
        co_return page;
      }
      if (entry.elements.empty()) continue;
      after = entry.elements[0].text;
      if (std::optional<Access> access = Decode(entry)) {
        page.accesses.push_back(*std::move(access));
      }
    }
    if (entries.elements.size() < kChunk) co_return page;
  }
  page.next = after;
  co_return page;
}

}  // namespace kyc::server
