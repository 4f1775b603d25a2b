// multipart/form-data (RFC 7578), read strictly: what a lenient server would
// repair is an error here, so that a client's mistake shows.
#ifndef KYC_DEPLOY_SANDBOX_MULTIPART_H_
#define KYC_DEPLOY_SANDBOX_MULTIPART_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kyc::sandbox {

struct Part {
  std::string name;
  std::optional<std::string> filename;
  std::string content_type;  // "" where the part names none.
  std::string_view data;     // Points into the body parsed.
};

// Parts in their order. INVALID_ARGUMENT says what is wrong with the frame:
// no boundary, text before the first or after the last boundary, bare LF, a
// part without name, a name given twice, more than 16 parts.
absl::StatusOr<std::vector<Part>> ParseMultipart(std::string_view content_type,
                                                 std::string_view body);

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_MULTIPART_H_
