#include "services/async/http_client.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/cord.h"
#include "services/async/curl_multi.h"
#include "services/async/http_transfer.h"
#include "services/base/status_macros.h"

namespace kyc::async {
namespace {

using std::chrono::steady_clock;

bool IsToken(std::string_view text) {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') ||
           (c >= 'a' && c <= 'z') || kMarks.find(c) != std::string_view::npos;
  });
}

bool IsFieldValue(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) ==
         std::string_view::npos;
}

// Nothing but http and https, and no user name in front of the host: curl
// would find both out too late to say so.
bool IsHttpUrl(std::string_view url) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!url.starts_with(scheme)) continue;
    url.remove_prefix(scheme.size());
    return url.substr(0, url.find_first_of("/?")).find('@') == url.npos;
  }
  return false;
}

bool IsSendable(const ClientRequest& request) {
  if (!IsToken(request.method) || !IsHttpUrl(request.url)) return false;
  // curl ends a C string at a NUL and drops a fragment: neither is the URL
  // that was asked for.
  for (char c : request.url) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '#' || c == 0x7f) {
      return false;
    }
  }
  return std::all_of(
      request.headers.begin(), request.headers.end(), [](const auto& header) {
        return IsToken(header.first) && IsFieldValue(header.second);
      });
}

absl::Status Check(const ClientRequest& request) {
  if (!IsSendable(request)) {
    return absl::InvalidArgumentError("http: request cannot be sent");
  }
  if (request.timeout.count() <= 0) {
    absl::Status late = absl::DeadlineExceededError("http: no time left");
    late.SetPayload(kNotSentPayload, absl::Cord());
    return late;
  }
  return absl::OkStatus();
}

}  // namespace

std::string_view ClientResponse::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

struct BodyStream::State {
  State(std::shared_ptr<CurlMulti> multi, const HttpClient::Options& options,
        ClientRequest request)
      : transfer(std::move(multi), options, std::move(request)) {}
  HttpTransfer transfer;
  absl::Status failed;  // What the reader was told last.
};

BodyStream::BodyStream(std::unique_ptr<State> state)
    : state_(std::move(state)) {}
BodyStream::BodyStream(BodyStream&&) noexcept = default;
BodyStream& BodyStream::operator=(BodyStream&&) noexcept = default;
BodyStream::~BodyStream() = default;

const ClientResponse& BodyStream::head() const {
  return state_->transfer.response();
}

Task<absl::StatusOr<std::string>> BodyStream::Read(
    std::chrono::milliseconds idle) {
  CO_RETURN_IF_ERROR(state_->failed);
  HttpTransfer& transfer = state_->transfer;
  HttpTransfer::Inflow& inflow = transfer.inflow();
  while (inflow.bytes.empty() && !inflow.ended) {
    if (!co_await inflow.changed.Wait(idle) && inflow.bytes.empty() &&
        !inflow.ended) {
      co_return state_->failed =
          absl::DeadlineExceededError("http: the body stopped coming");
    }
  }
  if (inflow.bytes.empty()) {
    state_->failed = transfer.status();
    CO_RETURN_IF_ERROR(state_->failed);
    co_return std::string();
  }
  co_return transfer.TakeBody(kMaxPiece);
}

HttpClient::HttpClient(Loop& loop, Options options)
    : options_(options),
      multi_(std::make_shared<CurlMulti>(loop,
                                         options.max_connections_per_host)) {}
HttpClient::~HttpClient() = default;

Task<absl::StatusOr<ClientResponse>> HttpClient::Send(ClientRequest request) {
  return Send(multi_, options_, std::move(request));
}

Task<absl::StatusOr<BodyStream>> HttpClient::Open(ClientRequest request) {
  return Open(multi_, options_, std::move(request));
}

Task<absl::StatusOr<ClientResponse>> HttpClient::Send(
    std::shared_ptr<CurlMulti> multi, Options options, ClientRequest request) {
  CO_RETURN_IF_ERROR(Check(request));
  HttpTransfer transfer(std::move(multi), options, std::move(request));
  if (!transfer.Start()) {
    co_return absl::ResourceExhaustedError("http: no handle");
  }
  co_await transfer.Finished();
  CO_RETURN_IF_ERROR(transfer.status());
  co_return std::move(transfer.response());
}

Task<absl::StatusOr<BodyStream>> HttpClient::Open(
    std::shared_ptr<CurlMulti> multi, Options options, ClientRequest request) {
  CO_RETURN_IF_ERROR(Check(request));
  const auto end = steady_clock::now() + request.timeout;
  auto state = std::make_unique<BodyStream::State>(std::move(multi), options,
                                                   std::move(request));
  HttpTransfer& transfer = state->transfer;
  if (!transfer.StartStream()) {
    co_return absl::ResourceExhaustedError("http: no handle");
  }
  HttpTransfer::Inflow& inflow = transfer.inflow();
  while (!inflow.began && !inflow.ended) {
    const bool in_time =
        co_await inflow.changed.Wait(end - steady_clock::now());
    if (!in_time && !inflow.began && !inflow.ended) {
      co_return absl::DeadlineExceededError("http: no answer in time");
    }
  }
  if (!inflow.began) CO_RETURN_IF_ERROR(transfer.status());
  co_return BodyStream(std::move(state));
}

}  // namespace kyc::async
