#include "services/kyc/domain/document_rules.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "services/base/error.h"

namespace kyc::domain {
namespace {

using std::string_view_literals::operator""sv;

// In the order of FileType.
constexpr std::array<std::string_view, 4> kMediaTypes = {
    "image/jpeg", "image/png", "image/webp", "application/pdf"};
constexpr std::array<std::string_view, 4> kExtensions = {"jpg", "png", "webp",
                                                         "pdf"};

constexpr std::string_view kDocumentTypes[] = {"PASSPORT", "ID_CARD", "DRIVERS",
                                               "SELFIE", "PROOF_OF_ADDRESS"};

constexpr size_t kLongestEcho = 64;
constexpr size_t kLongestExtension = 10;

bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsAlphanumeric(char c) {
  return IsUpper(c) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

template <size_t N>
std::optional<FileType> Find(const std::array<std::string_view, N>& names,
                             std::string_view name) {
  const auto it = std::find(names.begin(), names.end(), name);
  if (it == names.end()) return std::nullopt;
  return static_cast<FileType>(it - names.begin());
}

// "image/jpeg; charset=x" -> "image/jpeg".
std::string_view WithoutParameters(std::string_view media_type) {
  media_type = media_type.substr(0, media_type.find(';'));
  const size_t begin = media_type.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return {};
  return media_type.substr(begin,
                           media_type.find_last_not_of(" \t") - begin + 1);
}

// In lower case; empty when there is none that could be one.
std::string ExtensionOf(std::string_view file_name) {
  const size_t dot = file_name.rfind('.');
  if (dot == std::string_view::npos) return "";
  std::string extension(file_name.substr(dot + 1));
  if (extension.size() > kLongestExtension ||
      !std::all_of(extension.begin(), extension.end(), IsAlphanumeric)) {
    return "";
  }
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](char c) { return IsUpper(c) ? c - 'A' + 'a' : c; });
  return extension;
}

std::optional<FileType> TypeOfContent(std::string_view head) {
  if (head.starts_with("\xff\xd8\xff"sv)) return FileType::kJpeg;
  if (head.starts_with("\x89PNG\r\n\x1a\n"sv)) return FileType::kPng;
  if (head.starts_with("%PDF-"sv)) return FileType::kPdf;
  if (head.starts_with("RIFF"sv) && head.size() >= 12 &&
      head.substr(8, 4) == "WEBP"sv) {
    return FileType::kWebp;
  }
  return std::nullopt;
}

// A media type that may be shown: plain characters, and not many.
std::string Plain(std::string_view media_type) {
  std::string text(media_type.substr(0, kLongestEcho));
  std::replace_if(
      text.begin(), text.end(),
      [](char c) {
        return !IsAlphanumeric(c) && "/.+-_"sv.find(c) == std::string::npos;
      },
      '?');
  return text;
}

absl::Status Unsupported(std::string_view what) {
  return base::Error(v1::ERROR_REASON_INVALID_DOCUMENT_TYPE,
                     std::string("Unsupported file type: ")
                         .append(what)
                         .append(". Allowed: application/pdf, image/jpeg, "
                                 "image/png, image/webp"));
}

bool IsCountry(std::string_view text) {
  return text.size() == 3 && std::all_of(text.begin(), text.end(), IsUpper);
}

bool IsSide(std::string_view text) {
  return text == "FRONT_SIDE" || text == "BACK_SIDE";
}

bool IsDocumentType(std::string_view text) {
  return std::find(std::begin(kDocumentTypes), std::end(kDocumentTypes),
                   text) != std::end(kDocumentTypes);
}

}  // namespace

std::string_view MediaType(FileType type) {
  return kMediaTypes[static_cast<size_t>(type)];
}

std::string_view Extension(FileType type) {
  return kExtensions[static_cast<size_t>(type)];
}

absl::StatusOr<DocumentMetadata> CheckForm(const DocumentForm& form) {
  std::vector<base::Violation> violations;
  const auto violated = [&](const char* field, const char* detail) {
    violations.push_back({base::Violation::Where::kPointer, field, detail});
  };
  if (!form.document_type) {
    violated("/document_type", "is required");
  } else if (!IsDocumentType(*form.document_type)) {
    violated("/document_type",
             "must be one of: PASSPORT, ID_CARD, DRIVERS, SELFIE, "
             "PROOF_OF_ADDRESS");
  }
  if (!form.country) {
    violated("/country", "is required");
  } else if (!IsCountry(*form.country)) {
    violated("/country", "must be three capital letters (ISO 3166-1 alpha-3)");
  }
  if (form.side && !IsSide(*form.side)) {
    violated("/side", "must be FRONT_SIDE or BACK_SIDE, or not be there");
  }
  if (!form.file_name) violated("/file", "is required");
  if (!violations.empty()) {
    return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED, {},
                       {.violations = std::move(violations)});
  }
  return DocumentMetadata{*form.document_type, *form.country,
                          form.side.value_or("")};
}

absl::StatusOr<FileType> CheckFile(std::string_view file_name,
                                   std::string_view content_type,
                                   std::string_view head, size_t size) {
  const std::string_view declared = WithoutParameters(content_type);
  if (declared.empty()) return Unsupported("none declared");
  const std::optional<FileType> type = Find(kMediaTypes, declared);
  if (!type) return Unsupported(Plain(declared));
  std::string extension = ExtensionOf(file_name);
  if (extension.empty()) return Unsupported("no file name extension");
  if (Find(kExtensions, extension == "jpeg" ? "jpg" : extension) != type) {
    return Unsupported("extension ." + extension + " with " +
                       std::string(declared));
  }
  if (size == 0) return Unsupported("empty file");
  if (TypeOfContent(head) != type) {
    return Unsupported("content is not " + std::string(declared));
  }
  if (size > kMaxFileBytes) {
    return base::Error(v1::ERROR_REASON_FILE_TOO_LARGE,
                       "File size " + std::to_string(size) +
                           " exceeds maximum of 10485760 bytes (10MB).");
  }
  return *type;
}

std::string_view ToSumsubDocumentType(std::string_view type) {
  return type == "PROOF_OF_ADDRESS" ? "UTILITY_BILL" : type;
}

std::string_view FromSumsubDocumentType(std::string_view type) {
  return type == "UTILITY_BILL" ? "PROOF_OF_ADDRESS" : type;
}

std::string_view FromSumsubStep(std::string_view step) {
  return step == "PROOF_OF_RESIDENCE" ? "PROOF_OF_ADDRESS" : step;
}

}  // namespace kyc::domain
