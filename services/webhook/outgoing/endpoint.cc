#include "services/webhook/outgoing/endpoint.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "services/async/address_policy.h"
#include "services/base/error.h"

namespace kyc::outgoing {
namespace {

using Address = std::vector<uint8_t>;

constexpr size_t kMaxNameBytes = 253;
constexpr size_t kMaxLabelBytes = 63;

absl::Status NotAllowed(std::string_view why) {
  return base::Error(v1::ERROR_REASON_ENDPOINT_NOT_ALLOWED,
                     "The url " + std::string(why));
}

// Lower-case scheme and host, and what follows them.
struct Endpoint {
  std::string scheme;
  std::string host;  // Without brackets.
  bool bracketed = false;
  int port = 0;
};

std::optional<int> ParsePort(std::string_view text) {
  int port = 0;
  if (text.empty() || text.size() > 5 ||
      !std::all_of(text.begin(), text.end(),
                   [](char c) { return c >= '0' && c <= '9'; }) ||
      !absl::SimpleAtoi(absl::string_view(text.data(), text.size()), &port) ||
      port < 1 || port > 65535) {
    return std::nullopt;
  }
  return port;
}

absl::StatusOr<Endpoint> Parse(std::string_view url) {
  if (url.empty() || url.size() > kMaxUrlBytes) {
    return NotAllowed("must have 1 to 2048 bytes");
  }
  for (const char c : url) {
    // A backslash is a slash to some parsers and part of the host to others.
    if (c <= ' ' || c >= 0x7f || c == '\\' || c == '"' || c == '<' ||
        c == '>' || c == '^' || c == '`' || c == '{' || c == '|' || c == '}') {
      return NotAllowed("has characters that a URL cannot have");
    }
  }
  if (url.find('#') != std::string_view::npos) {
    return NotAllowed("must have no fragment");
  }
  Endpoint endpoint;
  const size_t colon = url.find("://");
  if (colon == std::string_view::npos) return NotAllowed("must be https");
  endpoint.scheme = std::string(url.substr(0, colon));
  absl::AsciiStrToLower(&endpoint.scheme);
  if (endpoint.scheme != "https" && endpoint.scheme != "http") {
    return NotAllowed("must be https");
  }
  std::string_view authority = url.substr(colon + 3);
  authority = authority.substr(0, authority.find_first_of("/?"));
  if (authority.find('@') != std::string_view::npos) {
    return NotAllowed("must have no credentials");
  }
  std::string_view rest;
  if (authority.starts_with("[")) {
    const size_t end = authority.find(']');
    if (end == std::string_view::npos) return NotAllowed("has a broken host");
    endpoint.host = std::string(authority.substr(1, end - 1));
    endpoint.bracketed = true;
    rest = authority.substr(end + 1);
  } else {
    const size_t end = std::min(authority.find(':'), authority.size());
    endpoint.host = std::string(authority.substr(0, end));
    rest = authority.substr(end);
  }
  absl::AsciiStrToLower(&endpoint.host);
  endpoint.port = endpoint.scheme == "https" ? 443 : 80;
  if (!rest.empty()) {
    const std::optional<int> port =
        rest[0] == ':' ? ParsePort(rest.substr(1)) : std::nullopt;
    if (!port) return NotAllowed("has a port that cannot be");
    endpoint.port = *port;
  }
  return endpoint;
}

std::vector<std::string_view> Labels(std::string_view name) {
  std::vector<std::string_view> labels;
  while (true) {
    const size_t dot = name.find('.');
    labels.push_back(name.substr(0, dot));
    if (dot == std::string_view::npos) return labels;
    name.remove_prefix(dot + 1);
  }
}

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= kMaxLabelBytes &&
         label.front() != '-' && label.back() != '-' &&
         std::all_of(label.begin(), label.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                  c == '-' || c == '_';
         });
}

// Whether a resolver may take the name for an IPv4 address in one of its many
// forms (WHATWG URL: the last label is a number).
bool EndsInNumber(std::string_view last) {
  const bool digits = std::all_of(last.begin(), last.end(), [](char c) {
    return c >= '0' && c <= '9';
  });
  return digits || last.starts_with("0x");
}

bool IsPrivateName(const std::vector<std::string_view>& labels) {
  static constexpr std::string_view kPrivate[] = {
      "localhost", "localdomain", "local", "internal", "intranet",
      "private",   "corp",        "home",  "lan",      "onion",
      "test",      "invalid",     "alt"};
  const std::string_view last = labels.back();
  return labels.size() < 2 ||
         std::find(std::begin(kPrivate), std::end(kPrivate), last) !=
             std::end(kPrivate) ||
         (last == "arpa");
}

// What the host is when it is an address; an error when it is neither an
// address in its usual form nor a name.
absl::StatusOr<std::optional<Address>> AddressOf(const Endpoint& endpoint) {
  std::optional<Address> address = async::ParseAddress(endpoint.host);
  if (endpoint.bracketed) {
    if (!address || address->size() != 16) {
      return NotAllowed("has a broken host");
    }
    return address;
  }
  if (address && address->size() == 4) return address;
  const std::vector<std::string_view> labels = Labels(endpoint.host);
  if (endpoint.host.size() > kMaxNameBytes ||
      !std::all_of(labels.begin(), labels.end(), IsLabel)) {
    return NotAllowed("has a host that cannot be");
  }
  if (EndsInNumber(labels.back())) {
    return NotAllowed("must write an address in its usual form");
  }
  return std::optional<Address>();
}

}  // namespace

absl::Status CheckEndpoint(const std::string& url, bool allow_loopback) {
  const absl::StatusOr<Endpoint> endpoint = Parse(url);
  if (!endpoint.ok()) return endpoint.status();
  const absl::StatusOr<std::optional<Address>> address = AddressOf(*endpoint);
  if (!address.ok()) return address.status();
  const bool loopback = address->has_value()
                            ? async::IsLoopbackAddress(**address)
                            : endpoint->host == "localhost";
  if (loopback && allow_loopback) return absl::OkStatus();
  if (endpoint->scheme != "https") return NotAllowed("must be https");
  if (address->has_value() ? !async::IsPublicAddress(**address)
                           : IsPrivateName(Labels(endpoint->host))) {
    return NotAllowed("must name a public host");
  }
  if (endpoint->port != 443 && endpoint->port < 1024) {
    return NotAllowed("must have port 443 or one from 1024 on");
  }
  return absl::OkStatus();
}

}  // namespace kyc::outgoing
