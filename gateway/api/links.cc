#include "gateway/api/links.h"

#include <initializer_list>
#include <string>

#include "services/base/json.h"

namespace kyc::gateway {
namespace {

// No method stands for GET, as in the guide.
struct Link {
  std::string_view relation;
  std::string_view href;
  std::string_view method = {};
};

constexpr Link kStatus = {"status", "/v0/kyc/status"};
constexpr Link kKycStatus = {"kyc-status", "/v0/kyc/status"};

std::string Render(std::initializer_list<Link> links) {
  std::string text;
  base::JsonWriter json(&text);
  json.BeginObject();
  for (const Link& link : links) {
    json.Key(link.relation).BeginObject().Key("href").String(link.href);
    if (!link.method.empty()) json.Key("method").String(link.method);
    json.EndObject();
  }
  json.EndObject();
  return text;
}

}  // namespace

std::string_view ApplicantLinks() {
  static const std::string& text =
      *new std::string(Render({{"self", "/v0/kyc/applicant", "POST"},
                               {"documents", "/v0/kyc/documents", "POST"},
                               {"required-docs", "/v0/kyc/documents/required"},
                               kStatus}));
  return text;
}

std::string_view AccessTokenLinks() {
  static const std::string& text = *new std::string(
      Render({{"self", "/v0/kyc/access-token", "POST"}, kStatus}));
  return text;
}

std::string_view StatusLinks(bool may_start) {
  constexpr Link kSelf = {"self", "/v0/kyc/status"};
  constexpr Link kUser = {"user", "/v0/user/me"};
  constexpr Link kRefresh = {"refresh", "/v0/kyc/status?refresh=true"};
  static const std::string& without =
      *new std::string(Render({kSelf, kUser, kRefresh}));
  static const std::string& with = *new std::string(
      Render({kSelf,
              kUser,
              kRefresh,
              {"start-verification", "/v0/kyc/access-token", "POST"}}));
  return may_start ? with : without;
}

std::string_view DocumentLinks() {
  static const std::string& text =
      *new std::string(Render({{"self", "/v0/kyc/documents", "POST"},
                               {"required-docs", "/v0/kyc/documents/required"},
                               {"applicant", "/v0/kyc/applicant", "POST"},
                               kStatus}));
  return text;
}

std::string_view RequiredDocumentsLinks(bool may_submit) {
  constexpr Link kSelf = {"self", "/v0/kyc/documents/required"};
  constexpr Link kUpload = {"documents", "/v0/kyc/documents", "POST"};
  static const std::string& without =
      *new std::string(Render({kSelf, kUpload, kStatus}));
  static const std::string& with = *new std::string(
      Render({kSelf, kUpload, kStatus, {"submit", "/v0/kyc/submit", "POST"}}));
  return may_submit ? with : without;
}

std::string_view SubmitLinks() {
  static const std::string& text =
      *new std::string(Render({{"self", "/v0/kyc/submit", "POST"},
                               kStatus,
                               {"details", "/v0/kyc/details"}}));
  return text;
}

std::string_view DetailsLinks() {
  static const std::string& text =
      *new std::string(Render({{"self", "/v0/kyc/details"},
                               {"refresh", "/v0/kyc/details?refresh=true"},
                               kStatus,
                               {"user", "/v0/user/me"}}));
  return text;
}

std::string_view UserLinks() {
  static const std::string& text = *new std::string(
      Render({{"self", "/v0/user/me"},
              kKycStatus,
              {"onboarding", "/v0/user/me/onboarding/steps"}}));
  return text;
}

std::string_view OnboardingLinks() {
  static const std::string& text =
      *new std::string(Render({{"self", "/v0/user/me/onboarding/steps", "GET"},
                               kKycStatus,
                               {"kyc-token", "/v0/kyc/access-token", "POST"}}));
  return text;
}

}  // namespace kyc::gateway
