#include "gateway/api/webhooks.h"

#include <utility>

#include "services/base/error.h"
#include "services/base/utf8.h"

namespace kyc::gateway {
namespace {

// A protobuf string is UTF-8. No digest and no algorithm holds other bytes,
// so whatever stands in for them is refused just the same.
std::string FieldText(std::string_view value) {
  return base::IsUtf8(value) ? std::string(value) : "?";
}

}  // namespace

async::Task<absl::Status> IngestSumsubEvent(Call& call) {
  v1::IngestSumsubEventRequest request;
  request.set_body(std::move(call.body));
  for (std::string_view digest : call.request.Headers("X-Payload-Digest")) {
    request.add_digests(FieldText(digest));
  }
  for (std::string_view name : call.request.Headers("X-Payload-Digest-Alg")) {
    request.add_digest_algorithms(FieldText(name));
  }
  const absl::StatusOr<v1::IngestSumsubEventResponse> stored =
      co_await call.backend.IngestSumsubEvent(call.context, std::move(request));
  if (stored.ok()) {
    call.response.body = R"({"status":"ok"})";
    co_return absl::OkStatus();
  }
  if (base::ReasonOf(stored.status()) ==
      v1::ERROR_REASON_WEBHOOK_SIGNATURE_INVALID) {
    co_return stored.status();
  }
  co_return base::Error(v1::ERROR_REASON_UNAVAILABLE);
}

}  // namespace kyc::gateway
