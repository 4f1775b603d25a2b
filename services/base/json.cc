#include "services/base/json.h"

#include <rapidjson/error/en.h>
#include <rapidjson/reader.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/base/utf8.h"

namespace kyc::base {
namespace {

enum class Kind : uint8_t {
  kNull,
  kFalse,
  kTrue,
  kNumber,
  kString,
  kObject,
  kArray,
};

// One value. A document is its values in the order of their text, so a
// container's children follow it, and the next sibling is `nodes` further on.
struct Node {
  uint32_t key_at = 0;  // In an object: the member's name.
  uint32_t key_size = 0;
  uint32_t text_at = 0;  // Of a string or number.
  uint32_t text_size = 0;
  uint32_t nodes = 1;  // This one and all it contains.
  Kind kind = Kind::kNull;
};

std::string_view KeyOf(const char* text, const Node& node) {
  return {text + node.key_at, node.key_size};
}

const Node* AsNode(const void* node) { return static_cast<const Node*>(node); }

// Takes RapidJSON's events. A method's `false` ends the parse.
class Builder {
 public:
  Builder(const char* text, int max_depth, std::vector<Node>& nodes)
      : text_(text), max_depth_(max_depth), nodes_(nodes) {}

  // Why the builder ended the parse; nullptr if it did not.
  const char* problem() const { return problem_; }

  bool Null() { return Add(Kind::kNull); }
  bool Bool(bool value) { return Add(value ? Kind::kTrue : Kind::kFalse); }
  bool RawNumber(const char* digits, rapidjson::SizeType size, bool) {
    return Add(Kind::kNumber, digits, size);
  }
  bool String(const char* text, rapidjson::SizeType size, bool) {
    return CheckText(text, size) && Add(Kind::kString, text, size);
  }
  bool Key(const char* text, rapidjson::SizeType size, bool) {
    key_at_ = Offset(text);
    key_size_ = size;
    return CheckText(text, size);
  }
  bool StartObject() { return Open(Kind::kObject); }
  bool StartArray() { return Open(Kind::kArray); }
  bool EndObject(rapidjson::SizeType) { return CheckKeys() && Close(); }
  bool EndArray(rapidjson::SizeType) { return Close(); }

  // Never called: numbers come as RawNumber.
  bool Int(int) { return false; }
  bool Uint(unsigned) { return false; }
  bool Int64(int64_t) { return false; }
  bool Uint64(uint64_t) { return false; }
  bool Double(double) { return false; }

 private:
  uint32_t Offset(const char* text) const {
    return static_cast<uint32_t>(text - text_);
  }

  bool Fail(const char* problem) {
    problem_ = problem;
    return false;
  }

  // Checked after unescaping: RapidJSON lets \uDC00 alone through.
  bool CheckText(const char* text, size_t size) {
    return IsUtf8({text, size}) || Fail("text that is not UTF-8");
  }

  bool Add(Kind kind, const char* text = nullptr, uint32_t size = 0) {
    nodes_.push_back({.key_at = key_at_,
                      .key_size = key_size_,
                      .text_at = text == nullptr ? 0 : Offset(text),
                      .text_size = size,
                      .kind = kind});
    key_at_ = key_size_ = 0;
    return true;
  }

  bool Open(Kind kind) {
    if (open_.size() >= static_cast<size_t>(max_depth_)) {
      return Fail("nesting over the limit");
    }
    open_.push_back(nodes_.size());
    return Add(kind);
  }

  bool Close() {
    nodes_[open_.back()].nodes =
        static_cast<uint32_t>(nodes_.size() - open_.back());
    open_.pop_back();
    return true;
  }

  // Few keys are compared with each other; many are sorted, as the sender
  // chooses how many there are.
  bool CheckKeys() {
    constexpr size_t kFew = 16;
    keys_.clear();
    bool repeated = false;
    for (size_t i = open_.back() + 1; i < nodes_.size(); i += nodes_[i].nodes) {
      const std::string_view key = KeyOf(text_, nodes_[i]);
      if (keys_.size() < kFew) {
        repeated |= std::find(keys_.begin(), keys_.end(), key) != keys_.end();
      }
      keys_.push_back(key);
    }
    if (keys_.size() > kFew) {
      std::sort(keys_.begin(), keys_.end());
      repeated = std::adjacent_find(keys_.begin(), keys_.end()) != keys_.end();
    }
    return !repeated || Fail("a repeated key");
  }

