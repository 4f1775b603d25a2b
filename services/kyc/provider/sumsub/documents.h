// SumSub's documents and persons as values of this service.
#ifndef KYC_SERVICES_KYC_PROVIDER_SUMSUB_DOCUMENTS_H_
#define KYC_SERVICES_KYC_PROVIDER_SUMSUB_DOCUMENTS_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "services/base/json.h"
#include "services/kyc/domain/document_rules.h"
#include "services/kyc/provider/provider.h"

namespace kyc::provider::sumsub {

// In pieces, the multipart/form-data body of POST …/info/idDoc: `metadata`,
// then the file as `content` under a name of our own. `boundary` has at most 70
// characters and is one that the file cannot hold.
std::vector<std::string> UploadBody(std::string_view boundary,
                                    const domain::DocumentMetadata& metadata,
                                    domain::FileType type, DocumentBody file);

// The answer to it; `image_id_header` is X-Image-Id. nullopt when it is not
// of that shape.
std::optional<UploadedDocument> ParseUploaded(base::JsonValue answer,
                                              std::string_view image_id_header);

// GET …/requiredIdDocsStatus. nullopt when it is not of that shape.
std::optional<std::vector<RequiredStep>> ParseRequiredSteps(
    base::JsonValue answer, std::string_view support_address);

// What GET …/one says of the person.
std::optional<PersonalInfo> ParsePersonalInfo(base::JsonValue applicant);

// What GET …/one says; its documents are without images as yet.
struct DetailsAnswer {
  ApplicantDetails details;
  bool approved = false;
  // The sets of documents that the level requires: of each, the types of
  // which one will do, by the contract's names.
  std::vector<std::vector<std::string>> required;
};
DetailsAnswer ParseDetails(base::JsonValue applicant);

// Adds the images that GET …/metadata/resources lists. False when that is not
// of its shape.
bool AddResources(base::JsonValue resources, DetailsAnswer& answer);

}  // namespace kyc::provider::sumsub

#endif  // KYC_SERVICES_KYC_PROVIDER_SUMSUB_DOCUMENTS_H_
