#include "services/kyc/server/watch_hub.h"

#include <chrono>
#include <deque>
#include <utility>
#include <vector>

#include "services/base/error.h"
#include "services/base/log.h"
#include "services/base/status_macros.h"
#include "services/kyc/server/proto_mapping.h"
#include "services/kyc/server/verification_engine.h"

namespace kyc::server {
namespace {

constexpr int kMaxWatchedUsers = 1000;
// Changes waiting for a slow stream; beyond it the stream reads again.
constexpr size_t kMaxQueued = 1000;
// How soon a read that failed is repeated.
constexpr std::chrono::seconds kReadAgain{1};
// What a lost message could hide is found after this long.
constexpr std::chrono::seconds kResync{60};

std::vector<std::string> AllChannels() {
  std::vector<std::string> channels;
  for (int bucket = 0; bucket < store::kBucketCount; ++bucket) {
    channels.push_back(store::ChangesChannel(bucket));
  }
  return channels;
}

}  // namespace

struct WatchHub::Watcher {
  explicit Watcher(WatchHub& hub, const v1::WatchStatusRequest& request)
      : hub(hub) {
    for (const std::string& user_id : request.user_ids()) {
      sent_versions[user_id] = -1;
      hub.watchers_[user_id].insert(this);
    }
  }
  ~Watcher() {
    for (const auto& [user_id, version] : sent_versions) {
      auto it = hub.watchers_.find(user_id);
      it->second.erase(this);
      if (it->second.empty()) hub.watchers_.erase(it);
    }
  }

  WatchHub& hub;
  std::unordered_map<std::string, int64_t> sent_versions;  // -1: none yet.
  std::deque<domain::Record> queue;
  bool resync = true;
  async::Event wake;
};

WatchHub::WatchHub(async::Loop& loop, async::RedisOptions redis,
                   const base::Clock& clock)
    : loop_(loop),
      redis_(loop, redis),
      store_(redis_, clock),
      subscriber_(
          loop, std::move(redis), AllChannels(),
          [this](std::string_view, std::string_view payload) {
            OnChange(payload);
          },
          [this] { ResyncAll(); }) {}

WatchHub::~WatchHub() = default;

void WatchHub::OnChange(std::string_view payload) {
  if (watchers_.empty()) return;
  absl::StatusOr<domain::Record> record = store::DecodeChange(payload);
  if (!record.ok()) {
    base::LogWarning("unreadable change message");
    ResyncAll();
    return;
  }
  auto it = watchers_.find(record->user_id);
  if (it == watchers_.end()) return;
  for (Watcher* watcher : it->second) {
    if (watcher->queue.size() >= kMaxQueued) {
      watcher->queue.clear();
      watcher->resync = true;
    } else {
      watcher->queue.push_back(*record);
    }
    watcher->wake.Notify();
  }
}

void WatchHub::ResyncAll() {
  for (auto& [user_id, watchers] : watchers_) {
    for (Watcher* watcher : watchers) {
      watcher->resync = true;
      watcher->wake.Notify();
    }
  }
}

async::Task<absl::Status> WatchHub::SendIfNew(
    Watcher& watcher, domain::Record record,
    async::StreamWriter<v1::Verification>& writer) {
  int64_t& sent = watcher.sent_versions[record.user_id];
  if (static_cast<int64_t>(record.version) <= sent) co_return absl::OkStatus();
  sent = static_cast<int64_t>(record.version);
  v1::Verification message;
  FillVerification(std::move(record), &message);
  co_return co_await writer.Write(std::move(message));
}

async::Task<absl::Status> WatchHub::SendPresent(
    Watcher& watcher, async::StreamWriter<v1::Verification>& writer) {
  std::vector<std::string> user_ids;
  for (const auto& [user_id, version] : watcher.sent_versions) {
    user_ids.push_back(user_id);
  }
  auto records = co_await store_.LoadStatuses(std::move(user_ids));
  for (absl::StatusOr<domain::Record>& record : records) {
    if (!record.ok()) {
      // Redis is away for a moment: the stream stays and reads again.
      watcher.resync = true;
      continue;
    }
    CO_RETURN_IF_ERROR(co_await SendIfNew(watcher, *std::move(record), writer));
  }
  co_return absl::OkStatus();
}

async::Task<absl::Status> WatchHub::Watch(
    const v1::WatchStatusRequest& request,
    async::StreamWriter<v1::Verification>& writer) {
  if (request.user_ids_size() < 1 ||
      request.user_ids_size() > kMaxWatchedUsers) {
    co_return base::Error(v1::ERROR_REASON_REQUEST_VALIDATION_FAILED,
                          "watch 1 to 1000 users");
  }
  for (const std::string& user_id : request.user_ids()) {
    CO_RETURN_IF_ERROR(CheckUserId(user_id));
  }
  // Registered before the present is read, so that no change falls between.
  Watcher watcher(*this, request);
  writer.OnCancelled([&watcher] { watcher.wake.Notify(); });
  auto next_resync = std::chrono::steady_clock::now();
  while (!writer.cancelled()) {
    const auto now = std::chrono::steady_clock::now();
    if (watcher.resync || now >= next_resync) {
      watcher.resync = false;
      next_resync = now + kResync;
      CO_RETURN_IF_ERROR(co_await SendPresent(watcher, writer));
    }
    while (!watcher.queue.empty()) {
      domain::Record record = std::move(watcher.queue.front());
      watcher.queue.pop_front();
      CO_RETURN_IF_ERROR(
          co_await SendIfNew(watcher, std::move(record), writer));
    }
    if (writer.cancelled()) break;
    if (watcher.resync) {
      co_await watcher.wake.Wait(kReadAgain);
      continue;
    }
    co_await watcher.wake.Wait(next_resync - std::chrono::steady_clock::now());
  }
  co_return absl::CancelledError("the client has gone");
}

}  // namespace kyc::server
