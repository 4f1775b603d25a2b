#include "gateway/http/multipart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace kyc::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Event = MultipartParser::Event;

// A part with its whole body.
struct Whole {
  std::string name;
  std::string file_name = "-";  // "-": none.
  std::string content_type = "-";
  std::string data;
  bool operator==(const Whole&) const = default;
};

void PrintTo(const Whole& part, std::ostream* out) {
  *out << part.name << "|" << part.file_name << "|" << part.content_type << "|"
       << ::testing::PrintToString(part.data);
}

struct Outcome {
  absl::Status status;
  std::vector<Whole> parts;
  bool open = false;  // The last part has not ended.
  bool operator==(const Outcome&) const = default;
};

// Feeds `body` in pieces of the sizes given, over and over.
Outcome Parse(std::string_view boundary, std::string_view body,
              const std::vector<size_t>& sizes = {SIZE_MAX}) {
  Outcome outcome;
  MultipartParser parser(boundary);
  size_t turn = 0;
  while (!body.empty()) {
    const size_t size = std::max<size_t>(1, sizes[turn++ % sizes.size()]);
    // A copy, so that a sanitizer sees who keeps a view of a piece.
    const std::string piece(body.substr(0, size));
    body.remove_prefix(piece.size());
    std::string_view rest = piece;
    while (true) {
      const absl::StatusOr<Event> event = parser.Next(&rest);
      if (!event.ok()) {
        outcome.status = event.status();
        EXPECT_EQ(parser.Finish(), outcome.status);
        EXPECT_EQ(parser.Next(&rest).status(), outcome.status);
        return outcome;
      }
      if (*event == Event::kNeedMore) {
        EXPECT_TRUE(rest.empty());
        break;
      }
      if (*event == Event::kPart) {
        EXPECT_FALSE(outcome.open);
        outcome.open = true;
        const MultipartParser::Part& part = parser.part();
        outcome.parts.push_back({part.name, part.file_name.value_or("-"),
                                 part.content_type.value_or("-"), ""});
      } else if (*event == Event::kData) {
        EXPECT_TRUE(outcome.open);
        EXPECT_FALSE(parser.data().empty());
        outcome.parts.back().data += parser.data();
      } else {
        EXPECT_TRUE(outcome.open);
        outcome.open = false;
      }
    }
  }
  outcome.status = parser.Finish();
  return outcome;
}

std::string Field(std::string_view name, std::string_view data) {
  return "--B\r\nContent-Disposition: form-data; name=\"" + std::string(name) +
         "\"\r\n\r\n" + std::string(data) + "\r\n";
}

// One part "a" with this head line after its disposition.
Outcome ParseHead(std::string_view line) {
  return Parse("B", "--B\r\n" + std::string(line) + "\r\n\r\nx\r\n--B--\r\n");
}

// The only part's file name for one Content-Disposition.
std::string FileName(std::string_view parameter) {
  const Outcome outcome = ParseHead(
      "Content-Disposition: form-data; name=\"a\"; " + std::string(parameter));
  if (!outcome.status.ok()) return "error";
  return outcome.parts.front().file_name;
}

const char kJpeg[] = "\xFF\xD8\xFF";

TEST(MultipartBoundaryTest, ReadsContentTypes) {
  const std::pair<const char*, const char*> cases[] = {
      {"multipart/form-data; boundary=abc", "abc"},
      {"Multipart/Form-Data;boundary=\"a b\"; charset=utf-8", "a b"},
      {"multipart/form-data; charset=utf-8; BOUNDARY=abc;", "abc"},
      {"multipart/form-data; boundary=----=_Part_1_2.3", "----=_Part_1_2.3"},
      {"multipart/form-data; boundary=\"'()+_,-./:=?\"", "'()+_,-./:=?"}};
  for (const auto& [text, boundary] : cases) {
    EXPECT_TRUE(IsMultipartFormData(text));
    EXPECT_EQ(MultipartBoundary(text).value(), boundary) << text;
  }
  const std::string type = "multipart/form-data; boundary=";
  EXPECT_TRUE(MultipartBoundary(type + std::string(70, 'x')).ok());
  for (const std::string& bad :
       {std::string("multipart/form-data"), type, type + "\"\"",
        type + std::string(71, 'x'), type + "\"a \"", type + "\"a",
        type + "a@b", type + "\"a\rb\"", type + "a; boundary=b",
        type + "\xC3\xA9", type + "\"a\"b"}) {
    EXPECT_EQ(MultipartBoundary(bad).status().code(),
              absl::StatusCode::kInvalidArgument)
        << bad;
  }
  EXPECT_FALSE(IsMultipartFormData("multipart/mixed; boundary=a"));
  EXPECT_FALSE(IsMultipartFormData("application/json"));
  EXPECT_FALSE(IsMultipartFormData(""));
}

