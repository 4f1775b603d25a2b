#include "services/kyc/provider/sumsub/review.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace kyc::provider::sumsub {
namespace {

using base::JsonValue;
using domain::EventKind;
using Review = domain::Poll::Review;

constexpr size_t kMaxReasonBytes = 1000;

bool IsMissing(JsonValue value) { return !value.exists() || value.IsNull(); }

bool IsTextOrMissing(JsonValue value) {
  return IsMissing(value) || value.AsString().has_value();
}

// The set is open. A status that is not known is one of a review that goes
// on: it decides nothing and resets nothing.
Review ReviewOf(std::string_view status) {
  if (status == "init") return Review::kInit;
  if (status == "completed") return Review::kCompleted;
  if (status == "awaitingUser") return Review::kAwaitingUser;
  return Review::kInProgress;
}

// Reads digits from the front; nullopt unless there are `count` of them.
std::optional<int> TakeDigits(std::string_view& text, size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool TakeAny(std::string_view& text, std::string_view chars) {
  if (text.empty() || chars.find(text[0]) == std::string_view::npos) {
    return false;
  }
  text.remove_prefix(1);
  return true;
}

using Milliseconds = std::chrono::milliseconds;

// "HH:MM:SS" and a fraction, which is cut to milliseconds.
std::optional<Milliseconds> TakeTimeOfDay(std::string_view& text) {
  const std::optional<int> hour = TakeDigits(text, 2);
  if (!hour || *hour > 23 || !TakeAny(text, ":")) return std::nullopt;
  const std::optional<int> minute = TakeDigits(text, 2);
  if (!minute || *minute > 59 || !TakeAny(text, ":")) return std::nullopt;
  const std::optional<int> second = TakeDigits(text, 2);
  if (!second || *second > 59) return std::nullopt;
  Milliseconds time = std::chrono::hours(*hour) +
                      std::chrono::minutes(*minute) +
                      std::chrono::seconds(*second);
  if (TakeAny(text, ".")) {
    int scale = 100;
    int digits = 0;
    while (const std::optional<int> digit = TakeDigits(text, 1)) {
      if (++digits > 9) return std::nullopt;
      time += Milliseconds(*digit * scale);
      scale /= 10;
    }
    if (digits == 0) return std::nullopt;
  }
  return time;
}

// "", "Z", "+00", "+0000" or "+00:00".
std::optional<std::chrono::minutes> TakeZone(std::string_view& text) {
  using std::chrono::minutes;
  if (text.empty() || TakeAny(text, "Zz")) return minutes(0);
  const bool west = text[0] == '-';
  if (!TakeAny(text, "+-")) return std::nullopt;
  const std::optional<int> hours = TakeDigits(text, 2);
  if (!hours || *hours > 23) return std::nullopt;
  minutes offset = std::chrono::hours(*hours);
  if (!text.empty()) {
    TakeAny(text, ":");
    const std::optional<int> rest = TakeDigits(text, 2);
    if (!rest || *rest > 59) return std::nullopt;
    offset += minutes(*rest);
  }
  return west ? -offset : offset;
}

std::optional<int64_t> ParseCalendarTime(std::string_view text) {
  const std::optional<int> year = TakeDigits(text, 4);
  if (!year || !TakeAny(text, "-")) return std::nullopt;
  const std::optional<int> month = TakeDigits(text, 2);
  if (!month || !TakeAny(text, "-")) return std::nullopt;
  const std::optional<int> day = TakeDigits(text, 2);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{
      std::chrono::year(*year),
      std::chrono::month(static_cast<unsigned>(*month)),
      std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  Milliseconds time = std::chrono::sys_days(date).time_since_epoch();
  if (text.empty()) return time.count();
  if (!TakeAny(text, " Tt")) return std::nullopt;
  const std::optional<Milliseconds> time_of_day = TakeTimeOfDay(text);
  if (!time_of_day) return std::nullopt;
  const std::optional<std::chrono::minutes> zone = TakeZone(text);
  if (!zone || !text.empty()) return std::nullopt;
  return (time + *time_of_day - *zone).count();
}

// Epoch milliseconds of 2000 to 2100 have 12 or 13 digits.
std::optional<int64_t> ParseEpoch(std::string_view text) {
  if (text.size() < 12 || text.size() > 13) return std::nullopt;
  int64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

// Drops C0 controls but line feed, DEL, and C1 controls (U+0080 to U+009F).
std::string WithoutControls(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if ((c < 0x20 && c != '\n') || c == 0x7f) continue;
    if (c == 0xc2 && i + 1 < text.size()) {
      const auto next = static_cast<unsigned char>(text[i + 1]);
      if (next >= 0x80 && next <= 0x9f) {
        ++i;
        continue;
      }
    }
    out += text[i];
  }
  return out;
}

}  // namespace

std::optional<EventKind> AnswerOf(JsonValue review_result) {
  const std::string answer = review_result["reviewAnswer"].StringOr("");
  if (answer == "GREEN") return EventKind::kApproved;
  if (answer != "RED") return std::nullopt;
  return review_result["reviewRejectType"].StringOr("") == "FINAL"
             ? EventKind::kRejected
             : EventKind::kRetryRequested;
}

std::optional<domain::Poll> ParseReview(JsonValue review,
                                        std::string_view applicant_id,
                                        std::string_view support_address) {
  const std::optional<std::string_view> status =
      review["reviewStatus"].AsString();
  const JsonValue result = review["reviewResult"];
  if (!status || !(IsMissing(result) || result.IsObject()) ||
      !IsTextOrMissing(result["reviewAnswer"]) ||
      !IsTextOrMissing(result["reviewRejectType"]) ||
      !IsTextOrMissing(review["levelName"])) {
    return std::nullopt;
  }
  domain::Poll poll;
  poll.applicant_id = applicant_id;
  poll.level = review["levelName"].StringOr("");
  poll.review = ReviewOf(*status);
  poll.answer = AnswerOf(result);
  poll.review_time_ms = ParseTime(TextOf(review["reviewDate"]));
  poll.attempt = review["attemptCnt"].AsInt();
  if (poll.answer && *poll.answer != EventKind::kApproved) {
    poll.reason =
        UserReason(result["moderationComment"].StringOr(""), support_address);
  }
  return poll;
}

std::optional<Applicant> ParseApplicant(JsonValue applicant,
                                        std::string_view support_address) {
  Applicant parsed;
  parsed.id = TextOf(applicant["id"]);
  parsed.external_user_id = TextOf(applicant["externalUserId"]);
  if (!IsApplicantId(parsed.id)) return std::nullopt;
  const JsonValue review = applicant["review"];
  if (IsMissing(review)) {
    parsed.review.applicant_id = parsed.id;
    return parsed;
  }
  std::optional<domain::Poll> poll =
      ParseReview(review, parsed.id, support_address);
  if (!poll) return std::nullopt;
  parsed.review = *std::move(poll);
  return parsed;
}

std::string TextOf(JsonValue value) {
  if (const auto text = value.AsString()) return std::string(*text);
  if (const auto number = value.AsInt()) return std::to_string(*number);
  return "";
}

bool IsApplicantId(std::string_view text) {
  constexpr std::string_view kMarks = "-._~:";
  return !text.empty() && text.size() <= 128 &&
         text.find_first_not_of('.') != std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [&](char c) {
           return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
                  (c >= 'a' && c <= 'z') ||
                  kMarks.find(c) != std::string_view::npos;
         });
}

std::optional<int64_t> ParseTime(std::string_view text) {
  constexpr int64_t kYear2000 = 946684800000;
  constexpr int64_t kYear2100 = 4102444800000;
  std::optional<int64_t> time = ParseEpoch(text);
  if (!time) time = ParseCalendarTime(text);
  if (!time || *time < kYear2000 || *time > kYear2100) return std::nullopt;
  return time;
}

std::string PlainText(std::string_view text, size_t max_bytes) {
  std::string plain = WithoutControls(text);
  if (plain.size() > max_bytes) {
    size_t end = max_bytes;
    // Not within a character: its later bytes are 10xxxxxx.
    while (end > 0 && (static_cast<unsigned char>(plain[end]) & 0xc0) == 0x80) {
      --end;
    }
    plain.resize(end);
  }
  return plain;
}

std::string UserReason(std::string_view moderation_comment,
                       std::string_view support_address) {
  constexpr std::string_view kPlaceholder = "${clientSupportEmail}";
  std::string text = WithoutControls(moderation_comment);
  for (size_t at = 0; (at = text.find(kPlaceholder, at)) != std::string::npos;
       at += support_address.size()) {
    text.replace(at, kPlaceholder.size(), support_address);
  }
  return PlainText(text, kMaxReasonBytes);
}

}  // namespace kyc::provider::sumsub
