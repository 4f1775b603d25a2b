#include "deploy/sandbox/upload.h"

#include <algorithm>
#include <iterator>

#include "deploy/sandbox/levels.h"
#include "deploy/sandbox/multipart.h"
#include "services/base/json.h"

namespace kyc::sandbox {
namespace {

constexpr std::string_view kEchoedFields[] = {
    "number",    "issuedDate", "validUntil", "dob",
    "firstName", "middleName", "lastName",   "placeOfBirth"};

constexpr std::string_view kMediaTypes[] = {
    "image/jpeg", "image/png",  "application/pdf",
    "video/mp4",  "video/webm", "video/quicktime"};

bool IsCountry(std::string_view text) {
  return text.size() == 3 && std::all_of(text.begin(), text.end(), [](char c) {
           return c >= 'A' && c <= 'Z';
         });
}

// What the first bytes say, or "".
std::string_view Sniff(std::string_view bytes) {
  using std::string_view_literals::operator""sv;
  if (bytes.starts_with("\xff\xd8\xff"sv)) return "image/jpeg";
  if (bytes.starts_with("\x89PNG\r\n\x1a\n"sv)) return "image/png";
  if (bytes.starts_with("%PDF-"sv)) return "application/pdf";
  if (bytes.starts_with("RIFF"sv) && bytes.substr(0, 12).ends_with("WEBP"sv)) {
    return "image/webp";
  }
  if (bytes.starts_with("\x1a\x45\xdf\xa3"sv)) return "video/webm";
  if (bytes.size() >= 12 && bytes.substr(4, 4) == "ftyp"sv) {
    return bytes.substr(8, 2) == "qt"sv ? "video/quicktime" : "video/mp4";
  }
  return "";
}

Refusal BadRequest(std::string_view what) { return PlainError(400, what); }

Refusal ParseMetadata(std::string_view text, DocumentUpload* upload) {
  const auto document = base::JsonDocument::Parse(text);
  if (!document.ok() || !document->root().IsObject()) {
    return BadRequest("Part 'metadata' is not a JSON object");
  }
  const base::JsonValue root = document->root();
  for (const auto& [name, value] : root.Members()) {
    if (!value.IsNull() && !value.AsString()) {
      return BadRequest("A field of 'metadata' is not a text");
    }
  }
  upload->document_type = root["idDocType"].StringOr("");
  upload->country = root["country"].StringOr("");
  upload->sub_type = root["idDocSubType"].StringOr("");
  if (!IsDocumentType(upload->document_type)) {
    return BadRequest("Field 'idDocType' is missing or unknown");
  }
  if (!IsCountry(upload->country)) {
    return BadRequest("Field 'country' is not an alpha-3 code");
  }
  if (!upload->sub_type.empty() && upload->sub_type != "FRONT_SIDE" &&
      upload->sub_type != "BACK_SIDE") {
    return BadRequest("Field 'idDocSubType' is unknown");
  }
  for (const std::string_view name : kEchoedFields) {
    if (const auto value = root[name].AsString()) {
      upload->fields.emplace_back(name, *value);
    }
  }
  return std::nullopt;
}

Refusal CheckContent(const Part& part, bool accept_webp,
                     DocumentUpload* upload) {
  if (!part.filename || part.filename->empty()) {
    return BadRequest("Part 'content' has no file name");
  }
  if (part.data.empty()) {
    return CodedError(ErrorCode::kEmptyFile, "Empty file");
  }
  if (part.data.size() > kMaxFileBytes) {
    return CodedError(ErrorCode::kFileTooBig, "File is over 64 MB");
  }
  const std::string_view actual = Sniff(part.data);
  const std::string_view declared = part.content_type;
  const auto supported = [&](std::string_view mime) {
    return std::find(std::begin(kMediaTypes), std::end(kMediaTypes), mime) !=
               std::end(kMediaTypes) ||
           (accept_webp && mime == "image/webp");
  };
  const bool undeclared =
      declared.empty() || declared == "application/octet-stream";
  if (!supported(undeclared ? actual : declared)) {
    return CodedError(ErrorCode::kUnsupportedFormat, "Unsupported file format");
  }
  if (!undeclared && declared != actual) {
    return CodedError(ErrorCode::kCorruptedFile, "Corrupted file");
  }
  if (actual == "application/pdf" &&
      part.data.find("/Encrypt") != std::string_view::npos) {
    return CodedError(ErrorCode::kEncryptedFile, "Encrypted file");
  }
  upload->has_file = true;
  upload->mime = actual;
  upload->bytes = part.data;
  return std::nullopt;
}

}  // namespace

Refusal ParseUpload(std::string_view content_type, std::string_view body,
                    bool accept_webp, DocumentUpload* upload) {
  const auto parts = ParseMultipart(content_type, body);
  if (!parts.ok()) {
    return BadRequest("Malformed multipart body: " +
                      std::string(parts.status().message()));
  }
  const Part* metadata = nullptr;
  const Part* content = nullptr;
  for (const Part& part : *parts) {
    if (part.name == "metadata") {
      metadata = &part;
    } else if (part.name == "content") {
      content = &part;
    } else {
      return BadRequest("Unknown part '" + part.name + "'");
    }
  }
  if (metadata == nullptr) return BadRequest("Part 'metadata' is missing");
  if (Refusal refusal = ParseMetadata(metadata->data, upload)) return refusal;
  if (content == nullptr) return std::nullopt;
  return CheckContent(*content, accept_webp, upload);
}

}  // namespace kyc::sandbox
