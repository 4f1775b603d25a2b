#include "gateway/auth/key_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/base/log.h"
#include "services/base/metrics.h"
#include "services/base/status_macros.h"

namespace kyc::gateway {
namespace {

using std::chrono::steady_clock;

constexpr size_t kMaxBytes = 256 * 1024;
constexpr std::chrono::seconds kFileInterval{2};
constexpr std::chrono::minutes kUrlInterval{5};
constexpr std::chrono::seconds kFetchInterval{30};
constexpr std::chrono::seconds kFirstRetry{1};
constexpr std::chrono::seconds kLastRetry{30};
constexpr std::chrono::seconds kLookInterval{10};
constexpr std::chrono::seconds kLookLimit{2};
constexpr std::chrono::milliseconds kLookStep{10};

// Changes when the file does, also when another takes its place.
std::string FileState(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return {};
  return absl::StrCat(info.st_dev, ":", info.st_ino, ":", info.st_size, ":",
                      info.st_mtim.tv_sec, ".", info.st_mtim.tv_nsec);
}

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxBytes + 1, '\0');
  if (file) file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (!file.eof() && file.fail())) {
    return absl::NotFoundError(absl::StrCat(path, ": cannot be read"));
  }
  text.resize(static_cast<size_t>(file.gcount()));
  if (text.size() > kMaxBytes) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": is too large"));
  }
  return text;
}

base::Counter* ReadCounter(std::string_view kind, const char* result) {
  return base::GetCounter("kyc_token_keys_reads_total",
                          "Reads of the key sets of tokens.",
                          {{"kind", std::string(kind)}, {"result", result}});
}

}  // namespace

KeySource::KeySource(std::string_view kind, std::string location)
    : kind_(kind),
      location_(std::move(location)),
      is_url_(location_.rfind("http://", 0) == 0 ||
              location_.rfind("https://", 0) == 0) {}

KeySource::~KeySource() = default;

absl::StatusOr<std::unique_ptr<KeySource>> KeySource::Open(
    std::string location) {
  std::unique_ptr<KeySource> source(new KeySource("user", std::move(location)));
  const std::string& where = source->location_;
  if (where.empty()) return absl::InvalidArgumentError("a file or URL");
  if (source->is_url_) {
    if (where.find_first_of(" \t\r\n") != std::string::npos ||
        where.back() == '/') {
      return absl::InvalidArgumentError(absl::StrCat(where, ": not a URL"));
    }
    return source;
  }
  source->file_state_ = FileState(where);
  ASSIGN_OR_RETURN(std::string text, ReadFile(where));
  RETURN_IF_ERROR(source->Adopt(std::move(text)));
  return source;
}

std::unique_ptr<KeySource> KeySource::From(std::string_view kind,
                                           std::string where, Fetch fetch) {
  std::unique_ptr<KeySource> source(new KeySource(kind, std::move(where)));
  source->fetch_ = std::move(fetch);
  return source;
}

absl::Status KeySource::Adopt(std::string text) {
  {
    base::MutexLock lock(&mutex_);
    if (keys_.set != nullptr && text == text_) return absl::OkStatus();
  }
  absl::StatusOr<KeySet> set = KeySet::Parse(text);
  if (!set.ok()) {
    return absl::Status(set.status().code(),
                        absl::StrCat(location_, ": ", set.status().message()));
  }
  base::MutexLock lock(&mutex_);
  keys_.set = std::make_shared<const KeySet>(*std::move(set));
  text_ = std::move(text);
  generation_.store(++keys_.generation, std::memory_order_release);
  return absl::OkStatus();
}

KeySource::Keys KeySource::current() const {
  base::MutexLock lock(&mutex_);
  return keys_;
}

void KeySource::Start(async::Loop& loop) {
  loop_ = &loop;
  if (is_url_) {
    http_ =
        std::make_unique<async::HttpClient>(loop, async::HttpClient::Options{});
  }
  loop.Spawn(Run());
}

async::Task<absl::StatusOr<std::string>> KeySource::Read() {
  if (fetch_ != nullptr) co_return co_await fetch_();
  if (!is_url_) {
    file_state_ = FileState(location_);
    co_return ReadFile(location_);
  }
  async::ClientRequest request;
  request.url = location_;
  request.headers = {{"Accept", "application/json"}};
  request.max_response_bytes = kMaxBytes;
  CO_ASSIGN_OR_RETURN(async::ClientResponse response,
                      co_await http_->Send(std::move(request)));
  if (response.status != 200) {
    co_return absl::UnavailableError(absl::StrCat("HTTP ", response.status));
  }
  co_return std::move(response.body);
}

async::Task<void> KeySource::Run() {
  base::Counter* const good = ReadCounter(kind_, "ok");
  base::Counter* const bad = ReadCounter(kind_, "error");
  std::chrono::seconds retry = kFirstRetry;
  std::string last_error;
  if (is_polled()) asked_ = true;
  while (true) {
    const bool due = is_polled() || FileState(location_) != file_state_;
    std::chrono::seconds pause = fetch_ != nullptr ? kFetchInterval
                                 : is_url_         ? kUrlInterval
                                                   : kFileInterval;
    if (asked_.exchange(false) || due) {
      absl::StatusOr<std::string> text = co_await Read();
      const uint64_t before = generation();
      const absl::Status status =
          text.ok() ? Adopt(*std::move(text)) : text.status();
      (status.ok() ? good : bad)->Add();
      const std::string error(status.message());
      if (!status.ok()) {
        // Once, not as often as it is tried.
        if (error != last_error) {
          base::LogWarning(
              "keys not read",
              {{"kind", kind_}, {"where", location_}, {"error", error}});
        }
        if (is_polled()) {
          pause = std::exchange(retry, std::min(retry * 2, kLastRetry));
        }
      } else {
        retry = kFirstRetry;
        if (generation() != before) {
          base::LogInfo("keys read", {{"kind", kind_}, {"where", location_}});
        }
      }
      last_error = error;
      reads_.fetch_add(1, std::memory_order_acq_rel);
    }
    if (!asked_) co_await wake_.Wait(pause);
  }
}

void KeySource::Wake() {
  if (loop_ != nullptr) loop_->Post([this] { wake_.Notify(); });
}

void KeySource::Reload() {
  asked_ = true;
  Wake();
}

async::Task<bool> KeySource::LookForNewer(uint64_t seen) {
  if (generation() != seen) co_return true;
  const auto now = steady_clock::now();
  bool reads = false;
  uint64_t answer = 0;
  {
    base::MutexLock lock(&mutex_);
    if (now >= next_look_) {
      next_look_ = now + kLookInterval;
      look_read_ = reads_.load(std::memory_order_acquire) + 1;
      reads = true;
    }
    answer = look_read_;
  }
  if (reads) Reload();
  const auto limit = now + kLookLimit;
  while (generation() == seen && steady_clock::now() < limit &&
         reads_.load(std::memory_order_acquire) < answer) {
    co_await async::Sleep(kLookStep);
  }
  co_return generation() != seen;
}

}  // namespace kyc::gateway
