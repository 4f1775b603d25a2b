// The API's description against the table of routes and the catalogue of
// errors, and its page.
#include "gateway/api/docs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

#include "gateway/api/dispatcher_for_test.h"
#include "gateway/api/docs_page.h"
#include "gateway/api/routes.h"
#include "services/base/error.h"
#include "services/base/json.h"
#include "services/base/version.h"

namespace kyc::gateway {
namespace {

using base::JsonDocument;
using base::JsonValue;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

using Operations = std::set<std::pair<std::string, std::string>>;

const JsonDocument& Document() {
  static const JsonDocument& document =
      *new JsonDocument(JsonDocument::Parse(OpenApiDocument()).value());
  return document;
}

std::string Upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  return upper;
}

// OpenAPI has no word for a parameter that takes many segments.
std::string Template(std::string_view path) {
  std::string text(path);
  if (const size_t dots = text.find("...}"); dots != text.npos) {
    text.erase(dots, 3);
  }
  return text;
}

// Calls `visit` for each value below, with the value's key.
template <typename Visit>
void Walk(JsonValue value, Visit visit) {
  for (const auto& [key, member] : value.Members()) {
    visit(key, member);
    Walk(member, visit);
  }
  for (const JsonValue element : value.Elements()) Walk(element, visit);
}

TEST(OpenApiTest, DescribesEveryRouteAndNoOther) {
  Operations served;
  for (const Route& route : Routes()) {
    if (route.method == "*") {
      for (const char* method :
           {"GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH"}) {
        served.emplace(method, Template(route.path));
      }
    } else {
      served.emplace(route.method, Template(route.path));
    }
  }
  Operations described;
  for (const auto& [path, item] : Document().root()["paths"].Members()) {
    for (const auto& [method, operation] : item.Members()) {
      described.emplace(Upper(method), path);
    }
  }
  EXPECT_EQ(served, described);
}

TEST(OpenApiTest, SaysWhoMayCallAndWhatIsHeeded) {
  const JsonValue root = Document().root();
  for (const Route& route : Routes()) {
    if (route.method == "*") continue;
    std::string method(route.method);
    for (char& c : method) c = static_cast<char>(std::tolower(c));
    const JsonValue operation = root["paths"][Template(route.path)][method];
    const JsonValue security = operation["security"];
    switch (route.auth) {
      case Route::Auth::kUser:
        EXPECT_FALSE(security.exists()) << route.path;  // The document's own.
        break;
      case Route::Auth::kApiKey:
        ASSERT_EQ(security.Elements().size(), 1u) << route.path;
        EXPECT_TRUE(security.Elements()[0]["apiKey"].IsArray()) << route.path;
        EXPECT_FALSE(security.Elements()[0]["pintToken"].exists());
        break;
      case Route::Auth::kUserOrApiKey:
        ASSERT_EQ(security.Elements().size(), 2u) << route.path;
        EXPECT_TRUE(security.Elements()[0]["userToken"].IsArray());
        EXPECT_TRUE(security.Elements()[1]["apiKey"].IsArray()) << route.path;
        break;
      case Route::Auth::kPartner:
        ASSERT_EQ(security.Elements().size(), 1u) << route.path;
        EXPECT_TRUE(security.Elements()[0]["apiKey"].IsArray()) << route.path;
        EXPECT_TRUE(security.Elements()[0]["pintToken"].IsArray());
        break;
      case Route::Auth::kNone:
        EXPECT_TRUE(security.exists()) << route.path;
    }
    for (const std::string_view scope :
         {route.scopes[0], route.scopes[1], route.pint_scope}) {
      if (scope.empty() || scope == kAnyScope) continue;
      EXPECT_THAT(operation["description"].StringOr(""),
                  HasSubstr("`" + std::string(scope) + "`"))
          << route.path;
    }
    bool heeds_key = false;
    for (const JsonValue parameter : operation["parameters"].Elements()) {
      heeds_key = heeds_key || parameter["$ref"].StringOr("") ==
                                   "#/components/parameters/IdempotencyKey";
    }
    EXPECT_EQ(heeds_key, route.once) << route.path;
    EXPECT_EQ(
        operation["requestBody"].exists(),
        route.body != Route::Body::kNone || route.path == "/v0/kyc/documents")
        << route.path;
  }
  EXPECT_TRUE(root["security"].Elements()[0]["userToken"].IsArray());
}

TEST(OpenApiTest, NamesOnlyWhatIsThere) {
  const JsonValue root = Document().root();
  EXPECT_EQ(root["info"]["version"].StringOr(""), base::kVersion);
  std::set<std::string> ids;
  for (const auto& [path, item] : root["paths"].Members()) {
    for (const auto& [method, operation] : item.Members()) {
      EXPECT_TRUE(ids.insert(operation["operationId"].StringOr("")).second)
          << method << " " << path;
    }
  }
  int references = 0;
  Walk(root, [&](std::string_view key, JsonValue value) {
    if (key != "$ref") return;
    ++references;
    JsonValue target = root;
    std::string rest = value.StringOr("").substr(2);
    while (!rest.empty()) {
      const size_t end = std::min(rest.find('/'), rest.size());
      target = target[rest.substr(0, end)];
      rest.erase(0, end + 1);
    }
    EXPECT_TRUE(target.exists()) << value.StringOr("");
  });
  EXPECT_GT(references, 100);
}

TEST(OpenApiTest, KnowsEveryCodeAndItsStatus) {
  const JsonValue root = Document().root();
  std::set<std::string> named;
  const auto check = [&](std::string_view status, JsonValue response) {
    for (const JsonValue code : response["x-error-codes"].Elements()) {
      const std::string text = code.StringOr("");
      const base::ErrorEntry* entry = base::FindErrorByCode(text);
      ASSERT_NE(entry, nullptr) << text;
      if (status != "default") {
        EXPECT_EQ(std::to_string(entry->http_status), status) << text;
      }
      named.insert(text);
    }
  };
  for (const auto& [path, item] : root["paths"].Members()) {
    for (const auto& [method, operation] : item.Members()) {
      for (const auto& [status, response] : operation["responses"].Members()) {
        const std::string reference = response["$ref"].StringOr("");
        check(status, reference.empty()
                          ? response
                          : root["components"]["responses"]
                                [reference.substr(reference.rfind('/') + 1)]);
      }
    }
  }
  for (const base::ErrorEntry& entry : base::ErrorCatalogue()) {
    // What operators' own calls answer, which have no HTTP.
    if (entry.code.starts_with("OPS-")) continue;
    EXPECT_EQ(named.count(std::string(entry.code)), 1u) << entry.code;
  }
}

TEST(DocsPageTest, EscapesWhatItShows) {
  const std::string evil = "<script>alert('1')</script>&\\\"";
  const absl::StatusOr<std::string> page = RenderDocs(
      R"({"info":{"title":")" + evil + R"(","description":"a `)" + evil +
      R"(` b\n\n)" + evil + R"("},"tags":[{"name":"t"}],"paths":{")" + evil +
      R"(":{"get":{"operationId":")" + evil + R"(","tags":["t"],"summary":")" +
      evil + R"(","parameters":[{"name":")" + evil +
      R"(","schema":{"pattern":")" + evil +
      R"("}}],"responses":{"200":{"content":{"a":{"example":[{"k":")" + evil +
      R"("}]}}}}}}}})");
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(*page, Not(HasSubstr("<script")));
  EXPECT_THAT(*page, Not(HasSubstr("alert('1')")));
  EXPECT_THAT(*page, HasSubstr("&lt;script&gt;alert(&#39;1&#39;)"));
  EXPECT_FALSE(RenderDocs("{").ok());
  EXPECT_TRUE(RenderDocs("[]").ok());
}

