#include "gateway/api/routes.h"

#include "gateway/api/details.h"
#include "gateway/api/documents.h"
#include "gateway/api/kyc.h"
#include "gateway/api/onboarding.h"
#include "gateway/api/user.h"
#include "gateway/api/webhooks.h"

namespace kyc::gateway {
namespace {

using Auth = Route::Auth;
using Body = Route::Body;

constexpr Route kRoutes[] = {
    {"POST", "/v0/kyc/applicant", CreateApplicant, Auth::kUser},
    {"POST", "/v0/kyc/access-token", CreateAccessToken, Auth::kUser},
    {"GET", "/v0/kyc/status", GetStatus, Auth::kUser},
    {"POST", "/v0/kyc/documents", UploadDocument, Auth::kUser},
    {"GET", "/v0/kyc/documents/required", GetRequiredDocuments, Auth::kUser},
    {"POST", "/v0/kyc/submit", Submit, Auth::kUser},
    {"GET", "/v0/kyc/details", GetDetails, Auth::kUser},
    {"GET", "/v0/user/me", GetUser, Auth::kUser},
    {"GET", "/v0/user/me/onboarding/steps", GetOnboarding, Auth::kUser},
    {"POST", "/v0/user/me/onboarding/steps", SubmitOnboardingStep, Auth::kUser,
     Body::kJson, 4096},
    {"POST", "/v0/webhooks/kyc/sumsub/events", IngestSumsubEvent, Auth::kNone,
     Body::kRaw, 1 << 20, /*limited=*/false},
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
