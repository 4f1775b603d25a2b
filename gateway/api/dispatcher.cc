#include "gateway/api/dispatcher.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "gateway/api/idempotency.h"
#include "gateway/http/query.h"
#include "services/base/error.h"
#include "services/base/log.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::seconds kSlow(1);
// What no request should need; every call has a smaller limit of its own.
constexpr std::chrono::seconds kRequestLimit(30);
// Of each half of x-juno-orgid.
constexpr size_t kMaxTenantPart = 128;

std::string_view MethodLabel(std::string_view method) {
  for (std::string_view known :
       {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}) {
    if (method == known) return known;
  }
  return "other";
}

base::TraceContext TraceOf(const async::ServerRequest& request) {
  const std::optional<std::string_view> parent = request.Header("traceparent");
  return parent ? base::TraceContext::Continue(*parent)
                : base::TraceContext::Start();
}

void AddCommonHeaders(const base::TraceContext& trace,
                      async::ServerResponse* response) {
  response->headers.reserve(12);
  response->headers.emplace_back("X-Content-Type-Options", "nosniff");
  response->headers.emplace_back("Cache-Control", "no-store");
  response->headers.emplace_back("traceparent", trace.ToTraceparent());
}

bool IsTenantPart(std::string_view text) {
  return !text.empty() && text.size() <= kMaxTenantPart &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return c > ' ' && c < 0x7F && c != ':'; });
}

absl::Status ReadTenant(Call* call) {
  if (!call->request.Header("x-juno-orgid")) return absl::OkStatus();
  const std::vector<std::string_view> fields =
      call->request.Headers("x-juno-orgid");
  const std::string_view text = fields.front();
  const size_t colon = text.find(':');
  if (fields.size() != 1 || colon == std::string_view::npos ||
      !IsTenantPart(text.substr(0, colon)) ||
      !IsTenantPart(text.substr(colon + 1))) {
    return base::Error(v1::ERROR_REASON_INVALID_ORG_ID);
  }
  call->org_id = text.substr(0, colon);
  call->env_id = text.substr(colon + 1);
  return absl::OkStatus();
}

// What is no route: an error, or the answer to OPTIONS.
absl::Status Miss(const RouteMatch& match, const CorsPolicy& cors,
                  const async::ServerRequest& request,
                  async::ServerResponse* response) {
  switch (match.outcome) {
    case RouteMatch::Outcome::kMalformed:
      return base::Error(v1::ERROR_REASON_BAD_REQUEST,
                         "The path is not percent-encoded text.");
    case RouteMatch::Outcome::kNoMethod:
      response->headers.emplace_back("Allow", std::string(match.allow));
      if (request.method() != "OPTIONS") {
        return base::Error(v1::ERROR_REASON_METHOD_NOT_ALLOWED);
      }
      cors.ApplyPreflight(request, match.allow, response);
      response->status = 204;
      response->content_type = "";
      return absl::OkStatus();
    default:
      return base::Error(v1::ERROR_REASON_ROUTE_NOT_FOUND);
  }
}

}  // namespace

Dispatcher::Dispatcher(FrontDoor& front, Authenticator& authenticator,
                       PintAuthenticator& pint_authenticator, Backend& backend)
    : front_(front),
      authenticator_(authenticator),
      pint_authenticator_(pint_authenticator),
      backend_(backend),
      api_keys_(
          [this](async::CallContext context, v1::VerifyApiKeyRequest request) {
            return backend_.admin().VerifyApiKey(context, std::move(request));
          }) {
  const auto metrics_of = [](std::string_view label) {
    RouteMetrics metrics;
    metrics.label = label;
    metrics.seconds = base::GetLatencyHistogram(
        "kyc_http_request_duration_seconds",
        "From the end of a request's head to its answer.",
        {{"route", std::string(label)}});
    return metrics;
  };
  for (const Route& route : Routes()) {
    metrics_.push_back(metrics_of(route.path));
  }
  unmatched_ = metrics_of("unmatched");
}

async::Task<void> Dispatcher::Handle(async::ServerRequest& request,
                                     async::ServerResponse& response) {
  const auto begin = steady_clock::now();
  RouteMatch match = front_.router.Find(request.method(), request.path());
  const bool found = match.outcome == RouteMatch::Outcome::kFound;
  Call call{.request = request,
            .response = response,
            .backend = backend_,
            .uploads = front_.uploads,
            .context = {TraceOf(request), begin + kRequestLimit},
            .path_params = std::move(match.params)};
  AddCommonHeaders(call.context.trace, &response);
  front_.cors.Apply(request, &response);
  const Route* route =
      found ? &Routes()[static_cast<size_t>(match.id)] : nullptr;
  absl::Status status;
  if (!found || route->limited) status = CheckAddress(call, begin);
  if (status.ok() && found) {
    status = co_await Serve(*route, call, begin);
  } else if (status.ok()) {
    status = Miss(match, front_.cors, request, &response);
  }
  if (!status.ok()) {
    front_.problems.Write(
        status, call.instance.empty() ? request.path() : call.instance,
        call.context.trace.trace_id(), &response);
  }
  Observe(found ? metrics_[static_cast<size_t>(match.id)] : unmatched_, call,
          status, begin);
}

absl::Status Dispatcher::CheckAddress(const Call& call,
                                      steady_clock::time_point now) {
  const std::optional<std::string> key = front_.proxies.ClientKey(call.request);
  if (!key) return absl::OkStatus();
  return front_.address_limit.Take(*key, now, RateLimiter::Tell::kRefused,
                                   &call.response);
}

