#include "gateway/api/routes.h"

#include "gateway/api/access_log.h"
#include "gateway/api/details.h"
#include "gateway/api/docs.h"
#include "gateway/api/documents.h"
#include "gateway/api/features.h"
#include "gateway/api/gate.h"
#include "gateway/api/keys.h"
#include "gateway/api/kyc.h"
#include "gateway/api/onboarding.h"
#include "gateway/api/partner_users.h"
#include "gateway/api/pints.h"
#include "gateway/api/user.h"
#include "gateway/api/webhook_subscriptions.h"
#include "gateway/api/webhooks.h"
#include "gateway/auth/api_key.h"

namespace kyc::gateway {
namespace {

using Auth = Route::Auth;
using Body = Route::Body;

constexpr std::string_view kFeatures =
    "/v0/organisation/{org}/environments/{env}/features";
constexpr std::string_view kFeature =
    "/v0/organisation/{org}/environments/{env}/features/{feature}";
constexpr std::string_view kKeys = "/v0/organisation/{org}/keys";
constexpr std::string_view kKey = "/v0/organisation/{org}/keys/{key}";
constexpr std::string_view kWebhooks =
    "/v0/organisation/{org}/environments/{env}/webhooks";
constexpr std::string_view kWebhook =
    "/v0/organisation/{org}/environments/{env}/webhooks/{webhook}";
constexpr std::string_view kWebhookSecret =
    "/v0/organisation/{org}/environments/{env}/webhooks/{webhook}/"
    "rotate-secret";
constexpr std::string_view kWebhookTest =
    "/v0/organisation/{org}/environments/{env}/webhooks/{webhook}/test";
constexpr std::string_view kDeliveries =
    "/v0/organisation/{org}/environments/{env}/webhooks/{webhook}/deliveries";
constexpr std::string_view kResend =
    "/v0/organisation/{org}/environments/{env}/webhooks/{webhook}/deliveries/"
    "{delivery}/resend";

// A row for bearers of an API key with that scope.
constexpr Route WithKey(std::string_view method, std::string_view path,
                        Handler handler, std::string_view scope,
                        size_t max_body = 0) {
  return {method,
          path,
          handler,
          Auth::kApiKey,
          max_body > 0 ? Body::kJson : Body::kNone,
          max_body,
          /*limited=*/true,
          {scope}};
}

// A row for partners with a user's consent to read the verification.
constexpr Route ReadsKyc(std::string_view path, Handler handler) {
  return {"GET",
          path,
          handler,
          Auth::kPartner,
          Body::kNone,
          0,
          /*limited=*/true,
          {"get_kyc"},
          "sr:us:pint:identity:kyc_read"};
}

// A row for the user or for a partner's key with that scope.
constexpr Route WithUserOrKey(std::string_view method, std::string_view path,
                              Handler handler, std::string_view scope) {
  Route route = WithKey(method, path, handler, scope);
  route.auth = Auth::kUserOrApiKey;
  return route;
}

// A row whose key may have either scope.
constexpr Route Or(std::string_view other, Route route) {
  route.scopes[1] = other;
  return route;
}

// A row that heeds an Idempotency-Key.
constexpr Route Once(Route route) {
  route.once = true;
  return route;
}

constexpr Route kRoutes[] = {
    Once({"POST", "/v0/kyc/applicant", CreateApplicant, Auth::kUser}),
    {"POST", "/v0/kyc/access-token", CreateAccessToken, Auth::kUser},
    {"GET", "/v0/kyc/status", GetStatus, Auth::kUser},
    {"POST", "/v0/kyc/documents", UploadDocument, Auth::kUser},
    {"GET", "/v0/kyc/documents/required", GetRequiredDocuments, Auth::kUser},
    Once({"POST", "/v0/kyc/submit", Submit, Auth::kUser}),
    {"GET", "/v0/kyc/details", GetDetails, Auth::kUser},
    {"POST", "/v0/user", RegisterUser, Auth::kUser, Body::kJson, 4096},
    {"GET", "/v0/user/me", GetUser, Auth::kUser},
    {"GET", "/v0/user/me/kyc/access-log", GetAccessLog, Auth::kUser},
    {"GET", "/v0/user/me/onboarding/steps", GetOnboarding, Auth::kUser},
    Once({"POST", "/v0/user/me/onboarding/steps", SubmitOnboardingStep,
          Auth::kUser, Body::kJson, 4096}),
    {"*", "/v0/kyc/gate", CheckGate, Auth::kUser, Body::kNone, 0,
     /*limited=*/false},
    {"*", "/v0/kyc/gate/{path...}", CheckGate, Auth::kUser, Body::kNone, 0,
     /*limited=*/false},
    {"POST", "/v0/webhooks/kyc/sumsub/events", IngestSumsubEvent, Auth::kNone,
     Body::kRaw, 1 << 20, /*limited=*/false},
    WithKey("GET", kFeatures, ListFeatures, "manage_features"),
    WithKey("PUT", kFeature, PutFeature, "manage_features", 16384),
    WithKey("GET", kFeature, GetFeature, "manage_features"),
    WithKey("DELETE", kFeature, DeleteFeature, "manage_features"),
    WithKey("POST", kKeys, CreateKey, "manage_keys", 16384),
    WithKey("GET", kKeys, ListKeys, "manage_keys"),
    WithKey("GET", kKey, GetKey, "manage_keys"),
    WithKey("DELETE", kKey, RevokeKey, "manage_keys"),
    WithKey("POST", "/v0/sis/token/pint", ExchangePint, "token_exchange",
            64 * 1024),
    {"GET", "/v0/sis/.well-known/jwks.json", GetSigningKeys, Auth::kNone},
    WithKey("GET", "/v0/sis/pint", ListPints, "get_pints"),
    WithKey("GET", "/v0/sis/pint/{pint_id}", GetPint, "get_pints"),
    WithKey("GET", "/v0/sis/pint/{pint_id}/status", GetPintStatus, kAnyScope),
    WithUserOrKey("GET", "/v0/pint/{pint_id}/tokens", ListPintTokens,
                  "get_pints"),
    {"DELETE", "/v0/pint/{pint_id}", RevokePint, Auth::kUser},
    Or("get_kyc", WithKey("GET", "/v0/users/{sri}", LookUpUser, "lookup")),
    ReadsKyc("/v0/users/{user_id}/kyc", ReadKyc),
    ReadsKyc("/v0/users/{user_id}/kyc/document/{image_id}", ReadImage),
    WithKey("POST", kWebhooks, CreateWebhook, "manage_webhooks", 16384),
    WithKey("GET", kWebhooks, ListWebhooks, "manage_webhooks"),
    WithKey("GET", kWebhook, GetWebhook, "manage_webhooks"),
    WithKey("PATCH", kWebhook, UpdateWebhook, "manage_webhooks", 16384),
    WithKey("DELETE", kWebhook, DeleteWebhook, "manage_webhooks"),
    WithKey("POST", kWebhookSecret, RotateWebhookSecret, "manage_webhooks",
            16384),
    WithKey("POST", kWebhookTest, TestWebhook, "manage_webhooks"),
    WithKey("GET", kDeliveries, ListWebhookDeliveries, "manage_webhooks"),
    WithKey("POST", kResend, ResendWebhookDelivery, "manage_webhooks"),
    {"GET", "/openapi.json", GetOpenApi, Auth::kNone},
    {"GET", "/docs", GetDocs, Auth::kNone},
};

}  // namespace

std::span<const Route> Routes() { return kRoutes; }

Router BuildRouter() {
  Router::Builder builder;
  int id = 0;
  for (const Route& route : kRoutes) {
    builder.Add(route.method, route.path, id++);
  }
  return builder.Build().value();
}

}  // namespace kyc::gateway
