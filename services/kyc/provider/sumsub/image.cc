#include "services/kyc/provider/sumsub/image.h"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "services/base/status_macros.h"

namespace kyc::provider::sumsub {
namespace {

// A declared type without its parameters, if it is one that is passed on. What
// a browser might run (SVG, HTML) is not among them.
std::string ImageType(std::string_view declared) {
  const std::string_view value = declared.substr(0, declared.find(';'));
  std::string type = absl::AsciiStrToLower(
      absl::StripAsciiWhitespace({value.data(), value.size()}));
  if (type == "image/jpg") return "image/jpeg";
  for (const char* known : {"image/jpeg", "image/png", "image/webp",
                            "image/heic", "image/heif", "application/pdf"}) {
    if (type == known) return type;
  }
  return "";
}

class SumsubImage final : public ImageStream {
 public:
  SumsubImage(async::BodyStream body, std::string type, int64_t size,
              std::chrono::milliseconds idle)
      : body_(std::move(body)),
        type_(std::move(type)),
        size_(size),
        idle_(idle) {}

  const std::string& content_type() const override { return type_; }
  int64_t size() const override { return size_; }

  async::Task<absl::StatusOr<std::string>> Read() override {
    absl::StatusOr<std::string> piece = co_await body_.Read(idle_);
    if (!piece.ok()) {
      co_return absl::UnavailableError("sumsub get_image: broke off");
    }
    read_ += static_cast<int64_t>(piece->size());
    if (read_ > kMaxImageBytes) {
      co_return absl::UnavailableError("sumsub get_image: too large");
    }
    co_return piece;
  }

 private:
  async::BodyStream body_;
  const std::string type_;
  const int64_t size_;
  const std::chrono::milliseconds idle_;
  int64_t read_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ImageStream>> MakeImageStream(
    async::BodyStream body, std::chrono::milliseconds idle) {
  std::string type = ImageType(body.head().Header("content-type"));
  if (type.empty() || !body.head().Header("content-encoding").empty()) {
    return absl::UnavailableError("sumsub get_image: not an image");
  }
  int64_t size = 0;
  const std::string_view length = body.head().Header("content-length");
  if (!absl::SimpleAtoi(absl::string_view(length.data(), length.size()),
                        &size)) {
    size = 0;
  }
  if (size > kMaxImageBytes) {
    return absl::UnavailableError("sumsub get_image: too large");
  }
  return std::make_unique<SumsubImage>(std::move(body), std::move(type), size,
                                       idle);
}

}  // namespace kyc::provider::sumsub
