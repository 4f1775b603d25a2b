#include "services/kyc/store/record_codec.h"

#include <charconv>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "services/kyc/store/record_store.h"

namespace kyc::store {
namespace {

using domain::Activity;
using domain::Decision;
using domain::Record;

using Value = std::optional<std::string>;  // nullopt: the field is unset.

template <typename T>
bool ParseInteger(std::string_view text, T* value) {
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, *value);
  return error == std::errc() && rest == end;
}

// One field of the hash: how it is read from a record, and set there.
struct Field {
  std::string_view name;
  Value (*get)(const Record& record);
  bool (*set)(std::string_view text, Record* record);  // False: unreadable.
};

template <std::string Record::*member>
constexpr Field Text(std::string_view name) {
  return {name,
          [](const Record& record) {
            return (record.*member).empty() ? Value() : Value(record.*member);
          },
          [](std::string_view text, Record* record) {
            record->*member = text;
            return true;
          }};
}

// Zero is unset.
template <auto member>
constexpr Field Number(std::string_view name) {
  return {name,
          [](const Record& record) {
            return record.*member == 0 ? Value()
                                       : Value(std::to_string(record.*member));
          },
          [](std::string_view text, Record* record) {
            return ParseInteger(text, &(record->*member));
          }};
}

template <std::optional<int64_t> Record::*member>
constexpr Field MaybeNumber(std::string_view name) {
  return {name,
          [](const Record& record) {
            return record.*member ? Value(std::to_string(*(record.*member)))
                                  : Value();
          },
          [](std::string_view text, Record* record) {
            return ParseInteger(text, &(record->*member).emplace());
          }};
}

template <std::string domain::Tenant::*member>
constexpr Field OfTenant(std::string_view name) {
  return {name,
          [](const Record& record) {
            const std::string& text = record.tenant.*member;
            return text.empty() ? Value() : Value(text);
          },
          [](std::string_view text, Record* record) {
            record->tenant.*member = text;
            return true;
          }};
}

// A number within an optional part: set whenever the part is there.
template <auto part, auto member>
constexpr Field NumberOf(std::string_view name) {
  return {name,
          [](const Record& record) {
            return record.*part
                       ? Value(std::to_string((*(record.*part)).*member))
                       : Value();
          },
          [](std::string_view text, Record* record) {
            auto& value = record->*part;
            if (!value) value.emplace();
            return ParseInteger(text, &((*value).*member));
          }};
}

constexpr Field kState = {
    "state",
    [](const Record& record) { return Value(domain::StateName(record.state)); },
    [](std::string_view text, Record* record) {
      const auto state = domain::ParseState(text);
      record->state = state.value_or(domain::State::kPending);
      return state.has_value();
    }};

constexpr Field kDecisionOutcome = {
    "decision_outcome",
    [](const Record& record) {
      return record.decision
                 ? Value(domain::OutcomeName(record.decision->outcome))
                 : Value();
    },
    [](std::string_view text, Record* record) {
      const auto outcome = domain::ParseOutcome(text);
      if (!record->decision) record->decision.emplace();
      record->decision->outcome = outcome.value_or(domain::Outcome::kReset);
      return outcome.has_value();
    }};

constexpr Field kDecisionLevel = {
    "decision_level",
    [](const Record& record) {
      return record.decision ? Value(record.decision->level) : Value();
    },
    [](std::string_view text, Record* record) {
      if (!record->decision) record->decision.emplace();
      record->decision->level = text;
      return true;
    }};

constexpr Field kAwaitingUser = {"awaiting_user",
                                 [](const Record& record) {
                                   return record.awaiting_user ? Value("1")
                                                               : Value();
                                 },
                                 [](std::string_view text, Record* record) {
                                   record->awaiting_user = text == "1";
                                   return record->awaiting_user;
                                 }};

// The most often read stand first.
constexpr std::array kFields = {
    Number<&Record::version>("v"),
    kState,
    Text<&Record::applicant_id>("applicant_id"),
    MaybeNumber<&Record::verified_at_ms>("verified_at"),
    MaybeNumber<&Record::rejected_at_ms>("rejected_at"),
    Text<&Record::reject_reason>("reject_reason"),
    Number<&Record::link_ms>("link_time"),
    Text<&Record::required_level>("required_level"),
    OfTenant<&domain::Tenant::org_id>("org"),
    OfTenant<&domain::Tenant::env_id>("env"),
    kDecisionOutcome,
    NumberOf<&Record::decision, &Decision::time_ms>("decision_time"),
    kDecisionLevel,
    Number<&Record::progress_ms>("progress"),
    kAwaitingUser,
    Number<&Record::partial_approval_ms>("partial_approval"),
    Number<&Record::unknown_level_ms>("unknown_level"),
    NumberOf<&Record::activity, &Activity::attempt>("activity_attempt"),
    NumberOf<&Record::activity, &Activity::after_ms>("activity_after"),
    MaybeNumber<&Record::polled_attempt>("polled_attempt"),
    Text<&Record::first_name>("first_name"),
    Text<&Record::last_names>("last_names"),
    Text<&Record::onboarding_step>("onboarding_step"),
    Number<&Record::updated_ms>("updated"),
    Number<&Record::unsettled_ms>("unsettled"),
    Number<&Record::erased_ms>("erased"),
    Number<&Record::legal_hold_ms>("legal_hold"),
    Text<&Record::audit_head>("audit_head"),
};

constexpr bool StatusFieldsStandFirst() {
  for (size_t i = 0; i < kStatusFields.size(); ++i) {
    if (kFields[i].name != kStatusFields[i]) return false;
  }
  return true;
}
static_assert(StatusFieldsStandFirst());

absl::Status Unreadable(std::string_view field) {
  return absl::DataLossError(absl::StrCat(
      "record field ", absl::string_view(field.data(), field.size()),
      " is unreadable"));
}

// Fills a record field by field.
class Decoder {
 public:
  explicit Decoder(std::string_view user_id) { record_.user_id = user_id; }

