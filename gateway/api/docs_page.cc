#include "gateway/api/docs_page.h"

#include <optional>
#include <utility>
#include <vector>

namespace kyc::gateway {
namespace {

using base::JsonValue;

constexpr std::string_view kStyle = R"css(
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem;
  margin: 0 auto; padding: 1rem; }
code, pre { font: 14px/1.45 ui-monospace, monospace; }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; }
section { border-top: 1px solid var(--line); padding: .5rem 0 1rem; }
h3 code { font-size: 1rem; overflow-wrap: anywhere; }
h4 { margin: 1rem 0 .25rem; }
.method { display: inline-block; min-width: 4.5rem; font-weight: 700; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .3rem .6rem .3rem 0;
  border-bottom: 1px solid var(--line); }
td p { margin: 0; }
nav ul { list-style: none; padding: 0; }
)css";

std::string_view TextOf(JsonValue value) {
  return value.AsString().value_or(std::string_view());
}

// Whether an array of texts holds one.
bool Holds(JsonValue texts, std::string_view text) {
  for (const JsonValue each : texts.Elements()) {
    if (each.AsString() == text) return true;
  }
  return false;
}

std::string Upper(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c -= 'a' - 'A';
  }
  return upper;
}

// "~1" and "~0" of a JSON pointer (RFC 6901).
std::string PointerToken(std::string_view token) {
  std::string text;
  for (size_t i = 0; i < token.size(); ++i) {
    if (token[i] != '~' || i + 1 == token.size()) {
      text.push_back(token[i]);
    } else {
      text.push_back(token[++i] == '1' ? '/' : '~');
    }
  }
  return text;
}

bool IsMethod(std::string_view key) {
  for (const std::string_view method :
       {"get", "put", "post", "delete", "options", "head", "patch"}) {
    if (key == method) return true;
  }
  return false;
}

}  // namespace

std::string_view DocsStyle() { return kStyle; }

DocsWriter& DocsWriter::Html(std::string_view markup) {
  out_ += markup;
  return *this;
}

DocsWriter& DocsWriter::Text(std::string_view text) {
  for (const char c : text) {
    switch (c) {
      case '&':
        out_ += "&amp;";
        break;
      case '<':
        out_ += "&lt;";
        break;
      case '>':
        out_ += "&gt;";
        break;
      case '"':
        out_ += "&quot;";
        break;
      case '\'':
        out_ += "&#39;";
        break;
      default:
        out_.push_back(c);
    }
  }
  return *this;
}

void DocsWriter::Prose(std::string_view text) {
  while (!text.empty()) {
    const size_t end = text.find("\n\n");
    std::string_view paragraph = text.substr(0, end);
    text = end == text.npos ? std::string_view() : text.substr(end + 2);
    Html("<p>");
    bool code = false;
    while (true) {
      const size_t quote = paragraph.find('`');
      Text(paragraph.substr(0, quote));
      if (quote == paragraph.npos) break;
      Html(code ? "</code>" : "<code>");
      code = !code;
      paragraph.remove_prefix(quote + 1);
    }
    Html(code ? "</code></p>\n" : "</p>\n");
  }
}

void DocsWriter::Json(JsonValue value, int indent) {
  const std::string inner(static_cast<size_t>(indent) + 2, ' ');
  const std::string outer(static_cast<size_t>(indent), ' ');
  const bool object = value.IsObject();
  if (object || value.IsArray()) {
    std::vector<std::pair<std::string_view, JsonValue>> members =
        value.Members();
    for (const JsonValue element : value.Elements()) {
      members.emplace_back("", element);
    }
    Text(object ? "{" : "[");
    const char* separator = "\n";
    for (const auto& [key, member] : members) {
      Text(separator).Text(inner);
      if (object) Text("\"").Text(key).Text("\": ");
      Json(member, indent + 2);
      separator = ",\n";
    }
    if (!members.empty()) Text("\n").Text(outer);
    Text(object ? "}" : "]");
  } else if (const auto text = value.AsString()) {
    std::string quoted;
    base::JsonWriter(&quoted).String(*text);
    Text(quoted);
  } else if (const auto number = value.AsNumberText()) {
    Text(*number);
  } else if (const auto truth = value.AsBool()) {
    Text(*truth ? "true" : "false");
  } else {
    Text("null");
  }
}

