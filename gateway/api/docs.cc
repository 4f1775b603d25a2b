#include "gateway/api/docs.h"

#include <openssl/evp.h>

#include <array>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "gateway/api/docs_page.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

struct Page {
  std::string html;
  std::string policy;
};

const Page& DocsPage() {
  static const Page& page = *[] {
    const std::string_view style = DocsStyle();
    std::array<char, 32> digest;
    EVP_Digest(style.data(), style.size(),
               reinterpret_cast<unsigned char*>(digest.data()), nullptr,
               EVP_sha256(), nullptr);
    return new Page{
        RenderDocs(OpenApiDocument()).value(),
        absl::StrCat("default-src 'none'; style-src 'sha256-",
                     absl::Base64Escape({digest.data(), digest.size()}),
                     "'; base-uri 'none'; form-action 'none'; "
                     "frame-ancestors 'none'")};
  }();
  return page;
}

}  // namespace

std::string_view OpenApiDocument() {
  static constexpr char kDocument[] =
#include "gateway/api/openapi.inc"
      ;
  return {kDocument, sizeof(kDocument) - 1};
}

absl::StatusOr<std::string> RenderDocs(std::string_view openapi) {
  ASSIGN_OR_RETURN(const base::JsonDocument document,
                   base::JsonDocument::Parse(openapi));
  return DocsWriter(document.root()).Write();
}

async::Task<absl::Status> GetOpenApi(Call& call) {
  call.response.body = OpenApiDocument();
  co_return absl::OkStatus();
}

async::Task<absl::Status> GetDocs(Call& call) {
  const Page& page = DocsPage();
  call.response.content_type = "text/html; charset=utf-8";
  call.response.headers.emplace_back("Content-Security-Policy", page.policy);
  call.response.headers.emplace_back("Referrer-Policy", "no-referrer");
  call.response.body = page.html;
  co_return absl::OkStatus();
}

}  // namespace kyc::gateway
