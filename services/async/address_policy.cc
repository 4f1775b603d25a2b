#include "services/async/address_policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace kyc::async {
namespace {

using Bytes = std::span<const uint8_t>;

struct Range {
  std::array<uint8_t, 16> prefix;  // The first `bits` bits count.
  int bits;
};

// https://www.iana.org/assignments/iana-ipv4-special-registry, and multicast.
constexpr Range kReserved4[] = {
    {{0}, 8},               // This network.
    {{10}, 8},              // Private.
    {{100, 64}, 10},        // Shared by carriers.
    {{127}, 8},             // Loopback.
    {{169, 254}, 16},       // Link local, with the clouds' metadata.
    {{172, 16}, 12},        // Private.
    {{192, 0, 0}, 24},      // Protocol assignments.
    {{192, 0, 2}, 24},      // Documentation.
    {{192, 31, 196}, 24},   // AS112.
    {{192, 52, 193}, 24},   // Multicast tunnels.
    {{192, 88, 99}, 24},    // 6to4 relays.
    {{192, 168}, 16},       // Private.
    {{192, 175, 48}, 24},   // AS112.
    {{198, 18}, 15},        // Benchmarks.
    {{198, 51, 100}, 24},   // Documentation.
    {{203, 0, 113}, 24},    // Documentation.
    {{224}, 4},             // Multicast.
    {{240}, 4},             // Reserved, and broadcast.
};

// All that is allocated for unicast. What it leaves out: unspecified,
// loopback, discard, local NAT64, unique local, link local, site local,
// multicast, and what is not allocated.
constexpr Range kGlobalUnicast6 = {{0x20}, 3};

// https://www.iana.org/assignments/iana-ipv6-special-registry, within that.
constexpr Range kReserved6[] = {
    {{0x20, 0x01, 0x00}, 23},                    // Protocols; Teredo, ORCHID.
    {{0x20, 0x01, 0x0d, 0xb8}, 32},              // Documentation.
    {{0x20, 0x02}, 16},                          // 6to4.
    {{0x26, 0x20, 0x00, 0x4f, 0x80, 0x00}, 48},  // AS112.
    {{0x3f, 0xff}, 20},                          // Documentation.
};

constexpr Range kMapped4 = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};
constexpr Range kNat64 = {{0x00, 0x64, 0xff, 0x9b}, 96};

bool IsIn(const Range& range, Bytes address) {
  const size_t whole = static_cast<size_t>(range.bits / 8);
  if (!std::equal(address.begin(), address.begin() + whole,
                  range.prefix.begin())) {
    return false;
  }
  const int rest = range.bits % 8;
  const int mask = 0xff << (8 - rest) & 0xff;
  return rest == 0 || ((address[whole] ^ range.prefix[whole]) & mask) == 0;
}

template <size_t size>
bool IsInAny(const Range (&ranges)[size], Bytes address) {
  return std::any_of(std::begin(ranges), std::end(ranges),
                     [&](const Range& range) { return IsIn(range, address); });
}

}  // namespace

std::optional<std::vector<uint8_t>> ParseAddress(const std::string& text) {
  if (text.find('\0') != std::string::npos) return std::nullopt;
  std::vector<uint8_t> address(16);
  if (inet_pton(AF_INET6, text.c_str(), address.data()) == 1) return address;
  address.resize(4);
  if (inet_pton(AF_INET, text.c_str(), address.data()) == 1) return address;
  return std::nullopt;
}

bool IsPublicAddress(Bytes address) {
  if (address.size() == 4) return !IsInAny(kReserved4, address);
  if (address.size() != 16) return false;
  if (IsIn(kMapped4, address) || IsIn(kNat64, address)) {
    return !IsInAny(kReserved4, address.subspan(12));
  }
  return IsIn(kGlobalUnicast6, address) && !IsInAny(kReserved6, address);
}

bool IsLoopbackAddress(Bytes address) {
  if (address.size() == 16) {
    if (IsIn(kMapped4, address)) return IsLoopbackAddress(address.subspan(12));
    constexpr Range kLoopback6 = {
        {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}, 128};
    return IsIn(kLoopback6, address);
  }
  return address.size() == 4 && address[0] == 127;
}

bool MayConnect(AddressPolicy policy, const sockaddr* address, size_t size) {
  if (policy == AddressPolicy::kAny) return true;
  // Copied: the buffer need not be aligned for what it holds.
  std::vector<uint8_t> bytes;
  if (address->sa_family == AF_INET && size >= sizeof(sockaddr_in)) {
    sockaddr_in in;
    std::memcpy(&in, address, sizeof(in));
    const auto* first = reinterpret_cast<const uint8_t*>(&in.sin_addr);
    bytes.assign(first, first + 4);
  } else if (address->sa_family == AF_INET6 && size >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in;
    std::memcpy(&in, address, sizeof(in));
    const auto* first = reinterpret_cast<const uint8_t*>(&in.sin6_addr);
    bytes.assign(first, first + 16);
  }
  return IsPublicAddress(bytes) ||
         (policy == AddressPolicy::kPublicOrLoopback &&
          IsLoopbackAddress(bytes));
}

}  // namespace kyc::async
