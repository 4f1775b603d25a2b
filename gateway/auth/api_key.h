// Who is calling, by the API key of a request (RFC 6750:
// `Authorization: Bearer <key>`).
#ifndef KYC_GATEWAY_AUTH_API_KEY_H_
#define KYC_GATEWAY_AUTH_API_KEY_H_

#include <array>
#include <chrono>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "kyc/v1/admin_service.pb.h"
#include "services/async/call_context.h"
#include "services/async/task.h"
#include "services/base/metrics.h"

namespace kyc::gateway {

// How long what the service said of a key is believed, from before it was
// asked. With a call's own time limit this keeps the promise that a revoked
// key is refused within 5 seconds.
inline constexpr std::chrono::seconds kApiKeyCacheTime(4);

// One loop's. Remembers good and bad keys by their SHA-256, never their text;
// each of the two memories is bounded, so that a flood of bad keys pushes no
// good one out.
class ApiKeyAuthenticator {
 public:
  using Lookup = std::function<async::Task<absl::StatusOr<v1::ApiKey>>(
      async::CallContext, v1::VerifyApiKeyRequest)>;
  // `lookup` is AdminService's VerifyApiKey. At most `capacity` keys of each
  // kind are remembered.
  explicit ApiKeyAuthenticator(Lookup lookup, size_t capacity = 4096);

  using Key = std::shared_ptr<const v1::ApiKey>;
  // The key in a request's Authorization fields. SIS-401-001 when there is
  // none, or not a good one; else the errors of the lookup, such as
  // UNAVAILABLE, which are not remembered.
  async::Task<absl::StatusOr<Key>> Verify(
      async::CallContext context, std::vector<std::string_view> authorization,
      std::chrono::steady_clock::time_point now);

 private:
  using Digest = std::array<unsigned char, 32>;
  struct DigestHash {
    size_t operator()(const Digest& digest) const {
      size_t hash;
      std::memcpy(&hash, digest.data(), sizeof(hash));
      return hash;
    }
  };
  struct Entry {
    Key key;  // Null: refused.
    std::chrono::steady_clock::time_point until;
  };
  using Map = std::unordered_map<Digest, Entry, DigestHash>;

  void Remember(Map& map, const Digest& digest, Key key,
                std::chrono::steady_clock::time_point now);

  const Lookup lookup_;
  const size_t capacity_;
  Map good_;
  Map bad_;
  base::Counter* const recalled_;
  base::Counter* const verified_;
  base::Counter* const refused_;
};

// For what any key is good for.
inline constexpr std::string_view kAnyScope = "*";

// OK when the key has one of the scopes, of which empty ones do not count;
// else SIS-403-001, which names them.
absl::Status CheckScope(const v1::ApiKey& key,
                        std::span<const std::string_view> scopes);

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_AUTH_API_KEY_H_
