// JSON in and out, over RapidJSON (docs/adr/0003-json.md says why it).
//
// RapidJSON stays behind this header: its own headers are heavy, its asserts
// abort on a wrong type, and here a wrong type is just an absent value.
#ifndef KYC_SERVICES_BASE_JSON_H_
#define KYC_SERVICES_BASE_JSON_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace kyc::base {

// Writes one JSON value to the end of a string. Text is escaped; bytes that
// are not UTF-8 become U+FFFD, so that the output is always valid JSON.
// Not thread-safe. `out` must outlive the writer.
class JsonWriter {
 public:
  explicit JsonWriter(std::string* out) : out_(out) {}

  JsonWriter& BeginObject();
  JsonWriter& EndObject();
  JsonWriter& BeginArray();
  JsonWriter& EndArray();
  JsonWriter& Key(std::string_view key);
  JsonWriter& String(std::string_view text);
  JsonWriter& Int(int64_t value);
  JsonWriter& Double(double value);  // null if not finite
  JsonWriter& Bool(bool value);
  JsonWriter& Null();
  // A value that is JSON already.
  JsonWriter& Raw(std::string_view json);

 private:
  void Separate();

  std::string* const out_;
  bool first_ = true;  // No comma is due before the next value.
  bool after_key_ = false;
};

// A parsed document. Immutable, so reads may run side by side.
class JsonValue;
class JsonDocument {
 public:
  struct Limits {
    size_t max_bytes = 1 << 20;
    int max_depth = 64;  // Of the parser's stack, too: keep it small.
  };

  // INVALID_ARGUMENT when the text is not one JSON value (RFC 8259) in UTF-8,
  // repeats a key within an object, or is over the limits. The message never
  // quotes the text.
  static absl::StatusOr<JsonDocument> Parse(std::string_view text);
  static absl::StatusOr<JsonDocument> Parse(std::string_view text,
                                            const Limits& limits);

  JsonDocument(JsonDocument&&) noexcept;
  JsonDocument& operator=(JsonDocument&&) noexcept;
  ~JsonDocument();

  JsonValue root() const;

 private:
  friend class JsonValue;
  struct Impl;
  explicit JsonDocument(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// A value inside a document, or nothing: every step into something absent or
// of another type gives nothing again, so a path reads without checks:
//   doc.root()["review"]["reviewStatus"].AsString()
// Valid while the document lives.
class JsonValue {
 public:
  JsonValue() = default;

  bool exists() const { return node_ != nullptr; }
  bool IsNull() const;
  bool IsObject() const;
  bool IsArray() const;

  // A member of an object.
  JsonValue operator[](std::string_view key) const;
  // Elements of an array; empty for anything else.
  std::vector<JsonValue> Elements() const;
  // Members of an object in their order; empty for anything else.
  std::vector<std::pair<std::string_view, JsonValue>> Members() const;

  std::optional<std::string_view> AsString() const;
  // Numbers written without fraction and exponent, within int64.
  std::optional<int64_t> AsInt() const;
  // Any number, as it is written.
  std::optional<std::string_view> AsNumberText() const;
  std::optional<bool> AsBool() const;

  std::string StringOr(std::string_view fallback) const {
    return std::string(AsString().value_or(fallback));
  }

 private:
  friend class JsonDocument;
  JsonValue(const char* text, const void* node) : text_(text), node_(node) {}

  const char* text_ = nullptr;  // The document's.
  const void* node_ = nullptr;
};

}  // namespace kyc::base

#endif  // KYC_SERVICES_BASE_JSON_H_
