#include "services/async/grpc_status.h"

#include <grpcpp/support/status.h>

#include <chrono>
#include <string>
#include <utility>

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "services/base/error.h"

namespace kyc::async {
namespace {

constexpr char kErrorDomain[] = "kyc.v1";

base::Violation ToViolation(
    const google::rpc::BadRequest::FieldViolation& field) {
  const bool pointer = field.field().empty() || field.field().front() == '/';
  return {pointer ? base::Violation::Where::kPointer
                  : base::Violation::Where::kParameter,
          field.field(), field.description()};
}

}  // namespace

absl::Status FromGrpcStatus(const grpc::Status& status) {
  google::rpc::Status rpc;
  if (!rpc.ParseFromString(status.error_details())) rpc.Clear();
  // What gRPC itself says is what the call ended with.
  rpc.set_code(status.error_code());
  rpc.set_message(status.error_message());
  return FromRpcStatus(rpc);
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const google::rpc::Status rpc = ToRpcStatus(status);
  return grpc::Status(
      static_cast<grpc::StatusCode>(rpc.code()), rpc.message(),
      rpc.details().empty() ? std::string() : rpc.SerializeAsString());
}

absl::Status FromRpcStatus(const google::rpc::Status& status) {
  if (status.code() == 0) return absl::OkStatus();
  const base::ErrorEntry* entry = nullptr;
  base::ErrorExtras extras;
  for (const auto& any : status.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::RetryInfo retry;
    google::rpc::BadRequest bad;
    if (any.UnpackTo(&info)) {
      if (info.domain() == kErrorDomain) {
        entry = base::FindErrorByCode(info.reason());
      }
      for (const auto& [name, value] : info.metadata()) {
        extras.metadata.emplace_back(name, value);
      }
    } else if (any.UnpackTo(&retry)) {
      extras.retry_after = std::chrono::seconds(retry.retry_delay().seconds());
    } else if (any.UnpackTo(&bad)) {
      for (const auto& field : bad.field_violations()) {
        extras.violations.push_back(ToViolation(field));
      }
    }
  }
  if (entry == nullptr) {
    return absl::Status(static_cast<absl::StatusCode>(status.code()),
                        status.message());
  }
  return base::Error(entry->reason, status.message(), std::move(extras));
}

google::rpc::Status ToRpcStatus(const absl::Status& status) {
  google::rpc::Status rpc;
  if (status.ok()) return rpc;
  rpc.set_code(static_cast<int>(status.code()));
  rpc.set_message(std::string(status.message()));
  const v1::ErrorReason reason = base::ReasonOf(status);
  if (reason == v1::ERROR_REASON_UNSPECIFIED) return rpc;
  const base::ErrorExtras extras = base::ExtrasOf(status);
  google::rpc::ErrorInfo info;
  info.set_reason(std::string(base::LookUpError(reason).code));
  info.set_domain(kErrorDomain);
  for (const auto& [name, value] : extras.metadata) {
    (*info.mutable_metadata())[name] = value;
  }
  rpc.add_details()->PackFrom(info);
  if (extras.retry_after.has_value()) {
    google::rpc::RetryInfo retry;
    retry.mutable_retry_delay()->set_seconds(extras.retry_after->count());
    rpc.add_details()->PackFrom(retry);
  }
  if (!extras.violations.empty()) {
    google::rpc::BadRequest bad;
    for (const base::Violation& violation : extras.violations) {
      auto* field = bad.add_field_violations();
      field->set_field(violation.name);
      field->set_description(violation.detail);
    }
    rpc.add_details()->PackFrom(bad);
  }
  return rpc;
}

absl::Status WithReason(const absl::Status& status) {
  if (status.ok() || absl::IsCancelled(status) ||
      base::ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED) {
    return status;
  }
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kResourceExhausted:
      return base::Error(v1::ERROR_REASON_UNAVAILABLE);
    case absl::StatusCode::kDeadlineExceeded:
      return base::Error(v1::ERROR_REASON_DEADLINE_EXCEEDED);
    case absl::StatusCode::kInvalidArgument:
      return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED);
    default:
      return base::Error(v1::ERROR_REASON_INTERNAL);
  }
}

}  // namespace kyc::async
