// An upload as a caller describes it, against what it is. Lines: document
// type, country, side, declared media type, file name; the rest is the file.
// A line of "-" is a field that is not there.
#include "services/kyc/domain/document_rules.h"

#include <algorithm>
#include <optional>
#include <string>

#include "services/base/error.h"
#include "tests/fuzz/check.h"

namespace kyc::fuzz {
namespace {

using domain::FileType;

std::optional<std::string> TakeField(std::string_view* text) {
  const std::string_view line = TakeLine(text);
  if (line == "-") return std::nullopt;
  return std::string(line);
}

// No error quotes what a caller sent, but for a few plain characters.
void CheckError(const absl::Status& status) {
  FUZZ_CHECK(base::ReasonOf(status) != v1::ERROR_REASON_UNSPECIFIED);
  FUZZ_CHECK(status.message().size() < 256);
  for (const char c : status.message()) FUZZ_CHECK(c >= ' ' && c < 0x7f);
}

void CheckForm(const domain::DocumentForm& form) {
  const auto metadata = domain::CheckForm(form);
  if (!metadata.ok()) {
    CheckError(metadata.status());
    FUZZ_CHECK(!base::ExtrasOf(metadata.status()).violations.empty());
    return;
  }
  FUZZ_CHECK(metadata->document_type == form.document_type);
  FUZZ_CHECK(metadata->country == form.country);
  FUZZ_CHECK(metadata->side == form.side.value_or(""));
  FUZZ_CHECK(domain::FromSumsubDocumentType(domain::ToSumsubDocumentType(
                 metadata->document_type)) == metadata->document_type);
}

bool IsOf(FileType type, std::string_view file) {
  switch (type) {
    case FileType::kJpeg:
      return file.starts_with("\xff\xd8\xff");
    case FileType::kPng:
      return file.starts_with("\x89PNG");
    case FileType::kWebp:
      return file.starts_with("RIFF");
    case FileType::kPdf:
      return file.starts_with("%PDF-");
  }
  return false;
}

std::string LowerCase(std::string_view text) {
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return lower;
}

}  // namespace
}  // namespace kyc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kyc;
  using namespace kyc::fuzz;
  std::string_view file = Text(data, size);
  domain::DocumentForm form;
  form.document_type = TakeField(&file);
  form.country = TakeField(&file);
  form.side = TakeField(&file);
  form.content_type = TakeField(&file);
  form.file_name = TakeField(&file);
  fuzz::CheckForm(form);

  const std::string name = form.file_name.value_or("");
  const std::string media_type = form.content_type.value_or("");
  const std::string_view head = file.substr(0, domain::kFileHeadBytes);
  const auto type = domain::CheckFile(name, media_type, head, file.size());
  FUZZ_CHECK(
      !domain::CheckFile(name, media_type, head, domain::kMaxFileBytes + 1)
           .ok());
  FUZZ_CHECK(!domain::CheckFile(name, media_type, "", 0).ok());
  if (!type.ok()) {
    CheckError(type.status());
    return 0;
  }
  FUZZ_CHECK(IsOf(*type, file));
  FUZZ_CHECK(media_type.find(domain::MediaType(*type)) != std::string::npos);
  const std::string lower = LowerCase(name);
  FUZZ_CHECK(lower.ends_with(domain::Extension(*type)) ||
             (*type == FileType::kJpeg && lower.ends_with("jpeg")));
  return 0;
}
