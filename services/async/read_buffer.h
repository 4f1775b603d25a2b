// The bytes read from one socket and not yet used.
#ifndef KYC_SERVICES_ASYNC_READ_BUFFER_H_
#define KYC_SERVICES_ASYNC_READ_BUFFER_H_

#include <cstddef>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace kyc::async {

// One block, reused. While it is pinned, what has been consumed since stays
// where it is: a request's head is read in place while its body goes by.
class ReadBuffer {
 public:
  std::string_view data() const {
    return {block_.get() + begin_, end_ - begin_};
  }
  bool empty() const { return begin_ == end_; }
  void Consume(size_t size) { begin_ += size; }
  void Clear() { begin_ = end_; }

  // Call before the first Consume whose bytes must stay.
  void Pin() { is_pinned_ = true; }
  void Unpin() {
    is_pinned_ = false;
    kept_.reset();
    if (!empty()) return;
    begin_ = end_ = 0;
    if (capacity_ > kKeep) {  // An idle connection is small.
      block_.reset();
      capacity_ = 0;
    }
  }

  // Where to read to: at least `minimum` bytes. Moves data().
  std::span<char> Room(size_t minimum) {
    if (capacity_ - end_ < minimum) Grow(minimum);
    return {block_.get() + end_, capacity_ - end_};
  }
  void Commit(size_t size) { end_ += size; }

 private:
  static constexpr size_t kFirst = 4096;
  static constexpr size_t kKeep = 32768;

  void Grow(size_t minimum) {
    const size_t size = end_ - begin_;
    if (!is_pinned_ && begin_ > 0 && capacity_ - size >= minimum) {
      std::memmove(block_.get(), block_.get() + begin_, size);
    } else {
      size_t capacity = kFirst;
      while (capacity < size + minimum) capacity *= 2;
      std::unique_ptr<char[]> block(new char[capacity]);
      if (size > 0) std::memcpy(block.get(), block_.get() + begin_, size);
      std::swap(block, block_);
      capacity_ = capacity;
      if (is_pinned_) {  // Only the first block holds what is pinned.
        kept_ = std::move(block);
        is_pinned_ = false;
      }
    }
    begin_ = 0;
    end_ = size;
  }

  std::unique_ptr<char[]> block_;
  std::unique_ptr<char[]> kept_;
  size_t capacity_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
  bool is_pinned_ = false;
};

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_READ_BUFFER_H_