  void Add(std::string_view name, std::string_view text) {
    empty_ = false;
    for (const Field& field : kFields) {
      if (field.name != name) continue;
      if (!field.set(text, &record_)) broken_ = field.name;
      // Parts without which the others of their group mean nothing.
      outcome_ |= field.name == kDecisionOutcome.name;
      return;
    }
  }

  absl::StatusOr<Record> Take() && {
    if (!broken_.empty()) return Unreadable(broken_);
    if (empty_) return std::move(record_);
    if (record_.version == 0) return Unreadable("v");
    if (record_.decision && !outcome_) return Unreadable("decision_outcome");
    return std::move(record_);
  }

 private:
  Record record_;
  std::string_view broken_;
  bool empty_ = true;
  bool outcome_ = false;
};

// "<length>:<bytes>", the form in which change messages carry text.
void AppendCounted(std::string_view bytes, std::string* out) {
  absl::StrAppend(out, bytes.size(), ":");
  out->append(bytes);
}

bool ConsumeCounted(std::string_view* rest, std::string_view* bytes) {
  const size_t colon = rest->find(':');
  size_t size = 0;
  if (colon == std::string_view::npos ||
      !ParseInteger(rest->substr(0, colon), &size) ||
      size > rest->size() - colon - 1) {
    return false;
  }
  *bytes = rest->substr(colon + 1, size);
  rest->remove_prefix(colon + 1 + size);
  return true;
}

}  // namespace

std::vector<std::string> EncodeRecord(const Record& record) {
  std::vector<std::string> fields;
  for (const Field& field : kFields) {
    Value value = field.get(record);
    if (!value) continue;
    fields.emplace_back(field.name);
    fields.push_back(*std::move(value));
  }
  return fields;
}

absl::StatusOr<Record> DecodeRecord(std::string_view user_id,
                                    const std::vector<std::string>& fields) {
  if (fields.size() % 2 != 0) {
    return absl::DataLossError("record without its last value");
  }
  Decoder decoder(user_id);
  for (size_t i = 0; i < fields.size(); i += 2) {
    decoder.Add(fields[i], fields[i + 1]);
  }
  return std::move(decoder).Take();
}

absl::StatusOr<Record> DecodeHash(std::string_view user_id,
                                  const async::RedisReply& reply) {
  if (reply.type != async::RedisReply::Type::kArray ||
      reply.elements.size() % 2 != 0) {
    return absl::DataLossError("record is not a hash");
  }
  Decoder decoder(user_id);
  for (size_t i = 0; i < reply.elements.size(); i += 2) {
    decoder.Add(reply.elements[i].text, reply.elements[i + 1].text);
  }
  return std::move(decoder).Take();
}

absl::StatusOr<Record> DecodeStatus(std::string_view user_id,
                                    const async::RedisReply& reply) {
  if (reply.elements.size() != kStatusFields.size()) {
    return absl::DataLossError("record is not a hash");
  }
  Record record;
  record.user_id = user_id;
  bool empty = true;
  for (size_t i = 0; i < kStatusFields.size(); ++i) {
    if (reply.elements[i].is_nil()) continue;
    empty = false;
    if (!kFields[i].set(reply.elements[i].text, &record)) {
      return Unreadable(kFields[i].name);
    }
  }
  if (!empty && record.version == 0) return Unreadable("v");
  return record;
}

RecordDiff DiffRecords(const Record& from, const Record& to) {
  RecordDiff diff;
  for (const Field& field : kFields) {
    Value before = from.version == 0 ? Value() : field.get(from);
    Value after = field.get(to);
    if (before == after) continue;
    if (after) {
      diff.set.emplace_back(field.name);
      diff.set.push_back(*std::move(after));
    } else {
      diff.remove.emplace_back(field.name);
    }
  }
  return diff;
}

Record StatusOf(const Record& record) {
  Record status;
  status.user_id = record.user_id;
  status.version = record.version;
  status.state = record.state;
  status.applicant_id = record.applicant_id;
  status.verified_at_ms = record.verified_at_ms;
  status.rejected_at_ms = record.rejected_at_ms;
  status.reject_reason = record.reject_reason;
  return status;
}

std::string EncodeChange(const Record& record) {
  std::string payload;
  AppendCounted(record.user_id, &payload);
  for (const std::string& text : EncodeRecord(StatusOf(record))) {
    AppendCounted(text, &payload);
  }
  return payload;
}

absl::StatusOr<Record> DecodeChange(std::string_view payload) {
  std::string_view user_id;
  std::vector<std::string> fields;
  bool good = ConsumeCounted(&payload, &user_id);
  while (good && !payload.empty()) {
    std::string_view text;
    good = ConsumeCounted(&payload, &text);
    fields.emplace_back(text);
  }
  if (!good) return absl::DataLossError("change message is cut short");
  return DecodeRecord(user_id, fields);
}

}  // namespace kyc::store
