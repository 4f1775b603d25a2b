// docs/errors.md is the catalogue: this test keeps the page and the table the
// same. After a change of errors.proto, write the page again with
//
//   UPDATE_DOCS=1 bazel run //services/base:error_doc_test
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "absl/status/status.h"
#include "services/base/error.h"

namespace kyc::base {
namespace {

constexpr char kPage[] = "docs/errors.md";
constexpr char kMarker[] =
    "<!-- Written by //services/base:error_doc_test from here on. -->\n";

std::string Read(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::string RenderTable() {
  std::ostringstream table;
  table << "\n| code | HTTP | gRPC | title | detail | what to do |\n"
           "|---|---|---|---|---|---|\n";
  for (const ErrorEntry& row : ErrorCatalogue()) {
    table << "| `" << row.code << "` | " << row.http_status << " | "
          << absl::StatusCodeToString(row.grpc_code) << " | " << row.title
          << " | " << row.detail << " | " << row.action << " |\n";
  }
  return table.str();
}

TEST(ErrorDoc, PageShowsTheCatalogue) {
  std::string page = Read(kPage);
  const size_t marker = page.find(kMarker);
  ASSERT_NE(marker, page.npos) << kPage << " has lost the line\n" << kMarker;
  const size_t table = marker + sizeof(kMarker) - 1;
  if (const char* workspace = std::getenv("BUILD_WORKSPACE_DIRECTORY");
      workspace != nullptr && std::getenv("UPDATE_DOCS") != nullptr) {
    page = page.substr(0, table) + RenderTable();
    std::ofstream(std::string(workspace) + "/" + kPage) << page;
  }
  EXPECT_EQ(page.substr(table), RenderTable())
      << "UPDATE_DOCS=1 bazel run //services/base:error_doc_test";
}

// A cell ends at a bar, so a text must not have one.
TEST(ErrorDoc, TextsFitATable) {
  for (const ErrorEntry& row : ErrorCatalogue()) {
    for (std::string_view text : {row.title, row.detail, row.action}) {
      EXPECT_EQ(text.find_first_of("|\n"), text.npos) << row.code;
    }
  }
}

}  // namespace
}  // namespace kyc::base