class DocsTest : public DispatcherTest {};

TEST_F(DocsTest, ServesTheDocument) {
  const async::ClientResponse response = Send("GET", "/openapi.json", {});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Header("content-type"), "application/json");
  EXPECT_EQ(response.body, OpenApiDocument());
}

TEST_F(DocsTest, ServesAPageThatNeedsNothingElse) {
  const async::ClientResponse response = Send("GET", "/docs", {});
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Header("content-type"), "text/html; charset=utf-8");
  const std::string policy(response.Header("content-security-policy"));
  EXPECT_THAT(policy, HasSubstr("default-src 'none'; style-src 'sha256-"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  const std::string& page = response.body;
  EXPECT_THAT(page,
              HasSubstr("<style>" + std::string(DocsStyle()) + "</style>"));
  for (const char* outside : {"<script", "src=", "@import", "url(", "href=\"h",
                              "href=\"//", " style=", " onclick="}) {
    EXPECT_THAT(page, Not(HasSubstr(outside)));
  }
  for (const Route& route : Routes()) {
    EXPECT_THAT(page, HasSubstr("</span> " + Template(route.path) + "</code>"));
  }
  EXPECT_THAT(page, HasSubstr("KYC-409-001"));
  EXPECT_THAT(page, HasSubstr("<a href=\"#schema-Status\">Status</a>"));
  EXPECT_THAT(page, HasSubstr("<section id=\"schema-Status\">"));
}

}  // namespace
}  // namespace kyc::gateway
