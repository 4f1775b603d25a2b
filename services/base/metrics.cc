#include "services/base/metrics.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <map>
#include <memory>

#include "services/base/mutex.h"

namespace kyc::base {
namespace {

// Threads share a cell only when there are more of them than cells.
constexpr unsigned kShards = 16;

unsigned Shard() {
  static std::atomic<unsigned> next{0};
  thread_local const unsigned shard = next.fetch_add(1) % kShards;
  return shard;
}

struct alignas(64) Cell {
  std::atomic<uint64_t> value{0};
};

class Metric {
 public:
  virtual ~Metric() = default;
  virtual prometheus::ClientMetric Collect() const = 0;
};

class ShardedCounter : public Counter, public Metric {
 public:
  void Add(uint64_t n) override {
    cells_[Shard()].value.fetch_add(n, std::memory_order_relaxed);
  }
  prometheus::ClientMetric Collect() const override {
    uint64_t sum = 0;
    for (const Cell& cell : cells_) {
      sum += cell.value.load(std::memory_order_relaxed);
    }
    prometheus::ClientMetric metric;
    metric.counter.value = static_cast<double>(sum);
    return metric;
  }

 private:
  std::array<Cell, kShards> cells_;
};

class AtomicGauge : public Gauge, public Metric {
 public:
  void Set(int64_t value) override {
    value_.store(value, std::memory_order_relaxed);
  }
  void Add(int64_t delta) override {
    value_.fetch_add(delta, std::memory_order_relaxed);
  }
  prometheus::ClientMetric Collect() const override {
    prometheus::ClientMetric metric;
    metric.gauge.value = static_cast<double>(value_.load());
    return metric;
  }

 private:
  std::atomic<int64_t> value_{0};
};

// A number that lives elsewhere.
class ReadValue : public Metric {
 public:
  ReadValue(MetricKind kind, std::function<double()> read)
      : kind_(kind), read_(std::move(read)) {}
  prometheus::ClientMetric Collect() const override {
    prometheus::ClientMetric metric;
    (kind_ == MetricKind::kCounter ? metric.counter.value
                                   : metric.gauge.value) = read_();
    return metric;
  }

 private:
  const MetricKind kind_;
  const std::function<double()> read_;
};

constexpr std::array<double, 16> kLatencyBounds = {
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
    0.05,   0.1,     0.25,   0.5,   1,      2.5,   5,    10};
// Keeps the sum below within 64 bits; also takes NaN's place.
constexpr double kLongest = 1e6;

class ShardedHistogram : public Histogram, public Metric {
 public:
  void Observe(double value) override {
    if (!(value < kLongest)) value = kLongest;
    Part& part = parts_[Shard()];
    const size_t bucket =
        std::lower_bound(kLatencyBounds.begin(), kLatencyBounds.end(), value) -
        kLatencyBounds.begin();
    part.counts[bucket].fetch_add(1, std::memory_order_relaxed);
    // Whole nanounits: an integer add where a double would need a loop.
    part.sum.fetch_add(static_cast<uint64_t>(std::max(value, 0.0) * 1e9),
                       std::memory_order_relaxed);
  }
  prometheus::ClientMetric Collect() const override {
    prometheus::ClientMetric metric;
    uint64_t sum = 0;
    uint64_t cumulative = 0;
    for (size_t i = 0; i <= kLatencyBounds.size(); ++i) {
      for (const Part& part : parts_) {
        cumulative += part.counts[i].load(std::memory_order_relaxed);
      }
      metric.histogram.bucket.push_back(
          {cumulative, i < kLatencyBounds.size()
                           ? kLatencyBounds[i]
                           : std::numeric_limits<double>::infinity()});
    }
    for (const Part& part : parts_) {
      sum += part.sum.load(std::memory_order_relaxed);
    }
    metric.histogram.sample_count = cumulative;
    metric.histogram.sample_sum = static_cast<double>(sum) / 1e9;
    return metric;
  }