JsonValue DocsWriter::Resolve(JsonValue value) const {
  std::string_view pointer = TextOf(value["$ref"]);
  if (pointer.substr(0, 2) != "#/") return value;
  JsonValue target = root_;
  while (!pointer.empty()) {
    pointer.remove_prefix(pointer.find('/') + 1);
    const size_t end = pointer.find('/');
    target = target[PointerToken(pointer.substr(0, end))];
    pointer = end == pointer.npos ? std::string_view() : pointer.substr(end);
  }
  return target;
}

std::string DocsWriter::Write() {
  const JsonValue info = root_["info"];
  Html("<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n");
  Html("<meta name=\"viewport\" content=\"width=device-width\">\n<title>");
  Text(TextOf(info["title"])).Html("</title>\n<style>").Html(kStyle);
  Html("</style></head><body>\n<h1>").Text(TextOf(info["title"]));
  Html("</h1>\n<p>Version ").Text(TextOf(info["version"]));
  Html(" · <a href=\"/openapi.json\">openapi.json</a></p>\n");
  Prose(TextOf(info["description"]));
  Contents();
  for (const JsonValue tag : root_["tags"].Elements()) {
    const std::string_view name = TextOf(tag["name"]);
    Html("<h2>").Text(name).Html("</h2>\n");
    Prose(TextOf(tag["description"]));
    Operations(name);
  }
  Html("<h2>Who is calling</h2>\n<table>\n");
  for (const auto& [name, scheme] :
       root_["components"]["securitySchemes"].Members()) {
    Html("<tr><td><code>").Text(name).Html("</code></td><td>");
    Prose(TextOf(scheme["description"]));
    Html("</td></tr>\n");
  }
  Html("</table>\n");
  Schemas();
  Html("</body></html>\n");
  return std::move(out_);
}

void DocsWriter::Contents() {
  Html("<nav><ul>\n");
  for (const auto& [path, item] : root_["paths"].Members()) {
    for (const auto& [method, operation] : item.Members()) {
      if (!IsMethod(method)) continue;
      Html("<li><a href=\"#").Text(TextOf(operation["operationId"]));
      Html("\"><code><span class=\"method\">").Text(Upper(method));
      Html("</span> ").Text(path).Html("</code></a></li>\n");
    }
  }
  Html("</ul></nav>\n");
}

void DocsWriter::Operations(std::string_view tag) {
  for (const auto& [path, item] : root_["paths"].Members()) {
    for (const auto& [method, operation] : item.Members()) {
      if (IsMethod(method) && Holds(operation["tags"], tag)) {
        Operation(method, path, operation);
      }
    }
  }
}

void DocsWriter::Operation(std::string_view method, std::string_view path,
                           JsonValue operation) {
  Html("<section id=\"").Text(TextOf(operation["operationId"]));
  Html("\">\n<h3><code><span class=\"method\">").Text(Upper(method));
  Html("</span> ").Text(path).Html("</code></h3>\n<p><strong>");
  Text(TextOf(operation["summary"])).Html("</strong></p>\n");
  Prose(TextOf(operation["description"]));
  Security(operation);
  Parameters(operation);
  const JsonValue body = Resolve(operation["requestBody"]);
  if (body.exists()) {
    Html("<h4>Body</h4>\n");
    Content(body["content"]);
  }
  Responses(operation);
  Html("</section>\n");
}

void DocsWriter::Security(JsonValue operation) {
  JsonValue security = operation["security"];
  if (!security.exists()) security = root_["security"];
  Html("<p>Who: ");
  if (security.Elements().empty()) Html("anybody");
  bool first = true;
  for (const JsonValue scheme : security.Elements()) {
    if (!std::exchange(first, false)) Html("or ");
    for (const auto& [name, scopes] : scheme.Members()) {
      Html("<code>").Text(name).Html("</code> ");
    }
  }
  Html("</p>\n");
}

