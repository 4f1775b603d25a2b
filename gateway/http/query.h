// Query parameters and media types of a request.
//
// Thread-safe: free functions.
#ifndef KYC_GATEWAY_HTTP_QUERY_H_
#define KYC_GATEWAY_HTTP_QUERY_H_

#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kyc::gateway {

// The decoded value of a parameter; nullopt when the query does not name it.
// KYC-422-002 when it is named twice or its value is not decodable text.
absl::StatusOr<std::optional<std::string>> QueryParameter(
    std::string_view query, std::string_view name);

// Whether a parameter that may be repeated is given with that value among
// others.
bool HasParameterValue(std::string_view query, std::string_view name,
                       std::string_view value);

// As QueryParameter for a parameter that is "true" or "false"; absent is false,
// and anything else is KYC-422-002.
absl::StatusOr<bool> BoolParameter(std::string_view query,
                                   std::string_view name);

// As above for a whole number from `least` to `most`; nullopt when absent.
absl::StatusOr<std::optional<int>> IntParameter(std::string_view query,
                                                std::string_view name,
                                                int least, int most);

// KYC-422-002 about one parameter.
absl::Status InvalidParameter(std::string_view name, std::string_view detail);
// KYC-422-002 about one place of a JSON body; `pointer` as RFC 6901.
absl::Status InvalidBody(std::string_view pointer, std::string_view detail);

// Whether a Content-Type is application/json, whatever its parameters.
bool IsJsonMediaType(std::string_view content_type);

// Whether two ASCII texts are equal but for the case of letters.
bool EqualsIgnoreCase(std::string_view a, std::string_view b);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_HTTP_QUERY_H_
