// The API's description: /openapi.json for programs, /docs for people. Both
// are of this binary: nothing is read at run time.
#ifndef KYC_GATEWAY_API_DOCS_H_
#define KYC_GATEWAY_API_DOCS_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "gateway/api/call.h"

namespace kyc::gateway {

// gateway/api/openapi.json (OpenAPI 3.1): it says of every route what it
// takes and answers.
std::string_view OpenApiDocument();

// The document as an HTML page that needs no script and no other host; all
// text of the document is escaped. INVALID_ARGUMENT for what is no JSON.
absl::StatusOr<std::string> RenderDocs(std::string_view openapi);

async::Task<absl::Status> GetOpenApi(Call& call);
// With a Content-Security-Policy that allows the page's own style alone.
async::Task<absl::Status> GetDocs(Call& call);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_DOCS_H_
