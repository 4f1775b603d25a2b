#include "gateway/http/client_address.h"

#include <gtest/gtest.h>

namespace kyc::gateway {
namespace {

// A request of which only the peer and X-Forwarded-For matter.
class Request : public async::ServerRequest {
 public:
  Request(std::string peer, std::vector<std::string> forwarded)
      : peer_(std::move(peer)), forwarded_(std::move(forwarded)) {}
  std::string_view method() const override { return "GET"; }
  std::string_view target() const override { return "/"; }
  std::optional<std::string_view> Header(std::string_view) const override {
    return std::nullopt;
  }
  std::vector<std::string_view> Headers(std::string_view) const override {
    return {forwarded_.begin(), forwarded_.end()};
  }
  std::string_view peer_address() const override { return peer_; }
  std::optional<uint64_t> content_length() const override {
    return std::nullopt;
  }
  bool has_body() const override { return false; }
  async::Task<absl::StatusOr<std::string>> ReadBody(size_t) override {
    co_return "";
  }
  async::Task<absl::StatusOr<std::string>> ReadSome(size_t) override {
    co_return "";
  }
  void SetBodyTimeout(std::chrono::milliseconds) override {}

 private:
  const std::string peer_;
  const std::vector<std::string> forwarded_;
};

std::string Key(std::string_view trusted, const std::string& peer,
                std::vector<std::string> forwarded = {}) {
  return TrustedProxies::Parse(trusted)
      .value()
      .ClientKey(Request(peer, std::move(forwarded)))
      .value_or("(none)");
}

std::string V4(int a, int b, int c, int d) {
  return {static_cast<char>(a), static_cast<char>(b), static_cast<char>(c),
          static_cast<char>(d)};
}

TEST(ClientAddressTest, IsThePeerWithoutTrust) {
  EXPECT_EQ(Key("", "203.0.113.7", {"198.51.100.1"}), V4(203, 0, 113, 7));
  EXPECT_EQ(Key("", "::ffff:203.0.113.7"), V4(203, 0, 113, 7));
  EXPECT_EQ(Key("10.0.0.0/8", "203.0.113.7", {"198.51.100.1"}),
            V4(203, 0, 113, 7));
}

TEST(ClientAddressTest, OfIpv6ItIsTheNetwork) {
  EXPECT_EQ(Key("", "2001:db8:1:2:3::4"), Key("", "2001:db8:1:2::1"));
  EXPECT_NE(Key("", "2001:db8:1:2::1"), Key("", "2001:db8:1:3::1"));
}

TEST(ClientAddressTest, ThisMachineHasNone) {
  for (const char* peer :
       {"127.0.0.1", "127.8.8.8", "::1", "unix", "::ffff:127.0.0.1"}) {
    EXPECT_EQ(Key("", peer, {"198.51.100.1"}), "(none)") << peer;
  }
}

TEST(ClientAddressTest, BehindProxiesItIsTheLastThatIsNotTheirs) {
  const char* trusted = "10.0.0.0/8, 127.0.0.1,2001:db8::/32";
  EXPECT_EQ(Key(trusted, "127.0.0.1", {"198.51.100.1"}), V4(198, 51, 100, 1));
  EXPECT_EQ(Key(trusted, "10.1.2.3", {"1.1.1.1, 198.51.100.1 ,10.9.9.9"}),
            V4(198, 51, 100, 1));
  EXPECT_EQ(Key(trusted, "2001:db8::5", {"1.1.1.1", "198.51.100.1:443"}),
            V4(198, 51, 100, 1));
  EXPECT_EQ(Key(trusted, "10.1.2.3", {"[2a00::1]:443"}), Key("", "2a00::2"));
  // What cannot be read ends the trust at the proxy that passed it on.
  for (const char* broken :
       {"", "unknown", "1.1.1.1, x", "1.1.1.1,", "[", "%"}) {
    EXPECT_EQ(Key(trusted, "10.1.2.3", {broken}), V4(10, 1, 2, 3)) << broken;
  }
  EXPECT_EQ(Key(trusted, "10.1.2.3"), V4(10, 1, 2, 3));
}

TEST(ClientAddressTest, NamesWhatIsNoNetwork) {
  for (const char* bad : {"x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",
                          "::/129", "10.0.0/8", "/8"}) {
    const absl::Status status = TrustedProxies::Parse(bad).status();
    EXPECT_NE(status.message().find(bad), absl::string_view::npos) << bad;
  }
  EXPECT_TRUE(TrustedProxies::Parse("").ok());
  EXPECT_EQ(Key("0.0.0.0/0", "9.9.9.9", {"8.8.8.8"}), V4(8, 8, 8, 8));
  EXPECT_EQ(Key("9.9.9.8/31", "9.9.9.10", {"8.8.8.8"}), V4(9, 9, 9, 10));
}

}  // namespace
}  // namespace kyc::gateway
