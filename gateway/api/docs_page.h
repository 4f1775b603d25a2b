// An OpenAPI document as HTML.
#ifndef KYC_GATEWAY_API_DOCS_PAGE_H_
#define KYC_GATEWAY_API_DOCS_PAGE_H_

#include <string>
#include <string_view>

#include "services/base/json.h"

namespace kyc::gateway {

// The text of the page's style element.
std::string_view DocsStyle();

// Writes one page. Shows what is there: a document with parts missing gives a
// page without them.
class DocsWriter {
 public:
  // The document outlives the writer.
  explicit DocsWriter(base::JsonValue root) : root_(root) {}

  std::string Write();

 private:
  // Markup as it stands, and text escaped.
  DocsWriter& Html(std::string_view markup);
  DocsWriter& Text(std::string_view text);
  // Paragraphs, with `code` between backquotes.
  void Prose(std::string_view text);
  void Json(base::JsonValue value, int indent);

  // What a "$ref" points to; the value itself where it is none.
  base::JsonValue Resolve(base::JsonValue value) const;

  void Contents();
  void Operations(std::string_view tag);
  void Operation(std::string_view method, std::string_view path,
                 base::JsonValue operation);
  void Security(base::JsonValue operation);
  void Parameters(base::JsonValue operation);
  void Responses(base::JsonValue operation);
  void Content(base::JsonValue content);
  // A schema's type in a few words, with links to those that have names.
  void Type(base::JsonValue schema);
  void Properties(base::JsonValue schema);
  void Schemas();

  const base::JsonValue root_;
  std::string out_;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_API_DOCS_PAGE_H_
