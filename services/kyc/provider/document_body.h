// A file on its way to a provider, in one buffer that becomes the request.
#ifndef KYC_SERVICES_KYC_PROVIDER_DOCUMENT_BODY_H_
#define KYC_SERVICES_KYC_PROVIDER_DOCUMENT_BODY_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "services/kyc/domain/document_rules.h"

namespace kyc::provider {

// The file stands behind kHeadroom bytes, into which a provider writes what
// comes before it: the file itself is not copied again. Movable.
class DocumentBody {
 public:
  static constexpr size_t kHeadroom = 512;

  DocumentBody() : bytes_(kHeadroom, ' ') {}

  void Append(std::string_view bytes) {
    // A large file gets its final room at once: neither copies as it grows
    // nor twice the room in the end. Pages that are not used cost nothing.
    if (size() + bytes.size() > kSmall) {
      bytes_.reserve(kHeadroom + domain::kMaxFileBytes + kTailroom);
    }
    bytes_.append(bytes);
  }
  std::string_view file() const {
    return std::string_view(bytes_).substr(kHeadroom);
  }
  size_t size() const { return bytes_.size() - kHeadroom; }

  // The request's body. `head` has kHeadroom bytes, `tail` a few.
  std::string Frame(std::string_view head, std::string_view tail) && {
    bytes_.replace(0, kHeadroom, head);
    bytes_.append(tail);
    return std::move(bytes_);
  }

 private:
  static constexpr size_t kSmall = 1 << 20;
  static constexpr size_t kTailroom = 128;

  std::string bytes_;
};

}  // namespace kyc::provider

#endif  // KYC_SERVICES_KYC_PROVIDER_DOCUMENT_BODY_H_
