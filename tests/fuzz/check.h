// What a fuzz target says of its input's outcome, beside not crashing.
#ifndef KYC_TESTS_FUZZ_CHECK_H_
#define KYC_TESTS_FUZZ_CHECK_H_

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

// Ends the process, which is how libFuzzer and the replay learn of a failure.
#define FUZZ_CHECK(condition)                                                \
  do {                                                                       \
    if (!(condition)) {                                                      \
      std::fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, \
                   #condition);                                              \
      std::abort();                                                          \
    }                                                                        \
  } while (false)

namespace kyc::fuzz {

inline std::string_view Text(const uint8_t* data, size_t size) {
  // Empty inputs come with a null pointer.
  return size == 0
             ? std::string_view()
             : std::string_view(reinterpret_cast<const char*>(data), size);
}

// Takes the first line off a text; a text without line feeds is one line.
inline std::string_view TakeLine(std::string_view* text) {
  const size_t end = text->find('\n');
  const std::string_view line = text->substr(0, end);
  text->remove_prefix(end == std::string_view::npos ? text->size() : end + 1);
  return line;
}

// Sizes of the pieces in which a stream arrives, from 1 to 64, the same for
// the same seed. xorshift64*.
class Pieces {
 public:
  explicit Pieces(std::string_view seed) {
    for (const char c : seed) state_ = (state_ ^ static_cast<uint8_t>(c)) * 31;
    if (state_ == 0) state_ = 1;
  }
  size_t Next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return 1 + ((state_ * 0x2545F4914F6CDD1DULL) >> 58);
  }

 private:
  uint64_t state_ = 0x9E3779B97F4A7C15ULL;
};

}  // namespace kyc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

#endif  // KYC_TESTS_FUZZ_CHECK_H_
