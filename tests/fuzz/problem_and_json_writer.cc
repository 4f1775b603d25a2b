// Any text in an error's places: one valid problem document comes out, and a
// response whose head nothing was put into.
//
// Lines of the input: detail, path, trace id, parameter, header value; the
// first byte chooses the error.
#include <string>

#include "gateway/http/problem.h"
#include "services/async/http_response.h"
#include "services/base/error.h"
#include "services/base/json.h"
#include "services/base/utf8.h"
#include "tests/fuzz/check.h"

namespace kyc::fuzz {
namespace {

// What the document says, where the text could be said as it is.
void CheckSays(base::JsonValue value, std::string_view text) {
  const auto said = value.AsString();
  FUZZ_CHECK(said && base::IsUtf8(*said));
  if (!text.empty() && base::IsUtf8(text)) FUZZ_CHECK(*said == text);
}

// Fields of a response's head, one per line, and then the body.
void CheckWire(const async::ServerResponse& response) {
  std::string wire;
  async::AppendResponse(response, {}, "today", &wire);
  const size_t end = wire.find("\r\n\r\n");
  FUZZ_CHECK(end != std::string::npos);
  FUZZ_CHECK(std::string_view(wire).substr(end + 4) == response.body);
  const std::string_view head = std::string_view(wire).substr(0, end + 2);
  size_t lines = 0;
  for (size_t i = 0; i < head.size(); ++i) {
    FUZZ_CHECK(head[i] != '\0');
    FUZZ_CHECK(head[i] != '\n' || (i > 0 && head[i - 1] == '\r'));
    FUZZ_CHECK(head[i] != '\r' || head[i + 1] == '\n');
    lines += head[i] == '\n';
  }
  // The status, Date, Content-Type, Content-Length.
  FUZZ_CHECK(lines <= 4 + response.headers.size());
}

}  // namespace
}  // namespace kyc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kyc;
  using namespace kyc::fuzz;
  if (size == 0) return 0;
  const auto& catalogue = base::ErrorCatalogue();
  const base::ErrorEntry& entry = catalogue[data[0] % catalogue.size()];
  std::string_view rest = Text(data + 1, size - 1);
  const std::string_view detail = TakeLine(&rest);
  const std::string_view path = TakeLine(&rest);
  const std::string_view trace_id = TakeLine(&rest);
  const std::string_view parameter = TakeLine(&rest);

  base::ErrorExtras extras;
  extras.violations.push_back({base::Violation::Where::kParameter,
                               std::string(parameter), std::string(rest)});
  extras.metadata.push_back({"current_step", std::string(parameter)});
  const gateway::ProblemWriter writer("https://errors.example/");
  async::ServerResponse response;
  response.headers.emplace_back("Location", std::string(rest));
  writer.Write(base::Error(entry.reason, detail, extras), path, trace_id,
               &response);

  const auto document = base::JsonDocument::Parse(response.body);
  FUZZ_CHECK(document.ok());
  const base::JsonValue problem = document->root();
  FUZZ_CHECK(problem["status"].AsInt() == entry.http_status);
  FUZZ_CHECK(response.status == entry.http_status);
  FUZZ_CHECK(problem["error_code"].AsString() == entry.code);
  FUZZ_CHECK(problem["title"].AsString() == entry.title);
  CheckSays(problem["detail"], detail);
  CheckSays(problem["instance"], path);
  CheckSays(problem["trace_id"], trace_id);
  FUZZ_CHECK(problem["errors"].Elements().size() == 1);
  CheckSays(problem["errors"].Elements()[0]["parameter"], parameter);
  CheckSays(problem["errors"].Elements()[0]["detail"], rest);
  CheckSays(problem["current_step"], parameter);
  CheckWire(response);
  return 0;
}
