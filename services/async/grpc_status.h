// gRPC's status and ours.
//
// On the wire a status is a google.rpc.Status in `grpc-status-details-bin`
// (https://cloud.google.com/apis/design/errors): the reason and its metadata
// as ErrorInfo, retry_after as RetryInfo, violations as BadRequest. A
// violation's `field` is a JSON pointer ("/step") or a parameter's name
// ("page"), as in base/error.h.
//
// Thread-safe: free functions.
#ifndef KYC_SERVICES_ASYNC_GRPC_STATUS_H_
#define KYC_SERVICES_ASYNC_GRPC_STATUS_H_

#include "absl/status/status.h"

namespace google::rpc {
class Status;
}  // namespace google::rpc

namespace grpc {
class Status;
}  // namespace grpc

namespace kyc::async {

// gRPC's status as ours, with reason and extras where the peer sent them. A
// reason of a later version, which the catalogue does not know, is left out.
absl::Status FromGrpcStatus(const grpc::Status& status);

// Ours as gRPC's. A status without a reason gets no details.
grpc::Status ToGrpcStatus(const absl::Status& status);

// The same for a status inside a message, as in the items of a batch.
absl::Status FromRpcStatus(const google::rpc::Status& status);
google::rpc::Status ToRpcStatus(const absl::Status& status);

// What a server answers for a status that has no reason: the reason its code
// implies, with the catalogue's text in place of a message that was written
// for ourselves. OK, CANCELLED and statuses with a reason stay as they are.
absl::Status WithReason(const absl::Status& status);

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_GRPC_STATUS_H_
