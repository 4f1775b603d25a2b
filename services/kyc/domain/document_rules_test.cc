#include "services/kyc/domain/document_rules.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "services/base/error.h"

namespace kyc::domain {
namespace {

using std::string_literals::operator""s;

struct Kind {
  FileType type;
  std::string media_type;
  std::vector<std::string> extensions;
  std::string head;
};

const std::vector<Kind>& Kinds() {
  static const auto& kinds = *new std::vector<Kind>{
      {FileType::kJpeg, "image/jpeg", {"jpg", "jpeg"}, "\xff\xd8\xff\xe0"},
      {FileType::kPng, "image/png", {"png"}, "\x89PNG\r\n\x1a\n"},
      {FileType::kWebp, "image/webp", {"webp"}, "RIFF\x10\0\0\0WEBPVP8 "s},
      {FileType::kPdf, "application/pdf", {"pdf"}, "%PDF-1.7"},
  };
  return kinds;
}

constexpr char kAllowed[] =
    ". Allowed: application/pdf, image/jpeg, image/png, image/webp";

void ExpectUnsupported(const absl::StatusOr<FileType>& type,
                       const std::string& what) {
  EXPECT_EQ(base::ReasonOf(type.status()),
            v1::ERROR_REASON_INVALID_DOCUMENT_TYPE);
  EXPECT_EQ(type.status().message(),
            "Unsupported file type: " + what + kAllowed);
}

TEST(CheckFileTest, ExtensionTypeAndContentMustAgree) {
  int accepted = 0;
  int all = 0;
  for (const Kind& by_name : Kinds()) {
    for (const std::string& extension : by_name.extensions) {
      for (const Kind& by_type : Kinds()) {
        for (const Kind& by_content : Kinds()) {
          ++all;
          const auto type = CheckFile("a." + extension, by_type.media_type,
                                      by_content.head, 1000);
          const bool agree =
              by_name.type == by_type.type && by_type.type == by_content.type;
          EXPECT_EQ(type.ok(), agree)
              << extension << by_type.media_type << by_content.media_type;
          if (agree) {
            ++accepted;
            EXPECT_EQ(*type, by_name.type);
            EXPECT_EQ(MediaType(*type), by_type.media_type);
            EXPECT_EQ(Extension(*type), by_name.extensions[0]);
          } else if (by_name.type != by_type.type) {
            ExpectUnsupported(type, "extension ." + extension + " with " +
                                        by_type.media_type);
          } else {
            ExpectUnsupported(type, "content is not " + by_type.media_type);
          }
        }
      }
    }
  }
  EXPECT_EQ(all, 80);
  EXPECT_EQ(accepted, 5);
}

TEST(CheckFileTest, TheLetterCaseOfExtensionsDoesNotMatter) {
  for (const char* name : {"A.JPG", "a.JpEg", "scan.of.passport.jpg", ".jpg"}) {
    EXPECT_TRUE(CheckFile(name, "image/jpeg", Kinds()[0].head, 10).ok())
        << name;
  }
}

TEST(CheckFileTest, DeclaredTypesAreTakenWithoutTheirParameters) {
  const std::string& head = Kinds()[0].head;
  for (const char* type :
       {"image/jpeg;charset=utf-8", " image/jpeg ; x=\"y\"", "image/jpeg;"}) {
    EXPECT_TRUE(CheckFile("a.jpg", type, head, 10).ok()) << type;
  }
  const std::map<std::string, std::string> refused = {
      {"image/heic", "image/heic"},
      {"image/jpg", "image/jpg"},
      {"IMAGE/JPEG", "IMAGE/JPEG"},
      {"application/octet-stream", "application/octet-stream"},
      {"image/svg+xml", "image/svg+xml"},
      {"", "none declared"},
      {" ; x=y", "none declared"},
      {"a\r\nb\t\x01\xff<script>", "a??b????script?"},
      {std::string(500, 'x'), std::string(64, 'x')},
  };
  for (const auto& [type, what] : refused) {
    ExpectUnsupported(CheckFile("a.jpg", type, head, 10), what);
  }
}

TEST(CheckFileTest, FilesWithoutAUsableExtension) {
  for (const std::string& name :
       {"passport"s, ""s, "a."s, "a.jpg "s, "a.jpg\n"s, "a.j\0pg"s,
        "a."s + std::string(1000, 'j'), "jpg"s}) {
    ExpectUnsupported(CheckFile(name, "image/jpeg", Kinds()[0].head, 10),
                      "no file name extension");
  }
  ExpectUnsupported(CheckFile("a.heic", "image/jpeg", Kinds()[0].head, 10),
                    "extension .heic with image/jpeg");
}

TEST(CheckFileTest, ContentIsKnownByItsFirstBytesAlone) {
  ExpectUnsupported(CheckFile("a.pdf", "application/pdf", " %PDF-1.7", 10),
                    "content is not application/pdf");
  ExpectUnsupported(CheckFile("a.jpg", "image/jpeg", "\xff\xd8", 2),
                    "content is not image/jpeg");
  ExpectUnsupported(CheckFile("a.webp", "image/webp", "RIFF\x10\0\0\0WEB"s, 11),
                    "content is not image/webp");
  ExpectUnsupported(
      CheckFile("a.webp", "image/webp", "RIFF\x10\0\0\0WAVE"s, 12),
      "content is not image/webp");
  EXPECT_TRUE(
      CheckFile("a.webp", "image/webp", "RIFF\x10\0\0\0WEBP"s, 12).ok());
  EXPECT_EQ(kFileHeadBytes, 12u);
}

TEST(CheckFileTest, Sizes) {
  const std::string& head = Kinds()[0].head;
  ExpectUnsupported(CheckFile("a.jpg", "image/jpeg", "", 0), "empty file");
  EXPECT_TRUE(CheckFile("a.jpg", "image/jpeg", head, 10'485'760).ok());
  const absl::Status large =
      CheckFile("a.jpg", "image/jpeg", head, 10'485'761).status();
  EXPECT_EQ(base::ReasonOf(large), v1::ERROR_REASON_FILE_TOO_LARGE);
  EXPECT_EQ(CheckFile("a.jpg", "image/jpeg", head, 12582912).status().message(),
            "File size 12582912 exceeds maximum of 10485760 bytes (10MB).");
}

DocumentForm Form() {
  return {.document_type = "PASSPORT",
          .country = "GBR",
          .side = std::nullopt,
          .file_name = "a.jpg",
          .content_type = "image/jpeg"};
}

std::vector<std::string> Faults(const DocumentForm& form) {
  const auto metadata = CheckForm(form);
  std::vector<std::string> names;
  if (metadata.ok()) return names;
  EXPECT_EQ(base::ReasonOf(metadata.status()),
            v1::ERROR_REASON_REQUEST_VALIDATION_FAILED);
  for (const auto& each : base::ExtrasOf(metadata.status()).violations) {
    EXPECT_EQ(each.where, base::Violation::Where::kPointer);
    EXPECT_FALSE(each.detail.empty());
    names.push_back(each.name);
  }
  return names;
}

TEST(CheckFormTest, GoodForms) {
  for (const char* type :
       {"PASSPORT", "ID_CARD", "DRIVERS", "SELFIE", "PROOF_OF_ADDRESS"}) {
    for (const char* side : {"", "FRONT_SIDE", "BACK_SIDE"}) {
      DocumentForm form = Form();
      form.document_type = type;
      if (*side != '\0') form.side = side;
      const auto metadata = CheckForm(form);
      ASSERT_TRUE(metadata.ok()) << metadata.status();
      EXPECT_EQ(*metadata, (DocumentMetadata{type, "GBR", side}));
    }
  }
}

TEST(CheckFormTest, OneEntryPerField) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(Faults({}), (Names{"/document_type", "/country", "/file"}));
  DocumentForm form = Form();
  form.document_type = "UTILITY_BILL";
  form.country = "GB";
  form.side = "LEFT_SIDE";
  EXPECT_EQ(Faults(form), (Names{"/document_type", "/country", "/side"}));
  for (const char* country : {"", "GB", "gbr", "GBRR", "GB1", "G R"}) {
    form = Form();
    form.country = country;
    EXPECT_EQ(Faults(form), Names{"/country"}) << country;
  }
  for (const char* side : {"", "front_side", "FRONT_SIDE "}) {
    form = Form();
    form.side = side;
    EXPECT_EQ(Faults(form), Names{"/side"}) << side;
  }
  for (const char* type : {"", "passport", "PASSPORT "}) {
    form = Form();
    form.document_type = type;
    EXPECT_EQ(Faults(form), Names{"/document_type"}) << type;
  }
}

TEST(NamesTest, DifferWhereTheProviderNamesThemOtherwise) {
  EXPECT_EQ(ToSumsubDocumentType("PROOF_OF_ADDRESS"), "UTILITY_BILL");
  EXPECT_EQ(FromSumsubDocumentType("UTILITY_BILL"), "PROOF_OF_ADDRESS");
  EXPECT_EQ(FromSumsubStep("PROOF_OF_RESIDENCE"), "PROOF_OF_ADDRESS");
  for (const char* same :
       {"PASSPORT", "ID_CARD", "DRIVERS", "SELFIE", "RESIDENCE_PERMIT"}) {
    EXPECT_EQ(ToSumsubDocumentType(same), same);
    EXPECT_EQ(FromSumsubDocumentType(same), same);
    EXPECT_EQ(FromSumsubStep(same), same);
  }
  EXPECT_EQ(FromSumsubStep("QUESTIONNAIRE"), "QUESTIONNAIRE");
}

}  // namespace
}  // namespace kyc::domain
