// A request line's method and target, as "METHOD /path?query": what is
// decoded is text, and reads the same when it is encoded again.
#include <optional>
#include <string>

#include "gateway/http/percent.h"
#include "gateway/http/query.h"
#include "gateway/http/router.h"
#include "services/base/utf8.h"
#include "tests/fuzz/check.h"

namespace kyc::fuzz {
namespace {

using gateway::PercentDecode;
using gateway::RouteMatch;
using gateway::Router;
using Outcome = RouteMatch::Outcome;

enum Route { kStatus, kApplicant, kImage, kUser, kUserMe, kRoutes };

const Router& TestRouter() {
  static const Router& router =
      *new Router(Router::Builder()
                      .Add("GET", "/v0/kyc/status", kStatus)
                      .Add("POST", "/v0/kyc/applicant", kApplicant)
                      .Add("GET", "/v0/kyc/documents/{id}/image/{page}", kImage)
                      .Add("GET", "/v0/user/{id}", kUser)
                      .Add("GET", "/v0/user/me", kUserMe)
                      .Build()
                      .value());
  return router;
}

std::string Encode(std::string_view text) {
  std::string out;
  for (const char c : text) {
    char escape[4];
    std::snprintf(escape, sizeof(escape), "%%%02X",
                  static_cast<unsigned char>(c));
    out += escape;
  }
  return out;
}

void CheckText(std::string_view text) {
  FUZZ_CHECK(base::IsUtf8(text));
  FUZZ_CHECK(text.find('\0') == std::string_view::npos);
}

void CheckPercent(std::string_view text, bool plus_is_space) {
  const std::optional<std::string> decoded = PercentDecode(text, plus_is_space);
  if (!decoded) return;
  CheckText(*decoded);
  FUZZ_CHECK(decoded->size() <= text.size());
  FUZZ_CHECK(PercentDecode(Encode(*decoded), plus_is_space) == decoded);
}

void CheckRoute(std::string_view method, std::string_view path) {
  const RouteMatch match = TestRouter().Find(method, path);
  if (match.outcome == Outcome::kMalformed) {
    FUZZ_CHECK(!PercentDecode(path, false));
  }
  if (match.outcome != Outcome::kFound) {
    FUZZ_CHECK(match.id == -1);
    FUZZ_CHECK(match.allow.empty() == (match.outcome != Outcome::kNoMethod));
    return;
  }
  FUZZ_CHECK(match.id >= 0 && match.id < kRoutes);
  FUZZ_CHECK(match.params.size() == (match.id == kImage  ? 2u
                                     : match.id == kUser ? 1u
                                                         : 0u));
  for (const std::string& param : match.params) {
    FUZZ_CHECK(!param.empty());
    // As only an encoded path may hold a byte that is no text.
    if (path.find('%') != std::string_view::npos) CheckText(param);
  }
  // The same route by a path that is encoded throughout.
  std::string again;
  if (match.id == kUser) again = "/v0/user/" + Encode(match.params[0]);
  if (match.id == kImage) {
    again = "/v0/kyc/documents/" + Encode(match.params[0]) + "/image/" +
            Encode(match.params[1]);
  }
  if (again.empty()) return;
  const RouteMatch same = TestRouter().Find(method, again);
  if (same.outcome == Outcome::kMalformed) return;
  FUZZ_CHECK(same.outcome == Outcome::kFound && same.id == match.id &&
             same.params == match.params);
}

void CheckQuery(std::string_view query) {
  const auto value = gateway::QueryParameter(query, "level");
  if (value.ok() && value->has_value()) {
    CheckText(**value);
    const auto same =
        gateway::QueryParameter("a=b&%6Cevel=" + Encode(**value), "level");
    FUZZ_CHECK(same.ok() && *same == *value);
    const std::string twice = std::string(query) + "&level=";
    FUZZ_CHECK(!gateway::QueryParameter(twice, "level").ok());
  }
  const auto flag = gateway::BoolParameter(query, "refresh");
  if (flag.ok() && *flag) {
    const auto text = gateway::QueryParameter(query, "refresh");
    FUZZ_CHECK(text.ok() && *text == "true");
  }
}

}  // namespace
}  // namespace kyc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kyc::fuzz;
  std::string_view line = Text(data, size);
  const size_t blank = line.find(' ');
  const std::string_view method = line.substr(0, blank);
  line.remove_prefix(blank == std::string_view::npos ? line.size() : blank + 1);
  const size_t mark = line.find('?');
  const std::string_view path = line.substr(0, mark);
  const std::string_view query = mark == std::string_view::npos
                                     ? std::string_view()
                                     : line.substr(mark + 1);
  CheckPercent(line, false);
  CheckPercent(line, true);
  CheckRoute(method, path);
  CheckQuery(query);
  // A media type is whatever a header says.
  if (kyc::gateway::IsJsonMediaType(line)) {
    FUZZ_CHECK(kyc::gateway::IsJsonMediaType(std::string(line) + "; a=b"));
  }
  return 0;
}
