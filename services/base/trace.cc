#include "services/base/trace.h"

#include <sys/random.h>

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <span>

namespace kyc::base {
namespace {

constexpr char kHex[] = "0123456789abcdef";
constexpr uint8_t kSampled = 1;

// Where the parts of "00-<32 hex>-<16 hex>-<2 hex>" begin.
constexpr size_t kTraceAt = 3;
constexpr size_t kSpanAt = 36;
constexpr size_t kFlagsAt = 53;
constexpr size_t kSize = 55;

// xoshiro256** (Blackman and Vigna), one per thread: ids must be unique and
// cheap; they are no secret.
class Random {
 public:
  Random() {
    // 32 bytes at most 256: getrandom gives all or nothing.
    if (getrandom(state_.data(), sizeof(state_), 0) != sizeof(state_)) abort();
    state_[0] |= 1;  // All zeros is the one state it never leaves.
  }

  uint64_t Next() {
    const uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

 private:
  std::array<uint64_t, 4> state_;
};

// Fills an id with random hex digits, not all zero. Its size is a multiple
// of 16.
void FillRandom(std::span<char> id) {
  thread_local Random random;
  bool zero = true;
  while (zero) {
    for (size_t i = 0; i < id.size(); i += 16) {
      uint64_t bits = random.Next();
      zero = zero && bits == 0;
      for (size_t j = 0; j < 16; ++j, bits >>= 4) id[i + j] = kHex[bits & 15];
    }
  }
}

bool IsLowerHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

bool IsId(std::string_view text) {
  return IsLowerHex(text) && text.find_first_not_of('0') != text.npos;
}

// https://www.w3.org/TR/trace-context/#versioning-of-traceparent: what comes
// after the flags is only for versions that we do not know.
bool IsValid(std::string_view text) {
  if (text.size() < kSize) return false;
  const std::string_view version = text.substr(0, 2);
  if (!IsLowerHex(version) || version == "ff") return false;
  if (text.size() > kSize && (version == "00" || text[kSize] != '-')) {
    return false;
  }
  return text[kTraceAt - 1] == '-' && text[kSpanAt - 1] == '-' &&
         text[kFlagsAt - 1] == '-' && IsId(text.substr(kTraceAt, 32)) &&
         IsId(text.substr(kSpanAt, 16)) && IsLowerHex(text.substr(kFlagsAt, 2));
}

uint8_t HexDigit(char c) {
  return static_cast<uint8_t>(c <= '9' ? c - '0' : c - 'a' + 10);
}

}  // namespace

TraceContext TraceContext::Start() {
  TraceContext context;
  FillRandom(context.trace_id_);
  FillRandom(context.span_id_);
  return context;
}

TraceContext TraceContext::Continue(std::string_view traceparent) {
  if (!IsValid(traceparent)) return Start();
  TraceContext context;
  std::copy_n(traceparent.begin() + kTraceAt, 32, context.trace_id_.begin());
  FillRandom(context.span_id_);
  // Other bits mean nothing in version 00, which is what we send.
  context.flags_ = HexDigit(traceparent[kFlagsAt + 1]) & kSampled;
  return context;
}

std::string TraceContext::ToTraceparent() const {
  std::string text;
  text.reserve(kSize);
  text.append("00-").append(trace_id()).append("-").append(span_id());
  text.append(flags_ == kSampled ? "-01" : "-00");
  return text;
}

}  // namespace kyc::base
