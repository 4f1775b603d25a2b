#include "services/base/log.h"

#include <poll.h>
#include <spdlog/async_logger.h>
#include <spdlog/details/thread_pool.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "services/base/json.h"
#include "services/base/metrics.h"
#include "services/base/mutex.h"
#include "services/base/trace.h"

namespace kyc::base {
namespace {

// Lines. At 300 to 500 bytes each the ring holds some 1 MB at most, and its
// memory is there from the start.
constexpr size_t kRingLines = 2048;
// Lines that wait together go out in one write of about this size.
constexpr size_t kWriteBytes = 32 * 1024;

// Waits for a slow reader. An error loses the text: there is no one to tell.
void WriteToStderr(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = write(STDERR_FILENO, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EAGAIN) {
      pollfd slow = {.fd = STDERR_FILENO, .events = POLLOUT, .revents = 0};
      poll(&slow, 1, -1);
    } else if (errno != EINTR) {
      return;
    }
  }
}

// Where the ring's thread brings the lines.
class StderrSink : public spdlog::sinks::base_sink<std::mutex> {
 public:
  // Whose lines these are; before the first line.
  void SetRing(spdlog::details::thread_pool* ring) { ring_ = ring; }

 protected:
  void sink_it_(const spdlog::details::log_msg& line) override {
    buffer_.append(line.payload.data(), line.payload.size());
    buffer_.push_back('\n');
    if (buffer_.size() >= kWriteBytes || ring_->queue_size() == 0) flush_();
  }
  void flush_() override {
    WriteToStderr(buffer_);
    buffer_.clear();
  }

 private:
  spdlog::details::thread_pool* ring_ = nullptr;
  std::string buffer_;
};

// Never freed: a thread may still log while Stop runs.
class Writer {
 public:
  Writer(std::string_view service, LogLevel minimum)
      : service_(service),
        minimum_(minimum),
        ring_(std::make_shared<spdlog::details::thread_pool>(kRingLines, 1)),
        sink_(std::make_shared<StderrSink>()),
        logger_(std::make_shared<spdlog::async_logger>(
            "", sink_, ring_, spdlog::async_overflow_policy::overrun_oldest)) {
    sink_->SetRing(ring_.get());
    // A line that finds the ring gone is lost; spdlog would print its own.
    logger_->set_error_handler([](const std::string&) {});
  }

  const std::string& service() const { return service_; }
  LogLevel minimum() const { return minimum_; }

  void Write(std::string_view line) {
    logger_->log(spdlog::level::info,
                 spdlog::string_view_t(line.data(), line.size()));
  }

  // Joins the ring's thread when it has taken the last line.
  void Stop() {
    MutexLock lock(&mutex_);
    if (ring_ == nullptr) return;
    dropped_ = ring_->overrun_counter();
    ring_.reset();
    sink_->flush();
  }

  size_t dropped() {
    MutexLock lock(&mutex_);
    return ring_ != nullptr ? ring_->overrun_counter() : dropped_;
  }

 private:
  const std::string service_;
  const LogLevel minimum_;
  Mutex mutex_;
  std::shared_ptr<spdlog::details::thread_pool> ring_ ABSL_GUARDED_BY(mutex_);
  size_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;
  const std::shared_ptr<StderrSink> sink_;
  const std::shared_ptr<spdlog::async_logger> logger_;
};

std::atomic<Writer*> g_writer{nullptr};

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      break;
  }
  return "error";
}

// RFC 3339, UTC, milliseconds.
std::string_view Now(std::array<char, 32>& text) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc;
  gmtime_r(&now.tv_sec, &utc);
  const size_t size =
      strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  const int more =
      std::snprintf(text.data() + size, text.size() - size, ".%03dZ",
                    static_cast<int>(now.tv_nsec / 1'000'000));
  return {text.data(), size + static_cast<size_t>(more)};
}

void Render(std::string_view service, LogLevel level, std::string_view message,
            std::initializer_list<LogField> fields, const TraceContext* trace,
            std::string* line) {
  std::array<char, 32> time;
  JsonWriter json(line);
  json.BeginObject();
  json.Key("ts").String(Now(time));
  json.Key("level").String(LevelName(level));
  json.Key("service").String(service);
  json.Key("msg").String(message);
  if (trace != nullptr) {
    json.Key("trace_id").String(trace->trace_id());
    json.Key("span_id").String(trace->span_id());
  }
  for (const LogField& field : fields) {
    json.Key(field.name());
    if (field.is_text()) {
      json.String(field.text());
    } else {
      json.Int(field.number());
    }
  }
  json.EndObject();
}

}  // namespace

void StartLogging(std::string_view service, LogLevel minimum) {
  StopLogging();
  static auto& writers = *new std::vector<std::unique_ptr<Writer>>;
  writers.push_back(std::make_unique<Writer>(service, minimum));
  Writer* const writer = writers.back().get();
  ExportValue(MetricKind::kCounter, "kyc_log_dropped_total",
              "Log lines lost because stderr was too slow.",
              [writer] { return static_cast<double>(writer->dropped()); });
  g_writer = writer;
  // Also a main that returns early, or exit(), shows its last lines.
  static const int at_exit = std::atexit(StopLogging);
  static_cast<void>(at_exit);
}

void StopLogging() {
  Writer* const writer = g_writer.exchange(nullptr);
  if (writer != nullptr) writer->Stop();
}

void Log(LogLevel level, std::string_view message,
         std::initializer_list<LogField> fields, const TraceContext* trace) {
  Writer* const writer = g_writer.load(std::memory_order_acquire);
  if (level < (writer != nullptr ? writer->minimum() : LogLevel::kInfo)) return;
  thread_local std::string line;
  line.clear();
  Render(writer != nullptr ? std::string_view(writer->service()) : "kyc", level,
         message, fields, trace, &line);
  if (writer != nullptr) {
    writer->Write(line);
  } else {
    line.push_back('\n');
    WriteToStderr(line);
  }
}

}  // namespace kyc::base
