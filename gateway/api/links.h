// The `_links` of the platform dialect (HAL): what a client may do next.
//
// Each function gives one JSON object, rendered once. Thread-safe.
#ifndef KYC_GATEWAY_API_LINKS_H_
#define KYC_GATEWAY_API_LINKS_H_

#include <string_view>

namespace kyc::gateway {

std::string_view ApplicantLinks();
std::string_view AccessTokenLinks();
// `may_start`: the user may begin or repeat the verification.
std::string_view StatusLinks(bool may_start);
std::string_view DocumentLinks();
// `may_submit`: nothing is missing.
std::string_view RequiredDocumentsLinks(bool may_submit);
std::string_view SubmitLinks();
std::string_view DetailsLinks();
std::string_view UserLinks();
std::string_view OnboardingLinks();

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_LINKS_H_
