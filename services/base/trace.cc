#include "services/base/trace.h"

#include <sys/random.h>

#include <algorithm>

namespace kyc::base {
namespace {

constexpr char kHex[] = "0123456789abcdef";

// xoshiro256**, seeded by the kernel once per thread: ids must be unique, not
// secret.
class Generator {
 public:
  Generator() {
    while (getrandom(state_, sizeof(state_), 0) !=
           static_cast<ssize_t>(sizeof(state_))) {
    }
  }
  uint64_t Next() {
    const uint64_t result = Rotate(state_[1] * 5, 7) * 9;
    const uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = Rotate(state_[3], 45);
    return result;
  }

 private:
  static uint64_t Rotate(uint64_t x, int k) { return x << k | x >> (64 - k); }
  uint64_t state_[4];
};

void FillHex(char* out, int digits) {
  thread_local Generator generator;
  while (digits > 0) {
    uint64_t bits = generator.Next() | 1;  // Never all zero.
    for (int i = 0; i < 16 && digits > 0; ++i, --digits) {
      *out++ = kHex[bits >> 60];
      bits <<= 4;
    }
  }
}

bool IsLowerHex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

bool IsZero(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == '0'; });
}

int HexValue(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

// Version 00: "00-<32>-<16>-<2>". A later version may have more behind.
bool IsValid(std::string_view header) {
  if (header.size() < 55 || header[2] != '-' || header[35] != '-' ||
      header[52] != '-') {
    return false;
  }
  const std::string_view version = header.substr(0, 2);
  if (!IsLowerHex(version) || version == "ff") return false;
  if (header.size() > 55 && (version == "00" || header[55] != '-')) {
    return false;
  }
  const std::string_view trace = header.substr(3, 32);
  const std::string_view parent = header.substr(36, 16);
  return IsLowerHex(trace) && !IsZero(trace) && IsLowerHex(parent) &&
         !IsZero(parent) && IsLowerHex(header.substr(53, 2));
}

}  // namespace

TraceContext TraceContext::Start() {
  TraceContext context;
  FillHex(context.trace_id_.data(), 32);
  FillHex(context.span_id_.data(), 16);
  return context;
}

TraceContext TraceContext::Continue(std::string_view traceparent) {
  if (!IsValid(traceparent)) return Start();
  TraceContext context;
  std::copy_n(traceparent.begin() + 3, 32, context.trace_id_.begin());
  FillHex(context.span_id_.data(), 16);
  context.flags_ = static_cast<uint8_t>(HexValue(traceparent[53]) << 4 |
                                        HexValue(traceparent[54]));
  return context;
}

std::string TraceContext::ToTraceparent() const {
  std::string text;
  text.reserve(55);
  text.append("00-").append(trace_id()).append("-").append(span_id());
  text.push_back('-');
  text.push_back(kHex[flags_ >> 4]);
  text.push_back(kHex[flags_ & 15]);
  return text;
}

}  // namespace kyc::base
