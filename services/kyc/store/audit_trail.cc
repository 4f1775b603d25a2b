#include "services/kyc/store/audit_trail.h"

#include <algorithm>
#include <cctype>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "services/base/status_macros.h"

namespace kyc::store {
namespace {

using async::RedisReply;
using async::Task;
using domain::Record;

// Entries read at a time.
constexpr int kPage = 500;
// How often the end of a trail is looked at while it grows.
constexpr int kMostLooks = 100;

std::string_view ValueOf(const AuditFieldList& fields, std::string_view name) {
  for (const auto& [key, value] : fields) {
    if (key == name) return value;
  }
  return {};
}

// What is wrong with the record, given the last entry of its trail; empty:
// nothing.
std::string_view Mismatch(const Record& record, const AuditFieldList& last) {
  if (record.version == 0) return "the record is gone";
  if (ValueOf(last, "to") != domain::StateName(record.state)) {
    return "the record's state is not the one of the last entry";
  }
  if (ValueOf(last, "version") != std::to_string(record.version)) {
    return "the record's version is not the one of the last entry";
  }
  return {};
}

// "kyc:{b007}:<kind>:<id>" → "<id>", for the kinds that belong to a user's
// record and trail.
std::optional<std::string> UserOfKey(const std::string& key) {
  constexpr std::string_view kStart = "kyc:{b000}:";
  if (key.size() <= kStart.size()) return std::nullopt;
  const std::string_view rest = std::string_view(key).substr(kStart.size());
  for (const std::string_view kind : {"user:", "audit:"}) {
    if (rest.substr(0, kind.size()) != kind) continue;
    std::string user(rest.substr(kind.size()));
    if (RecordKey(user) == key || AuditKey(user) == key) return user;
  }
  return std::nullopt;
}

}  // namespace

Task<absl::StatusOr<std::vector<AuditTrail::Entry>>> AuditTrail::List(
    std::string user_id, std::string after, int count) {
  std::vector<std::string> command = {
      "XRANGE", AuditKey(user_id), after.empty() ? "-" : "(" + after,
      "+",      "COUNT",           std::to_string(count)};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Command(std::move(command)));
  std::vector<Entry> entries;
  for (const RedisReply& each : reply.elements) {
    if (each.elements.size() != 2) continue;
    Entry& entry = entries.emplace_back();
    entry.id = each.elements[0].text;
    const auto& words = each.elements[1].elements;
    for (size_t i = 0; i + 1 < words.size(); i += 2) {
      entry.fields.emplace_back(words[i].text, words[i + 1].text);
    }
  }
  co_return entries;
}

Task<absl::StatusOr<AuditTrail::Finding>> AuditTrail::Verify(
    std::string user_id) {
  Finding finding;
  AuditChain chain(user_id);
  Entry last;
  for (int look = 0; look < kMostLooks; ++look) {
    // The record first: its head is in the trail that is read after it, and
    // not before the end of what was read before it.
    absl::StatusOr<Record> record = co_await records_.Load(user_id);
    if (!record.ok() && !absl::IsDataLoss(record.status())) {
      co_return record.status();
    }
    bool passed_head = record.ok() && chain.head() == record->audit_head;
    for (;;) {
      CO_ASSIGN_OR_RETURN(std::vector<Entry> page,
                          co_await List(user_id, last.id, kPage));
      for (Entry& entry : page) {
        if (const absl::Status fits = chain.Add(entry.fields); !fits.ok()) {
          finding.problem = {entry.id, std::string(fits.message())};
          co_return finding;
        }
        ++finding.entries;
        finding.head = chain.head();
        last = std::move(entry);
        passed_head |= record.ok() && chain.head() == record->audit_head;
      }
      if (page.size() < kPage) break;
    }
    if (!record.ok()) {
      finding.problem = {"", "the record cannot be read"};
      co_return finding;
    }
    if (!passed_head) {
      finding.problem = {last.id, finding.entries == 0 ? "the trail is gone"
                                  : record->version == 0
                                      ? "the record is gone"
                                      : "the trail was cut off after this "
                                        "entry, or the record set back"};
      co_return finding;
    }
    if (finding.entries == 0 && record->version == 0) co_return finding;
    if (chain.head() == record->audit_head) {
      if (const std::string_view wrong = Mismatch(*record, last.fields);
          !wrong.empty()) {
        finding.problem = {last.id, std::string(wrong)};
      }
      co_return finding;
    }
  }
  co_return finding;
}

Task<absl::StatusOr<AuditTrail::Users>> AuditTrail::ListUsers(
    std::string cursor, int count) {
  std::vector<std::string> command = {"SCAN",  cursor.empty() ? "0" : cursor,
                                      "MATCH", "kyc:{b[0-9]*",
                                      "COUNT", std::to_string(count)};
  CO_ASSIGN_OR_RETURN(const RedisReply reply,
                      co_await redis_.Command(std::move(command)));
  if (reply.elements.size() != 2) {
    co_return absl::DataLossError("unreadable answer to SCAN");
  }
  Users users;
  if (reply.elements[0].text != "0") {
    users.next_cursor = reply.elements[0].text;
  }
  for (const RedisReply& key : reply.elements[1].elements) {
    if (std::optional<std::string> user = UserOfKey(key.text)) {
      users.user_ids.push_back(*std::move(user));
    }
  }
  std::sort(users.user_ids.begin(), users.user_ids.end());
  users.user_ids.erase(
      std::unique(users.user_ids.begin(), users.user_ids.end()),
      users.user_ids.end());
  co_return users;
}

}  // namespace kyc::store
