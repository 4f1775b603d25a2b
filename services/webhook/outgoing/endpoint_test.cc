#include "services/webhook/outgoing/endpoint.h"

#include <gtest/gtest.h>

#include <string>

#include "services/base/error.h"

namespace kyc::outgoing {
namespace {

bool IsRefused(const std::string& url, bool allow_loopback) {
  const absl::Status status = CheckEndpoint(url, allow_loopback);
  if (status.ok()) return false;
  EXPECT_EQ(base::ReasonOf(status), v1::ERROR_REASON_ENDPOINT_NOT_ALLOWED);
  return true;
}

constexpr const char* kGood[] = {
    "https://hooks.example.com/kyc",
    "https://hooks.example.com",
    "https://hooks.example.com?x=1",
    "HTTPS://Hooks.Example.COM/",
    "https://hooks.example.com:443/",
    "https://hooks.example.com:8443/a/b?c=d%20e",
    "https://a_b.example.com/",
    "https://xn--bcher-kva.example.com/",
    "https://8.8.8.8/",
    "https://[2606:4700:4700::1111]/",
    "https://[2606:4700:4700::1111]:8443/",
    "https://[::ffff:8.8.8.8]/",
};

constexpr const char* kLoopback[] = {
    "http://127.0.0.1:9000/hook", "http://localhost:9000/",
    "http://localhost/",          "https://127.0.0.1:9000/",
    "http://[::1]:9000/",         "http://127.9.9.9:80/",
};

constexpr const char* kBad[] = {
    "",
    "hooks.example.com",
    "//hooks.example.com/",
    "ftp://hooks.example.com/",
    "file:///etc/passwd",
    "gopher://hooks.example.com/",
    "http://hooks.example.com/",
    "http://8.8.8.8/",
    "https://",
    "https:///path",
    "https://?x",
    // Credentials, and what hides behind them.
    "https://user@hooks.example.com/",
    "https://user:secret@hooks.example.com/",
    "https://hooks.example.com@127.0.0.1/",
    "https://hooks.example.com:443@127.0.0.1/",
    // Characters that parsers disagree about.
    "https://hooks.example.com\\@127.0.0.1/",
    "https://hooks.example.com/#fragment",
    "https://hooks.example.com/a b",
    "https://hooks.example.com/\x01",
    "https://hooks.example.com/\n",
    "https://h\xc3\xb6st.example.com/",
    "https://\xe2\x91\xa0\xe2\x91\xa1\xe2\x91\xa6.0.0.1/",
    " https://hooks.example.com/",
    // Ports.
    "https://hooks.example.com:0/",
    "https://hooks.example.com:22/",
    "https://hooks.example.com:80/",
    "https://hooks.example.com:1023/",
    "https://hooks.example.com:65536/",
    "https://hooks.example.com:/",
    "https://hooks.example.com:x/",
    "https://hooks.example.com:-1/",
    "https://hooks.example.com:+443/",
    "https://hooks.example.com:443:443/",
    // Names that are not of the internet.
    "https://intranet/",
    "https://redis.internal/",
    "https://metadata.google.internal/",
    "https://printer.local/",
    "https://a.localhost/",
    "https://localhost.localdomain/",
    "https://1.0.0.127.in-addr.arpa/",
    "https://hooks.example.com./",
    "https://.example.com/",
    "https://hooks..example.com/",
    "https://-a.example.com/",
    "https://hooks.example.com%2f/",
    "https://%31%32%37.0.0.1/",
    // Addresses in other clothes.
    "https://2130706433/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://127.0.0.0x1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://127.0.0.1.2/",
    "https://8.8.8.08/",
    "https://134744072/",
    "https://hooks.example.0x7f/",
    "https://hooks.example.1/",
    // Addresses that are not public.
    "https://0.0.0.0/",
    "https://10.0.0.1/",
    "https://169.254.169.254/latest/meta-data",
    "https://192.168.1.1/",
    "https://224.0.0.1/",
    "https://255.255.255.255/",
    "https://[::]/",
    "https://[fe80::1]/",
    "https://[fe80::1%25eth0]/",
    "https://[fd00:ec2::254]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[::ffff:a9fe:a9fe]/",
    "https://[64:ff9b::a00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[2001:0:7f00:1::]/",
    "https://[ff02::1]/",
    "https://[8.8.8.8]/",
    "https://[::1/",
    "https://::1/",
    "https://[2606:4700:4700::1111]x/",
};

TEST(EndpointTest, PublicHttpsIsAllowed) {
  for (const char* url : kGood) {
    EXPECT_FALSE(IsRefused(url, false)) << url;
    EXPECT_FALSE(IsRefused(url, true)) << url;
  }
}

TEST(EndpointTest, LoopbackOnlyWhereItIsAllowed) {
  for (const char* url : kLoopback) {
    EXPECT_TRUE(IsRefused(url, false)) << url;
    EXPECT_FALSE(IsRefused(url, true)) << url;
  }
}

TEST(EndpointTest, EverythingElseIsRefused) {
  for (const char* url : kBad) {
    EXPECT_TRUE(IsRefused(url, false)) << url;
    EXPECT_TRUE(IsRefused(url, true)) << url;
  }
  EXPECT_TRUE(IsRefused(std::string("https://a.example.com/\0x", 25), true));
}

TEST(EndpointTest, LengthIsBounded) {
  const std::string url = "https://hooks.example.com/";
  EXPECT_FALSE(IsRefused(
      url + std::string(kMaxUrlBytes - url.size(), 'x'), false));
  EXPECT_TRUE(IsRefused(
      url + std::string(kMaxUrlBytes - url.size() + 1, 'x'), false));
  EXPECT_TRUE(
      IsRefused("https://" + std::string(64, 'a') + ".example.com/", false));
}

}  // namespace
}  // namespace kyc::outgoing
