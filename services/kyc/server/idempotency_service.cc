#include "services/kyc/server/idempotency_service.h"

#include <optional>
#include <string>
#include <utility>

#include "services/async/grpc_server.h"
#include "services/base/error.h"
#include "services/base/status_macros.h"

namespace kyc::server {
namespace {

using async::Task;
using Home = Engines::Home;
using store::IdempotencyStore;

constexpr size_t kMaxKey = 255;
constexpr size_t kFingerprintSize = 32;
constexpr size_t kMaxContentType = 128;
constexpr size_t kMaxBody = 16384;

absl::Status Invalid(std::string_view detail) {
  return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED, detail);
}

absl::Status CheckKey(const std::string& user_id, const std::string& key) {
  RETURN_IF_ERROR(CheckUserId(user_id));
  if (key.empty() || key.size() > kMaxKey) {
    return Invalid("key must be 1 to 255 bytes");
  }
  return absl::OkStatus();
}

Task<absl::Status> BeginIdempotent(Home home,
                                   const v1::BeginIdempotentRequest& request,
                                   v1::BeginIdempotentResponse* response) {
  CO_RETURN_IF_ERROR(CheckKey(request.user_id(), request.key()));
  if (request.fingerprint().size() != kFingerprintSize) {
    co_return Invalid("fingerprint must be a SHA-256");
  }
  CO_ASSIGN_OR_RETURN(
      IdempotencyStore::Begun begun,
      co_await home.idempotency.Begin(request.user_id(), request.key(),
                                      request.fingerprint()));
  if (begun.answer) {
    v1::StoredResponse& stored = *response->mutable_stored();
    stored.set_status(begun.answer->status);
    stored.set_content_type(std::move(begun.answer->content_type));
    stored.set_body(std::move(begun.answer->body));
  } else {
    response->set_claim(std::move(begun.claim));
  }
  co_return absl::OkStatus();
}

Task<absl::Status> EndIdempotent(Home home,
                                 const v1::EndIdempotentRequest& request) {
  CO_RETURN_IF_ERROR(CheckKey(request.user_id(), request.key()));
  if (request.claim().empty()) co_return Invalid("claim must be set");
  std::optional<IdempotencyStore::Answer> answer;
  if (request.has_response()) {
    const v1::StoredResponse& given = request.response();
    if (given.status() < 200 || given.status() > 499 ||
        given.content_type().size() > kMaxContentType ||
        given.body().size() > kMaxBody) {
      co_return Invalid(
          "response must have a status of 200 to 499 and a body of at most "
          "16384 bytes");
    }
    answer = {given.status(), given.content_type(), given.body()};
  }
  co_return co_await home.idempotency.End(request.user_id(), request.key(),
                                          request.claim(), std::move(answer));
}

}  // namespace

grpc::ServerUnaryReactor* IdempotencyService::BeginIdempotent(
    grpc::CallbackServerContext* rpc, const v1::BeginIdempotentRequest* request,
    v1::BeginIdempotentResponse* response) {
  const Home home = engines_.For(request->user_id());
  return async::RunUnary(rpc, home.loop, "IdempotencyService/BeginIdempotent",
                         [home, request, response](async::CallContext) {
                           return server::BeginIdempotent(home, *request,
                                                          response);
                         });
}

grpc::ServerUnaryReactor* IdempotencyService::EndIdempotent(
    grpc::CallbackServerContext* rpc, const v1::EndIdempotentRequest* request,
    v1::EndIdempotentResponse*) {
  const Home home = engines_.For(request->user_id());
  return async::RunUnary(rpc, home.loop, "IdempotencyService/EndIdempotent",
                         [home, request](async::CallContext) {
                           return server::EndIdempotent(home, *request);
                         });
}

}  // namespace kyc::server
