// Counters, gauges and histograms for /metrics.
//
// A metric is found by name and labels once, at start; what the hot path
// holds is a pointer whose Add() is one relaxed add on a cell of the calling
// thread's own. Names follow prometheus.io/docs/practices/naming: prefix
// kyc_, base units, _total for counters. A label's values come from a fixed
// set: never a user id, a raw path or a message.
//
// Thread-safe. Pointers live as long as the process.
#ifndef KYC_SERVICES_BASE_METRICS_H_
#define KYC_SERVICES_BASE_METRICS_H_

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace kyc::base {

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

class Counter {
 public:
  virtual ~Counter() = default;
  virtual void Add(uint64_t n = 1) = 0;
};

class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void Set(int64_t value) = 0;
  virtual void Add(int64_t delta) = 0;
};

class Histogram {
 public:
  virtual ~Histogram() = default;
  // `seconds` for _seconds metrics, else the metric's base unit.
  virtual void Observe(double value) = 0;
};

// The same name with the same labels gives the same object. The help text is
// taken from the first call of a name. A name used as another kind aborts.
Counter* GetCounter(std::string_view name, std::string_view help,
                    const MetricLabels& labels = {});
Gauge* GetGauge(std::string_view name, std::string_view help,
                const MetricLabels& labels = {});
// Buckets for durations: 100 µs to 10 s.
Histogram* GetLatencyHistogram(std::string_view name, std::string_view help,
                               const MetricLabels& labels = {});

enum class MetricKind { kCounter, kGauge };

// A metric whose value `read` gives each time metrics are rendered. `read` is
// thread-safe and quick, never calls into this header, and lives as long as
// the process. The same name with the same labels again replaces it.
void ExportValue(MetricKind kind, std::string_view name, std::string_view help,
                 std::function<double()> read, const MetricLabels& labels = {});

// Everything, in the Prometheus text format 0.0.4.
std::string RenderMetrics();

}  // namespace kyc::base

#endif  // KYC_SERVICES_BASE_METRICS_H_
