// Where the keys that sign tokens come from, and keeping them fresh.
#ifndef KYC_GATEWAY_AUTH_KEY_SOURCE_H_
#define KYC_GATEWAY_AUTH_KEY_SOURCE_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "gateway/auth/jwks.h"
#include "services/async/http_client.h"
#include "services/async/loop.h"
#include "services/async/task.h"
#include "services/base/mutex.h"

namespace kyc::gateway {

// A key set in a file, or behind an http(s) URL. A file is read at start, and
// again when it changes (looked at every 2 s). A URL is fetched at start and
// every 5 minutes; after a failure again in 1 s, 2 s, 4 s … at most 30 s.
// A function, such as a service's RPC, is called at start and every 30
// seconds, else likewise. All are read at once on Reload and, once in 10 s at
// most, when a token names a key that is not in the set. A failure keeps the
// set there is.
//
// Thread-safe, but for Start.
class KeySource {
 public:
  struct Keys {
    std::shared_ptr<const KeySet> set;  // nullptr: none read yet.
    uint64_t generation = 0;            // Grows with each new set.
  };

  // `location` is a path or a URL. A file is read here: the error of one that
  // is no key set names it. INVALID_ARGUMENT for a URL that is none.
  static absl::StatusOr<std::unique_ptr<KeySource>> Open(std::string location);
  using Fetch = std::function<async::Task<absl::StatusOr<std::string>>()>;
  // The key set that a function gives, on the loop of Start. `where` names it
  // in the log, and `kind` (a literal) the keys in log and metrics.
  static std::unique_ptr<KeySource> From(std::string_view kind,
                                         std::string where, Fetch fetch);
  ~KeySource();

  // Keeps the set fresh on `loop`, which may block for a moment to read a
  // file: not one that serves requests. Once; the source lives until that
  // loop has stopped.
  void Start(async::Loop& loop);

  Keys current() const;
  // That of current(), for a reader that has a copy. 0: no set yet.
  uint64_t generation() const {
    return generation_.load(std::memory_order_acquire);
  }

  // Reads again soon.
  void Reload();
  // For a token whose key is not in the set of generation `seen`: whether
  // there is a newer one. Suspends while it is being read, for 2 s at most.
  // On any loop.
  async::Task<bool> LookForNewer(uint64_t seen);

 private:
  KeySource(std::string_view kind, std::string location);
  // Read at intervals, not when a file changes.
  bool is_polled() const { return is_url_ || fetch_ != nullptr; }

  async::Task<void> Run();
  async::Task<absl::StatusOr<std::string>> Read();
  // Takes a text over as the set, unless it is the one there is.
  absl::Status Adopt(std::string text);
  void Wake();

  const std::string_view kind_;  // "user", "partner".
  const std::string location_;
  const bool is_url_;
  Fetch fetch_;
  async::Loop* loop_ = nullptr;
  std::unique_ptr<async::HttpClient> http_;  // Of loop_; for URLs.
  async::Event wake_;                        // Of loop_.
  std::string file_state_;                   // Of loop_: when last read.

  std::atomic<bool> asked_{false};  // Somebody wants it read now.
  std::atomic<uint64_t> reads_{0};  // Finished, well or not.
  std::atomic<uint64_t> generation_{0};
  mutable base::Mutex mutex_;
  Keys keys_ ABSL_GUARDED_BY(mutex_);
  std::string text_ ABSL_GUARDED_BY(mutex_);
  // When LookForNewer may next cause a read.
  std::chrono::steady_clock::time_point next_look_ ABSL_GUARDED_BY(mutex_);
  uint64_t look_read_ ABSL_GUARDED_BY(mutex_) = 0;  // The read that answers it.
};

}  // namespace kyc::gateway

#endif  // KYC_GATEWAY_AUTH_KEY_SOURCE_H_
