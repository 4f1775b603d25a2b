#include "services/async/address_policy.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <string>

namespace kyc::async {
namespace {

bool IsPublic(const std::string& text) {
  const auto address = ParseAddress(text);
  EXPECT_TRUE(address.has_value()) << text;
  return address && IsPublicAddress(*address);
}

// The first and the last address of each reserved range, and what lies just
// outside of it where that is public.
struct Case {
  const char* first;
  const char* last;
  const char* before = nullptr;
  const char* after = nullptr;
};

constexpr Case kReserved[] = {
    {"0.0.0.0", "0.255.255.255", nullptr, "1.0.0.0"},
    {"10.0.0.0", "10.255.255.255", "9.255.255.255", "11.0.0.0"},
    {"100.64.0.0", "100.127.255.255", "100.63.255.255", "100.128.0.0"},
    {"127.0.0.0", "127.255.255.255", "126.255.255.255", "128.0.0.0"},
    {"169.254.0.0", "169.254.255.255", "169.253.255.255", "169.255.0.0"},
    {"172.16.0.0", "172.31.255.255", "172.15.255.255", "172.32.0.0"},
    {"192.0.0.0", "192.0.0.255", "191.255.255.255", "192.0.1.0"},
    {"192.0.2.0", "192.0.2.255", "192.0.1.255", "192.0.3.0"},
    {"192.31.196.0", "192.31.196.255", "192.31.195.255", "192.31.197.0"},
    {"192.52.193.0", "192.52.193.255", "192.52.192.255", "192.52.194.0"},
    {"192.88.99.0", "192.88.99.255", "192.88.98.255", "192.88.100.0"},
    {"192.168.0.0", "192.168.255.255", "192.167.255.255", "192.169.0.0"},
    {"192.175.48.0", "192.175.48.255", "192.175.47.255", "192.175.49.0"},
    {"198.18.0.0", "198.19.255.255", "198.17.255.255", "198.20.0.0"},
    {"198.51.100.0", "198.51.100.255", "198.51.99.255", "198.51.101.0"},
    {"203.0.113.0", "203.0.113.255", "203.0.112.255", "203.0.114.0"},
    {"224.0.0.0", "239.255.255.255", "223.255.255.255"},
    {"240.0.0.0", "255.255.255.255"},
    {"::", "::1"},
    // IPv4-compatible, long deprecated.
    {"::2", "::fffe:ffff:ffff"},
    {"::ffff:0.0.0.0", "::ffff:0.255.255.255", nullptr, "::ffff:1.0.0.0"},
    {"::ffff:10.0.0.0", "::ffff:10.255.255.255", "::ffff:9.255.255.255",
     "::ffff:11.0.0.0"},
    {"::ffff:127.0.0.0", "::ffff:127.255.255.255", "::ffff:126.255.255.255",
     "::ffff:128.0.0.0"},
    {"::ffff:169.254.0.0", "::ffff:169.254.255.255", "::ffff:169.253.255.255",
     "::ffff:169.255.0.0"},
    {"::ffff:192.168.0.0", "::ffff:192.168.255.255"},
    {"::ffff:224.0.0.0", "::ffff:255.255.255.255"},
    // NAT64, well known and local.
    {"64:ff9b::10.0.0.0", "64:ff9b::10.255.255.255", "64:ff9b::9.255.255.255",
     "64:ff9b::11.0.0.0"},
    {"64:ff9b::169.254.169.254", "64:ff9b::127.0.0.1"},
    {"64:ff9b::1:0:0", "64:ff9b:0:ffff:ffff:ffff:ffff:ffff"},
    {"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"},
    {"100::", "100::ffff:ffff:ffff:ffff"},
    // Unallocated, below and above global unicast.
    {"200::", "1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", nullptr, "2000::"},
    {"4000::", "5f00::", "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    // Protocol assignments with Teredo (2001::/32), benchmarks (2001:2::/48)
    // and ORCHID (2001:10::/28, 2001:20::/28).
    {"2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff",
     "2000:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2001:200::"},
    {"2001:0:7f00:1::", "2001:2::1"},
    {"2001:10::", "2001:2f:ffff::"},
    {"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:db7:ffff:ffff:ffff:ffff:ffff:ffff", "2001:db9::"},
    // 6to4, here with 127.0.0.1 inside.
    {"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
     "2001:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "2003::"},
    {"2002:7f00:1::", "2002:a9fe:a9fe::"},
    {"2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff",
     "2620:4f:7fff:ffff:ffff:ffff:ffff:ffff", "2620:4f:8001::"},
    {"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff",
     "3ffe:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "3fff:1000::"},
    {"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"fd00:ec2::254", "fe00::"},
    {"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
    {"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"},
};

TEST(AddressPolicyTest, ReservedRangesAreNotPublicAndTheirNeighboursAre) {
  for (const Case& each : kReserved) {
    EXPECT_FALSE(IsPublic(each.first)) << each.first;
    EXPECT_FALSE(IsPublic(each.last)) << each.last;
    if (each.before != nullptr) EXPECT_TRUE(IsPublic(each.before));
    if (each.after != nullptr) EXPECT_TRUE(IsPublic(each.after));
  }
}

TEST(AddressPolicyTest, PublicAddresses) {
  for (const char* text : {"1.1.1.1", "8.8.8.8", "93.184.216.34",
                           "2606:4700:4700::1111", "2a00:1450::1", "2400::",
                           "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"}) {
    EXPECT_TRUE(IsPublic(text)) << text;
  }
}

TEST(AddressPolicyTest, OnlyFourOrSixteenBytesAreAnAddress) {
  EXPECT_FALSE(IsPublicAddress({}));
  EXPECT_FALSE(IsLoopbackAddress({}));
  const uint8_t five[5] = {8, 8, 8, 8, 8};
  EXPECT_FALSE(IsPublicAddress(five));
}

TEST(AddressPolicyTest, OtherWaysToWriteAnAddressAreNone) {
  for (const std::string& text :
       {std::string("127.1"), std::string("2130706433"),
        std::string("0x7f000001"), std::string("0177.0.0.1"),
        std::string("127.0.0.01"), std::string("1.2.3.4 "),
        std::string("[::1]"), std::string("fe80::1%eth0"), std::string(""),
        std::string("8.8.8.8\0", 8), std::string("1.2.3.4.5")}) {
    EXPECT_FALSE(ParseAddress(text).has_value()) << text;
  }
}

sockaddr_storage Socket(const std::string& text) {
  sockaddr_storage storage{};
  const auto bytes = ParseAddress(text).value();
  if (bytes.size() == 4) {
    auto& in = reinterpret_cast<sockaddr_in&>(storage);
    in.sin_family = AF_INET;
    std::copy(bytes.begin(), bytes.end(),
              reinterpret_cast<uint8_t*>(&in.sin_addr));
  } else {
    auto& in = reinterpret_cast<sockaddr_in6&>(storage);
    in.sin6_family = AF_INET6;
    std::copy(bytes.begin(), bytes.end(),
              reinterpret_cast<uint8_t*>(&in.sin6_addr));
  }
  return storage;
}

bool May(AddressPolicy policy, const std::string& text) {
  const sockaddr_storage storage = Socket(text);
  return MayConnect(policy, reinterpret_cast<const sockaddr*>(&storage),
                    sizeof(storage));
}

TEST(AddressPolicyTest, PoliciesDiffer) {
  for (const char* text : {"127.0.0.1", "127.9.9.9", "::1",
                           "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(May(AddressPolicy::kAny, text));
    EXPECT_FALSE(May(AddressPolicy::kPublic, text));
    EXPECT_TRUE(May(AddressPolicy::kPublicOrLoopback, text));
  }
  for (const char* text : {"169.254.169.254", "10.0.0.1", "::", "0.0.0.0",
                           "fd00::1"}) {
    EXPECT_TRUE(May(AddressPolicy::kAny, text));
    EXPECT_FALSE(May(AddressPolicy::kPublic, text));
    EXPECT_FALSE(May(AddressPolicy::kPublicOrLoopback, text));
  }
  for (const char* text : {"8.8.8.8", "2606:4700:4700::1111"}) {
    EXPECT_TRUE(May(AddressPolicy::kPublic, text));
    EXPECT_TRUE(May(AddressPolicy::kPublicOrLoopback, text));
  }
}

TEST(AddressPolicyTest, OtherFamiliesAndShortAddressesAreRefused) {
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  const auto* address = reinterpret_cast<const sockaddr*>(&local);
  EXPECT_TRUE(MayConnect(AddressPolicy::kAny, address, sizeof(local)));
  EXPECT_FALSE(MayConnect(AddressPolicy::kPublic, address, sizeof(local)));
  EXPECT_FALSE(
      MayConnect(AddressPolicy::kPublicOrLoopback, address, sizeof(local)));
  const sockaddr_storage storage = Socket("8.8.8.8");
  EXPECT_FALSE(MayConnect(AddressPolicy::kPublic,
                          reinterpret_cast<const sockaddr*>(&storage), 8));
}

}  // namespace
}  // namespace kyc::async
