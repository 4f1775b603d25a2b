#include "services/base/error.h"

#include <algorithm>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/string_view.h"
#include "google/rpc/error_details.pb.h"

namespace kyc::base {
namespace {

constexpr char kErrorInfoUrl[] = "type.googleapis.com/google.rpc.ErrorInfo";
constexpr char kRetryInfoUrl[] = "type.googleapis.com/google.rpc.RetryInfo";
constexpr char kBadRequestUrl[] = "type.googleapis.com/google.rpc.BadRequest";
constexpr char kDomain[] = "kyc.v1";

std::vector<ErrorEntry> ReadCatalogue() {
  std::vector<ErrorEntry> entries;
  const google::protobuf::EnumDescriptor* reasons =
      v1::ErrorReason_descriptor();
  for (int i = 0; i < reasons->value_count(); ++i) {
    const google::protobuf::EnumValueDescriptor* value = reasons->value(i);
    if (!value->options().HasExtension(v1::error)) continue;
    const v1::ErrorSpec& spec = value->options().GetExtension(v1::error);
    entries.push_back(
        {.reason = static_cast<v1::ErrorReason>(value->number()),
         .name = value->name(),
         .code = spec.code(),
         .http_status = spec.http_status(),
         .grpc_code = static_cast<absl::StatusCode>(spec.grpc_code()),
         .title = spec.title(),
         .detail = spec.detail(),
         .action = spec.action()});
  }
  std::sort(entries.begin(), entries.end(),
            [](const ErrorEntry& a, const ErrorEntry& b) {
              return a.reason < b.reason;
            });
  return entries;
}

template <typename Message>
std::optional<Message> Payload(const absl::Status& status, const char* url) {
  const absl::optional<absl::Cord> bytes = status.GetPayload(url);
  Message message;
  if (!bytes || !message.ParseFromString(std::string(*bytes))) {
    return std::nullopt;
  }
  return message;
}

template <typename Message>
void SetPayload(absl::Status& status, const char* url, const Message& message) {
  status.SetPayload(url, absl::Cord(message.SerializeAsString()));
}

constexpr std::string_view kPointer = "pointer:";
constexpr std::string_view kParameter = "parameter:";

}  // namespace

const std::vector<ErrorEntry>& ErrorCatalogue() {
  static const auto* const catalogue =
      new std::vector<ErrorEntry>(ReadCatalogue());
  return *catalogue;
}

const ErrorEntry& LookUpError(v1::ErrorReason reason) {
  const std::vector<ErrorEntry>& catalogue = ErrorCatalogue();
  const auto find = [&](v1::ErrorReason wanted) {
    return std::find_if(
        catalogue.begin(), catalogue.end(),
        [&](const ErrorEntry& entry) { return entry.reason == wanted; });
  };
  const auto it = find(reason);
  return it != catalogue.end() ? *it : *find(v1::ERROR_REASON_INTERNAL);
}

const ErrorEntry* FindErrorByCode(std::string_view code) {
  for (const ErrorEntry& entry : ErrorCatalogue()) {
    if (entry.code == code) return &entry;
  }
  return nullptr;
}

absl::Status Error(v1::ErrorReason reason, std::string_view detail,
                   ErrorExtras extras) {
  const ErrorEntry& entry = LookUpError(reason);
  const std::string_view message = detail.empty() ? entry.detail : detail;
  absl::Status status(entry.grpc_code,
                      absl::string_view(message.data(), message.size()));
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(entry.code));
  info.set_domain(kDomain);
  for (auto& [name, value] : extras.metadata) {
    (*info.mutable_metadata())[name] = value;
  }
  SetPayload(status, kErrorInfoUrl, info);
  if (extras.retry_after) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(extras.retry_after->count());
    SetPayload(status, kRetryInfoUrl, retry);
  }
  if (!extras.violations.empty()) {
    google::rpc::BadRequest bad;
    for (const Violation& violation : extras.violations) {
      auto* field = bad.add_field_violations();
      const bool pointer = violation.where == Violation::Where::kPointer;
      field->set_field(std::string(pointer ? kPointer : kParameter) +
                       violation.name);
      field->set_description(violation.detail);
    }
    SetPayload(status, kBadRequestUrl, bad);
  }
  return status;
}

v1::ErrorReason ReasonOf(const absl::Status& status) {
  if (status.ok()) return v1::ERROR_REASON_UNSPECIFIED;
  const auto info = Payload<google::rpc::ErrorInfo>(status, kErrorInfoUrl);
  if (!info || info->domain() != kDomain) return v1::ERROR_REASON_UNSPECIFIED;
  const ErrorEntry* entry = FindErrorByCode(info->reason());
  return entry == nullptr ? v1::ERROR_REASON_UNSPECIFIED : entry->reason;
}

ErrorExtras ExtrasOf(const absl::Status& status) {
  ErrorExtras extras;
  if (const auto info =
          Payload<google::rpc::ErrorInfo>(status, kErrorInfoUrl)) {
    for (const auto& [name, value] : info->metadata()) {
      extras.metadata.emplace_back(name, value);
    }
    std::sort(extras.metadata.begin(), extras.metadata.end());
  }
  if (const auto retry =
          Payload<google::rpc::RetryInfo>(status, kRetryInfoUrl)) {
    extras.retry_after = std::chrono::seconds(retry->retry_delay().seconds());
  }
  if (const auto bad =
          Payload<google::rpc::BadRequest>(status, kBadRequestUrl)) {
    for (const auto& field : bad->field_violations()) {
      const std::string_view name = field.field();
      const bool pointer = name.substr(0, kPointer.size()) == kPointer;
      const size_t colon = name.find(':');
      if (colon == std::string_view::npos) continue;
      extras.violations.push_back(
          {pointer ? Violation::Where::kPointer : Violation::Where::kParameter,
           std::string(name.substr(colon + 1)), field.description()});
    }
  }
  return extras;
}

}  // namespace kyc::base
