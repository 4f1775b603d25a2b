// From an HTTP request to its handler and back: routing, CORS, who is
// calling, the body, problem documents, metrics and the access log.
#ifndef KYC_GATEWAY_API_DISPATCHER_H_
#define KYC_GATEWAY_API_DISPATCHER_H_

#include <chrono>
#include <string_view>
#include <vector>

#include "gateway/api/backend.h"
#include "gateway/api/routes.h"
#include "gateway/auth/api_key.h"
#include "gateway/auth/authenticator.h"
#include "gateway/auth/pint_authenticator.h"
#include "gateway/http/client_address.h"
#include "gateway/http/cors.h"
#include "gateway/http/in_flight_limit.h"
#include "gateway/http/problem.h"
#include "gateway/http/rate_limiter.h"
#include "gateway/http/router.h"
#include "services/async/http_server.h"
#include "services/base/metrics.h"

namespace kyc::gateway {

// What the loops share. Thread-safe.
struct FrontDoor {
  Router router = BuildRouter();
  ProblemWriter problems;
  CorsPolicy cors;
  TrustedProxies proxies;
  // By user, once the user is known; by client address before anything else.
  RateLimiter user_limit;
  RateLimiter address_limit;
  // By API key, once the key is known.
  RateLimiter key_limit{"key", 0};
  InFlightLimit uploads{32};
};

// One loop's. The arguments outlive it.
class Dispatcher {
 public:
  Dispatcher(FrontDoor& front, Authenticator& authenticator,
             PintAuthenticator& pint_authenticator, Backend& backend);

  // Every answer has nosniff, `Cache-Control: no-store` (unless its handler
  // says otherwise) and the traceparent that the services behind saw. Access
  // log: answers of 500 and more and those that took over a second as
  // warnings, all others for debugging.
  async::Task<void> Handle(async::ServerRequest& request,
                           async::ServerResponse& response);

 private:
  struct StatusCounter {
    std::string_view method;
    int status;
    base::Counter* counter;
  };
  // Found once per loop, so that counting takes no lock.
  struct RouteMetrics {
    std::string_view label;
    base::Histogram* seconds = nullptr;
    std::vector<StatusCounter> answers;
  };

  absl::Status CheckAddress(const Call& call,
                            std::chrono::steady_clock::time_point now);
  async::Task<absl::Status> Serve(const Route& route, Call& call,
                                  std::chrono::steady_clock::time_point now);
  async::Task<absl::Status> CheckCaller(
      const Route& route, Call& call,
      std::chrono::steady_clock::time_point now);
  async::Task<absl::Status> CheckUser(
      const Route& route, Call& call,
      std::chrono::steady_clock::time_point now);
  async::Task<absl::Status> CheckApiKey(
      Call& call, std::chrono::steady_clock::time_point now);
  void Observe(RouteMetrics& metrics, const Call& call,
               const absl::Status& status,
               std::chrono::steady_clock::time_point begin);

  FrontDoor& front_;
  Authenticator& authenticator_;
  PintAuthenticator& pint_authenticator_;
  Backend& backend_;
  ApiKeyAuthenticator api_keys_;
  std::vector<RouteMetrics> metrics_;  // Of each route.
  RouteMetrics unmatched_;
};

// Answers what is not HTTP or came too slowly: what async::HttpServer finds
// by itself.
void RenderServerError(const ProblemWriter& problems, v1::ErrorReason reason,
                       std::string_view path, async::ServerResponse& response);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_DISPATCHER_H_
