// Verification levels and the documents their steps take.
#ifndef KYC_DEPLOY_SANDBOX_LEVELS_H_
#define KYC_DEPLOY_SANDBOX_LEVELS_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kyc::sandbox {

// Immutable once parsed.
class Levels {
 public:
  // "basic-kyc-level=IDENTITY+SELFIE;liveness=SELFIE". INVALID_ARGUMENT for a
  // level without name or steps, a repeated one, or none at all.
  static absl::StatusOr<Levels> Parse(std::string_view text);

  // The steps of a level in their order, or nullptr.
  const std::vector<std::string>* Steps(std::string_view level) const;
  // The level named first: what the SDK uses where nobody named one.
  const std::string& first() const { return first_; }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> levels_;
  std::string first_;
};

// Document types a step takes, empty for steps that take none (data steps).
// "IDENTITY2" and the like take what "IDENTITY" takes.
std::vector<std::string_view> DocumentTypes(std::string_view step);

// Whether a document of this type has a back side that must come too.
bool IsDoubleSided(std::string_view document_type);

// Whether the step asks for a live person: no upload by API completes it.
bool NeedsLiveness(std::string_view step);

// Whether SumSub knows the document type at all.
bool IsDocumentType(std::string_view text);

// The first of `steps` that takes the type, or nullopt.
std::optional<std::string> StepFor(const std::vector<std::string>& steps,
                                   std::string_view document_type);

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_LEVELS_H_
