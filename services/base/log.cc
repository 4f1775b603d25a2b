#include "services/base/log.h"

#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "services/base/json.h"
#include "services/base/mutex.h"
#include "services/base/trace.h"

namespace kyc::base {
namespace {

// Lines; at some 300 bytes each the ring is bounded by 2.5 MB.
constexpr size_t kRingLines = 8192;

struct Writer {
  std::string service;
  std::shared_ptr<spdlog::details::thread_pool> ring;
  std::shared_ptr<spdlog::async_logger> logger;
};

std::atomic<int> g_minimum{static_cast<int>(LogLevel::kInfo)};
Mutex g_mutex;
std::shared_ptr<const Writer> g_writer ABSL_GUARDED_BY(g_mutex);
std::atomic<const Writer*> g_current{nullptr};

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

std::string Now() {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  tm utc;
  gmtime_r(&now.tv_sec, &utc);
  char text[40];
  const size_t length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
  snprintf(text + length, sizeof(text) - length, ".%03dZ",
           static_cast<int>(now.tv_nsec / 1'000'000));
  return text;
}

std::string Render(std::string_view service, LogLevel level,
                   std::string_view message,
                   std::initializer_list<LogField> fields,
                   const TraceContext* trace) {
  std::string line;
  line.reserve(256);
  JsonWriter json(&line);
  json.BeginObject();
  json.Key("ts").String(Now());
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
  return line;
}

}  // namespace

void StartLogging(std::string_view service, LogLevel minimum) {
  auto writer = std::make_shared<Writer>();
  writer->service = service;
  writer->ring = std::make_shared<spdlog::details::thread_pool>(kRingLines, 1);
  writer->logger = std::make_shared<spdlog::async_logger>(
      "kyc", std::make_shared<spdlog::sinks::stderr_sink_st>(), writer->ring,
      spdlog::async_overflow_policy::overrun_oldest);
  writer->logger->set_pattern("%v");
  writer->logger->set_level(spdlog::level::trace);
  writer->logger->flush_on(spdlog::level::off);
  g_minimum = static_cast<int>(minimum);
  MutexLock lock(&g_mutex);
  g_writer = writer;
  g_current.store(writer.get());
}

void StopLogging() {
  std::shared_ptr<const Writer> writer;
  {
    MutexLock lock(&g_mutex);
    g_current.store(nullptr);
    writer = std::move(g_writer);
    g_writer = nullptr;
  }
  // The last reference to the ring writes what is in it and joins.
}

void Log(LogLevel level, std::string_view message,
         std::initializer_list<LogField> fields, const TraceContext* trace) {
  if (static_cast<int>(level) < g_minimum.load(std::memory_order_relaxed)) {
    return;
  }
  std::shared_ptr<const Writer> writer;
  if (g_current.load() != nullptr) {
    MutexLock lock(&g_mutex);
    writer = g_writer;
  }
  std::string line =
      Render(writer ? writer->service : "kyc", level, message, fields, trace);
  if (writer) {
    writer->logger->log(spdlog::level::info,
                        spdlog::string_view_t(line.data(), line.size()));
    return;
  }
  line.push_back('\n');
  // Before the writer starts there is nobody but stderr to tell a failure to.
  [[maybe_unused]] const ssize_t written =
      write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace kyc::base
