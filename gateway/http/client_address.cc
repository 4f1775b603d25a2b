#include "gateway/http/client_address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace kyc::gateway {
namespace {

constexpr std::array<unsigned char, 12> kMappedPrefix = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

bool IsMapped(const std::array<unsigned char, 16>& address) {
  return std::equal(kMappedPrefix.begin(), kMappedPrefix.end(),
                    address.begin());
}

bool IsLoopback(const std::array<unsigned char, 16>& address) {
  if (IsMapped(address)) return address[12] == 127;
  return address.back() == 1 &&
         std::all_of(address.begin(), address.end() - 1,
                     [](unsigned char byte) { return byte == 0; });
}

std::string_view ToStd(absl::string_view text) {
  return {text.data(), text.size()};
}

// Proxies may add the port: "192.0.2.1:5000", "[2001:db8::1]:5000".
std::string_view WithoutPort(std::string_view text) {
  if (text.starts_with('[')) {
    return text.substr(1, text.find(']') - 1);
  }
  const size_t colon = text.find(':');
  const bool one = colon != text.npos && text.find(':', colon + 1) == text.npos;
  return one ? text.substr(0, colon) : text;
}

}  // namespace

std::optional<TrustedProxies::Address> TrustedProxies::ParseAddress(
    std::string_view text) {
  const std::string terminated(text);
  Address address;
  if (inet_pton(AF_INET, terminated.c_str(), &address[12]) == 1) {
    std::copy(kMappedPrefix.begin(), kMappedPrefix.end(), address.begin());
    return address;
  }
  if (inet_pton(AF_INET6, terminated.c_str(), address.data()) == 1) {
    return address;
  }
  return std::nullopt;
}

absl::StatusOr<TrustedProxies> TrustedProxies::Parse(std::string_view list) {
  TrustedProxies proxies;
  for (absl::string_view part :
       absl::StrSplit(absl::string_view(list.data(), list.size()), ',',
                      absl::SkipWhitespace())) {
    const std::string_view text = ToStd(absl::StripAsciiWhitespace(part));
    const size_t slash = text.find('/');
    const std::optional<Address> address = ParseAddress(text.substr(0, slash));
    int bits = 128;
    bool good = address.has_value();
    if (good && slash != text.npos) {
      const int most = IsMapped(*address) ? 32 : 128;
      good = absl::SimpleAtoi(absl::string_view(text.data() + slash + 1,
                                                text.size() - slash - 1),
                              &bits) &&
             bits >= 0 && bits <= most;
      bits += 128 - most;
    }
    if (!good) {
      return absl::InvalidArgumentError(
          absl::StrCat("not an address or network: ", std::string(text)));
    }
    proxies.networks_.push_back({*address, bits});
  }
  return proxies;
}

bool TrustedProxies::Contains(const Network& network, const Address& address) {
  const auto whole = static_cast<size_t>(network.bits / 8);
  if (std::memcmp(network.address.data(), address.data(), whole) != 0) {
    return false;
  }
  const int rest = network.bits % 8;
  return rest == 0 ||
         (network.address[whole] ^ address[whole]) >> (8 - rest) == 0;
}

bool TrustedProxies::Trusts(const Address& address) const {
  return std::any_of(
      networks_.begin(), networks_.end(),
      [&](const Network& network) { return Contains(network, address); });
}

std::optional<std::string> TrustedProxies::ClientKey(
    const async::ServerRequest& request) const {
  std::optional<Address> client = ParseAddress(request.peer_address());
  if (!client) return std::nullopt;  // A local socket.
  if (Trusts(*client)) {
    std::vector<std::string_view> hops;
    for (std::string_view field : request.Headers("X-Forwarded-For")) {
      for (absl::string_view hop :
           absl::StrSplit(absl::string_view(field.data(), field.size()), ',')) {
        hops.push_back(ToStd(absl::StripAsciiWhitespace(hop)));
      }
    }
    while (!hops.empty() && Trusts(*client)) {
      const std::optional<Address> hop = ParseAddress(WithoutPort(hops.back()));
      if (!hop) break;
      client = hop;
      hops.pop_back();
    }
  }
  if (IsLoopback(*client)) return std::nullopt;
  const auto* bytes = reinterpret_cast<const char*>(client->data());
  return IsMapped(*client) ? std::string(bytes + 12, 4) : std::string(bytes, 8);
}

}  // namespace kyc::gateway
