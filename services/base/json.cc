#include "services/base/json.h"

#include <rapidjson/document.h>
#include <rapidjson/error/error.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>

#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <unordered_set>
#include <utility>

namespace kyc::base {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// What stands behind the backslash for each ASCII byte: 0 as it is, 'u' for
// \u00xx.
constexpr std::array<char, 128> kEscapes = [] {
  std::array<char, 128> escapes{};
  for (int c = 0; c < 0x20; ++c) escapes[c] = 'u';
  escapes['\b'] = 'b';
  escapes['\f'] = 'f';
  escapes['\n'] = 'n';
  escapes['\r'] = 'r';
  escapes['\t'] = 't';
  escapes['"'] = '"';
  escapes['\\'] = '\\';
  escapes[0x7f] = 'u';
  return escapes;
}();

// Length of the valid UTF-8 sequence at the front of `text`, or 0.
size_t SequenceLength(std::string_view text) {
  const auto byte = [&](size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const auto tail = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned c = byte(0);
  if (c < 0x80) return 1;
  if (c >= 0xc2 && c <= 0xdf) return tail(1) ? 2 : 0;
  if (c >= 0xe0 && c <= 0xef) {
    const unsigned low = c == 0xe0 ? 0xa0 : 0x80;
    const unsigned high = c == 0xed ? 0x9f : 0xbf;
    return byte(1) >= low && byte(1) <= high && tail(2) ? 3 : 0;
  }
  if (c >= 0xf0 && c <= 0xf4) {
    const unsigned low = c == 0xf0 ? 0x90 : 0x80;
    const unsigned high = c == 0xf4 ? 0x8f : 0xbf;
    return byte(1) >= low && byte(1) <= high && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

void AppendEscaped(std::string_view text, std::string* out) {
  out->push_back('"');
  size_t begin = 0;  // Of the run that is copied as it is.
  for (size_t i = 0; i < text.size();) {
    const unsigned char c = text[i];
    if (c < 0x80) {
      if (kEscapes[c] == 0) {
        ++i;
        continue;
      }
      out->append(text, begin, i - begin);
      out->push_back('\\');
      out->push_back(kEscapes[c]);
      if (kEscapes[c] == 'u') {
        out->append("00");
        out->push_back(kHex[c >> 4]);
        out->push_back(kHex[c & 15]);
      }
      begin = ++i;
      continue;
    }
    const size_t length = SequenceLength(text.substr(i));
    if (length > 0) {
      i += length;
      continue;
    }
    out->append(text, begin, i - begin);
    out->append(kReplacement);
    begin = ++i;
  }
  out->append(text, begin, text.size() - begin);
  out->push_back('"');
}

using Value = rapidjson::Value;

const Value* ToValue(const void* node) {
  return static_cast<const Value*>(node);
}

// Builds the document while it watches what RapidJSON does not: depth and
// repeated keys.
class Builder {
 public:
  Builder(rapidjson::Document& document, int max_depth)
      : document_(document), max_depth_(max_depth) {}

  bool Null() { return document_.Null(); }
  bool Bool(bool value) { return document_.Bool(value); }
  bool Int(int value) { return document_.Int(value); }
  bool Uint(unsigned value) { return document_.Uint(value); }
  bool Int64(int64_t value) { return document_.Int64(value); }
  bool Uint64(uint64_t value) { return document_.Uint64(value); }
  bool Double(double value) {
    return std::isfinite(value) && document_.Double(value);
  }
  bool RawNumber(const char*, rapidjson::SizeType, bool) { return false; }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    return document_.String(text, size, true);
  }
  bool StartObject() {
    keys_.emplace_back();
    return Deeper() && document_.StartObject();
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    return keys_.back().emplace(text, size).second &&
           document_.Key(text, size, true);
  }
  bool EndObject(rapidjson::SizeType members) {
    keys_.pop_back();
    --depth_;
    return document_.EndObject(members);
  }
  bool StartArray() { return Deeper() && document_.StartArray(); }
  bool EndArray(rapidjson::SizeType elements) {
    --depth_;
    return document_.EndArray(elements);
  }

 private:
  bool Deeper() { return ++depth_ <= max_depth_; }

  rapidjson::Document& document_;
  const int max_depth_;
  int depth_ = 0;
  std::vector<std::unordered_set<std::string>> keys_;
};

}  // namespace

void JsonWriter::Separate() {
  if (!first_ && !after_key_) out_->push_back(',');
  first_ = false;
  after_key_ = false;
}

JsonWriter& JsonWriter::BeginObject() {
  Separate();
  out_->push_back('{');
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::EndObject() {
  out_->push_back('}');
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::BeginArray() {
  Separate();
  out_->push_back('[');
  first_ = true;
  return *this;
}

JsonWriter& JsonWriter::EndArray() {
  out_->push_back(']');
  first_ = false;
  return *this;
}

JsonWriter& JsonWriter::Key(std::string_view key) {
  Separate();
  AppendEscaped(key, out_);
  out_->push_back(':');
  after_key_ = true;
  return *this;
}

JsonWriter& JsonWriter::String(std::string_view text) {
  Separate();
  AppendEscaped(text, out_);
  return *this;
}

JsonWriter& JsonWriter::Int(int64_t value) {
  Separate();
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out_->append(digits, end - digits);
  return *this;
}

JsonWriter& JsonWriter::Double(double value) {
  if (!std::isfinite(value)) return Null();  // JSON has neither NaN nor Inf.
  Separate();
  char digits[40];
  const auto end = std::to_chars(digits, digits + sizeof(digits), value).ptr;
  out_->append(digits, end - digits);
  return *this;
}

JsonWriter& JsonWriter::Bool(bool value) {
  Separate();
  out_->append(value ? "true" : "false");
  return *this;
}

JsonWriter& JsonWriter::Null() {
  Separate();
  out_->append("null");
  return *this;
}

JsonWriter& JsonWriter::Raw(std::string_view json) {
  Separate();
  out_->append(json);
  return *this;
}

struct JsonDocument::Impl {
  rapidjson::Document document;
};

JsonDocument::JsonDocument(std::unique_ptr<Impl> impl)
    : impl_(std::move(impl)) {}
JsonDocument::JsonDocument(JsonDocument&&) noexcept = default;
JsonDocument& JsonDocument::operator=(JsonDocument&&) noexcept = default;
JsonDocument::~JsonDocument() = default;

absl::StatusOr<JsonDocument> JsonDocument::Parse(std::string_view text) {
  return Parse(text, Limits());
}

absl::StatusOr<JsonDocument> JsonDocument::Parse(std::string_view text,
                                                 const Limits& limits) {
  if (text.size() > limits.max_bytes) {
    return absl::InvalidArgumentError("JSON text is too large");
  }
  // RapidJSON takes a NUL for the end of its input.
  if (text.find('\0') != std::string_view::npos) {
    return absl::InvalidArgumentError("JSON text holds a NUL");
  }
  auto impl = std::make_unique<Impl>();
  rapidjson::MemoryStream bytes(text.data(), text.size());
  rapidjson::EncodedInputStream<rapidjson::UTF8<>, rapidjson::MemoryStream>
      stream(bytes);
  rapidjson::Reader reader;
  bool well_formed = false;
  // The document takes the events of a generator as its content.
  auto generate = [&](rapidjson::Document& document) {
    Builder builder(document, limits.max_depth);
    well_formed =
        !reader
             .Parse<rapidjson::kParseIterativeFlag |
                    rapidjson::kParseValidateEncodingFlag |
                    rapidjson::kParseFullPrecisionFlag>(stream, builder)
             .IsError();
    return well_formed;
  };
  impl->document.Populate(generate);
  if (!well_formed) {
    return absl::InvalidArgumentError(
        "not one JSON value, too deep, or a key stands twice");
  }
  return JsonDocument(std::move(impl));
}

JsonValue JsonDocument::root() const {
  return JsonValue(static_cast<const Value*>(&impl_->document));
}

bool JsonValue::IsNull() const {
  return node_ != nullptr && ToValue(node_)->IsNull();
}
bool JsonValue::IsObject() const {
  return node_ != nullptr && ToValue(node_)->IsObject();
}
bool JsonValue::IsArray() const {
  return node_ != nullptr && ToValue(node_)->IsArray();
}

JsonValue JsonValue::operator[](std::string_view key) const {
  if (!IsObject()) return JsonValue();
  const Value& object = *ToValue(node_);
  const Value name(rapidjson::StringRef(
      key.data(), static_cast<rapidjson::SizeType>(key.size())));
  const auto it = object.FindMember(name);
  return it == object.MemberEnd() ? JsonValue() : JsonValue(&it->value);
}

std::vector<JsonValue> JsonValue::Elements() const {
  std::vector<JsonValue> elements;
  if (!IsArray()) return elements;
  for (const Value& element : ToValue(node_)->GetArray()) {
    elements.push_back(JsonValue(&element));
  }
  return elements;
}

std::vector<std::pair<std::string_view, JsonValue>> JsonValue::Members() const {
  std::vector<std::pair<std::string_view, JsonValue>> members;
  if (!IsObject()) return members;
  for (const auto& member : ToValue(node_)->GetObject()) {
    members.emplace_back(std::string_view(member.name.GetString(),
                                          member.name.GetStringLength()),
                         JsonValue(&member.value));
  }
  return members;
}

std::optional<std::string_view> JsonValue::AsString() const {
  if (node_ == nullptr || !ToValue(node_)->IsString()) return std::nullopt;
  return std::string_view(ToValue(node_)->GetString(),
                          ToValue(node_)->GetStringLength());
}

std::optional<int64_t> JsonValue::AsInt() const {
  if (node_ == nullptr || !ToValue(node_)->IsInt64()) return std::nullopt;
  return ToValue(node_)->GetInt64();
}

std::optional<bool> JsonValue::AsBool() const {
  if (node_ == nullptr || !ToValue(node_)->IsBool()) return std::nullopt;
  return ToValue(node_)->GetBool();
}

}  // namespace kyc::base