 private:
  struct alignas(64) Part {
    std::array<std::atomic<uint64_t>, kLatencyBounds.size() + 1> counts{};
    std::atomic<uint64_t> sum{0};
  };
  std::array<Part, kShards> parts_;
};

struct Family {
  std::string help;
  prometheus::MetricType type = prometheus::MetricType::Untyped;
  std::map<MetricLabels, std::unique_ptr<Metric>> metrics;
};

[[noreturn]] void AbortForTwoKinds(std::string_view name) {
  std::fprintf(stderr, "metric %.*s has two kinds\n",
               static_cast<int>(name.size()), name.data());
  std::abort();
}

class Registry {
 public:
  template <typename T>
  T* Get(std::string_view name, std::string_view help,
         prometheus::MetricType type, MetricLabels labels) {
    std::sort(labels.begin(), labels.end());
    MutexLock lock(&mutex_);
    std::unique_ptr<Metric>& metric =
        FamilyOf(name, help, type).metrics[labels];
    if (!metric) metric = std::make_unique<T>();
    T* const typed = dynamic_cast<T*>(metric.get());
    if (typed == nullptr) AbortForTwoKinds(name);
    return typed;
  }

  void Set(std::string_view name, std::string_view help,
           prometheus::MetricType type, MetricLabels labels,
           std::unique_ptr<Metric> metric) {
    std::sort(labels.begin(), labels.end());
    MutexLock lock(&mutex_);
    FamilyOf(name, help, type).metrics[labels] = std::move(metric);
  }

  std::string Render() const {
    std::vector<prometheus::MetricFamily> families;
    {
      MutexLock lock(&mutex_);
      for (const auto& [name, family] : families_) {
        prometheus::MetricFamily out;
        out.name = name;
        out.help = family.help;
        out.type = family.type;
        for (const auto& [labels, metric] : family.metrics) {
          out.metric.push_back(metric->Collect());
          for (const auto& [label, value] : labels) {
            out.metric.back().label.push_back({label, value});
          }
        }
        families.push_back(std::move(out));
      }
    }
    return prometheus::TextSerializer().Serialize(families);
  }

 private:
  Family& FamilyOf(std::string_view name, std::string_view help,
                   prometheus::MetricType type)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    Family& family = families_[std::string(name)];
    if (family.metrics.empty()) {
      family.help = help;
      family.type = type;
    } else if (family.type != type) {
      AbortForTwoKinds(name);
    }
    return family;
  }

  mutable Mutex mutex_;
  std::map<std::string, Family> families_ ABSL_GUARDED_BY(mutex_);
};

Registry& TheRegistry() {
  static auto* const registry = new Registry;
  return *registry;
}

}  // namespace

Counter* GetCounter(std::string_view name, std::string_view help,
                    const MetricLabels& labels) {
  return TheRegistry().Get<ShardedCounter>(
      name, help, prometheus::MetricType::Counter, labels);
}

Gauge* GetGauge(std::string_view name, std::string_view help,
                const MetricLabels& labels) {
  return TheRegistry().Get<AtomicGauge>(name, help,
                                        prometheus::MetricType::Gauge, labels);
}

Histogram* GetLatencyHistogram(std::string_view name, std::string_view help,
                               const MetricLabels& labels) {
  return TheRegistry().Get<ShardedHistogram>(
      name, help, prometheus::MetricType::Histogram, labels);
}

void ExportValue(MetricKind kind, std::string_view name, std::string_view help,
                 std::function<double()> read, const MetricLabels& labels) {
  TheRegistry().Set(name, help,
                    kind == MetricKind::kCounter
                        ? prometheus::MetricType::Counter
                        : prometheus::MetricType::Gauge,
                    labels, std::make_unique<ReadValue>(kind, std::move(read)));
}

std::string RenderMetrics() { return TheRegistry().Render(); }

}  // namespace kyc::base