void DocsWriter::Parameters(JsonValue operation) {
  const std::vector<JsonValue> parameters = operation["parameters"].Elements();
  if (parameters.empty()) return;
  Html("<h4>Parameters</h4>\n<table>\n");
  for (const JsonValue each : parameters) {
    const JsonValue parameter = Resolve(each);
    Html("<tr><td><code>").Text(TextOf(parameter["name"]));
    Html("</code></td><td>").Text(TextOf(parameter["in"])).Html(", ");
    Type(parameter["schema"]);
    if (parameter["required"].AsBool() == true) Html(", required");
    Html("</td><td>");
    Prose(TextOf(parameter["description"]));
    Html("</td></tr>\n");
  }
  Html("</table>\n");
}

void DocsWriter::Responses(JsonValue operation) {
  Html("<h4>Answers</h4>\n<table>\n");
  JsonValue example;
  for (const auto& [status, each] : operation["responses"].Members()) {
    const JsonValue response = Resolve(each);
    Html("<tr><td>").Text(status).Html("</td><td>");
    Prose(TextOf(response["description"]));
    for (const JsonValue code : response["x-error-codes"].Elements()) {
      Html("<code>").Text(TextOf(code)).Html("</code> ");
    }
    Html("</td><td>");
    for (const auto& [type, media] : response["content"].Members()) {
      Type(media["schema"]);
      if (!example.exists()) example = media["example"];
    }
    Html("</td></tr>\n");
  }
  Html("</table>\n");
  if (!example.exists()) return;
  Html("<pre>");
  Json(example, 0);
  Html("</pre>\n");
}

void DocsWriter::Content(JsonValue content) {
  for (const auto& [type, media] : content.Members()) {
    Html("<p><code>").Text(type).Html("</code>: ");
    Type(media["schema"]);
    Html("</p>\n");
    if (!media["example"].exists()) continue;
    Html("<pre>");
    Json(media["example"], 0);
    Html("</pre>\n");
  }
}

void DocsWriter::Type(JsonValue schema) {
  if (const std::string_view pointer = TextOf(schema["$ref"]);
      !pointer.empty()) {
    const std::string_view name = pointer.substr(pointer.rfind('/') + 1);
    Html("<a href=\"#schema-").Text(name).Html("\">").Text(name).Html("</a>");
    return;
  }
  const char* separator = "";
  for (const JsonValue choice : schema["oneOf"].Elements()) {
    if (!choice["$ref"].exists() && !choice["type"].exists()) continue;
    Html(separator);
    Type(choice);
    separator = " or ";
  }
  Text(TextOf(schema["type"]));
  for (const JsonValue type : schema["type"].Elements()) {
    Html(separator).Text(TextOf(type));
    separator = " or ";
  }
  if (const JsonValue constant = schema["const"]; constant.exists()) {
    Html("<code>");
    Json(constant, 0);
    Html("</code>");
  }
  if (const JsonValue items = schema["items"]; items.exists()) {
    Html(" of ");
    Type(items);
  }
  separator = ": ";
  for (const JsonValue value : schema["enum"].Elements()) {
    Html(separator).Html("<code>");
    Json(value, 0);
    Html("</code>");
    separator = ", ";
  }
  if (const std::string_view pattern = TextOf(schema["pattern"]);
      !pattern.empty()) {
    Html(", <code>").Text(pattern).Html("</code>");
  }
}

void DocsWriter::Properties(JsonValue schema) {
  Html("<table>\n");
  for (const auto& [name, property] : schema["properties"].Members()) {
    Html("<tr><td><code>").Text(name).Html("</code></td><td>");
    Type(property);
    if (!Holds(schema["required"], name)) Html(", may be absent");
    Html("</td><td>");
    Prose(TextOf(property["description"]));
    if (property["properties"].exists()) Properties(property);
    Html("</td></tr>\n");
  }
  Html("</table>\n");
}

void DocsWriter::Schemas() {
  Html("<h2>Schemas</h2>\n");
  for (const auto& [name, schema] : root_["components"]["schemas"].Members()) {
    Html("<section id=\"schema-").Text(name).Html("\">\n<h3>").Text(name);
    Html("</h3>\n");
    Prose(TextOf(schema["description"]));
    if (schema["properties"].exists()) {
      Properties(schema);
    } else {
      Html("<p>");
      Type(schema);
      Html("</p>\n");
    }
    Html("</section>\n");
  }
}

}  // namespace kyc::gateway
