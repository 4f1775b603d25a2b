// One request on its way through a handler.
#ifndef KYC_GATEWAY_API_CALL_H_
#define KYC_GATEWAY_API_CALL_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "gateway/api/backend.h"
#include "gateway/http/in_flight_limit.h"
#include "kyc/v1/types.pb.h"
#include "services/async/call_context.h"
#include "services/async/http_server.h"
#include "services/async/task.h"
#include "services/base/json.h"

namespace kyc::gateway {

// What the dispatcher has found out about the request, and where the answer
// goes. Lives as long as the handler runs.
struct Call {
  async::ServerRequest& request;
  async::ServerResponse& response;
  Backend& backend;
  // Uploads of all loops together.
  InFlightLimit& uploads;
  async::CallContext context;
  // The caller; set on routes that ask for a user.
  std::string user_id;
  // The caller's key; set on routes that ask for one.
  std::shared_ptr<const v1::ApiKey> api_key;
  // What the user has consented to; set on routes of partners.
  v1::PintGrant grant;
  // x-juno-orgid; both empty without it.
  std::string org_id;
  std::string env_id;
  // Of the route's {names}.
  std::vector<std::string> path_params;
  // Of routes that take one.
  std::string body;
  // What a problem names as its instance; empty: the request's path.
  std::string instance;
  // X-Timestamp-Format: iso8601.
  bool iso_times = false;
};

// Answers a call: OK with `response` filled (200 and JSON unless it says
// otherwise), or the error that becomes the problem document.
using Handler = async::Task<absl::Status> (*)(Call& call);

// The caller's organisation and environment for an RPC; leaves the field
// absent when the caller named none.
template <typename Request>
void SetTenant(const Call& call, Request* request) {
  if (call.org_id.empty()) return;
  request->mutable_tenant()->set_org_id(call.org_id);
  request->mutable_tenant()->set_env_id(call.env_id);
}

// The partner that calls, for an RPC.
template <typename Request>
void SetCaller(const Call& call, Request* request) {
  v1::PartnerCaller& caller = *request->mutable_caller();
  caller.set_key_id(call.api_key->id());
  caller.set_key_name(call.api_key->name());
  *caller.mutable_tenant() = call.api_key->tenant();
  caller.set_audience(call.api_key->audience());
}

// Takes the place of a header that every answer has; `name` is a literal.
void ReplaceHeader(std::string_view name, std::string value,
                   async::ServerResponse* response);

// A state as the public sees it.
std::string_view StateName(v1::VerificationState state);

// Writes a member that is a time: null for 0, else epoch milliseconds, or
// "2026-01-31T12:00:00Z" where the caller asked for that.
void WriteTime(const Call& call, std::string_view key, int64_t epoch_ms,
               base::JsonWriter* json);

// Writes a member of `_links`: a method that is not GET is named.
void WriteLink(std::string_view relation, std::string_view href,
               std::string_view method, base::JsonWriter* json);

// Writes a member that is text, or null when it is empty.
void WriteText(std::string_view key, std::string_view text,
               base::JsonWriter* json);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_CALL_H_