// Bodies as these clients have sent them.
struct Recorded {
  const char* client;
  std::string content_type;
  std::string body;
  std::vector<Whole> parts;
};

std::vector<Recorded> Recordings() {
  const Whole type = {"document_type", "-", "-", "PASSPORT"};
  const auto file = [](const char* name, const char* media = "image/jpeg") {
    return Whole{"file", name, media, kJpeg};
  };
  return {
      {"curl 7.88",
       "multipart/form-data; boundary=------------------------c5f1007655b14a99",
       "--------------------------c5f1007655b14a99\r\nContent-Disposition: "
       "form-data; name=\"document_type\"\r\n\r\nPASSPORT\r\n"
       "--------------------------c5f1007655b14a99\r\nContent-Disposition: "
       "form-data; name=\"file\"; filename=\"p.jpg\"\r\nContent-Type: "
       "image/jpeg\r\n\r\n\xFF\xD8\xFF\r\n"
       "--------------------------c5f1007655b14a99--\r\n",
       {type, file("p.jpg")}},
      {"python-requests 2.34",
       "multipart/form-data; boundary=ad288f894609843a94837a2befd0b474",
       "--ad288f894609843a94837a2befd0b474\r\nContent-Disposition: form-data; "
       "name=\"document_type\"\r\n\r\nPASSPORT\r\n"
       "--ad288f894609843a94837a2befd0b474\r\nContent-Disposition: form-data; "
       "name=\"file\"; filename=\"pass%22\xC3\xA9\\.jpg\"\r\nContent-Type: "
       "image/jpeg\r\n\r\n\xFF\xD8\xFF\r\n"
       "--ad288f894609843a94837a2befd0b474--\r\n",
       {type, file("pass\"\xC3\xA9\\.jpg")}},
      {"python-requests without a type",
       "multipart/form-data; boundary=746dd61ec541fa5277f6ba1a16493c7f",
       "--746dd61ec541fa5277f6ba1a16493c7f\r\nContent-Disposition: form-data; "
       "name=\"document_type\"\r\n\r\nPASSPORT\r\n"
       "--746dd61ec541fa5277f6ba1a16493c7f\r\nContent-Disposition: form-data; "
       "name=\"file\"; filename=\"p.jpg\"\r\n\r\n\xFF\xD8\xFF\r\n"
       "--746dd61ec541fa5277f6ba1a16493c7f--\r\n",
       {type, file("p.jpg", "-")}},
      {"Node 20 (undici)",
       "multipart/form-data; boundary=----formdata-undici-024773515551",
       "------formdata-undici-024773515551\r\nContent-Disposition: form-data; "
       "name=\"document_type\"\r\n\r\nPASSPORT\r\n"
       "------formdata-undici-024773515551\r\nContent-Disposition: form-data; "
       "name=\"file\"; filename=\"pass%22\xC3\xA9\\.jpg\"\r\nContent-Type: "
       "image/jpeg\r\n\r\n\xFF\xD8\xFF\r\n"
       "------formdata-undici-024773515551--\r\n",
       {type, file("pass\"\xC3\xA9\\.jpg")}},
      {"Node 18 (undici), no line end at the end",
       "multipart/form-data; boundary=----formdata-undici-0.4",
       "------formdata-undici-0.4\r\nContent-Disposition: form-data; "
       "name=\"document_type\"\r\n\r\nPASSPORT\r\n"
       "------formdata-undici-0.4--",
       {type}},
      {"Chrome, Safari",
       "multipart/form-data; boundary=----WebKitFormBoundary7MA4YWxkTrZu0gW",
       "------WebKitFormBoundary7MA4YWxkTrZu0gW\r\nContent-Disposition: "
       "form-data; name=\"document_type\"\r\n\r\nPASSPORT\r\n"
       "------WebKitFormBoundary7MA4YWxkTrZu0gW\r\nContent-Disposition: "
       "form-data; name=\"file\"; filename=\"a%22b.jpg\"\r\nContent-Type: "
       "image/jpeg\r\n\r\n\xFF\xD8\xFF\r\n"
       "------WebKitFormBoundary7MA4YWxkTrZu0gW--\r\n",
       {type, file("a\"b.jpg")}},
      {"Firefox",
       "multipart/form-data; "
       "boundary=---------------------------9051914041544843365972754266",
       "-----------------------------9051914041544843365972754266\r\n"
       "Content-Disposition: form-data; name=\"document_type\"\r\n\r\n"
       "PASSPORT\r\n"
       "-----------------------------9051914041544843365972754266\r\n"
       "Content-Disposition: form-data; name=\"file\"; "
       "filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
       "\xFF\xD8\xFF\r\n"
       "-----------------------------9051914041544843365972754266--\r\n",
       {type, file("a.jpg")}},
      {"OkHttp 4",
       "multipart/form-data; boundary=5e7e8c1a-1b62-4b0e-a0b6-6b9a8c3f3d11",
       "--5e7e8c1a-1b62-4b0e-a0b6-6b9a8c3f3d11\r\nContent-Disposition: "
       "form-data; name=\"document_type\"\r\nContent-Length: 8\r\n\r\n"
       "PASSPORT\r\n--5e7e8c1a-1b62-4b0e-a0b6-6b9a8c3f3d11\r\n"
       "Content-Disposition: form-data; name=\"file\"; filename=\"a%22b.jpg\""
       "\r\nContent-Type: image/jpeg\r\nContent-Length: 3\r\n\r\n"
       "\xFF\xD8\xFF\r\n--5e7e8c1a-1b62-4b0e-a0b6-6b9a8c3f3d11--\r\n",
       {type, file("a\"b.jpg")}},
      {"an old curl, quoting with backslashes",
       "multipart/form-data; boundary=b",
       "--b\r\nContent-Disposition: form-data; name=\"file\"; "
       "filename=\"a\\\"b\\\\c.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
       "\xFF\xD8\xFF\r\n--b--\r\n",
       {file("a\"b\\c.jpg")}},
  };
}

