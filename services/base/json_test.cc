#include "services/base/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <limits>

#include "services/base/utf8.h"

namespace kyc::base {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

bool Parses(std::string_view text) { return JsonDocument::Parse(text).ok(); }

JsonDocument Parse(std::string_view text) {
  absl::StatusOr<JsonDocument> document = JsonDocument::Parse(text);
  EXPECT_TRUE(document.ok()) << text << ": " << document.status();
  return document.ok() ? *std::move(document) : *JsonDocument::Parse("null");
}

std::string Written(std::string_view text) {
  std::string out;
  JsonWriter(&out).String(text);
  return out;
}

TEST(JsonWriter, PutsCommasWhereTheyBelong) {
  std::string out = "data: ";
  JsonWriter json(&out);
  json.BeginObject();
  json.Key("empty").BeginObject().EndObject();
  json.Key("list").BeginArray();
  json.Int(1).String("two").BeginArray().EndArray().BeginObject();
  json.Key("deep").Null().EndObject().Bool(true).EndArray();
  json.Key("raw").Raw("[1, 2]").Key("last").Bool(false);
  json.EndObject();
  EXPECT_EQ(out,
            "data: {\"empty\":{},\"list\":[1,\"two\",[],{\"deep\":null},true],"
            "\"raw\":[1, 2],\"last\":false}");
}

TEST(JsonWriter, WritesNumbersInFull) {
  std::string out;
  JsonWriter json(&out);
  json.BeginArray();
  json.Int(std::numeric_limits<int64_t>::min());
  json.Int(std::numeric_limits<int64_t>::max());
  json.Double(0.1).Double(1e300).Double(-2);
  json.Double(std::numeric_limits<double>::infinity());
  json.Double(std::numeric_limits<double>::quiet_NaN());
  json.EndArray();
  EXPECT_EQ(out,
            "[-9223372036854775808,9223372036854775807,0.1,1e+300,-2,null,"
            "null]");
  EXPECT_TRUE(Parses(out));
}

TEST(JsonWriter, Escapes) {
  EXPECT_EQ(Written("a\"b\\c/d"), "\"a\\\"b\\\\c/d\"");
  EXPECT_EQ(Written("\n\r\t\b"), "\"\\n\\r\\t\\u0008\"");
  EXPECT_EQ(Written(std::string_view("\0\x1f\x7f", 3)),
            "\"\\u0000\\u001f\x7f\"");
  EXPECT_EQ(Written("gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80"),
            "\"gr\xC3\xBC\xC3\x9F \xF0\x9F\x98\x80\"");
}

TEST(JsonWriter, ReplacesWhatIsNotUtf8) {
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(Written("a\xFFz"), "\"a" + mark + "z\"");
  EXPECT_EQ(Written("\xC3"), "\"" + mark + "\"");
  EXPECT_EQ(Written("\xC0\xAF"), "\"" + mark + mark + "\"");
  EXPECT_EQ(Written("\xED\xA0\x80"), "\"" + mark + mark + mark + "\"");
}

RC_GTEST_PROP(JsonWriter, AnyBytesGiveValidJson, (const std::string& text)) {
  const std::string out = Written(text);
  RC_ASSERT(IsUtf8(out));
  const auto document = JsonDocument::Parse(out);
  RC_ASSERT(document.ok());
  if (IsUtf8(text)) RC_ASSERT(document->root().AsString() == text);
}

TEST(Utf8, KnowsWhatIsWellFormed) {
  EXPECT_TRUE(IsUtf8(""));
  EXPECT_TRUE(IsUtf8("\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF"));
  EXPECT_TRUE(
      IsUtf8("\xED\x9F\xBF\xEE\x80\x80\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"));
  for (const char* wrong :
       {"\x80", "\xBF", "\xC1\x81", "\xC2", "\xC2\x41", "\xE0\x9F\x80",
        "\xE1\x80", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80", "\xF1\x80\x80", "\xFE"}) {
    EXPECT_FALSE(IsUtf8(wrong)) << testing::PrintToString(wrong);
  }
}

TEST(JsonDocument, ReadsAPath) {
  const JsonDocument document = Parse(
      R"({"review": {"status": "done", "tries": 2, "ok": true, "none": null},)"
      R"( "list": [1, [2, 3], {"a": 4}]})");
  const JsonValue root = document.root();
  EXPECT_TRUE(root.IsObject());
  EXPECT_EQ(root["review"]["status"].AsString(), "done");
  EXPECT_EQ(root["review"]["tries"].AsInt(), 2);
  EXPECT_EQ(root["review"]["ok"].AsBool(), true);
  EXPECT_TRUE(root["review"]["none"].IsNull());
  const std::vector<JsonValue> list = root["list"].Elements();
  ASSERT_EQ(list.size(), 3u);
  EXPECT_EQ(list[0].AsInt(), 1);
  EXPECT_EQ(list[1].Elements()[1].AsInt(), 3);
  EXPECT_EQ(list[2]["a"].AsInt(), 4);
}

TEST(JsonDocument, AbsentAndOtherTypesAreNothing) {
  const JsonDocument document = Parse(R"({"text": "1", "number": 1})");
  const JsonValue root = document.root();
  EXPECT_FALSE(root["no"]["such"]["path"].exists());
  EXPECT_FALSE(root["no"].IsNull());
  EXPECT_EQ(root["text"].AsInt(), std::nullopt);
  EXPECT_EQ(root["text"].AsBool(), std::nullopt);
  EXPECT_EQ(root["number"].AsString(), std::nullopt);
  EXPECT_EQ(root["number"]["x"].AsString(), std::nullopt);
  EXPECT_EQ(root["text"].AsNumberText(), std::nullopt);
  EXPECT_THAT(root["number"].Elements(), IsEmpty());
  EXPECT_THAT(root["number"].Members(), IsEmpty());
  EXPECT_EQ(root["number"].StringOr("none"), "none");
  EXPECT_FALSE(JsonValue().exists());
  EXPECT_EQ(JsonValue().AsBool(), std::nullopt);
}

TEST(JsonDocument, KeepsTheOrderOfMembers) {
  const JsonDocument document = Parse(R"({"b": {"x": [1]}, "a": 2, "": 3})");
  std::vector<std::string> keys;
  for (const auto& [key, value] : document.root().Members()) {
    keys.emplace_back(key);
  }
  EXPECT_THAT(keys, ElementsAre("b", "a", ""));
  EXPECT_EQ(document.root()[""].AsInt(), 3);
}

TEST(JsonDocument, Unescapes) {
  const JsonDocument document =
      Parse(R"({"\u006bey": "a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00\u0000z"})");
  EXPECT_EQ(
      document.root()["key"].AsString(),
      std::string_view("a\"\\/\b\f\n\r\t\xC3\xA9\xF0\x9F\x98\x80\0z", 17));
}

TEST(JsonDocument, IntegersAreExact) {
  const auto as_int = [](std::string_view text) {
    return Parse(text).root().AsInt();
  };
  EXPECT_EQ(as_int("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(as_int("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(as_int("-0"), 0);
  EXPECT_EQ(as_int("9223372036854775808"), std::nullopt);
  EXPECT_EQ(as_int("1.0"), std::nullopt);
  EXPECT_EQ(as_int("1e3"), std::nullopt);
}

TEST(JsonDocument, NumbersKeepTheirText) {
  const JsonDocument document = Parse(
      "[115792089237316195423570985008687907853269984665640564039457584007913"
      "129639935,-1.50e+7, 0 ]");
  const std::vector<JsonValue> numbers = document.root().Elements();
  ASSERT_EQ(numbers.size(), 3u);
  EXPECT_EQ(numbers[0].AsNumberText(),
            "115792089237316195423570985008687907853269984665640564039457584007"
            "913129639935");
  EXPECT_EQ(numbers[1].AsNumberText(), "-1.50e+7");
  EXPECT_EQ(numbers[2].AsNumberText(), "0");
}

TEST(JsonDocument, RefusesWhatIsNotJson) {
  for (const std::string_view text : {"",
                                      " ",
                                      "{",
                                      "}",
                                      "[1,]",
                                      "{\"a\":1,}",
                                      "{a:1}",
                                      "{'a':1}",
                                      "01",
                                      "+1",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "-",
                                      "NaN",
                                      "Infinity",
                                      "nul",
                                      "truefalse",
                                      "1 2",
                                      "{} {}",
                                      "[1]x",
                                      "\"\t\"",
                                      "\"",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "// c\n1",
                                      "{\"a\"}",
                                      "{\"a\":}",
                                      "{1:2}",
                                      "[1 2]",
                                      "\xEF\xBB\xBF{}"}) {
    EXPECT_FALSE(Parses(text)) << text;
  }
  EXPECT_FALSE(Parses(std::string_view("1\0", 2)));
  EXPECT_FALSE(Parses(std::string_view("{}\0{", 4)));
  EXPECT_TRUE(Parses(" \t\r\n{ } \n"));
}

TEST(JsonDocument, RefusesTextThatIsNotUtf8) {
  EXPECT_FALSE(Parses("\"\xFF\""));
  EXPECT_FALSE(Parses("{\"\xC0\xAF\":1}"));
  EXPECT_FALSE(Parses("\"\xED\xA0\x80\""));
  EXPECT_FALSE(Parses(R"("\ud800")"));
  EXPECT_FALSE(Parses(R"("\udc00")"));
  EXPECT_FALSE(Parses(R"("\ud800\u0041")"));
  EXPECT_FALSE(Parses(R"({"\udfff":1})"));
}

TEST(JsonDocument, RefusesRepeatedKeys) {
  EXPECT_FALSE(Parses(R"({"a":1,"a":1})"));
  EXPECT_FALSE(Parses(R"({"a":1,"b":{"a":2},"\u0061":3})"));
  EXPECT_FALSE(Parses(R"([{"x":{"k":1,"l":2,"k":3}}])"));
  EXPECT_TRUE(Parses(R"([{"a":{"a":{"a":1}}},{"a":1}])"));
}

TEST(JsonDocument, LimitsDepthAndSize) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(Parses(nested(64)));
  EXPECT_FALSE(Parses(nested(65)));
  EXPECT_FALSE(Parses(nested(500'000)));
  EXPECT_FALSE(Parses(std::string(1'000'000, '[')));
  const JsonDocument::Limits small = {.max_bytes = 4, .max_depth = 1};
  EXPECT_TRUE(JsonDocument::Parse("[12]", small).ok());
  EXPECT_FALSE(JsonDocument::Parse("[123]", small).ok());
  EXPECT_FALSE(JsonDocument::Parse("[[]]", small).ok());
}

// A quadratic search for repeated keys would take minutes here.
TEST(JsonDocument, BigObjectsAreNotSlow) {
  std::string text = "{";
  for (int i = 0; text.size() < 900'000; ++i) {
    text.append("\"").append(std::to_string(i)).append("\":1,");
  }
  EXPECT_TRUE(Parses(text + "\"x\":1}"));
  EXPECT_FALSE(Parses(text + "\"0\":1}"));
}

TEST(JsonDocument, ErrorsDoNotQuoteTheText) {
  const absl::Status status =
      JsonDocument::Parse(R"({"name": "Jane", "name": "Jane"})").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("a repeated key"));
  EXPECT_THAT(std::string(status.message()), Not(HasSubstr("ame")));
}

TEST(JsonDocument, MovesWithItsValues) {
  JsonDocument a = Parse(R"({"k": "v"})");
  const JsonValue value = a.root()["k"];
  JsonDocument b = std::move(a);
  EXPECT_EQ(value.AsString(), "v");
  EXPECT_EQ(b.root()["k"].AsString(), "v");
}

RC_GTEST_PROP(JsonDocument, AnyBytesAreSafe, (std::string text)) {
  // Also something near JSON, which random bytes seldom are.
  static const std::string kAlphabet = "{}[],:\"\\u0019eE+-. tfn\xED\xA0\x80";
  for (char& c : text) {
    if (static_cast<uint8_t>(c) % 4 != 0) {
      c = kAlphabet[static_cast<uint8_t>(c) % kAlphabet.size()];
    }
  }
  const auto document = JsonDocument::Parse(text);
  if (document.ok()) RC_ASSERT(document->root().exists());
}

}  // namespace
}  // namespace kyc::base
