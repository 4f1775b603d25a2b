// Which addresses an outgoing connection may go to, for requests to hosts
// that others have named (server-side request forgery).
//
// What counts is the address a socket is about to connect to, not the name it
// was found by: a name can mean one thing when it is checked and another when
// it is used.
//
// Thread-safe: free functions.
#ifndef KYC_SERVICES_ASYNC_ADDRESS_POLICY_H_
#define KYC_SERVICES_ASYNC_ADDRESS_POLICY_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

struct sockaddr;

namespace kyc::async {

enum class AddressPolicy {
  kAny,
  kPublic,
  kPublicOrLoopback,  // For development, where the receiver is this machine.
};

// An address of 4 or 16 bytes in network order, from its usual text ("a.b.c.d"
// without leading zeros, or IPv6 without brackets and zone); nothing for any
// other text.
std::optional<std::vector<uint8_t>> ParseAddress(const std::string& text);

// Whether an address of 4 or 16 bytes is a unicast one of the public internet:
// none of IANA's special-purpose ranges, multicast or unallocated. An IPv6
// address that stands for an IPv4 one (mapped, NAT64) is as public as that;
// tunnels (6to4, Teredo) are not.
bool IsPublicAddress(std::span<const uint8_t> address);

// 127.0.0.0/8, ::1, and the former mapped into IPv6.
bool IsLoopbackAddress(std::span<const uint8_t> address);

// Whether a socket may connect there. Other families than IPv4 and IPv6 only
// under kAny.
bool MayConnect(AddressPolicy policy, const sockaddr* address, size_t size);

}  // namespace kyc::async

#endif  // KYC_SERVICES_ASYNC_ADDRESS_POLICY_H_
