// A request and its answer, between the server and what answers it. Whole
// values: the handlers do no I/O and are tested without sockets.
#ifndef KYC_DEPLOY_SANDBOX_MESSAGE_H_
#define KYC_DEPLOY_SANDBOX_MESSAGE_H_

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kyc::sandbox {

// Headers that the handlers read; the server copies these.
inline constexpr std::string_view kReadHeaders[] = {
    "x-app-token",           "x-app-access-ts",  "x-app-access-sig",
    "content-type",          "content-encoding", "transfer-encoding",
    "x-return-doc-warnings",
};

struct Request {
  std::string method;
  std::string target;  // As on the request line.
  std::string body;
  // By lower-case name, in order of arrival.
  std::map<std::string, std::vector<std::string>, std::less<>> headers;

  std::string_view path() const;
  std::string_view query() const;  // Without the question mark.
  // The first value of a header, or "".
  std::string_view Header(std::string_view name) const;
  std::vector<std::string> Headers(std::string_view name) const;
};

struct Reply {
  int status = 200;
  // Names are literals.
  std::vector<std::pair<std::string_view, std::string>> headers;
  std::string content_type = "application/json";
  std::string body;
  // Sent instead, where there is one: an image is not copied for each answer.
  std::shared_ptr<const std::string> file;
};

// Percent-decoding; nullopt where an escape is broken. '+' is a plus.
std::optional<std::string> PercentDecode(std::string_view text);

// "a=1&b=x%20y". nullopt for a broken escape or a name given twice. '+' is a
// blank here, as in forms.
std::optional<std::map<std::string, std::string>> ParseQuery(
    std::string_view query);

// Whether `path` fits the pattern, segment by segment; "{…}" takes any one
// segment and its raw text goes to `captured`.
bool MatchPath(std::string_view pattern, std::string_view path,
               std::vector<std::string_view>* captured);

}  // namespace kyc::sandbox

#endif  // KYC_DEPLOY_SANDBOX_MESSAGE_H_
