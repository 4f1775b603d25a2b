// One loop's view of a KeySource.
#ifndef KYC_GATEWAY_AUTH_KEY_READER_H_
#define KYC_GATEWAY_AUTH_KEY_READER_H_

#include <cstdint>
#include <functional>

#include "absl/status/statusor.h"
#include "gateway/auth/key_source.h"
#include "services/async/task.h"
#include "services/base/error.h"

namespace kyc::gateway {

// Keeps a copy of the set there is, so that a check takes no lock.
class KeyReader {
 public:
  // `keys` outlives it.
  explicit KeyReader(KeySource& keys) : keys_(keys) {}

  // That of the source now.
  uint64_t source_generation() const { return keys_.generation(); }
  // That of the set of the last check.
  uint64_t generation() const { return copy_.generation; }

  // Checks with the current set; where `check` says NOT_FOUND, as it does for
  // a key that is not in the set, once more if there is a newer one.
  // GEN-503-001 while there are no keys.
  template <typename T>
  async::Task<absl::StatusOr<T>> Check(
      std::function<absl::StatusOr<T>(const KeySet&)> check) {
    absl::StatusOr<T> result = absl::NotFoundError("not tried");
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (attempt > 0 || keys_.generation() == 0) {
        const bool newer = co_await keys_.LookForNewer(copy_.generation);
        if (!newer && attempt > 0) break;
      }
      if (copy_.generation != keys_.generation()) copy_ = keys_.current();
      if (copy_.set == nullptr) {
        co_return base::Error(v1::ERROR_REASON_UNAVAILABLE);
      }
      result = check(*copy_.set);
      if (!absl::IsNotFound(result.status())) break;
    }
    co_return result;
  }

 private:
  KeySource& keys_;
  KeySource::Keys copy_;
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_AUTH_KEY_READER_H_
