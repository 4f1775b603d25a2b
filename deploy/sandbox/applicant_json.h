// Applicants as the API shows them.
#ifndef KYC_DEPLOY_SANDBOX_APPLICANT_JSON_H_
#define KYC_DEPLOY_SANDBOX_APPLICANT_JSON_H_

#include <string>

#include "deploy/sandbox/applicant.h"
#include "deploy/sandbox/applicants.h"

namespace kyc::sandbox {

// As `clientId` in answers and webhooks.
inline constexpr char kClientId[] = "sandbox.example_10001";

// Answer of create, /one and moveToLevel.
std::string RenderApplicant(const Applicants& applicants,
                            const Applicant& applicant);
// Answer of /status.
std::string RenderReview(const Applicant& applicant);
// Answer of /requiredIdDocsStatus: an object of nullable steps.
std::string RenderRequiredDocuments(const Applicants& applicants,
                                    const Applicant& applicant);
// Answer of /metadata/resources: every image, deactivated ones marked.
std::string RenderResources(const Applicant& applicant);

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_APPLICANT_JSON_H_
