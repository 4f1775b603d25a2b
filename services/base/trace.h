// W3C Trace Context: the id that ties one request's log lines together.
// https://www.w3.org/TR/trace-context/
#ifndef KYC_SERVICES_BASE_TRACE_H_
#define KYC_SERVICES_BASE_TRACE_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace kyc::base {

// A position in a trace. A value; cheap to copy.
class TraceContext {
 public:
  // A new trace with random ids, not sampled.
  static TraceContext Start();
  // Continues the trace a `traceparent` names, with a new span id; a value
  // that is not valid starts a new trace (never an error).
  static TraceContext Continue(std::string_view traceparent);

  // 32 lower-case hex digits.
  std::string_view trace_id() const { return {trace_id_.data(), 32}; }
  // 16 lower-case hex digits.
  std::string_view span_id() const { return {span_id_.data(), 16}; }
  // The header value for the next hop: "00-<trace>-<span>-<flags>".
  std::string ToTraceparent() const;

 private:
  std::array<char, 32> trace_id_{};
  std::array<char, 16> span_id_{};
  uint8_t flags_ = 0;
};

}  // namespace kyc::base

#endif  // KYC_SERVICES_BASE_TRACE_H_
