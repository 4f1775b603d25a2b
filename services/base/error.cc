#include "services/base/error.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "google/rpc/error_details.pb.h"
#include "services/base/utf8.h"

namespace kyc::base {
namespace {

constexpr char kDomain[] = "kyc.v1";
constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr char kRetryInfoUrl[] = "type.googleapis.com/google.rpc.RetryInfo";
constexpr char kBadRequestUrl[] = "type.googleapis.com/google.rpc.BadRequest";

// A violation's name carries its kind in front, as BadRequest has one string.
constexpr std::string_view kPointerPrefix = "pointer:";
constexpr std::string_view kParameterPrefix = "parameter:";

// The views point into the descriptor pool, which is never freed.
std::vector<ErrorEntry> ReadCatalogue() {
  std::vector<ErrorEntry> rows;
  const google::protobuf::EnumDescriptor* reasons =
      v1::ErrorReason_descriptor();
  for (int i = 0; i < reasons->value_count(); ++i) {
    const google::protobuf::EnumValueDescriptor* value = reasons->value(i);
    if (value->number() == v1::ERROR_REASON_UNSPECIFIED) continue;
    const v1::ErrorSpec& spec = value->options().GetExtension(v1::error);
    rows.push_back({
        .reason = static_cast<v1::ErrorReason>(value->number()),
        .name = value->name(),
        .code = spec.code(),
        .http_status = spec.http_status(),
        .grpc_code = static_cast<absl::StatusCode>(spec.grpc_code()),
        .title = spec.title(),
        .detail = spec.detail(),
        .action = spec.action(),
    });
  }
  std::sort(rows.begin(), rows.end(),
            [](const ErrorEntry& a, const ErrorEntry& b) {
              return a.reason < b.reason;
            });
  return rows;
}

const ErrorEntry* FindByReason(v1::ErrorReason reason) {
  const std::vector<ErrorEntry>& rows = ErrorCatalogue();
  const auto row = std::lower_bound(
      rows.begin(), rows.end(), reason,
      [](const ErrorEntry& a, v1::ErrorReason b) { return a.reason < b; });
  return row != rows.end() && row->reason == reason ? &*row : nullptr;
}

void AddPayload(const google::protobuf::Message& message, const char* url,
                absl::Status& status) {
  status.SetPayload(url, absl::Cord(message.SerializeAsString()));
}

template <typename Message>
std::optional<Message> ReadPayload(const absl::Status& status,
                                   const char* url) {
  const absl::optional<absl::Cord> bytes = status.GetPayload(url);
  Message message;
  if (!bytes.has_value() ||
      !message.ParseFromString(static_cast<std::string>(*bytes))) {
    return std::nullopt;
  }
  return message;
}

std::optional<Violation> ToViolation(
    const google::rpc::BadRequest::FieldViolation& field) {
  const std::string_view name = field.field();
  if (name.starts_with(kPointerPrefix)) {
    return Violation{Violation::Where::kPointer,
                     std::string(name.substr(kPointerPrefix.size())),
                     field.description()};
  }
  if (name.starts_with(kParameterPrefix)) {
    return Violation{Violation::Where::kParameter,
                     std::string(name.substr(kParameterPrefix.size())),
                     field.description()};
  }
  return std::nullopt;
}

}  // namespace

const std::vector<ErrorEntry>& ErrorCatalogue() {
  static const auto& rows = *new std::vector<ErrorEntry>(ReadCatalogue());
  return rows;
}

const ErrorEntry& LookUpError(v1::ErrorReason reason) {
  const ErrorEntry* row = FindByReason(reason);
  return row != nullptr ? *row : *FindByReason(v1::ERROR_REASON_INTERNAL);
}

const ErrorEntry* FindErrorByCode(std::string_view code) {
  const std::vector<ErrorEntry>& rows = ErrorCatalogue();
  const auto row =
      std::find_if(rows.begin(), rows.end(),
                   [code](const ErrorEntry& row) { return row.code == code; });
  return row != rows.end() ? &*row : nullptr;
}

absl::Status Error(v1::ErrorReason reason, std::string_view detail,
                   ErrorExtras extras) {
  const ErrorEntry& row = LookUpError(reason);
  if (detail.empty()) detail = row.detail;
  absl::Status status(row.grpc_code,
                      absl::string_view(detail.data(), detail.size()));

  // A payload that is not UTF-8 cannot be read again: the reason would be lost.
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(row.code));
  info.set_domain(kDomain);
  for (auto& [name, value] : extras.metadata) {
    (*info.mutable_metadata())[ToUtf8(name)] = ToUtf8(std::move(value));
  }
  AddPayload(info, kErrorInfoUrl, status);

  if (extras.retry_after.has_value()) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(extras.retry_after->count());
    AddPayload(retry, kRetryInfoUrl, status);
  }
  if (!extras.violations.empty()) {
    google::rpc::BadRequest bad;
    for (Violation& violation : extras.violations) {
      const std::string_view prefix =
          violation.where == Violation::Where::kPointer ? kPointerPrefix
                                                        : kParameterPrefix;
      auto* field = bad.add_field_violations();
      field->set_field(ToUtf8(std::string(prefix) + violation.name));
      field->set_description(ToUtf8(std::move(violation.detail)));
    }
    AddPayload(bad, kBadRequestUrl, status);
  }
  return status;
}

v1::ErrorReason ReasonOf(const absl::Status& status) {
  const auto info = ReadPayload<google::rpc::ErrorInfo>(status, kErrorInfoUrl);
  if (!info.has_value() || info->domain() != kDomain) {
    return v1::ERROR_REASON_UNSPECIFIED;
  }
  const ErrorEntry* row = FindErrorByCode(info->reason());
  return row != nullptr ? row->reason : v1::ERROR_REASON_UNSPECIFIED;
}

ErrorExtras ExtrasOf(const absl::Status& status) {
  ErrorExtras extras;
  if (const auto info =
          ReadPayload<google::rpc::ErrorInfo>(status, kErrorInfoUrl)) {
    extras.metadata.assign(info->metadata().begin(), info->metadata().end());
    std::sort(extras.metadata.begin(), extras.metadata.end());
  }
  if (const auto retry =
          ReadPayload<google::rpc::RetryInfo>(status, kRetryInfoUrl)) {
    extras.retry_after = std::chrono::seconds(retry->retry_delay().seconds());
  }
  if (const auto bad =
          ReadPayload<google::rpc::BadRequest>(status, kBadRequestUrl)) {
    for (const auto& field : bad->field_violations()) {
      if (auto violation = ToViolation(field)) {
        extras.violations.push_back(*std::move(violation));
      }
    }
  }
  return extras;
}

}  // namespace kyc::base
