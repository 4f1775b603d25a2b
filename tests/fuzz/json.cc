// JSON: what parses is UTF-8, has no key twice, and reads the same when it is
// written again.
#include "services/base/json.h"

#include <charconv>
#include <set>
#include <string>

#include "services/base/utf8.h"
#include "tests/fuzz/check.h"

namespace kyc::fuzz {
namespace {

using base::JsonDocument;
using base::JsonValue;
using base::JsonWriter;

constexpr int kDepth = 64;

void CheckNumber(JsonValue value) {
  const std::string_view text = *value.AsNumberText();
  FUZZ_CHECK(!text.empty());
  const std::optional<int64_t> number = value.AsInt();
  int64_t expected = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), expected);
  const bool is_int = error == std::errc() && end == text.data() + text.size();
  FUZZ_CHECK(number.has_value() == is_int);
  if (is_int) FUZZ_CHECK(*number == expected);
}

void Write(JsonValue value, int depth, JsonWriter* out) {
  FUZZ_CHECK(value.exists() && depth <= kDepth);
  if (value.IsObject()) {
    out->BeginObject();
    std::set<std::string_view> keys;
    for (const auto& [key, member] : value.Members()) {
      FUZZ_CHECK(keys.insert(key).second && base::IsUtf8(key));
      FUZZ_CHECK(value[key].exists());
      out->Key(key);
      Write(member, depth + 1, out);
    }
    out->EndObject();
  } else if (value.IsArray()) {
    out->BeginArray();
    for (const JsonValue& element : value.Elements()) {
      Write(element, depth + 1, out);
    }
    out->EndArray();
  } else if (const auto text = value.AsString()) {
    FUZZ_CHECK(base::IsUtf8(*text));
    out->String(*text);
  } else if (value.AsNumberText()) {
    CheckNumber(value);
    out->Raw(*value.AsNumberText());
  } else if (const auto flag = value.AsBool()) {
    out->Bool(*flag);
  } else {
    FUZZ_CHECK(value.IsNull());
    out->Null();
  }
}

std::string Write(const JsonDocument& document) {
  std::string text;
  JsonWriter writer(&text);
  Write(document.root(), 0, &writer);
  return text;
}

}  // namespace
}  // namespace kyc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kyc::fuzz;
  const std::string_view text = Text(data, size);
  const auto document = JsonDocument::Parse(text);
  const auto shallow = JsonDocument::Parse(text, {.max_depth = 3});
  const auto small = JsonDocument::Parse(text, {.max_bytes = 64});
  if (!document.ok()) {
    FUZZ_CHECK(!shallow.ok() && !small.ok());
    return 0;
  }
  FUZZ_CHECK(kyc::base::IsUtf8(text));
  FUZZ_CHECK(small.ok() == (size <= 64));
  const std::string written = Write(*document);
  const auto again = JsonDocument::Parse(written);
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(Write(*again) == written);
  if (shallow.ok()) FUZZ_CHECK(Write(*shallow) == written);
  return 0;
}
