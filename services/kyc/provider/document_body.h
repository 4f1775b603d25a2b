// A file on its way to a provider, in the pieces in which it came.
#ifndef KYC_SERVICES_KYC_PROVIDER_DOCUMENT_BODY_H_
#define KYC_SERVICES_KYC_PROVIDER_DOCUMENT_BODY_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace kyc::provider {

// The file's bytes are never copied: a provider frames the pieces with what
// comes before and behind them. Movable.
class DocumentBody {
 public:
  void Append(std::string piece) {
    size_ += piece.size();
    // Small pieces share one string, however many there are.
    if (!pieces_.empty() && pieces_.back().size() + piece.size() <= kSmall) {
      pieces_.back().append(piece);
    } else {
      pieces_.push_back(std::move(piece));
    }
  }
  size_t size() const { return size_; }

  // The request's body.
  std::vector<std::string> Frame(std::string head, std::string tail) && {
    pieces_.insert(pieces_.begin(), std::move(head));
    pieces_.push_back(std::move(tail));
    return std::move(pieces_);
  }

 private:
  static constexpr size_t kSmall = 64 * 1024;

  std::vector<std::string> pieces_;
  size_t size_ = 0;
};

}  // namespace kyc::provider

#endif  // KYC_SERVICES_KYC_PROVIDER_DOCUMENT_BODY_H_