TEST(MultipartParserTest, TakesWhatClientsSend) {
  for (const Recorded& one : Recordings()) {
    const std::string boundary = MultipartBoundary(one.content_type).value();
    for (const size_t size : {SIZE_MAX, size_t{1}, size_t{7}}) {
      const Outcome outcome = Parse(boundary, one.body, {size});
      EXPECT_TRUE(outcome.status.ok()) << one.client << outcome.status;
      EXPECT_EQ(outcome.parts, one.parts) << one.client;
      EXPECT_FALSE(outcome.open);
    }
  }
}

TEST(MultipartParserTest, ATruncatedBodyIsAnError) {
  for (const Recorded& one : Recordings()) {
    const std::string boundary = MultipartBoundary(one.content_type).value();
    const size_t whole = one.body.rfind("--") + 2;
    for (size_t size = 0; size < whole; ++size) {
      EXPECT_FALSE(Parse(boundary, one.body.substr(0, size)).status.ok())
          << one.client << " " << size;
    }
  }
}

TEST(MultipartParserTest, TellsTheBoundaryFromContent) {
  for (const std::string data :
       {"", "\r\n", "\r\n--", "\r\n--B", "--B", "--B--", "\r", "\r\r\n--A",
        "\r\n--BB", "\r\n--B-", "\r\n--B-x", "\r\n--Bx--\r\n", "\r\n\r\n--C",
        "\n--B\r\n", "\r\n-", "-", "x\r\n--B-\r", "\r\n--\r\n--\r\n--"}) {
    // What would be a delimiter is one.
    if (data == "\r\n--B" || data == "--B" || data == "--B--") continue;
    const std::string body = Field("a", data) + Field("b", "2") + "--B--\r\n";
    for (const size_t size : {SIZE_MAX, size_t{1}, size_t{2}, size_t{3}}) {
      const Outcome outcome = Parse("B", body, {size});
      ASSERT_TRUE(outcome.status.ok()) << outcome.status << data;
      EXPECT_THAT(outcome.parts, ElementsAre(Whole{"a", "-", "-", data},
                                             Whole{"b", "-", "-", "2"}));
    }
  }
}