  const char* const text_;
  const int max_depth_;
  std::vector<Node>& nodes_;
  std::vector<size_t> open_;  // Containers not closed yet.
  std::vector<std::string_view> keys_;
  uint32_t key_at_ = 0;  // Of the member whose value comes next.
  uint32_t key_size_ = 0;
  const char* problem_ = nullptr;
};

}  // namespace

struct JsonDocument::Impl {
  std::string text;  // Strings are unescaped in place.
  std::vector<Node> nodes;
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
  // Offsets have 32 bits.
  if (text.size() > std::min<size_t>(limits.max_bytes, UINT32_MAX)) {
    return absl::InvalidArgumentError("JSON: size over the limit");
  }
  // The in-place stream takes a NUL for the end of the text.
  if (text.find('\0') != text.npos) {
    return absl::InvalidArgumentError("JSON: a NUL byte");
  }
  auto impl = std::make_unique<Impl>();
  impl->text = text;
  constexpr size_t kFewNodes = 32;
  impl->nodes.reserve(std::min(text.size() / 2 + 1, kFewNodes));
  rapidjson::InsituStringStream stream(impl->text.data());
  rapidjson::Reader reader;
  Builder builder(impl->text.data(), limits.max_depth, impl->nodes);
  // The recursive parser: the builder ends it at max_depth. (RapidJSON 1.1's
  // iterative one computes with a null pointer, which UBSan reports.)
  const rapidjson::ParseResult result =
      reader.Parse<rapidjson::kParseInsituFlag |
                   rapidjson::kParseNumbersAsStringsFlag>(stream, builder);
  if (!result) {
    const char* problem = builder.problem() != nullptr
                              ? builder.problem()
                              : rapidjson::GetParseError_En(result.Code());
    return absl::InvalidArgumentError(
        absl::StrCat("JSON: ", problem, " at byte ", result.Offset()));
  }
  return JsonDocument(std::move(impl));
}

JsonValue JsonDocument::root() const {
  return JsonValue(impl_->text.data(), impl_->nodes.data());
}

bool JsonValue::IsNull() const {
  return exists() && AsNode(node_)->kind == Kind::kNull;
}

bool JsonValue::IsObject() const {
  return exists() && AsNode(node_)->kind == Kind::kObject;
}

bool JsonValue::IsArray() const {
  return exists() && AsNode(node_)->kind == Kind::kArray;
}

JsonValue JsonValue::operator[](std::string_view key) const {
  if (!IsObject()) return {};
  const Node* const begin = AsNode(node_);
  const Node* const end = begin + begin->nodes;
  for (const Node* child = begin + 1; child != end; child += child->nodes) {
    if (KeyOf(text_, *child) == key) return JsonValue(text_, child);
  }
  return {};
}

std::vector<JsonValue> JsonValue::Elements() const {
  std::vector<JsonValue> elements;
  if (!IsArray()) return elements;
  const Node* const begin = AsNode(node_);
  const Node* const end = begin + begin->nodes;
  for (const Node* child = begin + 1; child != end; child += child->nodes) {
    elements.push_back(JsonValue(text_, child));
  }
  return elements;
}

std::vector<std::pair<std::string_view, JsonValue>> JsonValue::Members() const {
  std::vector<std::pair<std::string_view, JsonValue>> members;
  if (!IsObject()) return members;
  const Node* const begin = AsNode(node_);
  const Node* const end = begin + begin->nodes;
  for (const Node* child = begin + 1; child != end; child += child->nodes) {
    members.emplace_back(KeyOf(text_, *child), JsonValue(text_, child));
  }
  return members;
}

std::optional<std::string_view> JsonValue::AsString() const {
  if (!exists() || AsNode(node_)->kind != Kind::kString) return std::nullopt;
  return std::string_view(text_ + AsNode(node_)->text_at,
                          AsNode(node_)->text_size);
}

std::optional<std::string_view> JsonValue::AsNumberText() const {
  if (!exists() || AsNode(node_)->kind != Kind::kNumber) return std::nullopt;
  return std::string_view(text_ + AsNode(node_)->text_at,
                          AsNode(node_)->text_size);
}

std::optional<int64_t> JsonValue::AsInt() const {
  const std::optional<std::string_view> digits = AsNumberText();
  if (!digits.has_value()) return std::nullopt;
  const char* const end = digits->data() + digits->size();
  int64_t value = 0;
  const auto [stop, error] = std::from_chars(digits->data(), end, value);
  if (error != std::errc() || stop != end) return std::nullopt;
  return value;
}

std::optional<bool> JsonValue::AsBool() const {
  if (!exists()) return std::nullopt;
  switch (AsNode(node_)->kind) {
    case Kind::kFalse:
      return false;
    case Kind::kTrue:
      return true;
    default:
      return std::nullopt;
  }
}

}  // namespace kyc::base
