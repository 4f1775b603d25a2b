#include "services/webhook/work.h"

namespace kyc::webhook {
namespace {

// Events that may be worked on now: enough to fill batches.
constexpr size_t kReadAhead = 1024;
// With those that wait for another try; with more of them something is wrong
// with all events, and reading on would only move the stream into memory.
constexpr size_t kMaxHeld = 20000;

base::Counter* Done(const char* effect) {
  return base::GetCounter("kyc_webhook_applied_total",
                          "Events done with, by their effect.",
                          {{"effect", effect}});
}

}  // namespace

ConsumerMetrics::ConsumerMetrics()
    : done{{"applied", Done("applied")},     {"stale", Done("stale")},
           {"duplicate", Done("duplicate")}, {"ignored", Done("ignored")},
           {"unknown", Done("unknown")},     {"dead", Done("dead")}},
      redeliveries(base::GetCounter(
          "kyc_webhook_redeliveries_total",
          "Events taken up again: resumed, claimed or repeated.")),
      trimmed(base::GetCounter(
          "kyc_webhook_trimmed_pending_total",
          "Pending events found deleted from the stream: lost by an "
          "operator.")),
      owned(base::GetGauge("kyc_webhook_partitions_owned",
                           "Partitions of the stream that this process "
                           "works on.")),
      lag(base::GetGauge("kyc_webhook_lag_entries",
                         "Stored events not delivered yet.")),
      pending(base::GetGauge("kyc_webhook_pending_entries",
                             "Events delivered and not acknowledged yet.")),
      oldest(base::GetGauge("kyc_webhook_oldest_pending_seconds",
                            "Age of the oldest event that is not "
                            "acknowledged, delivered or not.")),
      dead(base::GetGauge("kyc_webhook_dead_letters",
                          "Events in the dead letter streams.")) {}

Work::Work(async::Loop& loop, const async::RedisOptions& redis,
           std::shared_ptr<grpc::Channel> kyc, ConsumerOptions options,
           const base::Clock& clock)
    : loop(loop),
      options(std::move(options)),
      clock(clock),
      redis(loop, redis),
      applier(loop, std::move(kyc)),
      slots(this->options.apply_concurrency) {}

bool Work::HasRoom() const {
  return held < kMaxHeld && held - stuck < kReadAhead;
}

}  // namespace kyc::webhook
