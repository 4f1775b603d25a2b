// What the partitions of one process share.
#ifndef KYC_SERVICES_WEBHOOK_WORK_H_
#define KYC_SERVICES_WEBHOOK_WORK_H_

#include <cstddef>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include "services/async/loop.h"
#include "services/async/redis.h"
#include "services/async/slots.h"
#include "services/base/clock.h"
#include "services/base/metrics.h"
#include "services/webhook/applier.h"
#include "services/webhook/consumer.h"

namespace kyc::webhook {

struct ConsumerMetrics {
  ConsumerMetrics();

  // By the names Applier gives effects; "duplicate" is a stale event whose
  // very bytes came before, "dead" a dead letter.
  std::map<std::string_view, base::Counter*> done;
  base::Counter* redeliveries;
  base::Counter* trimmed;
  base::Gauge* owned;
  base::Gauge* lag;
  base::Gauge* pending;
  base::Gauge* oldest;
  base::Gauge* dead;
};

// On one loop, whose coroutines keep it alive.
struct Work {
  Work(async::Loop& loop, const async::RedisOptions& redis,
       std::shared_ptr<grpc::Channel> kyc, ConsumerOptions options,
       const base::Clock& clock);

  // Whether there is room for more events in memory.
  bool HasRoom() const;

  async::Loop& loop;
  const ConsumerOptions options;
  const base::Clock& clock;
  const ConsumerMetrics metrics;
  async::Redis redis;
  Applier applier;
  async::Slots slots;
  // Room has come, a partition is ready or idle, or all is to end.
  async::Event changed;

  size_t held = 0;   // Events in memory.
  size_t stuck = 0;  // Of them, those that wait for a failed one's next try.
  size_t bytes = 0;  // Of their bodies.
};

}  // namespace kyc::webhook

#endif  // KYC_SERVICES_WEBHOOK_WORK_H_