async::Task<absl::Status> Dispatcher::Serve(const Route& route, Call& call,
                                            steady_clock::time_point now) {
  CO_RETURN_IF_ERROR(co_await CheckCaller(route, call, now));
  call.iso_times = EqualsIgnoreCase(
      call.request.Header("X-Timestamp-Format").value_or(""), "iso8601");
  if (route.body == Route::Body::kJson && call.request.has_body() &&
      !IsJsonMediaType(call.request.Header("Content-Type").value_or(""))) {
    co_return base::Error(v1::ERROR_REASON_UNSUPPORTED_MEDIA_TYPE);
  }
  const bool once =
      route.once && call.request.Header("Idempotency-Key").has_value();
  if (route.body != Route::Body::kNone || once) {
    CO_ASSIGN_OR_RETURN(call.body,
                        co_await call.request.ReadBody(
                            route.body == Route::Body::kNone ? kMaxUnreadBody
                                                             : route.max_body));
  }
  if (once) {
    co_return co_await RunOnce(route.handler, front_.problems, call);
  }
  co_return co_await route.handler(call);
}

async::Task<absl::Status> Dispatcher::CheckCaller(
    const Route& route, Call& call, steady_clock::time_point now) {
  switch (route.auth) {
    case Route::Auth::kNone:
      co_return absl::OkStatus();
    case Route::Auth::kUser:
      co_return co_await CheckUser(route, call, now);
    case Route::Auth::kUserOrApiKey:
      if (call.request.Header("x-juno-jwt")) {
        co_return co_await CheckUser(route, call, now);
      }
      [[fallthrough]];
    case Route::Auth::kApiKey:
      CO_RETURN_IF_ERROR(co_await CheckApiKey(call, now));
      co_return CheckScope(*call.api_key, route.scopes);
    case Route::Auth::kPartner:
      CO_RETURN_IF_ERROR(co_await CheckApiKey(call, now));
      CO_ASSIGN_OR_RETURN(call.grant,
                          co_await pint_authenticator_.Verify(
                              call.request.Headers("x-sumvin-pint-token"),
                              call.api_key->audience()));
      CO_RETURN_IF_ERROR(CheckScope(*call.api_key, route.scopes));
      co_return CheckPintScope(call.grant, route.pint_scope);
  }
}

async::Task<absl::Status> Dispatcher::CheckUser(const Route& route, Call& call,
                                                steady_clock::time_point now) {
  const std::vector<std::string_view> tokens =
      call.request.Headers("x-juno-jwt");
  if (tokens.size() != 1) {
    co_return base::Error(v1::ERROR_REASON_UNAUTHENTICATED);
  }
  const std::string* known = authenticator_.Recall(tokens.front());
  if (known != nullptr) {
    call.user_id = *known;
  } else {
    CO_ASSIGN_OR_RETURN(call.user_id, co_await authenticator_.Verify(
                                          std::string(tokens.front())));
  }
  if (route.limited) {
    CO_RETURN_IF_ERROR(front_.user_limit.Take(
        call.user_id, now, RateLimiter::Tell::kAlways, &call.response));
  }
  co_return ReadTenant(&call);
}

async::Task<absl::Status> Dispatcher::CheckApiKey(
    Call& call, steady_clock::time_point now) {
  absl::StatusOr<ApiKeyAuthenticator::Key> key = co_await api_keys_.Verify(
      call.context, call.request.Headers("Authorization"), now);
  if (!key.ok()) {
    if (absl::IsUnauthenticated(key.status())) {
      call.response.headers.emplace_back("WWW-Authenticate", "Bearer");
    }
    co_return key.status();
  }
  call.api_key = *std::move(key);
  co_return front_.key_limit.Take(call.api_key->id(), now,
                                  RateLimiter::Tell::kAlways, &call.response);
}

void Dispatcher::Observe(RouteMetrics& metrics, const Call& call,
                         const absl::Status& status,
                         steady_clock::time_point begin) {
  const auto took = steady_clock::now() - begin;
  metrics.seconds->Observe(std::chrono::duration<double>(took).count());

  const std::string_view method = MethodLabel(call.request.method());
  const int code = call.response.status;
  auto answer =
      std::find_if(metrics.answers.begin(), metrics.answers.end(),
                   [&](const StatusCounter& one) {
                     return one.status == code && one.method == method;
                   });
  if (answer == metrics.answers.end()) {
    base::Counter* counter =
        base::GetCounter("kyc_http_requests_total", "Requests answered.",
                         {{"route", std::string(metrics.label)},
                          {"method", std::string(method)},
                          {"status", std::to_string(code)}});
    answer = metrics.answers.insert(answer, {method, code, counter});
  }
  answer->counter->Add();

  const bool warn = code >= 500 || took > kSlow;
  const auto milliseconds =
      std::chrono::duration_cast<std::chrono::milliseconds>(took).count();
  base::Log(warn ? base::LogLevel::kWarning : base::LogLevel::kDebug, "request",
            {{"route", metrics.label},
             {"method", method},
             {"status", code},
             {"duration_ms", milliseconds},
             {"error", std::string_view(status.message().data(),
                                        status.message().size())}},
            &call.context.trace);
}

void RenderServerError(const ProblemWriter& problems, v1::ErrorReason reason,
                       std::string_view path, async::ServerResponse& response) {
  const base::TraceContext trace = base::TraceContext::Start();
  AddCommonHeaders(trace, &response);
  problems.Write(base::Error(reason), path, trace.trace_id(), &response);
}

}  // namespace kyc::gateway
