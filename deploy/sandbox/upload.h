// The body of POST …/info/idDoc.
#ifndef KYC_DEPLOY_SANDBOX_UPLOAD_H_
#define KYC_DEPLOY_SANDBOX_UPLOAD_H_

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "deploy/sandbox/api_error.h"

namespace kyc::sandbox {

// SumSub's hard limit of one file.
inline constexpr size_t kMaxFileBytes = size_t{64} << 20;

struct DocumentUpload {
  std::string document_type;
  std::string country;   // Three capital letters.
  std::string sub_type;  // "FRONT_SIDE", "BACK_SIDE" or "".
  // Other metadata by name, echoed in the answer.
  std::vector<std::pair<std::string, std::string>> fields;
  bool has_file = false;
  std::string mime;        // What the bytes are.
  std::string_view bytes;  // Points into the body.
};

// Parses and checks all that can be said without the applicant. WebP is on
// none of SumSub's lists; `accept_webp` takes it all the same.
Refusal ParseUpload(std::string_view content_type, std::string_view body,
                    bool accept_webp, DocumentUpload* upload);

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_UPLOAD_H_