TEST(MultipartParserTest, ReadsTheFrameAsTheRfcHasIt) {
  // Preamble, padding, epilogue, a part without body.
  const Outcome outcome = Parse(
      "B",
      "This is a message.\r\n--B \t\r\ncontent-disposition:form-data;name=a\r\n"
      "\r\n--B\r\nContent-Disposition: form-data; name=b\r\nX-Other: 1\r\n\r\n"
      "2\r\n--B--  \r\nThe end.\n");
  ASSERT_TRUE(outcome.status.ok()) << outcome.status;
  EXPECT_THAT(outcome.parts,
              ElementsAre(Whole{"a", "-", "-", ""}, Whole{"b", "-", "-", "2"}));
  for (const char* empty :
       {"--B--", "--B--\r\n", "\r\n--B--\r\n", "x\r\n--B--"}) {
    EXPECT_TRUE(Parse("B", empty).status.ok()) << empty;
    EXPECT_THAT(Parse("B", empty).parts, IsEmpty());
  }
  for (const char* bad :
       {"", "\r\n", "--B", "--B\r\n", "--B-", "--B--\r", "--B--x", "--B--\n",
        "--B--\rx", "x--B--", "--B\nX: 1\n\n1\n--B--\n", "--B x\r\n", "--B\rx",
        "--B\r\n\r\n--B--", "--B\r\n--B--", "--C\r\n\r\n--C--"}) {
    EXPECT_FALSE(Parse("B", bad).status.ok()) << bad;
  }
}

TEST(MultipartParserTest, ReadsFileNames) {
  EXPECT_EQ(FileName("filename=\"a.jpg\""), "a.jpg");
  EXPECT_EQ(FileName("filename=a.jpg"), "a.jpg");
  EXPECT_EQ(FileName("FileName=\"\""), "");
  EXPECT_EQ(FileName("filename=\"a;b=c.jpg\""), "a;b=c.jpg");
  EXPECT_EQ(FileName("filename=\"C:\\dir\\x.jpg\""), "C:\\dir\\x.jpg");
  EXPECT_EQ(FileName("filename=\"a\\\"b%22.jpg\""), "a\"b\".jpg");
  EXPECT_EQ(FileName("filename=\"100%.jpg\""), "100%.jpg");
  EXPECT_EQ(FileName("filename=\"a%0D%0A.jpg\""), "a%0D%0A.jpg");
  EXPECT_EQ(FileName("filename*=utf-8''%c3%a9.jpg"), "\xC3\xA9.jpg");
  EXPECT_EQ(FileName("filename*=UTF-8'en'a.jpg; filename=b.jpg"), "b.jpg");
  for (const char* bad :
       {"filename=\"a", "filename=\"a\" x", "filename=a; filename=b",
        "filename*=latin1''a", "filename*=utf-8''%FF", "filename*=a",
        "file name=a", "filename", "=a", "name=b"}) {
    EXPECT_EQ(FileName(bad), "error") << bad;
  }
}

TEST(MultipartParserTest, RefusesBadHeads) {
  const std::string good = "Content-Disposition: form-data; name=\"a\"";
  EXPECT_TRUE(ParseHead(good).status.ok());
  EXPECT_TRUE(ParseHead(good + "\r\nContent-Type:  a/b; c=d ").status.ok());
  for (const std::string& bad :
       {std::string("Content-Type: a/b"), std::string("no colon"),
        std::string("Content-Disposition: form-data"),
        std::string("Content-Disposition: form-data; name=\"\""),
        std::string("Content-Disposition: attachment; name=a"),
        std::string("Content-Disposition : form-data; name=a"),
        std::string(": x"), " " + good, good + "\r\n folded",
        good + "\r\n" + good, good + "\r\nContent-Type: a\r\nContent-Type: a",
        good + "\nX: 1", good + "\r\nX: \x01", good + "\r\nX: a\rb",
        good + "\r\nX: " + std::string("\0", 1), good + "\r\nX: \x7F",
        std::string("Content-Disposition: form-data; name=\"a\nb\"")}) {
    EXPECT_EQ(ParseHead(bad).status.code(), absl::StatusCode::kInvalidArgument)
        << bad;
  }
}

