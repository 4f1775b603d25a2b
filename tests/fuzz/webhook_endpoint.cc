// URLs of webhook subscriptions, and Retry-After of their receivers. What our
// rules accept must mean the same to libcurl, which makes the connection: two
// parsers that disagree about a host are how such rules are got around.
#include "services/webhook/outgoing/endpoint.h"

#include <curl/curl.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "services/async/address_policy.h"
#include "services/webhook/outgoing/schedule.h"
#include "tests/fuzz/check.h"

namespace kyc::fuzz {
namespace {

// A part of the URL as libcurl reads it, "" where there is none.
std::string Part(CURLU* url, CURLUPart which) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, CURLU_DEFAULT_PORT) != CURLUE_OK) {
    return "";
  }
  std::string part(text);
  curl_free(text);
  return part;
}

void CheckAccepted(const std::string& text) {
  FUZZ_CHECK(text.size() <= outgoing::kMaxUrlBytes);
  CURLU* url = curl_url();
  FUZZ_CHECK(curl_url_set(url, CURLUPART_URL, text.c_str(), CURLU_PATH_AS_IS) ==
             CURLUE_OK);
  FUZZ_CHECK(Part(url, CURLUPART_SCHEME) == "https");
  FUZZ_CHECK(Part(url, CURLUPART_USER).empty());
  FUZZ_CHECK(Part(url, CURLUPART_PASSWORD).empty());
  FUZZ_CHECK(Part(url, CURLUPART_FRAGMENT).empty());
  const int port = std::stoi(Part(url, CURLUPART_PORT));
  FUZZ_CHECK(port == 443 || port >= 1024);
  std::string host = Part(url, CURLUPART_HOST);
  FUZZ_CHECK(!host.empty());
  if (host.front() == '[') host = host.substr(1, host.size() - 2);
  // libcurl turns every form of an IPv4 address into the usual one.
  const std::optional<std::vector<uint8_t>> address = async::ParseAddress(host);
  FUZZ_CHECK(!address || async::IsPublicAddress(*address));
  FUZZ_CHECK(address || host.find('.') != std::string::npos);
  FUZZ_CHECK(text.find(host) != std::string::npos ||
             text.find_first_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ") !=
                 std::string::npos);
  curl_url_cleanup(url);
}

}  // namespace
}  // namespace kyc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kyc;
  using namespace kyc::fuzz;
  const std::string text(Text(data, size));
  const bool accepted =
      outgoing::CheckEndpoint(text, /*allow_loopback=*/false).ok();
  if (accepted) CheckAccepted(text);
  // What is allowed to everybody is to developers.
  FUZZ_CHECK(!accepted || outgoing::CheckEndpoint(text, true).ok());
  const auto pause = outgoing::ParseRetryAfter(text, 1'784'000'000'000);
  FUZZ_CHECK(!pause || (*pause >= std::chrono::milliseconds(0) &&
                        *pause <= outgoing::kMaxRetryAfter));
  return 0;
}
