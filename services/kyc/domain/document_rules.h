// What may be uploaded, and under which names.
//
// Pure functions. Errors carry their reason of proto/kyc/v1/errors.proto and
// hold nothing of the request but a media type or an extension, cut to plain
// characters.
#ifndef KYC_SERVICES_KYC_DOMAIN_DOCUMENT_RULES_H_
#define KYC_SERVICES_KYC_DOMAIN_DOCUMENT_RULES_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace kyc::domain {

inline constexpr size_t kMaxFileBytes = 10'485'760;
// As much of a file's beginning as shows its type.
inline constexpr size_t kFileHeadBytes = 12;

enum class FileType { kJpeg, kPng, kWebp, kPdf };

std::string_view MediaType(FileType type);  // "image/jpeg"
std::string_view Extension(FileType type);  // "jpg"

// An upload's form as it came; unset: the field was not there.
struct DocumentForm {
  std::optional<std::string> document_type;
  std::optional<std::string> country;
  std::optional<std::string> side;
  // Of the file part; no name: no such part.
  std::optional<std::string> file_name;
  std::optional<std::string> content_type;
};

// What a document is, by the contract's names.
struct DocumentMetadata {
  std::string document_type;
  std::string country;
  std::string side;  // Empty: none.

  bool operator==(const DocumentMetadata&) const = default;
};

// KYC-422-002 with one violation for each field that is missing or wrong, the
// file part among them.
absl::StatusOr<DocumentMetadata> CheckForm(const DocumentForm& form);

// The file's type, when extension, declared type and content agree; `head` is
// its beginning. KYC-400-001 otherwise and for an empty file, KYC-400-002
// when it is too large.
absl::StatusOr<FileType> CheckFile(std::string_view file_name,
                                   std::string_view content_type,
                                   std::string_view head, size_t size);

// The contract's name of a document's type as SumSub's, and back. Names that
// are the same for both, or unknown, pass through.
std::string_view ToSumsubDocumentType(std::string_view type);
std::string_view FromSumsubDocumentType(std::string_view type);
// SumSub's name of a step as the contract's; likewise.
std::string_view FromSumsubStep(std::string_view step);

}  // namespace kyc::domain

#endif  // KYC_SERVICES_KYC_DOMAIN_DOCUMENT_RULES_H_