TEST(MultipartParserTest, BoundsWhatItTakes) {
  const std::string good = "Content-Disposition: form-data; name=\"a\"\r\n";
  const auto with_fields = [&](int count) {
    std::string head = good;
    for (int i = 1; i < count; ++i) head += "X: 1\r\n";
    return ParseHead(head.substr(0, head.size() - 2)).status.ok();
  };
  EXPECT_TRUE(with_fields(MultipartParser::kMaxHeadFields));
  EXPECT_FALSE(with_fields(MultipartParser::kMaxHeadFields + 1));

  const auto with_head_bytes = [&](size_t size) {
    const std::string name = "X: ";
    const size_t others = good.size() + name.size() + 4;
    return ParseHead(good + name + std::string(size - others, 'x')).status.ok();
  };
  EXPECT_TRUE(with_head_bytes(MultipartParser::kMaxHeadBytes));
  EXPECT_FALSE(with_head_bytes(MultipartParser::kMaxHeadBytes + 1));

  const auto with_parts = [&](int count) {
    std::string body;
    for (int i = 0; i < count; ++i) body += Field("a", "");
    return Parse("B", body + "--B--").status.ok();
  };
  EXPECT_TRUE(with_parts(MultipartParser::kMaxParts));
  EXPECT_FALSE(with_parts(MultipartParser::kMaxParts + 1));
  EXPECT_FALSE(with_parts(1000));

  const std::string most(MultipartParser::kMaxOutside, 'x');
  EXPECT_TRUE(Parse("B", most + "\r\n--B--").status.ok());
  EXPECT_FALSE(Parse("B", most + "x\r\n--B--").status.ok());
  EXPECT_TRUE(Parse("B", "--B--\r\n" + most).status.ok());
  EXPECT_FALSE(Parse("B", "--B--\r\n" + most + "x").status.ok());
  EXPECT_FALSE(
      Parse("B", "--B" + std::string(most.size() + 1, ' ')).status.ok());
}

// Text in which everything that means something is likely.
rc::Gen<std::string> Soup() {
  return rc::gen::map(
      rc::gen::container<std::vector<std::string>>(
          rc::gen::elementOf(std::vector<std::string>{
              "\r",
              "\n",
              "-",
              "--",
              "B",
              "\r\n",
              "\r\n--B",
              "\r\n--B--",
              "\r\n--B\r\n",
              "\r\n--B-",
              " ",
              "\t",
              "x",
              "\r\n\r\n",
              ":",
              ";",
              "\"",
              "\\",
              std::string(1, '\0'),
              "Content-Disposition: form-data; name=a\r\n\r\n"})),
      [](const std::vector<std::string>& words) {
        std::string text;
        for (const std::string& word : words) text += word;
        return text;
      });
}

RC_GTEST_PROP(MultipartParserProperty, PiecesMakeNoDifference, ()) {
  const std::string start = *rc::gen::elementOf(std::vector<std::string>{
      "", "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n"});
  const std::string body = start + *Soup();
  const auto sizes = *rc::gen::nonEmpty(
      rc::gen::container<std::vector<size_t>>(rc::gen::inRange(1, 40)));
  const Outcome whole = Parse("B", body);
  Outcome pieces = Parse("B", body, sizes);
  if (!whole.status.ok() && whole.open && pieces.open &&
      !pieces.parts.empty()) {
    // Of a part that never ends some bytes may or may not be out yet.
    RC_ASSERT(whole.parts.size() == pieces.parts.size());
    pieces.parts.back().data = whole.parts.back().data;
  }
  RC_ASSERT(pieces == whole);
}

RC_GTEST_PROP(MultipartParserProperty, GivesBackWhatWasWritten, ()) {
  const auto contents = *rc::gen::container<std::vector<std::string>>(Soup());
  std::string body;
  std::vector<Whole> expected;
  for (std::string data : contents) {
    // A writer chooses a boundary that its contents do not hold.
    for (size_t at; (at = data.find("B")) != data.npos;) data[at] = 'C';
    if (expected.size() == MultipartParser::kMaxParts) break;
    body += Field("n", data);
    expected.push_back({"n", "-", "-", data});
  }
  const auto sizes = *rc::gen::nonEmpty(
      rc::gen::container<std::vector<size_t>>(rc::gen::inRange(1, 40)));
  const Outcome outcome = Parse("B", body + "--B--\r\n", sizes);
  RC_ASSERT(outcome.status.ok());
  RC_ASSERT(outcome.parts == expected);
}

}  // namespace
}  // namespace kyc::gateway
