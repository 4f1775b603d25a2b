#include "gateway/auth/api_key.h"

#include <openssl/evp.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "gateway/http/query.h"
#include "services/base/error.h"

namespace kyc::gateway {
namespace {

using std::chrono::steady_clock;

constexpr size_t kMaxKeyBytes = 256;

base::Counter* CheckCounter(const char* result) {
  return base::GetCounter("kyc_api_key_checks_total",
                          "API keys checked, by how that ended.",
                          {{"result", result}});
}

std::optional<std::string_view> BearerToken(
    const std::vector<std::string_view>& fields) {
  constexpr std::string_view kScheme = "Bearer ";
  if (fields.size() != 1) return std::nullopt;
  std::string_view text = fields.front();
  if (!EqualsIgnoreCase(text.substr(0, kScheme.size()), kScheme)) {
    return std::nullopt;
  }
  text.remove_prefix(kScheme.size());
  while (text.starts_with(' ')) text.remove_prefix(1);
  const bool possible = !text.empty() && text.size() <= kMaxKeyBytes &&
                        std::all_of(text.begin(), text.end(),
                                    [](char c) { return c > ' ' && c < 0x7F; });
  return possible ? std::optional(text) : std::nullopt;
}

}  // namespace

ApiKeyAuthenticator::ApiKeyAuthenticator(Lookup lookup, size_t capacity)
    : lookup_(std::move(lookup)),
      capacity_(capacity),
      recalled_(CheckCounter("recalled")),
      verified_(CheckCounter("verified")),
      refused_(CheckCounter("refused")) {}

void ApiKeyAuthenticator::Remember(Map& map, const Digest& digest, Key key,
                                   steady_clock::time_point now) {
  if (map.size() >= capacity_) {
    std::erase_if(map,
                  [&](const auto& entry) { return entry.second.until <= now; });
  }
  if (map.size() >= capacity_) map.clear();
  map.insert_or_assign(digest, Entry{std::move(key), now + kApiKeyCacheTime});
}

async::Task<absl::StatusOr<ApiKeyAuthenticator::Key>>
ApiKeyAuthenticator::Verify(async::CallContext context,
                            std::vector<std::string_view> authorization,
                            steady_clock::time_point now) {
  const std::optional<std::string_view> token = BearerToken(authorization);
  if (!token) {
    refused_->Add();
    co_return base::Error(v1::ERROR_REASON_API_KEY_INVALID);
  }
  Digest digest;
  EVP_Digest(token->data(), token->size(), digest.data(), nullptr, EVP_sha256(),
             nullptr);
  if (const auto it = good_.find(digest);
      it != good_.end() && now < it->second.until) {
    recalled_->Add();
    co_return it->second.key;
  }
  if (const auto it = bad_.find(digest);
      it != bad_.end() && now < it->second.until) {
    refused_->Add();
    co_return base::Error(v1::ERROR_REASON_API_KEY_INVALID);
  }
  v1::VerifyApiKeyRequest request;
  request.set_key(std::string(*token));
  absl::StatusOr<v1::ApiKey> found =
      co_await lookup_(context, std::move(request));
  if (found.ok()) {
    verified_->Add();
    Key key = std::make_shared<const v1::ApiKey>(*std::move(found));
    Remember(good_, digest, key, now);
    co_return key;
  }
  if (base::ReasonOf(found.status()) == v1::ERROR_REASON_API_KEY_INVALID) {
    refused_->Add();
    good_.erase(digest);
    Remember(bad_, digest, nullptr, now);
  }
  co_return found.status();
}

absl::Status CheckScope(const v1::ApiKey& key,
                        std::span<const std::string_view> scopes) {
  std::string names;
  for (const std::string_view scope : scopes) {
    if (scope.empty()) continue;
    const auto& has = key.scopes();
    if (scope == kAnyScope ||
        std::find(has.begin(), has.end(), scope) != has.end()) {
      return absl::OkStatus();
    }
    if (!names.empty()) names += " or ";
    names += scope;
  }
  return base::Error(v1::ERROR_REASON_API_KEY_SCOPE_MISSING,
                     "The API key does not have the scope " + names);
}

}  // namespace kyc::gateway
