// Structured logs: one JSON object per line on stderr.
//
//   base::LogInfo("applicant created", {{"user_id", id}}, &trace);
//   {"ts":"2026-01-01T00:00:00.000Z","level":"info","service":"kyc",
//    "msg":"applicant created","trace_id":"…","user_id":"usr_1"}
//
// Lines go to a bounded ring with a writer thread of its own: a caller never
// waits for stderr, and when the ring is full the oldest lines are dropped
// and counted. Personal data and secrets cannot be logged by mistake: Field
// takes neither type.
//
// Thread-safe.
#ifndef KYC_SERVICES_BASE_LOG_H_
#define KYC_SERVICES_BASE_LOG_H_

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace kyc::base {

class TraceContext;

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// A name and a value; views, used within the call.
class LogField {
 public:
  LogField(std::string_view name, std::string_view value)
      : name_(name), text_(value) {}
  LogField(std::string_view name, const char* value)
      : name_(name), text_(value) {}
  template <std::integral T>
  LogField(std::string_view name, T value)
      : name_(name), number_(static_cast<int64_t>(value)), is_text_(false) {}

  std::string_view name() const { return name_; }
  bool is_text() const { return is_text_; }
  std::string_view text() const { return text_; }
  int64_t number() const { return number_; }

 private:
  std::string_view name_;
  std::string_view text_;
  int64_t number_ = 0;
  bool is_text_ = true;
};

// Starts the writer; `service` stands in every line. Call once, early in
// main; before it, lines go to stderr directly. Also routes gRPC's own log
// lines here (when linked with a gRPC process: see process/).
void StartLogging(std::string_view service, LogLevel minimum);

// Writes what is in the ring and stops the writer.
void StopLogging();

void Log(LogLevel level, std::string_view message,
         std::initializer_list<LogField> fields = {},
         const TraceContext* trace = nullptr);

inline void LogInfo(std::string_view message,
                    std::initializer_list<LogField> fields = {},
                    const TraceContext* trace = nullptr) {
  Log(LogLevel::kInfo, message, fields, trace);
}
inline void LogWarning(std::string_view message,
                       std::initializer_list<LogField> fields = {},
                       const TraceContext* trace = nullptr) {
  Log(LogLevel::kWarning, message, fields, trace);
}
inline void LogError(std::string_view message,
                     std::initializer_list<LogField> fields = {},
                     const TraceContext* trace = nullptr) {
  Log(LogLevel::kError, message, fields, trace);
}

}  // namespace kyc::base

#endif  // KYC_SERVICES_BASE_LOG_H_
