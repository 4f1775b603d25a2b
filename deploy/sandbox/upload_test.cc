#include "deploy/sandbox/upload.h"

#include <string>

#include "deploy/sandbox/multipart.h"
#include "gtest/gtest.h"

namespace kyc::sandbox {
namespace {

using std::string_literals::operator""s;

constexpr char kType[] = "multipart/form-data; boundary=B";
constexpr char kMetadata[] = R"({"idDocType":"PASSPORT","country":"GBR"})";
const std::string kJpeg = "\xff\xd8\xff\xe0\0\x10JFIF\0\r\n--\xff\xd9"s;

std::string PartOf(const std::string& head, const std::string& data) {
  return "--B\r\n" + head + "\r\n\r\n" + data + "\r\n";
}

std::string Named(const std::string& name) {
  return "Content-Disposition: form-data; name=\"" + name + "\"";
}

std::string Body(const std::string& metadata, const std::string& file,
                 const std::string& mime,
                 const std::string& filename = "a.jpg") {
  return PartOf(Named("metadata"), metadata) +
         PartOf(Named("content") + "; filename=\"" + filename +
                    "\"\r\nContent-Type: " + mime,
                file) +
         "--B--\r\n";
}

TEST(Multipart, GivesBytesBackUntouched) {
  const std::string body = Body(kMetadata, kJpeg, "image/jpeg; q=1");
  const auto parts = ParseMultipart(kType, body);
  ASSERT_TRUE(parts.ok()) << parts.status();
  ASSERT_EQ(parts->size(), 2u);
  EXPECT_EQ((*parts)[0].name, "metadata");
  EXPECT_FALSE((*parts)[0].filename.has_value());
  EXPECT_EQ((*parts)[1].data, kJpeg);
  EXPECT_EQ((*parts)[1].filename, "a.jpg");
  EXPECT_EQ((*parts)[1].content_type, "image/jpeg");
}

TEST(Multipart, TakesQuotedBoundariesAndEmptyParts) {
  const std::string body = "--x y\r\n" + Named("a") + "\r\n\r\n\r\n--x y--";
  const auto parts =
      ParseMultipart("Multipart/Form-Data; boundary=\"x y\"", body);
  ASSERT_TRUE(parts.ok()) << parts.status();
  EXPECT_EQ((*parts)[0].data, "");
}

TEST(Multipart, RefusesWhatALenientServerWouldRepair) {
  const std::string part = PartOf(Named("a"), "x");
  for (const std::string& body :
       {""s, "--B--\r\n"s, "preamble\r\n" + part + "--B--\r\n",
        part + "--B--\r\nepilogue", part, part + part + "--B--\r\n",
        "--B\n" + Named("a") + "\n\nx\n--B--\n",
        PartOf("Content-Type: text/plain", "x") + "--B--\r\n",
        PartOf("Content-Disposition: attachment; name=\"a\"", "x") +
            "--B--\r\n",
        PartOf(Named("a") + "\r\nContent-Transfer-Encoding: base64", "x") +
            "--B--\r\n",
        PartOf("Content-Disposition: form-data; name=\"a", "x") + "--B--\r\n",
        "--BAD" + part.substr(3) + "--B--\r\n"}) {
    EXPECT_FALSE(ParseMultipart(kType, body).ok()) << body;
  }
  const std::string right = part + "--B--\r\n";
  EXPECT_TRUE(ParseMultipart(kType, right).ok());
  for (const std::string& type :
       {"multipart/form-data"s, "multipart/mixed; boundary=B"s,
        "multipart/form-data; boundary="s, "application/json"s,
        "multipart/form-data; boundary=" + std::string(71, 'B')}) {
    EXPECT_FALSE(ParseMultipart(type, right).ok()) << type;
  }
}

// 0 for an upload that is taken, else errorCode, or the HTTP status where
// there is none.
int CodeOf(const std::string& body, bool accept_webp = false) {
  DocumentUpload upload;
  const Refusal refusal = ParseUpload(kType, body, accept_webp, &upload);
  if (!refusal) return 0;
  return refusal->error_code != 0 ? refusal->error_code : refusal->http_status;
}

TEST(Upload, ReadsMetadataAndFile) {
  DocumentUpload upload;
  const std::string body = Body(R"({"idDocType":"ID_CARD","country":"GBR",)"
                                R"("idDocSubType":"BACK_SIDE","number":"1"})",
                                kJpeg, "image/jpeg");
  ASSERT_FALSE(ParseUpload(kType, body, false, &upload).has_value());
  EXPECT_EQ(upload.document_type, "ID_CARD");
  EXPECT_EQ(upload.sub_type, "BACK_SIDE");
  EXPECT_EQ(upload.country, "GBR");
  EXPECT_EQ(upload.mime, "image/jpeg");
  EXPECT_EQ(upload.bytes, kJpeg);
  ASSERT_EQ(upload.fields.size(), 1u);
  EXPECT_EQ(upload.fields[0].second, "1");
}

TEST(Upload, ChecksTheFileAgainstItsType) {
  EXPECT_EQ(CodeOf(Body(kMetadata, kJpeg, "application/octet-stream")), 0);
  EXPECT_EQ(CodeOf(Body(kMetadata, "%PDF-1.7 x", "application/pdf")), 0);
  EXPECT_EQ(CodeOf(Body(kMetadata, "", "image/jpeg")), 1003);
  EXPECT_EQ(CodeOf(Body(kMetadata, "not a jpeg", "image/jpeg")), 1004);
  EXPECT_EQ(CodeOf(Body(kMetadata, kJpeg, "image/png")), 1004);
  EXPECT_EQ(CodeOf(Body(kMetadata, "GIF89a", "image/gif")), 1005);
  EXPECT_EQ(CodeOf(Body(kMetadata, "hello", "application/octet-stream")), 1005);
  EXPECT_EQ(
      CodeOf(Body(kMetadata, "%PDF-1.7 /Encrypt 1 0 R", "application/pdf")),
      1011);
  EXPECT_EQ(CodeOf(Body(kMetadata, kJpeg, "image/jpeg", "")), 400);
}

TEST(Upload, TakesWebpOnlyWhereToldTo) {
  const std::string webp = "RIFF\x10\0\0\0WEBPVP8 "s;
  EXPECT_EQ(CodeOf(Body(kMetadata, webp, "image/webp")), 1005);
  EXPECT_EQ(CodeOf(Body(kMetadata, webp, "image/webp"), true), 0);
}

TEST(Upload, RefusesAFileOver64Megabytes) {
  std::string file = kJpeg;
  file.resize(kMaxFileBytes + 1);
  EXPECT_EQ(CodeOf(Body(kMetadata, file, "image/jpeg")), 1002);
}

TEST(Upload, ChecksMetadata) {
  for (const char* metadata :
       {"", "[]", "{}", R"({"idDocType":"PASSPORT"})",
        R"({"idDocType":"passport","country":"GBR"})",
        R"({"idDocType":"PASSPORT","country":"gb"})",
        R"({"idDocType":"PASSPORT","country":"GBR","idDocSubType":"LEFT"})",
        R"({"idDocType":"PASSPORT","country":7})"}) {
    EXPECT_EQ(CodeOf(Body(metadata, kJpeg, "image/jpeg")), 400) << metadata;
  }
  EXPECT_EQ(CodeOf(Body(R"({"idDocType":"PASSPORT","country":"GBR",)"
                        R"("idDocSubType":null})",
                        kJpeg, "image/jpeg")),
            0);
}

TEST(Upload, KnowsItsParts) {
  EXPECT_EQ(CodeOf(PartOf(Named("metadata"), kMetadata) + "--B--\r\n"), 0);
  EXPECT_EQ(CodeOf(PartOf(Named("content") + "; filename=\"a\"", kJpeg) +
                   "--B--\r\n"),
            400);
  EXPECT_EQ(CodeOf(PartOf(Named("metadata"), kMetadata) +
                   PartOf(Named("file"), kJpeg) + "--B--\r\n"),
            400);
}

}  // namespace
}  // namespace kyc::sandbox
